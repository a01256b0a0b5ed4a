// e to the power of x, by Cody and Waite's reduction ("Software Manual for the Elementary Functions", 1980): x = n ln 2
// + r with |r| <= ln 2 / 2, ln 2 held as a sum of two floats whose first has few bits, so that n times it is exact;
// then e^x = 2^n (1 + r + r^2 p(r)). coefficients.py derives p. At most 2 ulp off.
#pragma once

#include "vector/coefficients.h"
#include "vector/simd.h"

namespace speedwell {
namespace SPEEDWELL_ISA {
namespace simd {

constexpr float kLog2E = 1.44269504f;
constexpr float kLn2High = 0.693359375f;      // 9 bits
constexpr float kLn2Low = -2.12194440e-4f;    // ln 2 - kLn2High

struct Reduced {
  Floats power;  // e^r
  Floats whole;  // n + kRounder: its low bits hold n
};

// |x| < 2^20, or NaN.
SPEEDWELL_INLINE Reduced reduce_exp(Floats x) {
  const Floats whole = fma(x, splat(kLog2E), splat(kRounder));
  const Floats n = whole - kRounder;
  const Floats r = fma(n, splat(-kLn2Low), fma(n, splat(-kLn2High), x));
  const Floats p = horner(r, coefficients::kExp);
  return {fma(p, r * r, r + 1.0f), whole};
}

// For every float: 0 at -inf, infinity from 88.73 on, denormal results rounded, NaN kept.
SPEEDWELL_INLINE Floats exp(Floats x) {
  const Reduced e = reduce_exp(lesser(splat(89.0f), greater(splat(-105.0f), x)));
#if defined(__AVX512F__)
  return _mm512_maskz_scalef_ps(kAll, e.power, e.whole - kRounder);
#else
  // 2^n in two steps: n reaches -152 and 129, past the exponents of a normal float.
  const Ints n = (Ints)((Bits)e.whole - kRounderBits);
  const Bits half = (Bits)(n >> 1);
  return e.power * (Floats)((half + 127u) << 23) * (Floats)(((Bits)n - half + 127u) << 23);
#endif
}

// For x <= 0, or NaN. Zero below -87.7, where a float would be denormal: that n, -127, makes the scale's bits zero.
SPEEDWELL_INLINE Floats exp_of_negative(Floats x) {
  const Reduced e = reduce_exp(greater(splat(-88.0f), x));
  return e.power * (Floats)(((Bits)e.whole + (127u - kRounderBits)) << 23);
}

}  // namespace simd
}  // namespace SPEEDWELL_ISA
}  // namespace speedwell
