// Weights of 4 bits laid out in panels (TileInt4 of gemm/contract.h says how).
#pragma once

#include <cstdint>
#include <vector>

#include "core/memory.h"
#include "core/tensor.h"

namespace speedwell {

// As a plan holds them: weight uint8 [n, groups * group / 2], element k in the low half of byte k / 2 where k is even;
// scale float32 [n, groups]; zero uint8 [n, groups] in [0, 15], or no data: 8. An element is (half - zero) * scale.
struct GroupedWeight {
  Tensor weight, scale, zero;
  int64_t depth, group;  // terms of the product, and of a group
};

struct PackedInt4 {
  int64_t n = 0, k = 0, groups = 0, group = 0, panels = 0;
  const uint8_t* bytes = nullptr;  // [panels][groups][group / 8][16][4]
  std::vector<float> scale;        // [panels][groups][16]
  std::vector<float> offset;       // the same: scale * (zero - 8) / 8, or empty where every zero is 8
  std::vector<float> column_sum;   // [panels * 16] sum over k < depth of (half - zero) * scale

  const uint8_t* panel(int64_t p) const {
    return bytes + p * groups * group * (16 / 2);
  }
};

// `times`: every scale times that number. Throws Fault::plan for what does not fit, Fault::unsupported for a group of
// another size than 16, 32, 64, 128 or 256.
PackedInt4 pack_int4(const GroupedWeight& from, float times, Slab& slab);

}  // namespace speedwell
