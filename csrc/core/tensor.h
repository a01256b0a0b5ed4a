// Element types, shapes and views. A Tensor never owns its memory: constants, bindings and arenas do.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>

#include "core/error.h"

namespace speedwell {

enum class Dtype : uint8_t { f32, u8, s8, s32, s64, boolean };  // boolean: one byte, 0 or 1

size_t bytes_of(Dtype dtype);
const char* name_of(Dtype dtype);            // "float32", "uint8", ... as numpy spells them
Dtype dtype_named(const std::string& name);  // throws Fault::plan

constexpr int kMaxRank = 8;
constexpr int64_t kMaxElements = int64_t{1} << 40;

// Sizes of a tensor, outermost first. Rank 0 is a scalar of one element.
class Shape {
 public:
  Shape() = default;
  Shape(std::initializer_list<int64_t> sizes) {
    for (int64_t size : sizes) push(size);
  }

  int rank() const { return rank_; }
  int64_t operator[](int axis) const { return size_[axis]; }
  int64_t& operator[](int axis) { return size_[axis]; }
  int64_t back() const { return size_[rank_ - 1]; }  // rank must not be 0

  void push(int64_t size) {
    require(rank_ < kMaxRank, Fault::unsupported, "a tensor of more than 8 dimensions");
    require(size >= 0, Fault::input, "a negative size");
    size_[rank_++] = size;
  }

  // Throws Fault::memory where the product leaves kMaxElements.
  int64_t elements() const {
    int64_t product = 1;
    for (int i = 0; i < rank_; ++i) {
      require(size_[i] == 0 || product <= kMaxElements / size_[i], Fault::memory, "a tensor of too many elements");
      product *= size_[i];
    }
    return product;
  }

  bool operator==(const Shape& other) const {
    if (rank_ != other.rank_) return false;
    for (int i = 0; i < rank_; ++i)
      if (size_[i] != other.size_[i]) return false;
    return true;
  }
  bool operator!=(const Shape& other) const { return !(*this == other); }

  std::string text() const;  // "[2, 128, 384]"

 private:
  int rank_ = 0;
  int64_t size_[kMaxRank] = {};
};

// Dense, row-major.
struct Tensor {
  Dtype dtype = Dtype::f32;
  Shape shape;
  void* data = nullptr;

  template <typename T>
  T* as() const {
    return static_cast<T*>(data);
  }
  int64_t elements() const { return shape.elements(); }
  size_t bytes() const { return static_cast<size_t>(elements()) * bytes_of(dtype); }
};

// The axis counted from the front. Throws Fault::plan where it is outside [-rank, rank).
int wrap_axis(int64_t axis, int rank);

// numpy's broadcasting rule. Throws Fault::input.
Shape broadcast(const Shape& a, const Shape& b);

}  // namespace speedwell
