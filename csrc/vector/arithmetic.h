// Arithmetic of two rows, or of a row and a number.
#pragma once

#include "vector/simd.h"

namespace speedwell {
namespace SPEEDWELL_ISA {
namespace simd {

// NaN where either is NaN, as numpy and ONNX have it.
SPEEDWELL_INLINE Floats either_nan(Floats a, Floats otherwise) { return a != a ? a : otherwise; }

template <int kKind>
SPEEDWELL_INLINE Floats combined(Floats a, Floats b) {
  switch (kKind) {
    case 0: return a + b;
    case 1: return a - b;
    case 2: return a * b;
    case 3: return a / b;
    case 4: return either_nan(a, greater(a, b));
    default: return either_nan(a, lesser(a, b));
  }
}

// A number is read before anything is written: out may lie over it.
template <int kKind, bool kWalkA, bool kWalkB>
void combine(const float* a, const float* b, float* out, int64_t n) {
  const Floats one_a = splat(*a), one_b = splat(*b);
  walk(n, [&](int64_t i, auto at) __attribute__((always_inline)) {
    const Floats x = kWalkA ? at.read(a + i) : one_a, y = kWalkB ? at.read(b + i) : one_b;
    at.write(out + i, combined<kKind>(x, y));
  });
}

template <int kKind>
void combine(const float* a, int step_a, const float* b, int step_b, float* out, int64_t n) {
  if (n <= 0) return;
  if (step_a && step_b) return combine<kKind, true, true>(a, b, out, n);
  if (step_a) return combine<kKind, true, false>(a, b, out, n);
  if (step_b) return combine<kKind, false, true>(a, b, out, n);
  combine<kKind, false, false>(a, b, out, n);
}

}  // namespace simd

inline void arithmetic(int kind, const float* a, int step_a, const float* b, int step_b, float* out, int64_t n) {
  switch (kind) {
    case 0: return simd::combine<0>(a, step_a, b, step_b, out, n);
    case 1: return simd::combine<1>(a, step_a, b, step_b, out, n);
    case 2: return simd::combine<2>(a, step_a, b, step_b, out, n);
    case 3: return simd::combine<3>(a, step_a, b, step_b, out, n);
    case 4: return simd::combine<4>(a, step_a, b, step_b, out, n);
    default: return simd::combine<5>(a, step_a, b, step_b, out, n);
  }
}

}  // namespace SPEEDWELL_ISA
}  // namespace speedwell
