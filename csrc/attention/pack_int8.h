// Attention's operands as bytes. Symmetric levels, round_half_even(x * (reach / most)) with a step of most * (1 / reach),
// most being the largest |x| of a row of q, of a row of k, or of a channel of v. A step is NaN where an x is not finite
// (what is made of it is NaN then), and 1 where it would be denormal: all levels are 0.
#pragma once

#include "attention/contract.h"
#include "vector/quantize.h"

namespace speedwell {
namespace SPEEDWELL_ISA {
namespace simd {

// |x| as bits: integers in the order of the floats, infinity after all that are finite, NaN last.
SPEEDWELL_INLINE Ints magnitude_bits(Floats x) { return (Ints)magnitude(x); }
SPEEDWELL_INLINE Ints larger(Ints a, Ints b) { return a > b ? a : b; }

struct Step {
  float size, inverse;
};

SPEEDWELL_INLINE Step step_of(int32_t bits, float reach) {
  float most;
  __builtin_memcpy(&most, &bits, sizeof most);
  const float size = most * (1.0f / reach);
  if (bits >= 0x7f800000) return {__builtin_nanf(""), 0.0f};
  return size >= 1.17549435e-38f ? Step{size, reach / most} : Step{1.0f, 0.0f};
}

// Not finite times 0 is NaN, which the first bound replaces.
SPEEDWELL_INLINE Ints symmetric_level(Floats x, Floats inverse, float reach) {
  return nearest(lesser(greater(x * inverse, splat(-reach)), splat(reach)));
}

constexpr float kForbids = -1e30f;  // a mask from here down leaves nothing of a score (native/attention.py has it too)
constexpr int32_t kMiddle = 128;  // what is added to signed levels to hold them in unsigned bytes

// A row's levels plus kMiddle as bytes, zeros' behind the last up to a whole vector. Returns the step.
inline float quantize_symmetric(const float* x, int64_t n, int32_t reach, uint8_t* out) {
  const float most = static_cast<float>(reach);
  Ints bits{};
  walk(n, [&](int64_t i, auto at) __attribute__((always_inline)) { bits = larger(magnitude_bits(at.read(x + i)), bits); });
  const Step step = step_of(greatest_of(bits), most);
  const Floats inverse = splat(step.inverse);
  const auto byte = [&](Floats value) __attribute__((always_inline)) {
    return symmetric_level(value, inverse, most) + kMiddle;
  };
  int64_t i = 0;
  for (; i + 4 * kLanes <= n; i += 4 * kLanes)
    store_bytes(out + i, byte(load(x + i)), byte(load(x + i + kLanes)), byte(load(x + i + 2 * kLanes)),
                byte(load(x + i + 3 * kLanes)));
  for (; i + kLanes <= n; i += kLanes) store_bytes(out + i, byte(load(x + i)));
  if (i < n) store_bytes(out + i, byte(load_part(x + i, n - i)));
  return step.size;
}

// k [keys][k_step] into panels [quads of d][16][4], with each key's step; keys past the last are zeros.
inline void pack_keys_int8(const AttentionHead& h, int8_t* out, float* steps) {
  const int64_t quads = h.layout->quads, all = h.layout->panels * kPanel;
  for (int64_t j = 0; j < all; ++j) {
    uint8_t row[256];
    if (j < h.keys) {
      steps[j] = quantize_symmetric(h.k + j * h.k_step, h.d, kAttentionReach, row);
    } else {
      __builtin_memset(row, kMiddle, sizeof row);
      steps[j] = 0.0f;
    }
    int8_t* to = out + (j / kPanel * quads * kPanel + j % kPanel) * 4;
    for (int64_t quad = 0; quad < quads; ++quad) {
      uint32_t four;
      __builtin_memcpy(&four, row + quad * 4, 4);
      four ^= 0x80808080u;  // kMiddle off again
      __builtin_memcpy(to + quad * kPanel * 4, &four, 4);
    }
  }
}

// Some vectors of channels of all values: of kWhole ones, or `part` channels of one.
// Keys that `hidden` (null: none) forbids do not count for the steps: what pads a text must not change it.
template <int kVectors, bool kWhole>
void pack_channels(const AttentionHead& h, const float* hidden, int64_t channel, int64_t part, int8_t* out, float* steps,
                   float* inverses) {
  const int64_t groups = h.layout->groups;
  const float most = static_cast<float>(kAttentionReach);
  const auto read = [&](const float* p) __attribute__((always_inline)) { return kWhole ? load(p) : load_part(p, part); };
  const float* from = h.v + channel;
  Ints bits[kVectors] = {};
  for (int64_t j = 0; j < h.keys; ++j, from += h.v_step) {
    if (hidden && hidden[j] <= kForbids) continue;
#pragma GCC unroll 4
    for (int c = 0; c < kVectors; ++c) bits[c] = larger(magnitude_bits(read(from + c * kLanes)), bits[c]);
  }
  Floats inverse[kVectors];
#pragma GCC unroll 4
  for (int c = 0; c < kVectors; ++c) {
    int32_t each[kLanes];
    store(each, bits[c]);
    const int64_t first = channel + c * kLanes;
    for (int i = 0; i < kLanes; ++i) {
      const Step step = step_of(each[i], most);
      steps[first + i] = step.size;
      inverses[first + i] = step.inverse;
    }
    inverse[c] = load(inverses + first);
  }
  int8_t* to[kVectors];
  for (int c = 0; c < kVectors; ++c) {
    const int64_t first = channel + c * kLanes;
    to[c] = out + (first / kPanel * groups * kPanel + first % kPanel) * 4;
  }
  from = h.v + channel;
  for (int64_t group = 0; group < groups; ++group, from += 4 * h.v_step) {
    const int64_t left = h.keys - group * 4;
#pragma GCC unroll 4
    for (int c = 0; c < kVectors; ++c) {
      Bits four{};
#pragma GCC unroll 4
      for (int i = 3; i >= 0; --i) {
        const Floats x = i < left ? read(from + i * h.v_step + c * kLanes) : Floats{};
        four = four << 8 | ((Bits)symmetric_level(x, inverse[c], most) & 255u);
      }
      __builtin_memcpy(to[c] + group * kPanel * 4, &four, sizeof four);
    }
  }
}

// v [keys][v_step] into panels [quads of keys][16][4], with each channel's step; channels and keys past the last are
// zeros.
inline void pack_values_int8(const AttentionHead& h, int8_t* out, float* steps, float* inverses) {
  const float* hidden = nullptr;  // where one row of the mask is for all rows of q, and leaves a key
  if (h.mask && h.mask_step == 0)
    for (int64_t j = 0; j < h.keys && !hidden; ++j)
      if (h.mask[j] > kForbids) hidden = h.mask;
  int64_t c = 0;
  // Four at a time, so that each line of v is read once for the steps and once for the levels.
  for (; c + 4 * kLanes <= h.d; c += 4 * kLanes) pack_channels<4, true>(h, hidden, c, 0, out, steps, inverses);
  for (; c + kLanes <= h.d; c += kLanes) pack_channels<1, true>(h, hidden, c, 0, out, steps, inverses);
  for (; c < h.layout->wide; c += kLanes) pack_channels<1, false>(h, hidden, c, h.d > c ? h.d - c : 0, out, steps,
                                                                    inverses);
}

}  // namespace simd
}  // namespace SPEEDWELL_ISA
}  // namespace speedwell
