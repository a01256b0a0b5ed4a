// A nest of loops that walks N tensors at once, each by strides of its own.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "core/tensor.h"

namespace speedwell {

template <size_t N>
class Loops {
 public:
  using Strides = std::array<int64_t, N>;

  // Adds a loop inside of those there are. Loops that walk on where an inner one ends become one loop with it. Sizes
  // and strides must be those of tensors that are not empty: then no product overflows.
  void inside(int64_t size, const Strides& stride) {
    if (size == 1) return;
    if (count_ > 0 && continues(stride, size)) {
      size_[count_ - 1] *= size;
      stride_[count_ - 1] = stride;
      return;
    }
    size_[count_] = size;
    stride_[count_++] = stride;
  }

  int count() const { return count_; }
  int64_t size(int loop) const { return size_[loop]; }
  int64_t stride(int loop, size_t k) const { return stride_[loop][k]; }
  int64_t inner_size() const { return size_[last()]; }
  int64_t step(size_t k) const { return stride_[last()][k]; }  // of the innermost loop; 0 where there is none

  int64_t total() const {
    int64_t product = 1;
    for (int i = 0; i < count_; ++i) product *= size_[i];
    return product;
  }

  // Offsets at a position, counted in the order of the loops.
  Strides at(int64_t position) const {
    Strides offset{};
    for (int i = count_ - 1; i >= 0; --i) {
      const int64_t index = position % size_[i];
      position /= size_[i];
      for (size_t k = 0; k < N; ++k) offset[k] += index * stride_[i][k];
    }
    return offset;
  }

  // Calls work(position, offsets, n) for runs of the innermost loop that cover the positions [begin, end) in order.
  template <typename Work>
  void over(int64_t begin, int64_t end, const Work& work) const {
    if (begin >= end) return;
    const int inner = last();
    int64_t index[kMaxLoops] = {}, rest = begin;
    Strides offset{};
    for (int i = inner; i >= 0; --i) {
      index[i] = rest % size_[i];
      rest /= size_[i];
      for (size_t k = 0; k < N; ++k) offset[k] += index[i] * stride_[i][k];
    }
    int64_t left = size_[inner] - index[inner];
    for (int64_t position = begin;;) {
      const int64_t n = std::min(left, end - position);
      work(position, offset, n);
      position += n;
      if (position >= end) return;
      // The innermost loop is at its end: back to its start, and one step on in the loops around it.
      for (size_t k = 0; k < N; ++k) offset[k] -= (size_[inner] - left) * stride_[inner][k];
      left = size_[inner];
      for (int i = inner - 1; i >= 0; --i) {
        for (size_t k = 0; k < N; ++k) offset[k] += stride_[i][k];
        if (++index[i] < size_[i]) break;
        for (size_t k = 0; k < N; ++k) offset[k] -= size_[i] * stride_[i][k];
        index[i] = 0;
      }
    }
  }

 private:
  static constexpr int kMaxLoops = 2 * kMaxRank;

  int last() const { return count_ > 0 ? count_ - 1 : 0; }

  bool continues(const Strides& stride, int64_t size) const {
    for (size_t k = 0; k < N; ++k)
      if (stride_[count_ - 1][k] != stride[k] * size) return false;
    return true;
  }

  int count_ = 0;
  int64_t size_[kMaxLoops] = {1};
  Strides stride_[kMaxLoops] = {};
};

// Strides of a dense tensor, in elements. It must not be empty.
inline std::array<int64_t, kMaxRank> dense_strides(const Shape& shape) {
  std::array<int64_t, kMaxRank> stride{};
  int64_t product = 1;
  for (int i = shape.rank() - 1; i >= 0; --i) {
    stride[static_cast<size_t>(i)] = product;
    product *= shape[i];
  }
  return stride;
}

}  // namespace speedwell
