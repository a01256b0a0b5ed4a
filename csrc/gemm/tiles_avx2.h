// 6 rows x 16 columns: 12 sums of eight, the panel's two halves and one broadcast activation in 15 of 16 registers.
// Without VNNI 32 products cost three instructions. Where the plan has proven runs (gemm/runs.h), the generated loops
// add several quads in 16 bits before they widen once.
#pragma once

#include <immintrin.h>

#include "gemm/contract.h"
#include "gemm/depth.h"

namespace speedwell {
namespace SPEEDWELL_ISA {

#include "gemm/tiles_avx2.inc"  // made by gemm/generate.py

constexpr int64_t kFloatDepth = 384;  // 24 KB of a panel: half of an L1

template <bool kPairsFit>
inline __m256i multiply_add(__m256i sum, __m256i a, __m256i b) {
  if (kPairsFit) return _mm256_add_epi32(sum, _mm256_madd_epi16(_mm256_maddubs_epi16(a, b), _mm256_set1_epi16(1)));
  // Even and odd bytes apart, in 16 bits each: exact for every weight, at twice the cost.
  const __m256i low = _mm256_set1_epi16(255);
  const __m256i even = _mm256_madd_epi16(_mm256_and_si256(a, low), _mm256_srai_epi16(_mm256_slli_epi16(b, 8), 8));
  const __m256i odd = _mm256_madd_epi16(_mm256_srli_epi16(a, 8), _mm256_srai_epi16(b, 8));
  return _mm256_add_epi32(sum, _mm256_add_epi32(even, odd));
}

template <int R, bool kPairsFit>
void panel_int8(const TileInt8& t, int panel) {
  __m256i sum[R][2];
  const int32_t* start = t.start ? t.start + panel * kPanel : nullptr;
#pragma GCC unroll 8
  for (int h = 0; h < 2; ++h) {
    const __m256i first =
        start ? _mm256_loadu_si256(reinterpret_cast<const __m256i*>(start + 8 * h)) : _mm256_setzero_si256();
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) sum[r][h] = first;
  }
  const uint8_t* a = t.a;
  const int8_t* b = t.b + panel * t.quads * kPanel * 4;
  const int64_t lda = t.lda;
  for (int64_t q = 0; q < t.quads; ++q, a += 4, b += kPanel * 4) {
    const __m256i left = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(b));
    const __m256i right = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(b + 32));
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
      int32_t four;
      __builtin_memcpy(&four, a + r * lda, 4);
      const __m256i x = _mm256_set1_epi32(four);
      sum[r][0] = multiply_add<kPairsFit>(sum[r][0], x, left);
      sum[r][1] = multiply_add<kPairsFit>(sum[r][1], x, right);
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 8
    for (int h = 0; h < 2; ++h)
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(t.c + r * t.ldc + panel * kPanel + 8 * h), sum[r][h]);
}

template <int R>
void panel_float(const PartFloat& t) {
  __m256 sum[R][2];
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 8
    for (int h = 0; h < 2; ++h) sum[r][h] = _mm256_loadu_ps(t.from + r * t.from_step + 8 * h);
  const float *a = t.a, *b = t.b, *ahead = t.ahead;
  const int64_t lda = t.lda;
  for (int64_t left = t.k; left > 0; left -= kFetchEvery, ahead += kPanel) {
    __builtin_prefetch(ahead, 0, 2);
    const int64_t some = left < kFetchEvery ? left : kFetchEvery;
    for (int64_t k = 0; k < some; ++k, ++a, b += kPanel) {
      const __m256 left_half = _mm256_loadu_ps(b), right_half = _mm256_loadu_ps(b + 8);
#pragma GCC unroll 8
      for (int r = 0; r < R; ++r) {
        const __m256 x = _mm256_broadcast_ss(a + r * lda);
        sum[r][0] = _mm256_fmadd_ps(x, left_half, sum[r][0]);
        sum[r][1] = _mm256_fmadd_ps(x, right_half, sum[r][1]);
      }
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 8
    for (int h = 0; h < 2; ++h) _mm256_storeu_ps(t.c + r * t.ldc + 8 * h, sum[r][h]);
}

inline void panel_runs(const TileInt8& t, int panel) {
  const PanelRuns& plan = t.runs[panel];
  // What is read next is fetched piece by piece: a line a run, and before a tile what that leaves.
  Lines ahead = t.upcoming;
  if (panel + 1 < t.panels) ahead = {reinterpret_cast<const char*>(t.runs[panel + 1].start), t.runs[panel + 1].lines};
  if (!ahead.begin) ahead = {reinterpret_cast<const char*>(plan.start), 0};
  RunCall call{t.a,        t.lda,      plan.bytes,           plan.stream,
               plan.runs,  plan.start, t.c + panel * kPanel, t.ldc * static_cast<int64_t>(sizeof(int32_t)),
               0x00010001, ahead.begin};
  const int64_t tiles = (t.rows + kRunRows - 1) / kRunRows, piece = (ahead.count + tiles - 1) / tiles;
  for (int row = 0; row < t.rows; row += kRunRows) {
    for (int64_t i = plan.runs; i < piece; ++i) __builtin_prefetch(call.ahead + i * 64, 0, 2);
    kAddRuns[(t.rows - row < kRunRows ? t.rows - row : kRunRows) - 1](&call);
    call.a += kRunRows * t.lda;
    call.c += kRunRows * t.ldc;
    call.ahead += piece * 64;
  }
}

inline void tile_int8(const TileInt8& t) {
  if (t.runs) {
    for (int panel = 0; panel < t.panels; ++panel) panel_runs(t, panel);
    return;
  }
  using Panel = void (*)(const TileInt8&, int);
  static constexpr Panel kPanels[2][kBlockRows] = {
      {panel_int8<1, false>, panel_int8<2, false>, panel_int8<3, false>, panel_int8<4, false>, panel_int8<5, false>,
       panel_int8<6, false>},
      {panel_int8<1, true>, panel_int8<2, true>, panel_int8<3, true>, panel_int8<4, true>, panel_int8<5, true>,
       panel_int8<6, true>}};
  const Panel run = kPanels[t.pairs_fit][t.rows - 1];
  for (int panel = 0; panel < t.panels; ++panel) run(t, panel);
}

inline void tile_float(const TileFloat& t) {
  using Panel = void (*)(const PartFloat&);
  static constexpr Panel kPanels[kBlockRows] = {panel_float<1>, panel_float<2>, panel_float<3>,
                                                panel_float<4>, panel_float<5>, panel_float<6>};
  depth_by_depth(t, kFloatDepth, 1, [](int rows, const PartFloat& part) { kPanels[rows - 1](part); });
}

}  // namespace SPEEDWELL_ISA
}  // namespace speedwell
