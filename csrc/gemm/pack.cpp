#include "gemm/pack.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "core/error.h"
#include "gemm/contract.h"

namespace speedwell {

PackedInt8 pack_int8(const int8_t* weight, int64_t n, int64_t k, int high) {
  require(k <= 65536, Fault::unsupported, "an int8 product over more than 65,536 terms");
  PackedInt8 packed;
  packed.n = n;
  packed.k = k;
  packed.quads = (k + 3) / 4;
  packed.panels = (n + kPanel - 1) / kPanel;
  const size_t bytes = packed.size();
  packed.bytes = allocate(bytes);
  packed.column_sum.assign(static_cast<size_t>(packed.panels * kPanel), 0);
  int8_t* const out = reinterpret_cast<int8_t*>(packed.bytes.get());
  std::memset(out, 0, bytes);
  for (int64_t j = 0; j < n; ++j) {
    const int8_t* row = weight + j * k;
    int8_t* column = out + (j / kPanel * packed.quads * kPanel + j % kPanel) * 4;
    int32_t sum = 0;
    int extreme = 0;
    for (int64_t i = 0; i < k; ++i) sum += row[i];
    // A pair is two neighbours at even positions; the sum is extreme where both have one sign.
    for (int64_t i = 0; i + 1 < k; i += 2) extreme = std::max(extreme, std::abs(row[i] + row[i + 1]));
    for (int64_t i = 0; i < k; i += 2) extreme = std::max(extreme, std::abs(int{row[i]}));
    for (int64_t i = 1; i < k; i += 2) extreme = std::max(extreme, std::abs(int{row[i]}));
    packed.column_sum[static_cast<size_t>(j)] = sum;
    packed.pairs_fit = packed.pairs_fit && extreme * high <= 32767;
    for (int64_t q = 0; q < k / 4; ++q) std::memcpy(column + q * kPanel * 4, row + q * 4, 4);
    if (k % 4) std::memcpy(column + k / 4 * kPanel * 4, row + k / 4 * 4, static_cast<size_t>(k % 4));
  }
  return packed;
}

PackedFloat pack_float(const float* weight, int64_t n, int64_t k, Slab& slab) {
  PackedFloat packed;
  packed.n = n;
  packed.k = k;
  packed.panels = (n + kPanel - 1) / kPanel;
  const size_t bytes = static_cast<size_t>(packed.panels * k * kPanel) * sizeof(float);
  Block block = allocate(bytes);
  float* const out = reinterpret_cast<float*>(block.get());
  std::memset(out, 0, bytes);
  for (int64_t j = 0; j < n; ++j) {
    float* column = out + j / kPanel * k * kPanel + j % kPanel;
    for (int64_t i = 0; i < k; ++i) column[i * kPanel] = weight[j * k + i];
  }
  packed.values = reinterpret_cast<const float*>(slab.hold(block.get(), bytes));
  return packed;
}

}  // namespace speedwell
