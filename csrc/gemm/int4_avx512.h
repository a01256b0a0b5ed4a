// Weights of 4 bits, up to 6 rows x 32 columns: 12 sums of a group, 12 of all groups, the halves of two panels' bytes
// and one activation. With one or two rows 4 panels at a time: what counts then is how many loads are under way.
// With VNNI halves of bytes are multiplied as they come and what -8 a weight adds is the sums' first value; without it
// 8 quads at a time are added in 16 bits, as int4_avx2.h says.
#pragma once

#include <immintrin.h>

#include "gemm/contract.h"

namespace speedwell {
namespace SPEEDWELL_ISA {

template <int R, int P>
struct GroupInt4 {
  __m512i sum[R][P];

  __attribute__((always_inline)) inline void fill(__m512i first) {
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r)
#pragma GCC unroll 8
      for (int p = 0; p < P; ++p) sum[r][p] = first;
  }

  // Adds `pairs` pairs of quads: in 32 bits with VNNI, else in 16.
  __attribute__((always_inline)) inline void add(const uint8_t* a, int64_t lda, const uint8_t* b, int64_t step,
                                                 int64_t pairs) {
    const __m512i low = _mm512_set1_epi8(15);
    for (int64_t pair = 0; pair < pairs; ++pair, a += 8, b += 64) {
      __m512i even[P], odd[P];
#pragma GCC unroll 8
      for (int p = 0; p < P; ++p) {
        const __m512i both = _mm512_loadu_si512(b + p * step);
        even[p] = _mm512_and_si512(both, low);
        odd[p] = _mm512_and_si512(_mm512_srli_epi16(both, 4), low);
      }
      quad(a, lda, even);
      quad(a + 4, lda, odd);
    }
  }

  __attribute__((always_inline)) inline void quad(const uint8_t* a, int64_t lda, const __m512i (&w)[P]) {
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
      int32_t four;
      __builtin_memcpy(&four, a + r * lda, 4);
      const __m512i x = _mm512_set1_epi32(four);
#pragma GCC unroll 8
      for (int p = 0; p < P; ++p)
#if defined(__AVX512VNNI__)
        sum[r][p] = _mm512_dpbusd_epi32(sum[r][p], x, w[p]);
#else
        sum[r][p] = _mm512_add_epi16(sum[r][p], _mm512_maddubs_epi16(x, w[p]));
#endif
    }
  }
};

#if !defined(__AVX512VNNI__)
constexpr int64_t kRunPairs = 4;  // 8 quads
#endif

// Panels p0 to p0 + P - 1 of the tile.
template <int R, int P>
void panels_int4(const TileInt4& t, int p0) {
  const int64_t step = t.groups * t.pairs * 64, columns = t.groups * kPanel;
  const uint8_t* a = t.a;
  const uint8_t* b = t.b + p0 * step;
  const float* scale = t.scale + p0 * columns;
  const float* offset = t.offset ? t.offset + p0 * columns : nullptr;
  const int64_t lda = t.lda, pairs = t.pairs;
  __m512 total[R][P];
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 8
    for (int p = 0; p < P; ++p) total[r][p] = _mm512_setzero_ps();
  for (int64_t g = 0; g < t.groups; ++g, a += pairs * 8, b += pairs * 64, scale += kPanel) {
    GroupInt4<R, P> group;
#if defined(__AVX512VNNI__)
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r)
#pragma GCC unroll 8
      for (int p = 0; p < P; ++p) group.sum[r][p] = _mm512_set1_epi32(t.start[r * t.lds + g]);
    group.add(a, lda, b, step, pairs);
#else
    const int64_t run = pairs < kRunPairs ? pairs : kRunPairs;
    __m512i wide[R][P];
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r)
#pragma GCC unroll 8
      for (int p = 0; p < P; ++p) wide[r][p] = _mm512_set1_epi32(t.start[r * t.lds + g]);
    for (int64_t done = 0; done < pairs; done += run) {
      group.fill(_mm512_set1_epi16(-32768));
      group.add(a + done * 8, lda, b + done * 64, step, run);
#pragma GCC unroll 8
      for (int r = 0; r < R; ++r)
#pragma GCC unroll 8
        for (int p = 0; p < P; ++p) {
          const __m512i columns_of = _mm512_madd_epi16(group.sum[r][p], _mm512_set1_epi16(1));
          wide[r][p] = _mm512_add_epi32(wide[r][p], _mm512_add_epi32(columns_of, _mm512_set1_epi32(65536)));
        }
    }
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r)
#pragma GCC unroll 8
      for (int p = 0; p < P; ++p) group.sum[r][p] = wide[r][p];
#endif
#pragma GCC unroll 8
    for (int p = 0; p < P; ++p) {
      const __m512 by = _mm512_loadu_ps(scale + p * columns);
#pragma GCC unroll 8
      for (int r = 0; r < R; ++r) total[r][p] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(group.sum[r][p]), by, total[r][p]);
    }
    if (!offset) continue;
#pragma GCC unroll 8
    for (int p = 0; p < P; ++p) {
      const __m512 by = _mm512_loadu_ps(offset + p * columns + g * kPanel);
#pragma GCC unroll 8
      for (int r = 0; r < R; ++r)
        total[r][p] = _mm512_fmadd_ps(_mm512_set1_ps(static_cast<float>(t.start[r * t.lds + g])), by, total[r][p]);
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 8
    for (int p = 0; p < P; ++p) _mm512_storeu_ps(t.c + r * t.ldc + (p0 + p) * kPanel, total[r][p]);
}

template <int R>
void rows_int4(const TileInt4& t) {
  int p = 0;
  if constexpr (R <= 2) {
    if (t.panels == kBlockPanels) return panels_int4<R, kBlockPanels>(t, 0);
  }
  for (; p + 2 <= t.panels; p += 2) panels_int4<R, 2>(t, p);
  if (p < t.panels) panels_int4<R, 1>(t, p);
}

inline void tile_int4(const TileInt4& t) {
  using Tile = void (*)(const TileInt4&);
  static constexpr Tile kTiles[kBlockRows] = {rows_int4<1>, rows_int4<2>, rows_int4<3>,
                                              rows_int4<4>, rows_int4<5>, rows_int4<6>};
  kTiles[t.rows - 1](t);
}

}  // namespace SPEEDWELL_ISA
}  // namespace speedwell
