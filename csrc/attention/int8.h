// Attention of one head with both products in u8 x s8. What it computes is said here step by step, in integers and in
// floats rounded after every operation, so that the result is the same bit for bit on every instruction set:
//
//   q[i][c] = 128 + level in [-127, 127]; k[j][c] and v[j][c] levels in [-63, 63], v less the middle of its channel's
//   range (pack_int8.h)
//   score[i][j] = float(sum over c of q k - 128 sum over c of k) * key_step[j] * (q_step[i] * scale)
//   without a mask: scale times log2 e first, t = score - max; with one: t = (score + mask - max) * log2 e
//   share = round_half_even(255 * 2^t), 0..255, by a polynomial (coefficients::kShare)
//   out[i][c] = float(sum over j of share v) * (value_step[c] * (1 / float(sum over j of share))) + value_middle[c]
//
// The range is over the keys that the mask leaves, where one row of it is for all rows of q and leaves some.
// The shares' sum is that of the rounded ones, so a row of equal values comes out as it was. NaN, as in the float kernel:
// a row of q with one, or with an infinity, gives NaN; one among the keys makes all rows NaN, one among a channel's
// values that channel; a mask's NaN its row.
//
// A block of rows of q at a time, by the tile that all integer products share: its scores and shares stay in L1.
#pragma once

#include "attention/pack_int8.h"
#include "gemm/kernels.h"
#include "vector/coefficients.h"

