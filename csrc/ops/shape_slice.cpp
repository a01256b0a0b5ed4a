// Slice, with steps of either sign.
#include <algorithm>
#include <cstdlib>

#include "ops/copy.h"
#include "ops/shape.h"

namespace speedwell {

namespace {

// What a slice takes of an axis: `size` elements from `first` on, every `step`-th.
struct Cut {
  int64_t first = 0, step = 1, size = 0;
};

Cut cut(int64_t size, int64_t start, int64_t end, int64_t step) {
  const int64_t last = step > 0 ? size : size - 1;  // a backward slice starts inside and may end before the front
  const int64_t least = step > 0 ? 0 : -1;
  start = std::clamp<int64_t>(start < 0 ? start + size : start, 0, std::max<int64_t>(last, 0));
  end = std::clamp<int64_t>(end < 0 ? end + size : end, least, std::max(last, least));
  const int64_t span = step > 0 ? end - start : start - end;
  if (span <= 0 || size == 0) return {};
  // A step past the end takes one element, whatever its size; cut down, it cannot overflow.
  const int64_t pace = step >= size || step <= -size ? size : std::abs(step);
  return {start, step > 0 ? pace : -pace, (span - 1) / pace + 1};
}

struct Cuts {
  // The integers are starts, ends, axes and steps; the latter two may be missing. Throws Fault::plan.
  Cuts(const Shape& shape, const Integers& starts, const Integers& ends, const Integers& axes, const Integers& steps,
       bool some_axes, bool some_steps) {
    const int64_t n = starts.size();
    require(ends.size() == n && (!some_axes || axes.size() == n) && (!some_steps || steps.size() == n), Fault::plan,
            "starts, ends, axes and steps of a slice differ in number");
    for (int i = 0; i < shape.rank(); ++i) axis[i] = {0, 1, shape[i]};
    unsigned seen = 0;
    for (int64_t i = 0; i < n; ++i) {
      const int at = wrap_axis(some_axes ? axes[i] : i, shape.rank());
      require(!(seen >> at & 1), Fault::plan, "a slice names an axis twice");
      seen |= 1u << at;
      const int64_t step = some_steps ? steps[i] : 1;
      require(step != 0, Fault::plan, "a slice of step 0");
      axis[at] = cut(shape[at], starts[i], ends[i], step);
    }
  }

  Cut axis[kMaxRank];
};

class Slice : public Operator {
 public:
  explicit Slice(const Recipe&) {}

  void bind(Binding& binding) const override {
    expect_inputs(binding, 3, 5);
    const Known& x = operand(binding, 0, kEvery);
    operand(binding, 1, kIntegers);
    operand(binding, 2, kIntegers);
    const Cuts cuts(x.shape, Integers(binding.input(1)), Integers(binding.input(2)), Integers(binding.input(3)),
                    Integers(binding.input(4)), binding.input(3).present, binding.input(4).present);
    Shape out;
    for (int i = 0; i < x.shape.rank(); ++i) out.push(cuts.axis[i].size);
    bool whole = out == x.shape;
    for (int i = 0; i < out.rank(); ++i) whole = whole && (cuts.axis[i].step == 1 || out[i] == 1);
    if (whole) return binding.alias(0, 0, out);
    binding.output(0, x.dtype, out);
  }

  void run(const Run& run) const override {
    const Tensor &in = run.in[0], &out = run.out[0];
    if (in.data == out.data || out.elements() == 0) return;
    const bool some_axes = run.inputs > 3 && run.in[3].data, some_steps = run.inputs > 4 && run.in[4].data;
    const Cuts cuts(in.shape, Integers(run.in[1]), Integers(run.in[2]), Integers(some_axes ? run.in[3] : Tensor{}),
                    Integers(some_steps ? run.in[4] : Tensor{}), some_axes, some_steps);
    const auto to = dense_strides(out.shape), from = dense_strides(in.shape);
    Loops<2> loops;
    int64_t first = 0;
    for (int i = 0; i < out.shape.rank(); ++i) {
      const Cut& cut = cuts.axis[i];
      const size_t axis = static_cast<size_t>(i);
      first += cut.first * from[axis];
      loops.inside(cut.size, {to[axis], cut.step * from[axis]});
    }
    const size_t bytes = bytes_of(in.dtype);
    copy(run.pool, loops, out.data, in.as<const char>() + static_cast<size_t>(first) * bytes, bytes);
  }
};

}  // namespace

std::vector<Row> slice_rows() { return {{"Slice", make<Slice>}}; }

}  // namespace speedwell
