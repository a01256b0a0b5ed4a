// Attention's operands as bytes. Symmetric levels, round_half_even(x * (reach / most)) with a step of most * (1 / reach),
// most being the largest |x| of a row of q, of a row of k, or of a channel of v less the middle of its range. A step is
// NaN where an x is not finite (what is made of it is NaN then), and 1 where it would be denormal: all levels are 0.
//
// Taking the mean key off all keys (Zhang et al., SageAttention, 2024), which changes no share, was tried: nothing gained
// on MiniLM, and one loud key would spoil all others.
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

// No bounds: |x| <= most, so the nearest is at most reach. Where it is not, a key that the mask forbids or a row that is
// not finite, any level will do: its share is 0, or its step NaN.
SPEEDWELL_INLINE Ints symmetric_level(Floats x, Floats inverse) { return nearest(x * inverse); }

constexpr float kForbids = -1e30f;  // a mask from here down leaves nothing of a score (native/attention.py has it too)
constexpr int32_t kMiddle = 128;  // what is added to signed levels to hold them in unsigned bytes

// A row's levels plus kMiddle as bytes, zeros' behind the last up to a whole vector. Returns the step.
inline float quantize_symmetric(const float* x, int64_t n, int32_t reach, uint8_t* out) {
  Ints bits{};
  walk(n, [&](int64_t i, auto at) __attribute__((always_inline)) { bits = larger(magnitude_bits(at.read(x + i)), bits); });
  const Step step = step_of(greatest_of(bits), static_cast<float>(reach));
  const Floats inverse = splat(step.inverse);
  const auto byte = [&](Floats value) __attribute__((always_inline)) {
    return symmetric_level(value, inverse) + kMiddle;
  };
  int64_t i = 0;
  for (; i + 4 * kLanes <= n; i += 4 * kLanes)
    store_bytes(out + i, byte(load(x + i)), byte(load(x + i + kLanes)), byte(load(x + i + 2 * kLanes)),
                byte(load(x + i + 3 * kLanes)));
  for (; i + kLanes <= n; i += kLanes) store_bytes(out + i, byte(load(x + i)));
  if (i < n) store_bytes(out + i, byte(load_part(x + i, n - i)));
  return step.size;
}

// Keys that count for a channel's range: what pads a text must not change it. Where one row of the mask stands for all
// rows of q, those that it leaves, if it leaves any; else all.
struct Counted {
  const float* mask = nullptr;

  explicit Counted(const AttentionHead& h) {
    if (h.mask && h.mask_step == 0)
      for (int64_t j = 0; j < h.keys && !mask; ++j)
        if (h.mask[j] > kForbids) mask = h.mask;
  }
  bool operator()(int64_t j) const { return !mask || mask[j] > kForbids; }
};

// Some vectors of channels: kVectors whole ones, or `part` channels of one.
template <int kVectors, bool kWhole>
struct Channels {
  int64_t first, part;

  SPEEDWELL_INLINE Floats read(const float* row, int c) const {
    return kWhole ? load(row + first + c * kLanes) : load_part(row + first, part);
  }
};

// Calls work(Channels) for all that cover [0, d). Four vectors at a time, so that a line is read once.
template <typename Work>
SPEEDWELL_INLINE void walk_channels(int64_t d, const Work& work) {
  int64_t c = 0;
  for (; c + 4 * kLanes <= d; c += 4 * kLanes) work(Channels<4, true>{c, 0});
  for (; c + kLanes <= d; c += kLanes) work(Channels<1, true>{c, 0});
  if (c < d) work(Channels<1, false>{c, d - c});
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

struct ChannelSteps {  // of d floats up to a whole panel each
  float *size, *middle;
};

// The middle of each channel's range over the keys that count, its step, and the levels.
template <int kVectors, bool kWhole>
void pack_values_int8(const AttentionHead& h, const Counted& counts, Channels<kVectors, kWhole> channels, int8_t* out,
                      const ChannelSteps& steps) {
  const float reach = static_cast<float>(kAttentionReach), inf = __builtin_inff();
  Floats low[kVectors], high[kVectors];
  Ints bits[kVectors] = {};
#pragma GCC unroll 4
  for (int c = 0; c < kVectors; ++c) low[c] = splat(inf), high[c] = splat(-inf);
  const float* row = h.v;
  for (int64_t j = 0; j < h.keys; ++j, row += h.v_step) {
    if (!counts(j)) continue;
#pragma GCC unroll 4
    for (int c = 0; c < kVectors; ++c) {
      const Floats x = channels.read(row, c);
      low[c] = lesser(x, low[c]);
      high[c] = greater(x, high[c]);
      bits[c] = larger(magnitude_bits(x), bits[c]);
    }
  }
  Floats middle[kVectors], inverse[kVectors];
  int8_t* to[kVectors];
#pragma GCC unroll 4
  for (int c = 0; c < kVectors; ++c) {
    const Ints finite = bits[c] < splat(int32_t{0x7f800000});
    middle[c] = finite ? rounded(low[c] * 0.5f) + rounded(high[c] * 0.5f) : Floats{};
    const Ints most = larger(magnitude_bits(high[c] - middle[c]), magnitude_bits(low[c] - middle[c]));
    float inverses[kLanes];
    int32_t each[kLanes];
    store(each, finite ? most : bits[c]);
    const int64_t first = channels.first + c * kLanes;
    for (int i = 0; i < kLanes; ++i) {
      const Step step = step_of(each[i], reach);
      steps.size[first + i] = step.size;
      inverses[i] = step.inverse;
    }
    inverse[c] = load(inverses);
    store(steps.middle + first, middle[c]);
    to[c] = out + (first / kPanel * h.layout->groups * kPanel + first % kPanel) * 4;
  }
  row = h.v;
  for (int64_t group = 0; group < h.layout->groups; ++group, row += 4 * h.v_step) {
    const int64_t left = h.keys - group * 4;
#pragma GCC unroll 4
    for (int c = 0; c < kVectors; ++c) {
      Bits four{};
#pragma GCC unroll 4
      for (int i = 3; i >= 0; --i) {
        const Floats x = i < left ? channels.read(row + i * h.v_step, c) - middle[c] : Floats{};
        four = four << 8 | ((Bits)symmetric_level(x, inverse[c]) & 255u);
      }
      __builtin_memcpy(to[c] + group * kPanel * 4, &four, sizeof four);
    }
  }
}

// v [keys][v_step] into panels [quads of keys][16][4]. Channels past the last are whatever was there: nobody reads them.
inline void pack_values_int8(const AttentionHead& h, const Counted& counts, int8_t* out, const ChannelSteps& steps) {
  walk_channels(h.d, [&](auto channels) __attribute__((always_inline)) {
    pack_values_int8(h, counts, channels, out, steps);
  });
}

}  // namespace simd
}  // namespace SPEEDWELL_ISA
}  // namespace speedwell