namespace speedwell {
namespace SPEEDWELL_ISA {
namespace simd {

// Sums c [rows][ldc] of one operand's rows and all panels of the other.
inline void multiply_int8(const uint8_t* a, int64_t lda, int64_t rows, const int8_t* b, int64_t panels, int64_t quads,
                          const int32_t* start, int32_t* c, int64_t ldc) {
  TileInt8 tile{};
  tile.lda = lda;
  tile.quads = quads;
  tile.pairs_fit = true;  // 255 * 2 * 63 < 32768
  tile.ldc = ldc;
  const int64_t tiles = (rows + kBlockRows - 1) / kBlockRows;
  for (int64_t i = 0, row = 0; i < tiles; ++i, row += tile.rows) {
    tile.rows = static_cast<int>((rows - row + tiles - i - 1) / (tiles - i));  // 11 rows are 6 and 5
    tile.a = a + row * lda;
    for (int64_t p = 0; p < panels; p += kBlockPanels) {
      tile.b = b + p * quads * kPanel * 4;
      tile.panels = static_cast<int>(panels - p < kBlockPanels ? panels - p : kBlockPanels);
      tile.start = start ? start + p * kPanel : nullptr;
      tile.c = c + row * ldc + p * kPanel;
      tile_int8(tile);
    }
  }
}

// 255 * 2^t, rounded, for t <= 0.
SPEEDWELL_INLINE Ints share_of(Floats t) {
  t = greater(t, splat(-20.0f));  // 255 * 2^-20 rounds to 0
  const Floats whole = t + kRounder, f = t - (whole - kRounder);
  Floats p = splat(coefficients::kShare[3]);
#pragma GCC unroll 3
  for (int i = 2; i >= 0; --i) p = rounded(p * f) + splat(coefficients::kShare[i]);
  const Floats power = (Floats)((Bits)p + ((Bits)whole << 23));  // the low bits of `whole` are n
  return nearest(power);
}

// A row of sums becomes scores in place, -inf up to a whole vector behind the last key. Returns the greatest, and NaN
// where a mask's NaN or an infinity among the scores leaves none.
template <bool kMasked>
float scores_of_sums(float* x, const float* key_step, const float* mask, float factor, int64_t keys) {
  const Floats nothing = splat(-__builtin_inff());
  Floats most[2] = {nothing, nothing};
  Ints nan{};
  const auto score = [&](int64_t i, Floats masked) __attribute__((always_inline)) {
    Ints sum;
    __builtin_memcpy(&sum, x + i, sizeof sum);
    const Floats found = __builtin_convertvector(sum, Floats) * load(key_step + i) * factor;
    if (!kMasked) return found;
    const Floats moved = rounded(found) + masked;
    nan |= moved != moved;
    return moved;
  };
  const auto mask_at = [&](int64_t i) __attribute__((always_inline)) { return kMasked ? load(mask + i) : Floats{}; };
  const int64_t rest = keys % kLanes, end = keys - rest;
  int64_t i = 0;
  for (; i + 2 * kLanes <= end; i += 2 * kLanes)
#pragma GCC unroll 2
    for (int h = 0; h < 2; ++h) {
      const Floats found = score(i + h * kLanes, mask_at(i + h * kLanes));
      most[h] = greater(found, most[h]);
      store(x + i + h * kLanes, found);
    }
  if (i < end) {
    const Floats found = score(i, mask_at(i));
    most[0] = greater(found, most[0]);
    store(x + i, found);
  }
  if (rest) {
    Floats found = score(end, kMasked ? load_part(mask + end, rest) : Floats{});
    found = lanes_below(rest) ? found : nothing;
    most[1] = greater(found, most[1]);
    store(x + end, found);
  }
  if (kMasked && greatest_of(-nan)) return __builtin_nanf("");
  return greatest_of(greater(most[0], most[1]));
}

// A row's shares, as bytes up to a whole vector. Returns their sum.
template <bool kMasked>
uint32_t shares_of_scores(const float* x, float top, int64_t keys, uint8_t* out) {
  Bits sum[2] = {};
  const auto share = [&](int64_t i) __attribute__((always_inline)) {
    const Floats below = load(x + i) - top;
    return share_of(kMasked ? rounded(below * kLog2E) : below);
  };
  int64_t i = 0;
  for (; i + 4 * kLanes <= keys; i += 4 * kLanes) {
    const Ints a = share(i), b = share(i + kLanes), c = share(i + 2 * kLanes), d = share(i + 3 * kLanes);
    sum[0] += (Bits)a + (Bits)b;
    sum[1] += (Bits)c + (Bits)d;
    store_bytes(out + i, a, b, c, d);
  }
  for (; i < keys; i += kLanes) {
    const Ints a = share(i);
    sum[0] += (Bits)a;
    store_bytes(out + i, a);
  }
  return sum_of(sum[0] + sum[1]);
}

// What a row's results are multiplied by, and its shares; top: its greatest score, NaN where the row is NaN.
template <bool kMasked>
float finish_shares(const float* x, float top, int64_t keys, bool nan_to_zero, uint8_t* out) {
  const float inf = __builtin_inff();
  if (__builtin_fabsf(top) < inf)
    return 1.0f / static_cast<float>(static_cast<int32_t>(shares_of_scores<kMasked>(x, top, keys, out)));
  __builtin_memset(out, 0, static_cast<size_t>((keys + kLanes - 1) / kLanes * kLanes));
  return top == -inf && nan_to_zero ? 0.0f : __builtin_nanf("");
}

// Softmax of a block's rows: sums [rows] become shares, and factors, by which sums are to be multiplied, those by which
// results are. All maxima first: a row's exponentials wait for its own, and would keep the next row waiting too.
template <bool kMasked>
void softmax_int8(const AttentionHead& h, int64_t row, int64_t rows, float* scores, uint8_t* shares, float* factor) {
  const AttentionInt8Layout& at = *h.layout;
  const float* const key_step = h.scratch + at.key_scale;
  float top[kAttentionBlock];
  for (int64_t r = 0; r < rows; ++r) {
    const float* const mask = kMasked ? h.mask + (row + r) * h.mask_step : nullptr;
    top[r] = __builtin_fabsf(factor[r]) < __builtin_inff()
                 ? scores_of_sums<kMasked>(scores + r * at.score_step, key_step, mask, factor[r], h.keys)
                 : __builtin_nanf("");
  }
  for (int64_t r = 0; r < rows; ++r)
    factor[r] = finish_shares<kMasked>(scores + r * at.score_step, top[r], h.keys, h.nan_to_zero, shares + r * at.share_step);
}

}  // namespace simd

inline void attention_head_int8(const AttentionHead& h) {
  using namespace simd;
  if (h.keys == 0) {
    for (int64_t r = 0; r < h.rows; ++r) __builtin_memset(h.out + r * h.out_step, 0, static_cast<size_t>(h.d) * 4);
    return;
  }
  const AttentionInt8Layout& at = *h.layout;
  int8_t* const keys = reinterpret_cast<int8_t*>(h.scratch + at.keys);
  int8_t* const values = reinterpret_cast<int8_t*>(h.scratch + at.values);
  uint8_t* const q = reinterpret_cast<uint8_t*>(h.scratch + at.q);
  uint8_t* const shares = reinterpret_cast<uint8_t*>(h.scratch + at.shares);
  float* const key_step = h.scratch + at.key_scale;
  const ChannelSteps value{h.scratch + at.value_scale, h.scratch + at.value_middle};
  float* const scores = h.scratch + at.scores;
  int32_t* const start = reinterpret_cast<int32_t*>(h.scratch + at.key_start);
  int32_t* const sums = reinterpret_cast<int32_t*>(h.scratch + at.sums);
  const int64_t padded = at.panels * kPanel;

  pack_keys_int8(h, keys, key_step);
  pack_values_int8(h, Counted(h), values, value);
  // A row of nothing but zero points gives what the zero points add to each score.
  __builtin_memset(q, kMiddle, static_cast<size_t>(at.q_step));
  multiply_int8(q, at.q_step, 1, keys, at.panels, at.quads, nullptr, start, padded);
  for (int64_t j = 0; j < padded; ++j) start[j] = -start[j];
  bool finite = true;
  for (int64_t j = 0; j < h.keys; ++j) finite &= key_step[j] == key_step[j];
  const float scale = finite ? h.mask ? h.scale : h.scale * kLog2E : __builtin_nanf("");

  for (int64_t row = 0; row < h.rows; row += at.block) {
    const int64_t count = h.rows - row < at.block ? h.rows - row : at.block;
    float factor[kAttentionBlock];
    for (int64_t r = 0; r < count; ++r)
      factor[r] = quantize_symmetric(h.q + (row + r) * h.q_step, h.d, 127, q + r * at.q_step) * scale;
    multiply_int8(q, at.q_step, count, keys, at.panels, at.quads, start, reinterpret_cast<int32_t*>(scores), at.score_step);
    if (h.mask) {
      softmax_int8<true>(h, row, count, scores, shares, factor);
    } else {
      softmax_int8<false>(h, row, count, scores, shares, factor);
    }
    multiply_int8(shares, at.share_step, count, values, at.wide / kPanel, at.groups, nullptr, sums, at.wide);
    for (int64_t r = 0; r < count; ++r) {
      float* const out = h.out + (row + r) * h.out_step;
      const int32_t* const sum = sums + r * at.wide;
      const Floats factors = splat(factor[r]);
      const Floats shown = splat(factor[r] != 0.0f ? 1.0f : 0.0f);  // a row without keys has no middle either
      walk(h.d, [&](int64_t c, auto part) __attribute__((always_inline)) {
        const Floats off = __builtin_convertvector(load(sum + c), Floats) * (load(value.size + c) * factors);
        part.write(out + c, rounded(off) + load(value.middle + c) * shown);
      });
    }
  }
}

}  // namespace SPEEDWELL_ISA
}  // namespace speedwell
