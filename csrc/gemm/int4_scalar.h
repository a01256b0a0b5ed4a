// The reference: what every other instruction set must equal, bit for bit.
#pragma once

#include "gemm/contract.h"

namespace speedwell {
namespace SPEEDWELL_ISA {

inline void tile_int4(const TileInt4& t) {
  for (int r = 0; r < t.rows; ++r)
    for (int p = 0; p < t.panels; ++p)
      for (int j = 0; j < kPanel; ++j) {
        float sum = 0.0f;
        for (int64_t g = 0; g < t.groups; ++g) {
          const int32_t start = t.start[r * t.lds + g];
          int32_t product = start;
          for (int64_t pair = 0; pair < t.pairs; ++pair)
            for (int i = 0; i < 4; ++i) {
              const uint8_t both = t.b[(((p * t.groups + g) * t.pairs + pair) * kPanel + j) * 4 + i];
              const uint8_t* a = t.a + r * t.lda + (g * t.pairs + pair) * 8 + i;
              product += int32_t{a[0]} * (both & 15) + int32_t{a[4]} * (both >> 4);
            }
          const int64_t at = (p * t.groups + g) * kPanel + j;
          sum = __builtin_fmaf(static_cast<float>(product), t.scale[at], sum);
          if (t.offset) sum = __builtin_fmaf(static_cast<float>(start), t.offset[at], sum);
        }
        t.c[r * t.ldc + p * kPanel + j] = sum;
      }
}

}  // namespace SPEEDWELL_ISA
}  // namespace speedwell
