// Bytes through a table: what a function of one quantized number is (an activation between two quantized tensors).
#pragma once

#include "vector/contract.h"
#include "vector/simd.h"

namespace speedwell {
namespace SPEEDWELL_ISA {

// A shuffle looks up 16 bytes, by the low half of each index, and gives 0 where its upper bit is set. For the 16 indices
// from 16 h on: index ^ 16 h is below 16 for those alone, and so is the only one that stays below 128 when 112 is added.
inline void lookup(const uint8_t* in, uint8_t* out, int64_t n, const uint8_t* table) {
  int64_t i = 0;
#if defined(__AVX2__)
  for (; i + 32 <= n; i += 32) {
    const __m256i x = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(in + i));
    __m256i found[2] = {_mm256_setzero_si256(), _mm256_setzero_si256()};  // two, so that neither waits for the other
#pragma GCC unroll 16
    for (int h = 0; h < 16; ++h) {
      const __m256i part = _mm256_broadcastsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(table + 16 * h)));
      const __m256i moved = _mm256_xor_si256(x, _mm256_set1_epi8(static_cast<char>(16 * h)));
      const __m256i index = _mm256_adds_epu8(moved, _mm256_set1_epi8(112));
      found[h % 2] = _mm256_or_si256(found[h % 2], _mm256_shuffle_epi8(part, index));
    }
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + i), _mm256_or_si256(found[0], found[1]));
  }
#endif
  for (; i < n; ++i) out[i] = table[in[i]];
}

}  // namespace SPEEDWELL_ISA
}  // namespace speedwell
