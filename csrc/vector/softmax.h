// Softmax of a row. The exponentials stand apart: attention divides by their sum later, by result and not by key.
#pragma once

#include "vector/exp.h"

namespace speedwell {
namespace SPEEDWELL_ISA {
namespace simd {

inline bool holds_nan(const float* x, const float* mask, float scale, int64_t n) {
  for (int64_t i = 0; i < n; ++i) {
    const float score = x[i] * scale + (mask ? mask[i] : 0.0f);
    if (score != score) return true;
  }
  return false;
}

// The scores x * scale + mask of a row. They are worked out twice, for the greatest and for the exponentials: that costs
// less than writing them in between. kPadded: x is memory up to a whole vector, and may be read and written there (a part
// of a vector is slow to store).
template <bool kMasked, bool kPadded>
struct Scores {
  const float* x;
  const float* mask;
  float scale;
  int64_t whole, rest;

  Scores(const float* from, const float* added, float factor, int64_t n)
      : x(from), mask(added), scale(factor), whole(n - n % kLanes), rest(n % kLanes) {}

  SPEEDWELL_INLINE Floats score(Floats value, Floats masked) const {
    return kMasked ? fma(value, splat(scale), masked) : value * scale;
  }
  SPEEDWELL_INLINE Floats mask_at(int64_t i) const { return kMasked ? load(mask + i) : Floats{}; }
  SPEEDWELL_INLINE Floats at(int64_t i) const { return score(load(x + i), mask_at(i)); }

  // Less the greatest. A mask can be so low that it swallows its score: scores are then equal, which fma(value, scale,
  // masked - top) would miss. Without a mask what the rounding of top lost may lie above it: held at 0.
  SPEEDWELL_INLINE Floats below(int64_t i, float top) const {
    if (kMasked) return at(i) - top;
    return lesser(Floats{}, fma(load(x + i), splat(scale), splat(-top)));
  }

  // Where a part of a vector is left: -inf behind it.
  SPEEDWELL_INLINE Floats last() const {
    const Floats value = kPadded ? load(x + whole) : load_part(x + whole, rest);
    const Floats found = score(value, kMasked ? load_part(mask + whole, rest) : Floats{});
    return lanes_below(rest) ? found : splat(-__builtin_inff());
  }
};

template <bool kMasked, bool kPadded>
float greatest_score(const float* x, const float* mask, float scale, int64_t n) {
  const Scores<kMasked, kPadded> scores(x, mask, scale, n);
  const Floats nothing = splat(-__builtin_inff());
  Floats most[2] = {nothing, nothing};
  int64_t i = 0;
  for (; i + 2 * kLanes <= scores.whole; i += 2 * kLanes) {
    most[0] = greater(scores.at(i), most[0]);
    most[1] = greater(scores.at(i + kLanes), most[1]);
  }
  if (i < scores.whole) most[0] = greater(scores.at(i), most[0]);
  if (scores.rest) most[1] = greater(scores.last(), most[1]);
  return greatest_of(greater(most[0], most[1]));
}

// x = exp(x * scale + mask - top) in place, top being the greatest; returns the sum. Where all are -inf the result is
// NaN, or zeros and the sum 1 with nan_to_zero.
template <bool kMasked, bool kPadded>
float exponentials(float* x, const float* mask, float scale, int64_t n, bool nan_to_zero, float top) {
  if (nan_to_zero && top == -__builtin_inff() && !holds_nan(x, mask, scale, n)) {
    for (int64_t j = 0; j < n; ++j) x[j] = 0.0f;
    return 1.0f;
  }
  const Scores<kMasked, kPadded> scores(x, mask, scale, n);
  Floats sum{};
  for (int64_t i = 0; i < scores.whole; i += kLanes) {
    const Floats e = exp_of_negative(scores.below(i, top));
    store(x + i, e);
    sum += e;
  }
  if (scores.rest) {
    const Floats e = exp_of_negative(scores.last() - top);
    sum += e;
    if (kPadded) {
      store(x + scores.whole, e);
    } else {
      store_part(x + scores.whole, e, scores.rest);
    }
  }
  return sum_of(sum);
}

template <bool kPadded>
float greatest_score(const float* x, const float* mask, float scale, int64_t n) {
  return mask ? greatest_score<true, kPadded>(x, mask, scale, n) : greatest_score<false, kPadded>(x, mask, scale, n);
}

template <bool kPadded>
float exponentials(float* x, const float* mask, float scale, int64_t n, bool nan_to_zero, float top) {
  return mask ? exponentials<true, kPadded>(x, mask, scale, n, nan_to_zero, top)
              : exponentials<false, kPadded>(x, mask, scale, n, nan_to_zero, top);
}

}  // namespace simd

inline void softmax_row(float* x, const float* mask, float scale, int64_t n, bool nan_to_zero) {
  const float top = simd::greatest_score<false>(x, mask, scale, n);
  const float inverse = 1.0f / simd::exponentials<false>(x, mask, scale, n, nan_to_zero, top);
  simd::walk(n, [&](int64_t i, auto at) __attribute__((always_inline)) { at.write(x + i, at.read(x + i) * inverse); });
}

}  // namespace SPEEDWELL_ISA
}  // namespace speedwell
