// Concat and Split along one axis.
#include <algorithm>
#include <string>

#include "ops/copy.h"
#include "ops/shape.h"

namespace speedwell {

namespace {

// A tensor as `outer` rows of `row` elements, each row one part of a longer row.
struct Rows {
  Rows(const Shape& shape, int axis) {
    for (int i = 0; i < shape.rank(); ++i) (i < axis ? outer : row) *= shape[i];
  }
  int64_t outer = 1, row = 1;
};

class Concat : public Operator {
 public:
  explicit Concat(const Recipe& recipe) : axis_(recipe.attributes["axis"].integer()) {}

  void bind(Binding& binding) const override {
    const Known& first = operand(binding, 0, kEvery);
    const int axis = wrap_axis(axis_, first.shape.rank());
    Shape out = first.shape;
    for (int i = 1; i < binding.inputs(); ++i) {
      const Known& next = operand(binding, i, kEvery);
      expect_same_type(first, next);
      Shape fitting = next.shape;
      if (fitting.rank() == out.rank()) fitting[axis] = out[axis];
      if (fitting != out)
        throw Error(Fault::input, "sizes " + out.text() + " and " + next.shape.text() + " do not join along axis " +
                                      std::to_string(axis));
      out[axis] = plus(out[axis], next.shape[axis]);
    }
    if (binding.inputs() == 1) return binding.alias(0, 0, out);
    binding.output(0, first.dtype, out);
  }

  void run(const Run& run) const override {
    const Tensor& out = run.out[0];
    if (run.inputs == 1 || out.elements() == 0) return;
    const int axis = wrap_axis(axis_, out.shape.rank());
    const size_t bytes = bytes_of(out.dtype);
    const int64_t row = Rows(out.shape, axis).row;
    char* to = out.as<char>();
    for (int i = 0; i < run.inputs; ++i) {
      const Tensor& in = run.in[i];
      if (in.elements() == 0) continue;
      const Rows part(in.shape, axis);
      Loops<2> loops;
      loops.inside(part.outer, {row, part.row});
      loops.inside(part.row, {1, 1});
      copy(run.pool, loops, to, in.data, bytes);
      to += static_cast<size_t>(part.row) * bytes;
    }
  }

 private:
  int64_t axis_;
};

class Split : public Operator {
 public:
  explicit Split(const Recipe& recipe)
      : axis_(recipe.attributes.integer("axis", 0)), parts_(recipe.attributes.integer("num_outputs", 0)) {
    refuse_attributes(recipe, {"split"});
    require(parts_ >= 0, Fault::plan, "num_outputs is negative");
  }

  void bind(Binding& binding) const override {
    expect_inputs(binding, 1, 2);
    const Known& x = operand(binding, 0, kEvery);
    const int axis = wrap_axis(axis_, x.shape.rank());
    const Integers sizes(binding.input(1));
    const int64_t parts = sizes.size() ? sizes.size() : parts_;
    require(parts > 0, Fault::plan, "neither the input split nor num_outputs says the parts");
    if (!sizes.size() && x.shape[axis] > 0 && parts > x.shape[axis])
      throw Error(Fault::input, "num_outputs is " + std::to_string(parts) + ", the axis has " +
                                    std::to_string(x.shape[axis]) + " elements");
    int64_t at = 0;
    for (int64_t i = 0; i < (sizes.size() ? parts : named(parts, binding.outputs())); ++i) {
      Shape part = x.shape;
      part[axis] = size_of_part(sizes, i, x.shape[axis], at);
      require(part[axis] >= 0 && part[axis] <= x.shape[axis] - at, Fault::input, "the parts are longer than the axis");
      at += part[axis];
      if (parts == 1) {
        binding.alias(0, 0, part);
      } else if (i < binding.outputs()) {
        binding.output(static_cast<int>(i), x.dtype, part);
      }
    }
    require(!sizes.size() || at == x.shape[axis], Fault::input, "the parts are shorter than the axis");
  }

  void run(const Run& run) const override {
    const Tensor& in = run.in[0];
    if (in.elements() == 0) return;
    const int axis = wrap_axis(axis_, in.shape.rank());
    const Integers sizes(run.inputs > 1 ? run.in[1] : Tensor{});
    const int64_t parts = sizes.size() ? sizes.size() : parts_;
    if (parts == 1) return;
    const size_t bytes = bytes_of(in.dtype);
    const Rows whole(in.shape, axis);
    const int64_t inner = whole.row / in.shape[axis];
    for (int64_t i = 0, at = 0; i < named(parts, run.outputs); ++i) {
      const int64_t size = size_of_part(sizes, i, in.shape[axis], at);
      const Tensor& out = run.out[i];
      if (out.data && size > 0) {
        Loops<2> loops;
        loops.inside(whole.outer, {size * inner, whole.row});
        loops.inside(size * inner, {1, 1});
        copy(run.pool, loops, out.data, in.as<const char>() + static_cast<size_t>(at * inner) * bytes, bytes);
      }
      at += size;
    }
  }

 private:
  // A plan may name fewer outputs than there are parts.
  static int64_t named(int64_t parts, int outputs) { return std::min<int64_t>(parts, outputs); }

  // Equal parts, the last ones shorter, where no sizes are given.
  int64_t size_of_part(const Integers& sizes, int64_t i, int64_t axis_size, int64_t at) const {
    if (sizes.size()) return sizes[i];
    return std::min((axis_size - 1) / parts_ + 1, axis_size - at);
  }

  int64_t axis_, parts_;
};

}  // namespace

std::vector<Row> join_rows() { return {{"Concat", make<Concat>}, {"Split", make<Split>}}; }

}  // namespace speedwell
