// Vectors as wide as an instruction set's registers, and the few operations on them that the float kernels share.
//
// Arithmetic is written with GCC's vector operators; what those cannot say (fused multiply-add, x86's minimum and
// maximum, reads of a part of a vector) stands here, once for each width.
#pragma once

#include <cstddef>
#include <cstdint>
#if defined(__AVX2__)
#include <immintrin.h>
#endif

namespace speedwell {
namespace SPEEDWELL_ISA {
namespace simd {

#define SPEEDWELL_INLINE inline __attribute__((always_inline))

#if defined(__AVX512F__)
constexpr int kLanes = 16;
constexpr __mmask16 kAll = 0xffff;  // gcc 12 takes some unmasked intrinsics for reads of an uninitialized vector
#elif defined(__AVX2__)
constexpr int kLanes = 8;
#else
constexpr int kLanes = 4;
#endif

typedef float Floats __attribute__((vector_size(kLanes * 4)));
typedef int32_t Ints __attribute__((vector_size(kLanes * 4)));    // comparisons: 0 or -1 a lane
typedef uint32_t Bits __attribute__((vector_size(kLanes * 4)));   // wraps where it overflows

SPEEDWELL_INLINE Floats splat(float x) { return x - Floats{}; }  // -0 stays -0: x - 0 and not x + 0
SPEEDWELL_INLINE Ints splat(int32_t x) { return x + Ints{}; }

SPEEDWELL_INLINE Floats load(const float* p) {
  Floats x;
  __builtin_memcpy(&x, p, sizeof x);
  return x;
}

SPEEDWELL_INLINE void store(float* p, Floats x) { __builtin_memcpy(p, &x, sizeof x); }

SPEEDWELL_INLINE Ints load(const int32_t* p) {
  Ints x;
  __builtin_memcpy(&x, p, sizeof x);
  return x;
}

SPEEDWELL_INLINE void store(int32_t* p, Ints x) { __builtin_memcpy(p, &x, sizeof x); }

// -1 in the first n lanes.
SPEEDWELL_INLINE Ints lanes_below(int64_t n) {
  static constexpr int32_t kLane[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  Ints lane;
  __builtin_memcpy(&lane, kLane, sizeof lane);
  return lane < splat(static_cast<int32_t>(n));
}

// The first n lanes, 0 <= n < kLanes, with zeros behind them: nothing is read past them.
SPEEDWELL_INLINE Floats load_part(const float* p, int64_t n) {
#if defined(__AVX512F__)
  return _mm512_maskz_loadu_ps(static_cast<__mmask16>((1u << n) - 1), p);
#elif defined(__AVX2__)
  return _mm256_maskload_ps(p, (__m256i)lanes_below(n));
#else
  Floats x{};
  for (int64_t i = 0; i < n; ++i) x[i] = p[i];
  return x;
#endif
}

SPEEDWELL_INLINE void store_part(float* p, Floats x, int64_t n) {
#if defined(__AVX512F__)
  _mm512_mask_storeu_ps(p, static_cast<__mmask16>((1u << n) - 1), x);
#elif defined(__AVX2__)
  _mm256_maskstore_ps(p, (__m256i)lanes_below(n), x);
#else
  for (int64_t i = 0; i < n; ++i) p[i] = x[i];
#endif
}

// a * b + c, in one rounding where the instruction set has it.
SPEEDWELL_INLINE Floats fma(Floats a, Floats b, Floats c) {
#if defined(__AVX512F__)
  return _mm512_fmadd_ps(a, b, c);
#elif defined(__FMA__)
  return _mm256_fmadd_ps(a, b, c);
#else
  return a * b + c;
#endif
}

// The greater and the lesser; b where either is NaN, as x86 has it. So greater(constant, x) keeps x's NaN and
// greater(x, constant) puts the constant in its place.
SPEEDWELL_INLINE Floats greater(Floats a, Floats b) {
#if defined(__AVX512F__)
  return _mm512_maskz_max_ps(kAll, a, b);
#elif defined(__AVX2__)
  return _mm256_max_ps(a, b);
#else
  return a > b ? a : b;
#endif
}

SPEEDWELL_INLINE Floats lesser(Floats a, Floats b) {
#if defined(__AVX512F__)
  return _mm512_maskz_min_ps(kAll, a, b);
#elif defined(__AVX2__)
  return _mm256_min_ps(a, b);
#else
  return a < b ? a : b;
#endif
}

SPEEDWELL_INLINE Floats magnitude(Floats x) { return (Floats)((Bits)x & (0x7fffffffu + Bits{})); }

// Adding 1.5 * 2^23 rounds a float of magnitude below 2^22 to an integer, half to even, and leaves that integer in the
// low bits: rounding and conversion at the price of an addition, on every instruction set.
constexpr float kRounder = 12582912.0f;
constexpr uint32_t kRounderBits = 0x4b400000u;

// The nearest integer, half to even, for magnitudes below 2^22.
SPEEDWELL_INLINE Ints nearest(Floats x) {
#if defined(__AVX512F__)
  return (Ints)_mm512_maskz_cvtps_epi32(kAll, x);
#elif defined(__AVX2__)
  return (Ints)_mm256_cvtps_epi32(x);
#else
  return (Ints)((Bits)(x + kRounder) - kRounderBits);
#endif
}

#if defined(__AVX512F__)
template <int kHalf>
SPEEDWELL_INLINE __m256 half_of(Floats x) {
  return _mm512_maskz_extractf32x8_ps(0xff, x, kHalf);
}
#endif

SPEEDWELL_INLINE float sum_of(Floats x) {
#if defined(__AVX512F__)
  const __m256 eight = _mm256_add_ps(half_of<0>(x), half_of<1>(x));
#elif defined(__AVX2__)
  const __m256 eight = x;
#endif
#if defined(__AVX2__)
  __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  four = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(four, _mm_shuffle_ps(four, four, 1)));
#else
  return (x[0] + x[2]) + (x[1] + x[3]);
#endif
}

// The greatest lane; the vector must hold no NaN, or it is any of the others.
SPEEDWELL_INLINE float greatest_of(Floats x) {
#if defined(__AVX512F__)
  const __m256 eight = _mm256_max_ps(half_of<0>(x), half_of<1>(x));
#elif defined(__AVX2__)
  const __m256 eight = x;
#endif
#if defined(__AVX2__)
  __m128 four = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  four = _mm_max_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_max_ss(four, _mm_shuffle_ps(four, four, 1)));
#else
  const float even = x[0] > x[2] ? x[0] : x[2], odd = x[1] > x[3] ? x[1] : x[3];
  return even > odd ? even : odd;
#endif
}

// The same of integers, and their sum (which wraps).
SPEEDWELL_INLINE int32_t greatest_of(Ints x) {
#if defined(__AVX512F__)
  const __m256i eight = _mm256_max_epi32((__m256i)half_of<0>((Floats)x), (__m256i)half_of<1>((Floats)x));
#elif defined(__AVX2__)
  const __m256i eight = (__m256i)x;
#endif
#if defined(__AVX2__)
  __m128i four = _mm_max_epi32(_mm256_castsi256_si128(eight), _mm256_extracti128_si256(eight, 1));
  four = _mm_max_epi32(four, _mm_unpackhi_epi64(four, four));
  return _mm_cvtsi128_si32(_mm_max_epi32(four, _mm_shuffle_epi32(four, 1)));
#else
  const int32_t even = x[0] > x[2] ? x[0] : x[2], odd = x[1] > x[3] ? x[1] : x[3];
  return even > odd ? even : odd;
#endif
}

SPEEDWELL_INLINE uint32_t sum_of(Bits x) {
#if defined(__AVX512F__)
  const __m256i eight = _mm256_add_epi32((__m256i)half_of<0>((Floats)x), (__m256i)half_of<1>((Floats)x));
#elif defined(__AVX2__)
  const __m256i eight = (__m256i)x;
#endif
#if defined(__AVX2__)
  __m128i four = _mm_add_epi32(_mm256_castsi256_si128(eight), _mm256_extracti128_si256(eight, 1));
  four = _mm_add_epi32(four, _mm_unpackhi_epi64(four, four));
  return static_cast<uint32_t>(_mm_cvtsi128_si32(_mm_add_epi32(four, _mm_shuffle_epi32(four, 1))));
#else
  return (x[0] + x[2]) + (x[1] + x[3]);
#endif
}

// x, rounded to a float here: a product that is added to must not become a fused multiply-add, where a result has to be
// the same on every instruction set.
SPEEDWELL_INLINE Floats rounded(Floats x) {
#if defined(__AVX512F__)
  __asm__("" : "+v"(x));
#elif defined(__x86_64__)
  __asm__("" : "+x"(x));
#elif defined(__aarch64__)
  __asm__("" : "+w"(x));
#endif
  return x;
}

// c[0] + c[1] x + c[2] x^2 + ...
template <int N>
SPEEDWELL_INLINE Floats horner(Floats x, const float (&c)[N]) {
  Floats value = splat(c[N - 1]);
#pragma GCC unroll 16
  for (int i = N - 2; i >= 0; --i) value = fma(value, x, splat(c[i]));
  return value;
}

// How walk's function reads and writes: whole vectors, and at the end what is left of one.
struct Whole {
  SPEEDWELL_INLINE Floats read(const float* p) const { return load(p); }
  SPEEDWELL_INLINE void write(float* p, Floats x) const { store(p, x); }
};

struct Part {
  int64_t n;
  SPEEDWELL_INLINE Floats read(const float* p) const { return load_part(p, n); }
  SPEEDWELL_INLINE void write(float* p, Floats x) const { store_part(p, x, n); }
};

// Calls f(i, Whole or Part) for the vectors that cover [0, n).
template <typename F>
SPEEDWELL_INLINE void walk(int64_t n, const F& f) {
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) f(i, Whole{});
  if (i < n) f(i, Part{n - i});
}

}  // namespace simd
}  // namespace SPEEDWELL_ISA
}  // namespace speedwell
