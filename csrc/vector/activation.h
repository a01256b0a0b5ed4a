// Activations, lane by lane. Each holds for every float: its limit at both infinities (-0 where x times a vanishing
// factor tends to 0 from below), NaN for NaN. Error: at most 3e-7 max(1, |result|).
#pragma once

#include "vector/coefficients.h"
#include "vector/contract.h"
#include "vector/exp.h"

namespace speedwell {
namespace SPEEDWELL_ISA {
namespace simd {

// 1 / (1 + e^-x): exact to a few ulp at both ends, because e^-x goes to infinity on the left.
SPEEDWELL_INLINE Floats sigmoid(Floats x) { return 1.0f / (1.0f + exp(-x)); }

// x / (1 + e^-g). x is held at -120, where the divisor is infinite, so that -inf gives -0 and not NaN.
SPEEDWELL_INLINE Floats gated(Floats x, Floats g) { return greater(splat(-120.0f), x) / (1.0f + exp(-g)); }

// Near 0 a polynomial, which keeps the relative error small there; from 0.625 on 1 - 2 / (1 + e^2|x|), with x's sign:
// never past 1. (Cody and Waite, as exp.h.)
SPEEDWELL_INLINE Floats tanh(Floats x) {
  const Floats size = magnitude(x), square = x * x;
  const Floats near = fma(x * square, horner(square, coefficients::kTanh), x);
  const Floats far = 1.0f - 2.0f / (1.0f + exp(size + size));
  const Floats signed_far = (Floats)((Bits)far | ((Bits)x & 0x80000000u));
  return size < coefficients::kTanhEnd ? near : signed_far;
}

// x Phi(x) = max(x, 0) - |x| (1 - Phi(|x|)). What is taken off is small everywhere and needs no quotient; it is exactly
// 0 at kGeluEnd, so the infinities come out right.
SPEEDWELL_INLINE Floats gelu(Floats x) {
  const Floats t = lesser(splat(coefficients::kGeluEnd), magnitude(x));
  const Floats left = coefficients::kGeluEnd - t, square = left * left;
  return greater(splat(0.0f), x) - t * (square * square * square) * horner(t, coefficients::kGelu);
}

// x / 2 (1 + tanh(g / 2)) with g = 2 sqrt(2 / pi) (x + 0.044715 x^3), and (1 + tanh(g / 2)) / 2 = 1 / (1 + e^-g).
SPEEDWELL_INLINE Floats gelu_tanh(Floats x) {
  return gated(x, x * fma(x * x, splat(1.59576912f * 0.044715f), splat(1.59576912f)));
}

// x sigmoid(1.702 x) (Hendrycks and Gimpel, "Gaussian Error Linear Units", 2016; CLIP's)
SPEEDWELL_INLINE Floats quick_gelu(Floats x) { return gated(x, 1.702f * x); }

// x clamp(x / 6 + 1/2, 0, 1)
SPEEDWELL_INLINE Floats hard_swish(Floats x) {
  const Floats gate = fma(x, splat(1.0f / 6.0f), splat(0.5f));
  return greater(splat(-3.0f), x) * lesser(splat(1.0f), greater(splat(0.0f), gate));
}

template <Activation A>
SPEEDWELL_INLINE Floats activated(Floats x) {
  switch (A) {
    case Activation::relu: return greater(splat(0.0f), x);
    case Activation::relu6: return lesser(splat(6.0f), greater(splat(0.0f), x));
    case Activation::hard_swish: return hard_swish(x);
    case Activation::silu: return gated(x, x);
    case Activation::gelu: return gelu(x);
    case Activation::gelu_tanh: return gelu_tanh(x);
    case Activation::quick_gelu: return quick_gelu(x);
    case Activation::sigmoid: return sigmoid(x);
    case Activation::tanh: return tanh(x);
    case Activation::none: break;
  }
  return x;
}

template <Activation A>
void activate_all(const float* in, float* out, int64_t n) {
  walk(n, [&](int64_t i, auto at) __attribute__((always_inline)) { at.write(out + i, activated<A>(at.read(in + i))); });
}

}  // namespace simd

inline void activate(const float* in, float* out, int64_t n, Activation activation) {
  using simd::activate_all;
  switch (activation) {
    case Activation::relu: return activate_all<Activation::relu>(in, out, n);
    case Activation::relu6: return activate_all<Activation::relu6>(in, out, n);
    case Activation::hard_swish: return activate_all<Activation::hard_swish>(in, out, n);
    case Activation::silu: return activate_all<Activation::silu>(in, out, n);
    case Activation::gelu: return activate_all<Activation::gelu>(in, out, n);
    case Activation::gelu_tanh: return activate_all<Activation::gelu_tanh>(in, out, n);
    case Activation::quick_gelu: return activate_all<Activation::quick_gelu>(in, out, n);
    case Activation::sigmoid: return activate_all<Activation::sigmoid>(in, out, n);
    case Activation::tanh: return activate_all<Activation::tanh>(in, out, n);
    case Activation::none: return activate_all<Activation::none>(in, out, n);
  }
}

}  // namespace SPEEDWELL_ISA
}  // namespace speedwell
