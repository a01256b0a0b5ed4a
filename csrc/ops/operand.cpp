#include "ops/operand.h"

#include <string>

namespace speedwell {

const Known& operand(const Binding& binding, int i, Types types) {
  const Known& known = binding.input(i);
  if (!known.present) throw Error(Fault::plan, "input " + std::to_string(i) + " is missing");
  if (!(types & only(known.dtype)))
    throw Error(Fault::unsupported, "input " + std::to_string(i) + " of type " + name_of(known.dtype));
  return known;
}

void expect_inputs(const Binding& binding, int least, int most) {
  const int given = binding.inputs();
  if (given < least || given > most)
    throw Error(Fault::plan, std::to_string(given) + " inputs where " + std::to_string(least) +
                                 (most > least ? " to " + std::to_string(most) : "") + " must stand");
}

void refuse_attributes(const Recipe& recipe, std::initializer_list<const char*> names) {
  for (const char* name : names)
    if (recipe.attributes.find(name))
      throw Error(Fault::plan, std::string("attribute \"") + name + "\" where opset 20 has an input");
}

void expect_same_type(const Known& a, const Known& b) {
  if (a.dtype != b.dtype)
    throw Error(Fault::plan, std::string("inputs of types ") + name_of(a.dtype) + " and " + name_of(b.dtype));
}

Integers::Integers(const Tensor& tensor)
    : data_(tensor.data), size_(tensor.data ? tensor.elements() : 0), wide_(tensor.dtype == Dtype::s64) {}

Integers::Integers(const Known& known)
    : data_(known.value), size_(known.present ? known.shape.elements() : 0), wide_(known.dtype == Dtype::s64) {
  if (size_ == 0) return;
  if (known.dtype != Dtype::s64 && known.dtype != Dtype::s32)
    throw Error(Fault::plan, std::string("a tensor of type ") + name_of(known.dtype) + " where integers must stand");
  require(known.value != nullptr, Fault::unsupported, "a shape or axis that depends on data");
}

unsigned axis_set(const Integers& axes, int rank) {
  unsigned set = 0;
  for (int64_t i = 0; i < axes.size(); ++i) {
    const unsigned axis = 1u << wrap_axis(axes[i], rank);
    if (set & axis) throw Error(Fault::plan, "axis " + std::to_string(axes[i]) + " stands twice");
    set |= axis;
  }
  return set;
}

Dtype element_type(const Json& attribute) {
  if (attribute.kind() == Json::Kind::string) return dtype_named(attribute.string());
  switch (attribute.integer()) {
    case 1: return Dtype::f32;
    case 2: return Dtype::u8;
    case 3: return Dtype::s8;
    case 6: return Dtype::s32;
    case 7: return Dtype::s64;
    case 9: return Dtype::boolean;
    default:
      throw Error(Fault::unsupported, "elements of TensorProto type " + std::to_string(attribute.integer()));
  }
}

int64_t times(int64_t a, int64_t b) {
  require(b == 0 || a <= kMaxElements / b, Fault::memory, "a tensor of too many elements");
  return a * b;
}

int64_t plus(int64_t a, int64_t b) {
  require(a <= kMaxElements && b <= kMaxElements - a, Fault::memory, "a tensor of too many elements");
  return a + b;
}

}  // namespace speedwell
