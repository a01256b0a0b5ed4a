// Memory of a session: blocks that are aligned for the kernels, and its weights side by side in large pages.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

namespace speedwell {

constexpr size_t kLine = 64;  // bytes of a cache line, and the alignment of every block

inline size_t whole_lines(size_t bytes) { return (bytes + kLine - 1) / kLine * kLine; }

struct Free {
  void operator()(char* data) const;
};
using Block = std::unique_ptr<char[], Free>;
Block allocate(size_t bytes);  // throws Fault::memory

// Keeps blocks for as long as it lives, one behind the other. A network's weights are read once a run, from L3 or
// memory: in pages of 4 KiB their addresses alone miss every level of the TLB. Where the system has no large pages to
// give, these are ordinary ones.
class Slab {
 public:
  // expected: bytes in all, about; below a large page, none is asked for.
  explicit Slab(size_t expected) : expected_(expected) {}
  ~Slab();
  Slab(const Slab&) = delete;
  Slab& operator=(const Slab&) = delete;

  // A copy of these bytes, 64-byte aligned. Throws Fault::memory.
  const char* hold(const void* from, size_t bytes);

 private:
  struct Region {
    void* base;  // as mapped, `reserved` bytes
    size_t reserved;
    char* data;  // on a large page's border
    size_t size, used;
  };
  void reserve(size_t bytes);

  const size_t expected_;
  std::vector<Region> regions_;
  std::vector<Block> blocks_;  // with AddressSanitizer, which then sees where each ends
};

}  // namespace speedwell
