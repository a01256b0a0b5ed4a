// Moves elements from one arrangement to another: what Transpose, Slice, Concat, Expand, Tile, ... are made of.
#pragma once

#include <cstddef>
#include <cstring>

#include "core/pool.h"
#include "ops/loops.h"

namespace speedwell {

// to[...] = from[...] for every position of the loops, whose strides are {to, from} in elements of `bytes` (1, 4 or
// 8). The two must not overlap. Loops that come out of empty tensors may be passed: nothing is done then.
void copy(Pool& pool, const Loops<2>& loops, void* to, const void* from, size_t bytes);

// n bytes, in parallel where there are many. `to` may be `from`.
void copy_bytes(Pool& pool, void* to, const void* from, size_t n);

// One block of a gather. The sizes of single elements become single moves.
inline void copy_block(void* to, const void* from, size_t bytes) {
  switch (bytes) {
    case 1: std::memcpy(to, from, 1); break;
    case 4: std::memcpy(to, from, 4); break;
    case 8: std::memcpy(to, from, 8); break;
    default: std::memcpy(to, from, bytes);
  }
}

}  // namespace speedwell
