#include "core/tensor.h"

#include <algorithm>

namespace speedwell {

namespace {
struct Row {
  Dtype dtype;
  const char* name;
  size_t bytes;
};
constexpr Row kTypes[] = {
    {Dtype::f32, "float32", 4}, {Dtype::u8, "uint8", 1},  {Dtype::s8, "int8", 1},
    {Dtype::s32, "int32", 4},   {Dtype::s64, "int64", 8}, {Dtype::boolean, "bool", 1},
};
}  // namespace

size_t bytes_of(Dtype dtype) { return kTypes[static_cast<int>(dtype)].bytes; }

const char* name_of(Dtype dtype) { return kTypes[static_cast<int>(dtype)].name; }

Dtype dtype_named(const std::string& name) {
  for (const Row& row : kTypes)
    if (name == row.name) return row.dtype;
  throw Error(Fault::plan, "an unknown element type: " + name);
}

std::string Shape::text() const {
  std::string text = "[";
  for (int i = 0; i < rank_; ++i) text += (i ? ", " : "") + std::to_string(size_[i]);
  return text + "]";
}

int wrap_axis(int64_t axis, int rank) {
  if (axis < -rank || axis >= rank)
    throw Error(Fault::plan, "axis " + std::to_string(axis) + " of a tensor of rank " + std::to_string(rank));
  return static_cast<int>(axis < 0 ? axis + rank : axis);
}

Shape broadcast(const Shape& a, const Shape& b) {
  const int rank = std::max(a.rank(), b.rank());
  Shape out;
  for (int i = 0; i < rank; ++i) {
    const int ia = i - (rank - a.rank()), ib = i - (rank - b.rank());
    const int64_t x = ia < 0 ? 1 : a[ia], y = ib < 0 ? 1 : b[ib];
    if (x != y && x != 1 && y != 1)
      throw Error(Fault::input, "shapes " + a.text() + " and " + b.text() + " do not broadcast");
    out.push(x == 1 ? y : x);
  }
  return out;
}

}  // namespace speedwell
