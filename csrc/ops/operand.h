// What an operator asks of its inputs and attributes before it trusts them.
#pragma once

#include <cstdint>
#include <initializer_list>

#include "ops/operator.h"

namespace speedwell {

// A set of element types.
using Types = unsigned;
constexpr Types only(Dtype dtype) { return 1u << static_cast<unsigned>(dtype); }
constexpr Types kFloat = only(Dtype::f32);
constexpr Types kIntegers = only(Dtype::s32) | only(Dtype::s64);
constexpr Types kNumbers = kFloat | kIntegers | only(Dtype::u8) | only(Dtype::s8);
constexpr Types kEvery = kNumbers | only(Dtype::boolean);

// Input i. Throws Fault::plan where it is missing, Fault::unsupported where its element type is none of `types`.
const Known& operand(const Binding& binding, int i, Types types);

// Throws Fault::plan where the number of inputs is outside [least, most].
void expect_inputs(const Binding& binding, int least, int most);

// Throws Fault::plan where an attribute stands that opset 20 reads from an input: it would go unread.
void refuse_attributes(const Recipe& recipe, std::initializer_list<const char*> names);

// Throws Fault::plan where the element types differ.
void expect_same_type(const Known& a, const Known& b);

// The elements of an integer tensor (s64 or s32), read where they lie. None where the tensor is missing.
class Integers {
 public:
  Integers() = default;
  explicit Integers(const Tensor& tensor);
  // Throws Fault::plan where the type is no integer's, Fault::unsupported where the elements are not known.
  explicit Integers(const Known& known);

  int64_t size() const { return size_; }
  int64_t operator[](int64_t i) const {
    return wide_ ? static_cast<const int64_t*>(data_)[i] : static_cast<const int32_t*>(data_)[i];
  }

 private:
  const void* data_ = nullptr;
  int64_t size_ = 0;
  bool wide_ = true;
};

// One bit for each axis. Throws Fault::plan where one is outside [-rank, rank) or stands twice.
unsigned axis_set(const Integers& axes, int rank);

// An element type as an attribute names it: ours ("int64") or ONNX's TensorProto number (7). Throws Fault::plan, or
// Fault::unsupported for a type of ONNX that this engine does not carry.
Dtype element_type(const Json& attribute);

// Sizes are counted without overflow: both throw Fault::memory past kMaxElements. Neither argument may be negative.
int64_t times(int64_t a, int64_t b);
int64_t plus(int64_t a, int64_t b);

}  // namespace speedwell
