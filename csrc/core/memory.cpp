#include "core/memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>

#include "core/error.h"

namespace speedwell {

namespace {

constexpr size_t kLargePage = size_t{2} << 20;
constexpr size_t kMostReserved = size_t{32} << 20;  // of address space, beyond what one block needs

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SPEEDWELL_ADDRESSES_CHECKED 1
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define SPEEDWELL_ADDRESSES_CHECKED 1
#endif
#if defined(SPEEDWELL_ADDRESSES_CHECKED)
constexpr bool kApart = true;
#else
constexpr bool kApart = false;
#endif

size_t whole_large_pages(size_t bytes) { return (bytes + kLargePage - 1) / kLargePage * kLargePage; }

// A plan may ask for any size; memory that the machine does not have would be promised now and kill the process later.
size_t memory_of_machine() {
  static const size_t bytes = static_cast<size_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<size_t>(sysconf(_SC_PAGE_SIZE));
  return bytes;
}

void check(size_t bytes) {
  if (bytes > memory_of_machine()) throw Error(Fault::memory, "no memory for " + std::to_string(bytes) + " bytes");
}

}  // namespace

void Free::operator()(char* data) const { std::free(data); }

Block allocate(size_t bytes) {
  check(bytes);
  char* data = static_cast<char*>(std::aligned_alloc(kLine, std::max(kLine, whole_lines(bytes))));
  if (!data) throw Error(Fault::memory, "no memory for " + std::to_string(bytes) + " bytes");
  return Block(data);
}

Slab::~Slab() {
  for (const Region& region : regions_) munmap(region.base, region.reserved);
}

const char* Slab::hold(const void* from, size_t bytes) {
  if (kApart) {
    blocks_.push_back(allocate(bytes));
    if (bytes) std::memcpy(blocks_.back().get(), from, bytes);
    return blocks_.back().get();
  }
  const size_t whole = whole_lines(bytes);
  if (regions_.empty() || regions_.back().size - regions_.back().used < whole) reserve(whole);
  Region& region = regions_.back();
  char* const to = region.data + region.used;
  region.used += whole;
  if (bytes) std::memcpy(to, from, bytes);
  return to;
}

// Address space for at least so many bytes. Pages that nothing is written to take no memory.
void Slab::reserve(size_t bytes) {
  check(bytes);
  const size_t size = whole_large_pages(std::max(bytes, std::min(expected_, kMostReserved)));
  regions_.reserve(regions_.size() + 1);
  void* const base = mmap(nullptr, size + kLargePage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (base == MAP_FAILED) throw Error(Fault::memory, "no memory for " + std::to_string(size) + " bytes");
  char* const data = reinterpret_cast<char*>(whole_large_pages(reinterpret_cast<uintptr_t>(base)));
  regions_.push_back({base, size + kLargePage, data, size, 0});
#if defined(MADV_HUGEPAGE)
  if (std::max(expected_, bytes) >= kLargePage) madvise(data, size, MADV_HUGEPAGE);  // a wish: any answer will do
#endif
}

}  // namespace speedwell
