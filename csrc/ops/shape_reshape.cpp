// Shape, Size; Reshape, Flatten, Squeeze, Unsqueeze: other sizes for the same bytes.
#include <algorithm>
#include <limits>

#include "ops/shape.h"

namespace speedwell {

namespace {

class ShapeOf : public Operator {
 public:
  explicit ShapeOf(const Recipe& recipe)
      : start_(recipe.attributes.integer("start", 0)),
        end_(recipe.attributes.integer("end", std::numeric_limits<int64_t>::max())) {}

  void bind(Binding& binding) const override {
    expect_inputs(binding, 1, 1);
    const int rank = operand(binding, 0, kEvery).shape.rank();
    binding.output(0, Dtype::s64, {std::max<int64_t>(0, clamp(end_, rank) - clamp(start_, rank))});
  }

  void run(const Run& run) const override {
    const Shape& shape = run.in[0].shape;
    const int64_t first = clamp(start_, shape.rank());
    for (int64_t i = 0; i < run.out[0].shape[0]; ++i)
      run.out[0].as<int64_t>()[i] = shape[static_cast<int>(first + i)];
  }

 private:
  static int64_t clamp(int64_t axis, int64_t rank) {
    return std::clamp<int64_t>(axis < 0 ? axis + rank : axis, 0, rank);
  }

  int64_t start_, end_;
};

class Size : public Operator {
 public:
  explicit Size(const Recipe&) {}
  void bind(Binding& binding) const override {
    expect_inputs(binding, 1, 1);
    operand(binding, 0, kEvery);
    binding.output(0, Dtype::s64, {});
  }
  void run(const Run& run) const override { *run.out[0].as<int64_t>() = run.in[0].elements(); }
};

class Alias : public Operator {
 public:
  void run(const Run&) const override {}
};

class Reshape : public Alias {
 public:
  explicit Reshape(const Recipe& recipe) : zero_is_zero_(recipe.attributes.integer("allowzero", 0) != 0) {}

  void bind(Binding& binding) const override {
    expect_inputs(binding, 2, 2);
    const Known& x = operand(binding, 0, kEvery);
    const Integers sizes(operand(binding, 1, kIntegers));
    int open = -1;
    bool zero = false;
    Shape out;
    for (int64_t i = 0; i < sizes.size(); ++i) {
      int64_t size = sizes[i];
      if (size == -1) {
        require(open < 0, Fault::plan, "two sizes of a reshape are -1");
        open = static_cast<int>(i);
        size = 1;
      } else if (size == 0 && !zero_is_zero_) {
        require(i < x.shape.rank(), Fault::plan, "a reshape keeps a size that its input does not have");
        size = x.shape[static_cast<int>(i)];
      }
      require(size >= 0, Fault::plan, "a negative size of a reshape");
      zero = zero || sizes[i] == 0;
      out.push(size);
    }
    require(!(zero_is_zero_ && zero && open >= 0), Fault::plan, "a reshape with allowzero holds both 0 and -1");
    const int64_t elements = x.shape.elements(), others = out.elements();
    if (open >= 0 && others > 0) out[open] = elements / others;
    if (out.elements() != elements || (open >= 0 && others == 0))
      throw Error(Fault::input, "a tensor of sizes " + x.shape.text() + " cannot become " + out.text());
    binding.alias(0, 0, out);
  }

 private:
  bool zero_is_zero_;
};

class Flatten : public Alias {
 public:
  explicit Flatten(const Recipe& recipe) : axis_(recipe.attributes.integer("axis", 1)) {}

  void bind(Binding& binding) const override {
    expect_inputs(binding, 1, 1);
    const Shape& shape = operand(binding, 0, kEvery).shape;
    const int axis = axis_ == shape.rank() ? shape.rank() : wrap_axis(axis_, shape.rank());
    int64_t rows = 1, columns = 1;
    for (int i = 0; i < shape.rank(); ++i) {
      int64_t& part = i < axis ? rows : columns;
      part = times(part, shape[i]);
    }
    binding.alias(0, 0, {rows, columns});
  }

 private:
  int64_t axis_;
};

class Squeeze : public Alias {
 public:
  explicit Squeeze(const Recipe& recipe) { refuse_attributes(recipe, {"axes"}); }

  void bind(Binding& binding) const override {
    expect_inputs(binding, 1, 2);
    const Shape& shape = operand(binding, 0, kEvery).shape;
    const bool all = !binding.input(1).present;
    const unsigned axes = axis_set(Integers(binding.input(1)), shape.rank());
    Shape out;
    for (int i = 0; i < shape.rank(); ++i) {
      const bool named = axes >> i & 1;
      if (named && shape[i] != 1)
        throw Error(Fault::input, "axis " + std::to_string(i) + " of " + shape.text() + " is squeezed and not 1");
      if (!named && !(all && shape[i] == 1)) out.push(shape[i]);
    }
    binding.alias(0, 0, out);
  }
};

class Unsqueeze : public Alias {
 public:
  explicit Unsqueeze(const Recipe&) {}

  void bind(Binding& binding) const override {
    expect_inputs(binding, 2, 2);
    const Shape& shape = operand(binding, 0, kEvery).shape;
    const Integers added(operand(binding, 1, kIntegers));
    require(added.size() <= kMaxRank - shape.rank(), Fault::unsupported, "a tensor of more than 8 dimensions");
    const int rank = shape.rank() + static_cast<int>(added.size());
    const unsigned axes = axis_set(added, rank);
    Shape out;
    for (int i = 0, from = 0; i < rank; ++i) out.push(axes >> i & 1 ? 1 : shape[from++]);
    binding.alias(0, 0, out);
  }
};

}  // namespace

std::vector<Row> reshape_rows() {
  return {{"Shape", make<ShapeOf>},   {"Size", make<Size>},       {"Reshape", make<Reshape>},
          {"Flatten", make<Flatten>}, {"Squeeze", make<Squeeze>}, {"Unsqueeze", make<Unsqueeze>}};
}

}  // namespace speedwell
