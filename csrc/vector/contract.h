// Vocabulary of the vector kernels.
#pragma once

#include <cstdint>

namespace speedwell {

enum class Activation : int32_t { none, relu, relu6, hard_swish, silu, gelu, gelu_tanh, quick_gelu, sigmoid, tanh };

// Functions of one float that are no activation.
enum class Function : int32_t { exp, log, erf };

// Floats of scratch that attention_head needs for one (batch, head), whatever the instruction set: packed keys and
// values, and some rows of scores and results.
inline int64_t attention_scratch(int64_t keys, int64_t d) {
  const int64_t padded = (keys + 31) / 32 * 32, wide = (d + 15) / 16 * 16;
  return padded * d + padded * wide + 8 * (padded + 16) + 8 * wide;
}

}  // namespace speedwell
