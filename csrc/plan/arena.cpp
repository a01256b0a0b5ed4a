#include "plan/arena.h"

#include <algorithm>
#include <numeric>

#include "core/memory.h"

namespace speedwell {

size_t lay_out(std::vector<Buffer>& buffers) {
  std::vector<size_t> order(buffers.size());
  std::iota(order.begin(), order.end(), size_t{0});
  // Largest first, equals as they came. Not std::stable_sort: clang 19 warns of what libstdc++ 12 makes of it.
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return buffers[a].bytes != buffers[b].bytes ? buffers[a].bytes > buffers[b].bytes : a < b;
  });
  std::vector<size_t> placed;  // by offset
  size_t whole = 0;
  for (const size_t index : order) {
    Buffer& buffer = buffers[index];
    const size_t bytes = whole_lines(buffer.bytes);
    size_t offset = 0;
    for (const size_t other : placed) {
      const Buffer& there = buffers[other];
      if (there.last < buffer.first || buffer.last < there.first) continue;
      if (offset + bytes <= there.offset) break;
      offset = std::max(offset, there.offset + whole_lines(there.bytes));
    }
    buffer.offset = offset;
    whole = std::max(whole, offset + bytes);
    placed.insert(std::upper_bound(placed.begin(), placed.end(), index,
                                   [&](size_t a, size_t b) { return buffers[a].offset < buffers[b].offset; }),
                  index);
  }
  return whole;
}

}  // namespace speedwell
