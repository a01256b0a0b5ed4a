// A tensor seen along one axis: `outer` times `size` rows of `inner` elements.
#pragma once

#include "core/tensor.h"

namespace speedwell {

struct Axis {
  // The shape must not be empty.
  Axis(const Shape& shape, int axis) : size(shape[axis]) {
    for (int i = 0; i < shape.rank(); ++i)
      if (i != axis) (i < axis ? outer : inner) *= shape[i];
  }

  int64_t outer = 1, size, inner = 1;
};

}  // namespace speedwell
