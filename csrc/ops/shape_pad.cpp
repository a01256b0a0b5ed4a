// Pad: constant, reflect, edge.
#include <algorithm>
#include <cstring>

#include "ops/chunks.h"
#include "ops/loops.h"
#include "ops/shape.h"
#include "ops/typed.h"

namespace speedwell {

namespace {

enum class Mode { constant, reflect, edge };

// The element of an axis of `size` that stands at `at`, which may lie outside of it; -1: the constant.
int64_t source(Mode mode, int64_t at, int64_t size) {
  if (at >= 0 && at < size) return at;
  if (mode == Mode::constant) return -1;
  if (mode == Mode::edge) return at < 0 ? 0 : size - 1;
  if (size == 1) return 0;
  const int64_t period = 2 * (size - 1);
  const int64_t rest = (at % period + period) % period;
  return rest < size ? rest : period - rest;
}

struct Ends {
  int64_t begin[kMaxRank] = {}, end[kMaxRank] = {};
};

class Pad : public Operator {
 public:
  explicit Pad(const Recipe& recipe) {
    refuse_attributes(recipe, {"pads", "value"});
    const std::string mode = recipe.attributes.string("mode", "constant");
    if (mode == "reflect") {
      mode_ = Mode::reflect;
    } else if (mode == "edge") {
      mode_ = Mode::edge;
    } else if (mode != "constant") {
      throw Error(Fault::unsupported, "mode \"" + mode + "\"");
    }
  }

  void bind(Binding& binding) const override {
    expect_inputs(binding, 2, 4);
    const Known& x = operand(binding, 0, kEvery);
    operand(binding, 1, kIntegers);
    if (const Known& value = binding.input(2); value.present) {
      expect_same_type(x, value);
      require(value.shape.elements() == 1, Fault::plan, "the constant must be a scalar");
    }
    const Ends ends =
        ends_of(x.shape.rank(), Integers(binding.input(1)), binding.input(3).present, Integers(binding.input(3)));
    Shape out;
    for (int i = 0; i < x.shape.rank(); ++i) {
      const int64_t begin = ends.begin[i], end = ends.end[i];
      require(mode_ == Mode::constant || (begin >= 0 && end >= 0), Fault::unsupported,
              "a negative pad in a mode that is not constant");
      require(x.shape[i] <= kMaxElements, Fault::memory, "a tensor of too many elements");
      require(mode_ == Mode::constant || x.shape[i] > 0 || begin + end == 0, Fault::input,
              "an empty axis has no elements to pad with");
      out.push(x.shape[i] + begin + end);
    }
    binding.output(0, x.dtype, out);
  }

  void run(const Run& run) const override {
    const Tensor& out = run.out[0];
    if (out.elements() == 0) return;
    const bool some_axes = run.inputs > 3 && run.in[3].data;
    const Ends ends = ends_of(out.shape.rank(), Integers(run.in[1]), some_axes,
                              Integers(some_axes ? run.in[3] : Tensor{}));
    visit_bytes(bytes_of(out.dtype), [&](auto zero) {
      using T = decltype(zero);
      const T value = run.inputs > 2 && run.in[2].data ? *run.in[2].as<const T>() : T(0);
      fill<T>(run, ends, value);
    });
  }

 private:
  // Throws Fault::plan.
  static Ends ends_of(int rank, const Integers& pads, bool some_axes, const Integers& axes) {
    const int64_t n = some_axes ? axes.size() : rank;
    require(n <= rank && pads.size() == 2 * n, Fault::plan, "pads must be two for each axis");
    axis_set(axes, rank);
    Ends ends;
    for (int64_t i = 0; i < n; ++i) {
      const int axis = some_axes ? wrap_axis(axes[i], rank) : static_cast<int>(i);
      for (const int64_t pad : {pads[i], pads[n + i]})
        require(pad >= -kMaxElements && pad <= kMaxElements, Fault::memory, "a pad of too many elements");
      ends.begin[axis] = pads[i];
      ends.end[axis] = pads[n + i];
    }
    return ends;
  }

  // Row by row of the innermost axis that is padded; what lies inside of that axis moves as one unit.
  template <typename T>
  void fill(const Run& run, const Ends& ends, T value) const {
    const Tensor &in = run.in[0], &out = run.out[0];
    const T* x = in.as<const T>();
    T* y = out.as<T>();
    if (in.elements() == 0) {
      std::fill(y, y + out.elements(), value);
      return;
    }
    int axis = out.shape.rank() - 1;
    int64_t unit = 1;
    while (axis > 0 && ends.begin[axis] == 0 && ends.end[axis] == 0) unit *= out.shape[axis--];
    const int64_t size = axis < 0 ? 1 : in.shape[axis], length = axis < 0 ? 1 : out.shape[axis];
    const int64_t begin = axis < 0 ? 0 : ends.begin[axis];
    // The part of a row that is copied as it stands.
    const int64_t first = std::clamp<int64_t>(begin, 0, length);
    const int64_t last = std::clamp<int64_t>(begin + size, first, length);
    const auto put = [&](T* to, int64_t at, const T* row) {
      const int64_t from = source(mode_, at - begin, size);
      if (from < 0) {
        std::fill(to + at * unit, to + (at + 1) * unit, value);
      } else {
        std::memcpy(to + at * unit, row + from * unit, static_cast<size_t>(unit) * sizeof(T));
      }
    };
    in_chunks(run.pool, out.elements() / (length * unit), kGrain / (length * unit), [&](int64_t from, int64_t to) {
      for (int64_t row = from; row < to; ++row) {
        T* target = y + row * length * unit;
        const int64_t origin = row_of_input(ends, in.shape, out.shape, axis, row);
        if (origin < 0) {
          std::fill(target, target + length * unit, value);
          continue;
        }
        const T* origin_row = x + origin * size * unit;
        for (int64_t at = 0; at < first; ++at) put(target, at, origin_row);
        if (last > first)
          std::memcpy(target + first * unit, origin_row + (first - begin) * unit,
                      static_cast<size_t>((last - first) * unit) * sizeof(T));
        for (int64_t at = last; at < length; ++at) put(target, at, origin_row);
      }
    });
  }

  // The input's row for the output's, counted over the axes outside of `axis`; -1: all of it is the constant.
  int64_t row_of_input(const Ends& ends, const Shape& in, const Shape& out, int axis, int64_t row) const {
    int64_t index = 0, stride = 1;
    for (int i = axis - 1; i >= 0; --i) {
      const int64_t at = source(mode_, row % out[i] - ends.begin[i], in[i]);
      if (at < 0) return -1;
      row /= out[i];
      index += at * stride;
      stride *= in[i];
    }
    return index;
  }

  Mode mode_ = Mode::constant;
};

}  // namespace

std::vector<Row> pad_rows() { return {{"Pad", make<Pad>}}; }

}  // namespace speedwell
