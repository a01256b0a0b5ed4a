// The reference: what every other instruction set must equal, bit for bit in int8.
#pragma once

#include "gemm/contract.h"

namespace speedwell {
namespace SPEEDWELL_ISA {

inline void tile_int8(const TileInt8& t) {
  for (int r = 0; r < t.rows; ++r)
    for (int p = 0; p < t.panels; ++p) {
      const int8_t* b = t.b + p * t.quads * kPanel * 4;
      int32_t sums[kPanel];
      for (int j = 0; j < kPanel; ++j) sums[j] = t.start ? t.start[p * kPanel + j] : 0;
      for (int64_t q = 0; q < t.quads; ++q)
        for (int j = 0; j < kPanel; ++j)
          for (int i = 0; i < 4; ++i) sums[j] += int32_t{t.a[r * t.lda + q * 4 + i]} * b[(q * kPanel + j) * 4 + i];
      for (int j = 0; j < kPanel; ++j) t.c[r * t.ldc + p * kPanel + j] = sums[j];
    }
}

inline void tile_float(const TileFloat& t) {
  for (int r = 0; r < t.rows; ++r)
    for (int p = 0; p < t.panels; ++p) {
      const float* b = t.b + p * t.k * kPanel;
      float sums[kPanel];
      for (int j = 0; j < kPanel; ++j) sums[j] = t.start ? t.start[p * kPanel + j] : 0.0f;
      for (int64_t k = 0; k < t.k; ++k)
        for (int j = 0; j < kPanel; ++j) sums[j] += t.a[r * t.lda + k] * b[k * kPanel + j];
      for (int j = 0; j < kPanel; ++j) t.c[r * t.ldc + p * kPanel + j] = sums[j];
    }
}

}  // namespace SPEEDWELL_ISA
}  // namespace speedwell
