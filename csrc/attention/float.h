// Attention of one head: scores = q k^T, their exponentials, times v. A few rows of q at a time, so that a row's scores
// stay in L1 from the first product to the second; both products keep their sums in registers.
#pragma once

#include "attention/contract.h"
#include "attention/pack_float.h"
#include "vector/softmax.h"

namespace speedwell {
namespace SPEEDWELL_ISA {
namespace simd {

// Rows times two vectors of sums, two vectors of b and one of a must fit the registers: 16, or 32 with AVX-512.
#if defined(__AVX512F__)
constexpr int kRows = 8;
#else
constexpr int kRows = 6;
#endif

// c[r][0 .. C vectors) = factor[r] * sum over k in [0, depth) of a[r][k] b[k][0 .. C vectors); no factor where null.
struct Product {
  const float* a;
  int64_t lda;
  const float* b;
  int64_t ldb;
  int64_t depth;
  const float* factor;
  float* c;
  int64_t ldc;
};

template <int R, int C>
void multiply(const Product& p) {
  Floats sum[R][C] = {};
  const float* a = p.a;
  const float* b = p.b;
  const int64_t lda = p.lda, ldb = p.ldb;
  for (int64_t k = 0; k < p.depth; ++k, ++a, b += ldb) {
    Floats w[C];
#pragma GCC unroll 2
    for (int c = 0; c < C; ++c) w[c] = load(b + c * kLanes);
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
      const Floats x = splat(a[r * lda]);
#pragma GCC unroll 2
      for (int c = 0; c < C; ++c) sum[r][c] = fma(x, w[c], sum[r][c]);
    }
  }
  const float* factor = p.factor;
  float* out = p.c;
  const int64_t ldc = p.ldc;
  if (factor) {
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r)
#pragma GCC unroll 2
      for (int c = 0; c < C; ++c) sum[r][c] *= factor[r];
  }
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 2
    for (int c = 0; c < C; ++c) store(out + r * ldc + c * kLanes, sum[r][c]);
}

// rows: 1..kRows.
template <int C>
void multiply(int64_t rows, const Product& p) {
  switch (rows) {
    case 1: return multiply<1, C>(p);
    case 2: return multiply<2, C>(p);
    case 3: return multiply<3, C>(p);
    case 4: return multiply<4, C>(p);
    case 5: return multiply<5, C>(p);
#if defined(__AVX512F__)
    case 6: return multiply<6, C>(p);
    case 7: return multiply<7, C>(p);
#endif
    default: return multiply<kRows, C>(p);
  }
}

inline void multiply(int64_t rows, int64_t vectors, const Product& p) {
  if (vectors >= 2) {
    multiply<2>(rows, p);
  } else {
    multiply<1>(rows, p);
  }
}

}  // namespace simd

inline void attention_head(const AttentionHead& h) {
  using namespace simd;
  const int64_t rows = h.rows, keys = h.keys, d = h.d;
  const float* v = h.v;
  int64_t v_step = h.v_step;
  const int64_t padded = (keys + kPanelKeys - 1) / kPanelKeys * kPanelKeys, wide = (d + kLanes - 1) / kLanes * kLanes;
  const int64_t lds = padded + 16;  // rows a power of two apart would share their few places in L1
  float* const packed_k = h.scratch;
  float* const packed_v = packed_k + padded * d;
  float* const scores = packed_v + padded * wide;
  float* const results = scores + kRows * lds;

  pack_keys(h.k, h.k_step, keys, d, packed_k);
  // Values are packed where their width is no whole number of vectors, and where they lie apart and are read often.
  const bool whole = wide == d;
  if (!whole || (v_step > d && rows >= 4 * kRows)) {
    pack_values(v, v_step, keys, d, wide, packed_v);
    v = packed_v;
    v_step = wide;
  }

  const int64_t blocks = (rows + kRows - 1) / kRows;
  int64_t row = 0;
  for (int64_t block = 0; block < blocks; ++block) {
    const int64_t count = (rows - row + blocks - block - 1) / (blocks - block);  // 11 rows are 6 and 5
    for (int64_t j = 0; j < keys; j += kPanelKeys)
      multiply(count, (keys - j + kLanes - 1) / kLanes,
               {h.q + row * h.q_step, h.q_step, packed_k + j * d, kPanelKeys, d, nullptr, scores + j, lds});
    // All maxima first: a row's exponentials wait for its own, and would keep the next row waiting too.
    const auto mask_of = [&](int64_t r) { return h.mask ? h.mask + (row + r) * h.mask_step : nullptr; };
    float factor[kRows], top[kRows];
    for (int64_t r = 0; r < count; ++r) top[r] = greatest_score<true>(scores + r * lds, mask_of(r), h.scale, keys);
    for (int64_t r = 0; r < count; ++r) {
      const float sum = exponentials<true>(scores + r * lds, mask_of(r), h.scale, keys, h.nan_to_zero, top[r]);
      factor[r] = keys ? 1.0f / sum : 0.0f;
    }
    float* const to = whole ? h.out + row * h.out_step : results;
    const int64_t ldo = whole ? h.out_step : wide;
    for (int64_t c = 0; c < wide; c += kPanelKeys)
      multiply(count, (wide - c) / kLanes, {scores, lds, v + c, v_step, keys, factor, to + c, ldo});
    if (!whole)
      for (int64_t r = 0; r < count; ++r)
        for (int64_t c = 0; c < d; ++c) h.out[(row + r) * h.out_step + c] = results[r * wide + c];
    row += count;
  }
}

}  // namespace SPEEDWELL_ISA
}  // namespace speedwell
