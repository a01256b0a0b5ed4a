// Layer normalization of a row.
#pragma once

#include "vector/simd.h"

namespace speedwell {
namespace SPEEDWELL_ISA {
namespace simd {

// The sum of f(x[i]). Four sums at once: one alone would wait for each addition.
template <typename F>
SPEEDWELL_INLINE float total(const float* x, int64_t n, const F& f) {
  Floats sum[4] = {};
  int64_t i = 0;
  for (; i + 4 * kLanes <= n; i += 4 * kLanes) {
    sum[0] += f(load(x + i));
    sum[1] += f(load(x + i + kLanes));
    sum[2] += f(load(x + i + 2 * kLanes));
    sum[3] += f(load(x + i + 3 * kLanes));
  }
  for (; i + kLanes <= n; i += kLanes) sum[0] += f(load(x + i));
  if (i < n) sum[1] += lanes_below(n - i) ? f(load_part(x + i, n - i)) : Floats{};
  return sum_of((sum[0] + sum[1]) + (sum[2] + sum[3]));
}

}  // namespace simd

// y or sum may be x or residual.
inline void layer_norm_row(const float* x, const float* residual, const float* gamma, const float* beta, float epsilon,
                           int64_t n, float* sum, float* y) {
  using namespace simd;
  const float* values = x;
  if (residual || sum) {
    float* into = sum ? sum : y;
    walk(n, [&](int64_t i, auto at) __attribute__((always_inline)) {
      at.write(into + i, residual ? at.read(x + i) + at.read(residual + i) : at.read(x + i));
    });
    values = into;
  }
  const float count = static_cast<float>(n);
  const float mean = total(values, n, [](Floats v) __attribute__((always_inline)) { return v; }) / count;
  const float variance = total(values, n, [&](Floats v) __attribute__((always_inline)) {
    const Floats off = v - mean;
    return off * off;
  }) / count;
  const float factor = 1.0f / __builtin_sqrtf(variance + epsilon);
  walk(n, [&](int64_t i, auto at) __attribute__((always_inline)) {
    const Floats off = (at.read(values + i) - mean) * factor;
    at.write(y + i, fma(off, at.read(gamma + i), beta ? at.read(beta + i) : Floats{}));
  });
}

}  // namespace SPEEDWELL_ISA
}  // namespace speedwell
