// How a reduction walks its input.
#pragma once

#include <algorithm>

#include "ops/chunks.h"
#include "ops/loops.h"

namespace speedwell {

// Outputs are made in items: one number each where the innermost axis is reduced, else up to kTile columns that are
// summed side by side. Where there are few items, each is made of several slices, which are joined at the end. How many
// depends on the shape alone, so that a result does not depend on the number of threads.
class ReduceLayout {
 public:
  static constexpr int64_t kTile = 256;

  // `axes` has a bit for each axis that is reduced. The shape must not be empty.
  ReduceLayout(const Shape& shape, unsigned axes) {
    const auto stride = dense_strides(shape);
    Loops<1> all_kept;
    for (int i = 0; i < shape.rank(); ++i)
      (axes >> i & 1 ? reduced : all_kept).inside(shape[i], {stride[static_cast<size_t>(i)]});
    const bool side_by_side = all_kept.step(0) == 1;
    for (int i = 0; i < all_kept.count() - (side_by_side ? 1 : 0); ++i)
      kept.inside(all_kept.size(i), {all_kept.stride(i, 0)});
    columns = side_by_side ? all_kept.inner_size() : 1;
    tiles = (columns - 1) / kTile + 1;
    rows = reduced.total();
    items = kept.total() * tiles;
    const int64_t worth = std::min(kMaxSlices / items, shape.elements() / (2 * kGrain));
    slices = std::max<int64_t>(1, std::min(rows, worth));
  }

  // Bytes for the slices' results, which take 8 each.
  size_t scratch() const {
    return slices > 1 ? static_cast<size_t>(items * slices * std::min(columns, kTile)) * 8 : 0;
  }

  Loops<1> kept;     // outside of the columns
  Loops<1> reduced;
  int64_t columns, tiles, rows, items, slices;

 private:
  static constexpr int64_t kMaxSlices = 64;
};

}  // namespace speedwell
