#include "gemm/pack_int4.h"

#include <cstring>
#include <string>

#include "gemm/contract.h"

namespace speedwell {

namespace {

// Throws unless the tensors are of one weight.
void check(const GroupedWeight& from) {
  const int64_t group = from.group;
  if (group != 16 && group != 32 && group != 64 && group != 128 && group != 256)
    throw Error(Fault::unsupported, "unsupported: int4 weights in groups of " + std::to_string(group) +
                                        "; a group is 16, 32, 64, 128 or 256 terms");
  require(from.depth >= 1 && from.depth <= kMaxElements, Fault::plan, "depth must be at least 1");
  const Tensor &weight = from.weight, &scale = from.scale, &zero = from.zero;
  const int64_t groups = (from.depth + group - 1) / group;
  if (weight.dtype != Dtype::u8 || weight.shape.rank() != 2 || weight.shape[1] != groups * (group / 2))
    throw Error(Fault::plan, "the weight must be uint8 [N, " + std::to_string(groups * (group / 2)) + "], it is " +
                                 name_of(weight.dtype) + " " + weight.shape.text());
  const Shape wanted{weight.shape[0], groups};
  if (scale.dtype != Dtype::f32 || scale.shape != wanted)
    throw Error(Fault::plan, "weight_scale must be float32 " + wanted.text() + ", it is " + scale.shape.text());
  if (!zero.data) return;
  if (zero.dtype != Dtype::u8 || zero.shape != wanted)
    throw Error(Fault::plan, "weight_zero must be uint8 " + wanted.text() + ", it is " + zero.shape.text());
  for (int64_t i = 0; i < zero.elements(); ++i)
    if (zero.as<const uint8_t>()[i] > 15)
      throw Error(Fault::plan, "weight_zero holds " + std::to_string(int{zero.as<const uint8_t>()[i]}) +
                                   ", a zero point of 4 bits is 0 to 15");
}

}  // namespace

PackedInt4 pack_int4(const GroupedWeight& from, float times, Slab& slab) {
  check(from);
  PackedInt4 packed;
  packed.n = from.weight.shape[0];
  packed.k = from.depth;
  packed.group = from.group;
  packed.groups = from.weight.shape[1] / (from.group / 2);
  packed.panels = (packed.n + kPanel - 1) / kPanel;
  const int64_t group = packed.group, groups = packed.groups, row_bytes = from.weight.shape[1];
  const size_t bytes = static_cast<size_t>(packed.panels * groups * group) * (kPanel / 2);
  Block block = allocate(bytes);
  uint8_t* const out = reinterpret_cast<uint8_t*>(block.get());
  std::memset(out, 0, bytes);
  const size_t scales = static_cast<size_t>(packed.panels * groups * kPanel);
  packed.scale.assign(scales, 0.0f);
  if (from.zero.data) packed.offset.assign(scales, 0.0f);
  packed.column_sum.assign(static_cast<size_t>(packed.panels * kPanel), 0.0f);
  for (int64_t j = 0; j < packed.n; ++j) {
    const uint8_t* row = from.weight.as<const uint8_t>() + j * row_bytes;
    const auto half = [&](int64_t k) { return row[k / 2] >> (k % 2 * 4) & 15; };
    double column_sum = 0;
    for (int64_t g = 0; g < groups; ++g) {
      const float scale = from.scale.as<const float>()[j * groups + g] * times;
      const int zero = from.zero.data ? from.zero.as<const uint8_t>()[j * groups + g] : 8;
      int64_t sum = 0;
      for (int64_t k = g * group; k < (g + 1) * group && k < packed.k; ++k) sum += half(k) - zero;
      column_sum += static_cast<double>(scale) * static_cast<double>(sum);
      const size_t at = static_cast<size_t>((j / kPanel * groups + g) * kPanel + j % kPanel);
      packed.scale[at] = scale;
      if (from.zero.data) packed.offset[at] = scale * static_cast<float>(zero - 8) / 8.0f;
      uint8_t* to = out + (j / kPanel * groups + g) * group * (kPanel / 2) + j % kPanel * 4;
      for (int64_t pair = 0; pair < group / 8; ++pair, to += kPanel * 4)
        for (int64_t i = 0; i < 4; ++i) {
          const int64_t k = g * group + pair * 8 + i;
          to[i] = static_cast<uint8_t>(half(k) | half(k + 4) << 4);
        }
    }
    packed.column_sum[static_cast<size_t>(j)] = static_cast<float>(column_sum);
  }
  packed.bytes = reinterpret_cast<const uint8_t*>(slab.hold(block.get(), bytes));
  return packed;
}

}  // namespace speedwell
