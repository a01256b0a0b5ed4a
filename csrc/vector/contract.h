// Vocabulary of the vector kernels.
#pragma once

#include <cstdint>

namespace speedwell {

enum class Activation : int32_t { none, relu, relu6, hard_swish, silu, gelu, gelu_tanh, quick_gelu, sigmoid, tanh };

// Functions of one float that are no activation.
enum class Function : int32_t { exp, log, erf };

}  // namespace speedwell
