// Weights laid out in panels of 16 columns (gemm/contract.h).
#pragma once

#include <cstdint>
#include <vector>

#include "core/memory.h"

namespace speedwell {

struct PackedInt8 {
  int64_t n = 0, k = 0, quads = 0, panels = 0;
  Block bytes;                      // [panels][quads][16][4]
  std::vector<int32_t> column_sum;  // [panels * 16]
  bool pairs_fit = true;            // for activations up to `high`

  size_t size() const { return static_cast<size_t>(panels * quads) * 64; }
  const int8_t* panel(int64_t p) const { return reinterpret_cast<const int8_t*>(bytes.get()) + p * quads * 64; }
};

// weight: [n, k] row-major. high: the largest activation, 1..255. Throws Fault::unsupported where 32-bit sums may
// overflow (k > 65,536).
PackedInt8 pack_int8(const int8_t* weight, int64_t n, int64_t k, int high);

struct PackedFloat {
  int64_t n = 0, k = 0, panels = 0;
  const float* values = nullptr;  // [panels][k][16]

  const float* panel(int64_t p) const { return values + p * k * 16; }
};

// weight: [n, k] row-major.
PackedFloat pack_float(const float* weight, int64_t n, int64_t k, Slab& slab);

}  // namespace speedwell
