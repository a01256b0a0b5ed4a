// What a row's activations add to every column of a group of int4 weights: the half-bytes are w + 8.
#pragma once

#include "gemm/contract.h"

namespace speedwell {
namespace SPEEDWELL_ISA {

inline void start_int4(const uint8_t* a, int64_t groups, int64_t group, int32_t* start) {
  for (int64_t g = 0; g < groups; ++g, a += group) {
    int32_t sum = 0;
    for (int64_t i = 0; i < group; ++i) sum += a[i];
    start[g] = -8 * sum;
  }
}

}  // namespace SPEEDWELL_ISA
}  // namespace speedwell
