// Attention's keys and values as its products read them.
#pragma once

#include "vector/simd.h"

namespace speedwell {
namespace SPEEDWELL_ISA {
namespace simd {

constexpr int64_t kPanelKeys = 2 * kLanes;  // a panel's row is two vectors

#if defined(__AVX2__)
// Columns [0, 8) of eight rows become rows of eight, `step` floats apart.
SPEEDWELL_INLINE void transpose_eight(const float* const (&row)[8], int64_t column, float* out, int64_t step) {
  __m256 x[8], y[8];
#pragma GCC unroll 8
  for (int i = 0; i < 8; ++i) x[i] = _mm256_loadu_ps(row[i] + column);
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    y[2 * i] = _mm256_unpacklo_ps(x[2 * i], x[2 * i + 1]);
    y[2 * i + 1] = _mm256_unpackhi_ps(x[2 * i], x[2 * i + 1]);
  }
#pragma GCC unroll 2
  for (int i = 0; i < 8; i += 4) {
    x[i] = _mm256_shuffle_ps(y[i], y[i + 2], 0x44);
    x[i + 1] = _mm256_shuffle_ps(y[i], y[i + 2], 0xee);
    x[i + 2] = _mm256_shuffle_ps(y[i + 1], y[i + 3], 0x44);
    x[i + 3] = _mm256_shuffle_ps(y[i + 1], y[i + 3], 0xee);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    _mm256_storeu_ps(out + i * step, _mm256_permute2f128_ps(x[i], x[i + 4], 0x20));
    _mm256_storeu_ps(out + (i + 4) * step, _mm256_permute2f128_ps(x[i], x[i + 4], 0x31));
  }
}
#endif

// k [keys][k_step] into panels [d][kPanelKeys]; columns past the last key are zeros up to a whole vector.
inline void pack_keys(const float* k, int64_t k_step, int64_t keys, int64_t d, float* out) {
  for (int64_t first = 0; first < keys; first += kPanelKeys, out += kPanelKeys * d) {
    const int64_t left = keys - first, whole = (left + kLanes - 1) / kLanes * kLanes;
    const int64_t columns = whole < kPanelKeys ? whole : kPanelKeys;
    const float* from = k + first * k_step;
    int64_t packed = 0;  // of d
#if defined(__AVX2__)
    static constexpr float kZeros[256] = {};
    packed = d / 8 * 8;
    for (int64_t j = 0; j < columns; j += 8) {
      const float* row[8];
      for (int64_t i = 0; i < 8; ++i) row[i] = j + i < left ? from + (j + i) * k_step : kZeros;
      for (int64_t c = 0; c < packed; c += 8) transpose_eight(row, c, out + c * kPanelKeys + j, kPanelKeys);
    }
#endif
    for (int64_t j = 0; j < columns; ++j)
      for (int64_t c = packed; c < d; ++c) out[c * kPanelKeys + j] = j < left ? from[j * k_step + c] : 0.0f;
  }
}

// v [keys][v_step] into [keys][wide], wide being d up to whole vectors; columns past d are zeros.
inline void pack_values(const float* v, int64_t v_step, int64_t keys, int64_t d, int64_t wide, float* out) {
  for (int64_t j = 0; j < keys; ++j, v += v_step, out += wide)
    for (int64_t c = 0; c < wide; c += kLanes) store(out + c, c + kLanes <= d ? load(v + c) : load_part(v + c, d - c));
}

}  // namespace simd
}  // namespace SPEEDWELL_ISA
}  // namespace speedwell
