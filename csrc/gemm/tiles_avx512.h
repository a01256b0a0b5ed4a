// 6 rows x 64 columns: 24 sums, 4 panels' weights and one broadcast activation in 29 of 32 registers. A k-quad is 4
// loads of weights, 6 broadcasts and 24 multiply-adds; with VNNI the multiply-adds (one a cycle) are the limit.
#pragma once

#include <immintrin.h>

#include "gemm/contract.h"
#include "gemm/depth.h"

namespace speedwell {
namespace SPEEDWELL_ISA {

// Four neighbouring u8 x s8 products added to each 32-bit sum.
template <bool kPairsFit>
inline __m512i multiply_add(__m512i sum, __m512i a, __m512i b) {
#if defined(__AVX512VNNI__)
  return _mm512_dpbusd_epi32(sum, a, b);
#else
  if (kPairsFit) return _mm512_add_epi32(sum, _mm512_madd_epi16(_mm512_maddubs_epi16(a, b), _mm512_set1_epi16(1)));
  // Even and odd bytes apart, in 16 bits each: exact for every weight, at twice the cost.
  const __m512i low = _mm512_set1_epi16(255);
  const __m512i even = _mm512_madd_epi16(_mm512_and_si512(a, low), _mm512_srai_epi16(_mm512_slli_epi16(b, 8), 8));
  const __m512i odd = _mm512_madd_epi16(_mm512_srli_epi16(a, 8), _mm512_srai_epi16(b, 8));
  return _mm512_add_epi32(sum, _mm512_add_epi32(even, odd));
#endif
}

template <int R, int P, bool kPairsFit>
void tile_int8_of(const TileInt8& t) {
  __m512i sum[R][P];
#pragma GCC unroll 8
  for (int p = 0; p < P; ++p) {
    const __m512i start = t.start ? _mm512_loadu_si512(t.start + p * kPanel) : _mm512_setzero_si512();
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) sum[r][p] = start;
  }
  const uint8_t* a = t.a;
  const int8_t* b = t.b;
  const int64_t lda = t.lda, step = t.quads * kPanel * 4;
  for (int64_t q = 0; q < t.quads; ++q, a += 4, b += kPanel * 4) {
    __m512i w[P];
#pragma GCC unroll 8
    for (int p = 0; p < P; ++p) w[p] = _mm512_loadu_si512(b + p * step);
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
      int32_t four;
      __builtin_memcpy(&four, a + r * lda, 4);
      const __m512i x = _mm512_set1_epi32(four);
#pragma GCC unroll 8
      for (int p = 0; p < P; ++p) sum[r][p] = multiply_add<kPairsFit>(sum[r][p], x, w[p]);
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 8
    for (int p = 0; p < P; ++p) _mm512_storeu_si512(t.c + r * t.ldc + p * kPanel, sum[r][p]);
}

template <int R, int P>
void part_float_of(const PartFloat& t) {
  __m512 sum[R][P];
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 8
    for (int p = 0; p < P; ++p) sum[r][p] = _mm512_loadu_ps(t.from + r * t.from_step + p * kPanel);
  const float* a = t.a;
  const float* b = t.b;
  const int64_t lda = t.lda, step = t.step;
  for (int64_t k = 0; k < t.k; ++k, ++a, b += kPanel) {
    __m512 w[P];
#pragma GCC unroll 8
    for (int p = 0; p < P; ++p) w[p] = _mm512_loadu_ps(b + p * step);
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
      const __m512 x = _mm512_set1_ps(a[r * lda]);
#pragma GCC unroll 8
      for (int p = 0; p < P; ++p) sum[r][p] = _mm512_fmadd_ps(x, w[p], sum[r][p]);
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 8
    for (int p = 0; p < P; ++p) _mm512_storeu_ps(t.c + r * t.ldc + p * kPanel, sum[r][p]);
}

#define SPEEDWELL_ROWS(tile, ...)                                                                       \
  {                                                                                                     \
    tile<1, __VA_ARGS__>, tile<2, __VA_ARGS__>, tile<3, __VA_ARGS__>, tile<4, __VA_ARGS__>,             \
        tile<5, __VA_ARGS__>, tile<6, __VA_ARGS__>                                                      \
  }

inline void tile_int8(const TileInt8& t) {
  using Tile = void (*)(const TileInt8&);
  static constexpr Tile kFit[kBlockPanels][kBlockRows] = {
      SPEEDWELL_ROWS(tile_int8_of, 1, true), SPEEDWELL_ROWS(tile_int8_of, 2, true),
      SPEEDWELL_ROWS(tile_int8_of, 3, true), SPEEDWELL_ROWS(tile_int8_of, 4, true)};
#if defined(__AVX512VNNI__)
  kFit[t.panels - 1][t.rows - 1](t);
#else
  static constexpr Tile kExact[kBlockPanels][kBlockRows] = {
      SPEEDWELL_ROWS(tile_int8_of, 1, false), SPEEDWELL_ROWS(tile_int8_of, 2, false),
      SPEEDWELL_ROWS(tile_int8_of, 3, false), SPEEDWELL_ROWS(tile_int8_of, 4, false)};
  (t.pairs_fit ? kFit : kExact)[t.panels - 1][t.rows - 1](t);
#endif
}

inline void tile_float(const TileFloat& t) {
  constexpr int64_t kFloatDepth = 96;  // 24 KB of four panels: half of an L1
  using Part = void (*)(const PartFloat&);
  static constexpr Part kParts[kBlockPanels][kBlockRows] = {
      SPEEDWELL_ROWS(part_float_of, 1), SPEEDWELL_ROWS(part_float_of, 2), SPEEDWELL_ROWS(part_float_of, 3),
      SPEEDWELL_ROWS(part_float_of, 4)};
  const Part* const of_panels = kParts[t.panels - 1];
  depth_by_depth(t, kFloatDepth, t.panels, [of_panels](int rows, const PartFloat& part) { of_panels[rows - 1](part); });
}

#undef SPEEDWELL_ROWS

}  // namespace SPEEDWELL_ISA
}  // namespace speedwell
