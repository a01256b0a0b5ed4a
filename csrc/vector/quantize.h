// Floats to bytes and back.
#pragma once

#include "vector/contract.h"
#include "vector/simd.h"

namespace speedwell {
namespace SPEEDWELL_ISA {
namespace simd {

// The limits are taken before the rounding, less the zero point: they are integers, so the result is the same, and what
// is rounded is small enough for kRounder.
struct Levels {
  float inverse, low, high;
  uint32_t shift;

  Levels(float inverse_scale, int32_t zero, int32_t least, int32_t most)
      : inverse(inverse_scale),
        low(static_cast<float>(least - zero)),
        high(static_cast<float>(most - zero)),
        shift(static_cast<uint32_t>(zero) - kRounderBits) {}
};

SPEEDWELL_INLINE Ints level(Floats x, const Levels& q) {
  const Floats held = lesser(greater(x * q.inverse, splat(q.low)), splat(q.high));
  return (Ints)((Bits)(held + kRounder) + q.shift);
}

// Lanes hold 0 to 255.
SPEEDWELL_INLINE void store_bytes(uint8_t* p, Ints x) {
#if defined(__AVX512F__)
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_maskz_cvtepi32_epi8(kAll, (__m512i)x));
#elif defined(__AVX2__)
  const __m128i pairs = _mm_packs_epi32(_mm256_castsi256_si128((__m256i)x), _mm256_extracti128_si256((__m256i)x, 1));
  _mm_storel_epi64(reinterpret_cast<__m128i*>(p), _mm_packus_epi16(pairs, pairs));
#else
  for (int i = 0; i < kLanes; ++i) p[i] = static_cast<uint8_t>(x[i]);
#endif
}

SPEEDWELL_INLINE void store_bytes_part(uint8_t* p, Ints x, int64_t n) {
  uint8_t bytes[kLanes];
  store_bytes(bytes, x);
  for (int64_t i = 0; i < n; ++i) p[i] = bytes[i];
}

// Four vectors' bytes at once.
SPEEDWELL_INLINE void store_bytes(uint8_t* p, Ints a, Ints b, Ints c, Ints d) {
#if defined(__AVX2__) && !defined(__AVX512F__)
  const __m256i left = _mm256_packs_epi32((__m256i)a, (__m256i)b), right = _mm256_packs_epi32((__m256i)c, (__m256i)d);
  // Packing works in halves of 128 bits: what came out is a b c d of the lower halves, then of the upper ones.
  const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
  const __m256i bytes = _mm256_permutevar8x32_epi32(_mm256_packus_epi16(left, right), order);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), bytes);
#else
  store_bytes(p, a);
  store_bytes(p + kLanes, b);
  store_bytes(p + 2 * kLanes, c);
  store_bytes(p + 3 * kLanes, d);
#endif
}

SPEEDWELL_INLINE Ints load_bytes(const uint8_t* p) {
#if defined(__AVX512F__)
  return (Ints)_mm512_maskz_cvtepu8_epi32(kAll, _mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
#elif defined(__AVX2__)
  return (Ints)_mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)));
#else
  Ints x;
  for (int i = 0; i < kLanes; ++i) x[i] = p[i];
  return x;
#endif
}

// The levels of at(i, how) for i in [0, n), `how` as in walk.
template <typename Source>
SPEEDWELL_INLINE void store_levels(uint8_t* out, int64_t n, const Levels& q, const Source& at) {
  const Whole whole;
  int64_t i = 0;
  for (; i + 4 * kLanes <= n; i += 4 * kLanes)
    store_bytes(out + i, level(at(i, whole), q), level(at(i + kLanes, whole), q), level(at(i + 2 * kLanes, whole), q),
                level(at(i + 3 * kLanes, whole), q));
  for (; i + kLanes <= n; i += kLanes) store_bytes(out + i, level(at(i, whole), q));
  if (i < n) store_bytes_part(out + i, level(at(i, Part{n - i}), q), n - i);
}

SPEEDWELL_INLINE void quantize_all(const float* in, uint8_t* out, int64_t n, const Levels& q) {
  store_levels(out, n, q, [&](int64_t i, auto how) __attribute__((always_inline)) { return how.read(in + i); });
}

}  // namespace simd

inline void quantize(const float* in, uint8_t* out, int64_t n, float inverse_scale, int32_t zero, int32_t low,
                     int32_t high) {
  simd::quantize_all(in, out, n, simd::Levels(inverse_scale, zero, low, high));
}

inline void dequantize(const uint8_t* in, float* out, int64_t n, float scale, int32_t zero) {
  using namespace simd;
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes)
    store(out + i, __builtin_convertvector(load_bytes(in + i) - zero, Floats) * scale);
  for (; i < n; ++i) out[i] = static_cast<float>(in[i] - zero) * scale;
}

// NaN counts for nothing.
inline void range(const float* in, int64_t n, float* low, float* high) {
  using namespace simd;
  Floats least[4] = {}, most[4] = {};
  const auto see = [&](int k, Floats x) __attribute__((always_inline)) {
    least[k] = lesser(x, least[k]);
    most[k] = greater(x, most[k]);
  };
  int64_t i = 0;
  for (; i + 4 * kLanes <= n; i += 4 * kLanes) {
    see(0, load(in + i));
    see(1, load(in + i + kLanes));
    see(2, load(in + i + 2 * kLanes));
    see(3, load(in + i + 3 * kLanes));
  }
  for (; i + kLanes <= n; i += kLanes) see(0, load(in + i));
  if (i < n) see(1, load_part(in + i, n - i));
  *low = -greatest_of(-lesser(lesser(least[0], least[1]), lesser(least[2], least[3])));
  *high = greatest_of(greater(greater(most[0], most[1]), greater(most[2], most[3])));
}

// A range whose scale would be denormal (or zero) counts as none: its inverse would not be finite.
inline void quantize_row(const float* in, uint8_t* out, int64_t n, int32_t high, float* scale, int32_t* zero) {
  float least, most;
  range(in, n, &least, &most);
  const float step = (most - least) / static_cast<float>(high);
  *scale = step >= 1.17549435e-38f ? step : 1.0f;
  const float inverse = 1.0f / *scale, level = -least * inverse;
  // Infinite ranges make the level NaN: zero, then.
  const float held = level > 0.0f ? (level < static_cast<float>(high) ? level : static_cast<float>(high)) : 0.0f;
  *zero = static_cast<int32_t>(__builtin_rintf(held));
  simd::quantize_all(in, out, n, simd::Levels(inverse, *zero, 0, high));
}

}  // namespace SPEEDWELL_ISA
}  // namespace speedwell
