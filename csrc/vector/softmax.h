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

// x = exp(x * scale + mask - max) in place; returns the sum. Where all are -inf the result is NaN, or zeros and the sum
// 1 with nan_to_zero. The scores are worked out twice: that costs less than writing them in between. kPadded: x is
// memory up to a whole vector, and may be read and written there (a part of a vector is slow to store).
template <bool kMasked, bool kPadded>
float exponentials(float* x, const float* mask, float scale, int64_t n, bool nan_to_zero) {
  const Floats nothing = splat(-__builtin_inff());
  const int64_t rest = n % kLanes, whole = n - rest;
  const auto score = [&](Floats value, Floats masked) __attribute__((always_inline)) {
    return kMasked ? fma(value, splat(scale), masked) : value * scale;
  };
  const auto mask_at = [&](int64_t i) __attribute__((always_inline)) { return kMasked ? load(mask + i) : Floats{}; };

  Floats most[2] = {nothing, nothing}, last{};
  const Ints inside = lanes_below(rest);
  int64_t i = 0;
  for (; i + 2 * kLanes <= whole; i += 2 * kLanes) {
    most[0] = greater(score(load(x + i), mask_at(i)), most[0]);
    most[1] = greater(score(load(x + i + kLanes), mask_at(i + kLanes)), most[1]);
  }
  if (i < whole) most[0] = greater(score(load(x + i), mask_at(i)), most[0]);
  if (rest) {
    last = score(kPadded ? load(x + whole) : load_part(x + whole, rest),
                 kMasked ? load_part(mask + whole, rest) : Floats{});
    last = inside ? last : nothing;
    most[1] = greater(last, most[1]);
  }
  const float top = greatest_of(greater(most[0], most[1]));
  if (nan_to_zero && top == -__builtin_inff() && !holds_nan(x, mask, scale, n)) {
    for (int64_t j = 0; j < n; ++j) x[j] = 0.0f;
    return 1.0f;
  }

  // A mask can be so low that it swallows its score: scores are then equal, which fma(value, scale, masked - top) would
  // miss. Without a mask what the rounding of top lost may lie above it: held at 0.
  const auto below_top = [&](Floats value, Floats masked) __attribute__((always_inline)) {
    if (kMasked) return score(value, masked) - top;
    return lesser(Floats{}, fma(value, splat(scale), splat(-top)));
  };
  Floats sum{};
  for (i = 0; i < whole; i += kLanes) {
    const Floats e = exp_of_negative(below_top(load(x + i), mask_at(i)));
    store(x + i, e);
    sum += e;
  }
  if (rest) {
    const Floats e = exp_of_negative(last - top);
    sum += e;
    if (kPadded) {
      store(x + whole, e);
    } else {
      store_part(x + whole, e, rest);
    }
  }
  return sum_of(sum);
}

template <bool kPadded>
float exponentials(float* x, const float* mask, float scale, int64_t n, bool nan_to_zero) {
  return mask ? exponentials<true, kPadded>(x, mask, scale, n, nan_to_zero)
              : exponentials<false, kPadded>(x, mask, scale, n, nan_to_zero);
}

}  // namespace simd

inline void softmax_row(float* x, const float* mask, float scale, int64_t n, bool nan_to_zero) {
  const float inverse = 1.0f / simd::exponentials<false>(x, mask, scale, n, nan_to_zero);
  simd::walk(n, [&](int64_t i, auto at) __attribute__((always_inline)) { at.write(x + i, at.read(x + i) * inverse); });
}

}  // namespace SPEEDWELL_ISA
}  // namespace speedwell
