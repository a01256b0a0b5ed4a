// Weights of 4 bits, up to 6 rows x 16 columns. Halves of bytes, in [0, 15], are multiplied as they come: two products
// are at most 2 * 255 * 15 = 7,650, so 8 quads reach 61,200 and fit 16 bits without a sign: sums begin at -32,768 and
// are widened once for 8 quads, whatever the weights are. What -8 a weight adds is in the tile's start.
#pragma once

#include <immintrin.h>

#include "gemm/contract.h"

namespace speedwell {
namespace SPEEDWELL_ISA {

#include "gemm/int4_avx2.inc"  // made by gemm/generate_int4.py

template <int R>
void panel_int4(const TileInt4& t, int panel) {
  constexpr int64_t kRunPairs = 4;  // 8 quads
  const int64_t run = t.pairs < kRunPairs ? t.pairs : kRunPairs, runs = t.pairs / run, group = t.pairs * 8;
  const uint8_t* b = t.b + panel * t.groups * group * 8;
  const float* scale = t.scale + panel * t.groups * kPanel;
  float* const c = t.c + panel * kPanel;
  const __m256i lift = _mm256_set1_epi32(static_cast<int32_t>(65536 * runs));  // two lanes of -32,768 in each run
  alignas(32) int32_t totals[R * kPanel];
  for (int r = 0; r < R; ++r)
    for (int h = 0; h < 2; ++h) _mm256_storeu_ps(c + r * t.ldc + 8 * h, _mm256_setzero_ps());
  for (int64_t g = 0; g < t.groups; ++g, b += group * 8, scale += kPanel) {
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
      const __m256i first = _mm256_add_epi32(_mm256_set1_epi32(t.start[r * t.lds + g]), lift);
      _mm256_store_si256(reinterpret_cast<__m256i*>(totals + r * kPanel), first);
      _mm256_store_si256(reinterpret_cast<__m256i*>(totals + r * kPanel + 8), first);
    }
    kAddGroup[R - 1](t.a + g * group, t.lda, b, runs, run, totals, scale, c,
                     t.ldc * static_cast<int64_t>(sizeof(float)));
    if (!t.offset) continue;
    const float* offset = t.offset + (panel * t.groups + g) * kPanel;
    for (int r = 0; r < R; ++r) {
      const __m256 start = _mm256_set1_ps(static_cast<float>(t.start[r * t.lds + g]));
      for (int h = 0; h < 2; ++h) {
        float* const to = c + r * t.ldc + 8 * h;
        _mm256_storeu_ps(to, _mm256_fmadd_ps(start, _mm256_loadu_ps(offset + 8 * h), _mm256_loadu_ps(to)));
      }
    }
  }
}

inline void tile_int4(const TileInt4& t) {
  using Panel = void (*)(const TileInt4&, int);
  static constexpr Panel kPanels[kBlockRows] = {panel_int4<1>, panel_int4<2>, panel_int4<3>,
                                                panel_int4<4>, panel_int4<5>, panel_int4<6>};
  for (int panel = 0; panel < t.panels; ++panel) kPanels[t.rows - 1](t, panel);
}

}  // namespace SPEEDWELL_ISA
}  // namespace speedwell
