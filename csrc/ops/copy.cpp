#include "ops/copy.h"

#include "ops/chunks.h"
#include "ops/typed.h"

namespace speedwell {

namespace {

constexpr int64_t kTile = 16;  // of 4-byte elements: the 16 cache lines that a tile reads and those that it writes stay

// A loop, not the innermost, that reads neighbours; -1 where there is none.
int reading_loop(const Loops<2>& loops) {
  for (int i = loops.count() - 2; i >= 0; --i)
    if (loops.stride(i, 1) == 1) return i;
  return -1;
}

// Written along the innermost loop, read along loop `reads`: in tiles, else each element would cost a cache line.
template <typename T>
void copy_tiles(Pool& pool, const Loops<2>& loops, int reads, T* to, const T* from) {
  const int inner = loops.count() - 1;
  Loops<2> outer;
  for (int i = 0; i < inner; ++i)
    if (i != reads) outer.inside(loops.size(i), {loops.stride(i, 0), loops.stride(i, 1)});
  const int64_t rows = loops.size(reads), columns = loops.size(inner);
  const int64_t to_row = loops.stride(reads, 0), from_column = loops.stride(inner, 1);
  const int64_t bands = (rows + kTile - 1) / kTile;
  in_chunks(pool, outer.total() * bands, kGrain / (kTile * columns), [&](int64_t begin, int64_t end) {
    for (int64_t job = begin; job < end; ++job) {
      const Loops<2>::Strides base = outer.at(job / bands);
      const int64_t first = job % bands * kTile, height = std::min(kTile, rows - first);
      T* target = to + base[0] + first * to_row;
      const T* source = from + base[1] + first;
      for (int64_t column = 0; column < columns; column += kTile) {
        const int64_t width = std::min(kTile, columns - column);
        for (int64_t r = 0; r < height; ++r)
          for (int64_t c = column; c < column + width; ++c) target[r * to_row + c] = source[r + c * from_column];
      }
    }
  });
}

template <typename T>
void copy_elements(Pool& pool, const Loops<2>& loops, T* to, const T* from) {
  const int64_t to_step = loops.step(0), from_step = loops.step(1);
  const int reads = to_step == 1 && from_step != 1 && from_step != 0 ? reading_loop(loops) : -1;
  if (reads >= 0) return copy_tiles(pool, loops, reads, to, from);
  in_chunks(pool, loops.total(), kGrain, [&](int64_t begin, int64_t end) {
    loops.over(begin, end, [&](int64_t, const Loops<2>::Strides& at, int64_t n) {
      T* target = to + at[0];
      const T* source = from + at[1];
      if (to_step == 1 && from_step == 1) {
        std::memcpy(target, source, static_cast<size_t>(n) * sizeof(T));
      } else if (to_step == 1 && from_step == 0) {
        std::fill(target, target + n, *source);
      } else {
        for (int64_t i = 0; i < n; ++i) target[i * to_step] = source[i * from_step];
      }
    });
  });
}

}  // namespace

void copy(Pool& pool, const Loops<2>& loops, void* to, const void* from, size_t bytes) {
  if (loops.total() == 0) return;
  visit_bytes(bytes, [&](auto zero) {
    using T = decltype(zero);
    copy_elements(pool, loops, static_cast<T*>(to), static_cast<const T*>(from));
  });
}

void copy_bytes(Pool& pool, void* to, const void* from, size_t n) {
  if (to == from) return;
  in_chunks(pool, static_cast<int64_t>(n), 4 * kGrain, [&](int64_t begin, int64_t end) {
    std::memcpy(static_cast<char*>(to) + begin, static_cast<const char*>(from) + begin,
                static_cast<size_t>(end - begin));
  });
}

}  // namespace speedwell
