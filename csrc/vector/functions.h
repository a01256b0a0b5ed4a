// log and erf, and exp (exp.h) over a row. At most 2 ulp off, for every float: infinities, denormals and NaN included.
#pragma once

#include "vector/coefficients.h"
#include "vector/contract.h"
#include "vector/exp.h"

namespace speedwell {
namespace SPEEDWELL_ISA {
namespace simd {

// x = 2^n (1 + f) with sqrt(1/2) <= 1 + f < sqrt(2): log x = n ln 2 + log(1 + f), ln 2 held in two parts as exp.h says.
// -inf at either 0, NaN below it.
SPEEDWELL_INLINE Floats log(Floats x) {
  constexpr float kLeast = 1.17549435e-38f, kLift = 33554432.0f;  // 2^25 makes a denormal number a normal one
  const Ints denormal = x < kLeast;
  const Bits bits = (Bits)(denormal ? x * kLift : x);
  const Bits shifted = bits - 0x3f3504f3u;  // sqrt(1/2): the exponent turns over there
  const Ints n = ((Ints)shifted >> 23) + (denormal & -25);
  const Floats f = (Floats)((shifted & 0x007fffffu) + 0x3f3504f3u) - 1.0f;
  const Floats whole = __builtin_convertvector(n, Floats), square = f * f;
  const Floats rest = fma(whole, splat(kLn2Low), square * fma(f, horner(f, coefficients::kLog), splat(-0.5f)));
  const Floats found = fma(whole, splat(kLn2High), f + rest);
  const Floats infinity = splat(__builtin_inff()), none = splat(__builtin_nanf(""));
  const Floats below = x == 0.0f ? -infinity : none;
  return x > 0.0f ? (x == infinity ? x : found) : (x != x ? x : below);
}

// Near 0 a polynomial, which keeps the relative error small there; further out 1 - e^-p(|x|), with x's sign.
SPEEDWELL_INLINE Floats erf(Floats x) {
  const Floats size = magnitude(x), held = lesser(splat(coefficients::kErfEnd), size);
  const Floats near = fma(x, horner(x * x, coefficients::kErf), x);
  const Floats far = 1.0f - exp_of_negative(-horner(held, coefficients::kErfFar));
  const Floats signed_far = (Floats)((Bits)far | ((Bits)x & 0x80000000u));
  return size < coefficients::kErfNear ? near : signed_far;
}

template <Function F>
SPEEDWELL_INLINE Floats applied(Floats x) {
  switch (F) {
    case Function::exp: return exp(x);
    case Function::log: return log(x);
    case Function::erf: return erf(x);
  }
  return x;
}

template <Function F>
void apply_all(const float* in, float* out, int64_t n) {
  walk(n, [&](int64_t i, auto at) __attribute__((always_inline)) { at.write(out + i, applied<F>(at.read(in + i))); });
}

}  // namespace simd

inline void apply(const float* in, float* out, int64_t n, Function function) {
  switch (function) {
    case Function::exp: return simd::apply_all<Function::exp>(in, out, n);
    case Function::log: return simd::apply_all<Function::log>(in, out, n);
    case Function::erf: return simd::apply_all<Function::erf>(in, out, n);
  }
}

}  // namespace SPEEDWELL_ISA
}  // namespace speedwell
