// Asks for lines before they are read: what lies in L3, in memory or in another core's cache takes 0.1 to 0.2 us each.
#pragma once

#include <cstdint>

#include "gemm/contract.h"

namespace speedwell {

constexpr int64_t kFetchedAtOnce = 32768;  // bytes, two thirds of an L1: more would drive each other out

inline void fetch_bytes(const void* from, int64_t bytes) {
  const char* const begin = static_cast<const char*>(from);
  for (int64_t i = 0; i < bytes; i += 64) __builtin_prefetch(begin + i);
}

// What a tile's sums will meet on their way out; the thread beside may have written the residual.
inline void fetch_epilogue(const Epilogue& ending, int rows, int columns) {
  const int64_t bytes = columns * static_cast<int64_t>(sizeof(float));
  fetch_bytes(ending.scale, bytes);
  if (ending.bias) fetch_bytes(ending.bias, bytes);
  if (ending.residual)
    for (int r = 0; r < rows; ++r) fetch_bytes(ending.residual + r * ending.ldr, bytes);
}

}  // namespace speedwell
