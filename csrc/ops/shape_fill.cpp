// Expand, Tile, Range, ConstantOfShape, Trilu.
#include <algorithm>
#include <cmath>

#include "ops/chunks.h"
#include "ops/copy.h"
#include "ops/shape.h"
#include "ops/typed.h"

namespace speedwell {

namespace {

// Copies in to out, which repeats it. nest(loops, axis, stride in out, strides in in) adds an axis of out to the loops.
template <typename Nest>
void copy_repeated(const Run& run, const Nest& nest) {
  const Tensor &in = run.in[0], &out = run.out[0];
  if (in.data == out.data || out.elements() == 0) return;
  const auto to = dense_strides(out.shape), from = dense_strides(in.shape);
  Loops<2> loops;
  for (int i = 0; i < out.shape.rank(); ++i) nest(loops, i, to[static_cast<size_t>(i)], from);
  copy(run.pool, loops, out.data, in.data, bytes_of(in.dtype));
}

class Expand : public Operator {
 public:
  explicit Expand(const Recipe&) {}

  void bind(Binding& binding) const override {
    expect_inputs(binding, 2, 2);
    const Known& x = operand(binding, 0, kEvery);
    const Integers sizes(operand(binding, 1, kIntegers));
    Shape asked;
    for (int64_t i = 0; i < sizes.size(); ++i) asked.push(sizes[i]);
    const Shape out = broadcast(x.shape, asked);
    if (out.elements() == x.shape.elements()) return binding.alias(0, 0, out);
    binding.output(0, x.dtype, out);
  }

  void run(const Run& run) const override {
    const Shape &in = run.in[0].shape, &out = run.out[0].shape;
    copy_repeated(run, [&](Loops<2>& loops, int i, int64_t to, const auto& from) {
      const int own = i - (out.rank() - in.rank());
      const bool repeated = own < 0 || in[own] == 1;
      loops.inside(out[i], {to, repeated ? 0 : from[static_cast<size_t>(own)]});
    });
  }
};

class Tile : public Operator {
 public:
  explicit Tile(const Recipe&) {}

  void bind(Binding& binding) const override {
    expect_inputs(binding, 2, 2);
    const Known& x = operand(binding, 0, kEvery);
    const Integers repeats(operand(binding, 1, kIntegers));
    require(repeats.size() == x.shape.rank(), Fault::plan, "repeats differ in number from the input's axes");
    Shape out;
    for (int i = 0; i < x.shape.rank(); ++i) {
      require(repeats[i] >= 0, Fault::plan, "a negative number of repeats");
      out.push(times(x.shape[i], repeats[i]));
    }
    if (out == x.shape) return binding.alias(0, 0, out);
    binding.output(0, x.dtype, out);
  }

  void run(const Run& run) const override {
    const Shape &in = run.in[0].shape, &out = run.out[0].shape;
    copy_repeated(run, [&](Loops<2>& loops, int i, int64_t to, const auto& from) {
      loops.inside(out[i] / in[i], {in[i] * to, 0});
      loops.inside(in[i], {to, from[static_cast<size_t>(i)]});
    });
  }
};

class Range : public Operator {
 public:
  explicit Range(const Recipe&) {}

  void bind(Binding& binding) const override {
    expect_inputs(binding, 3, 3);
    const Known& start = operand(binding, 0, kFloat | kIntegers);
    for (int i = 0; i < 3; ++i) {
      const Known& x = operand(binding, i, kFloat | kIntegers);
      expect_same_type(start, x);
      require(x.shape.elements() == 1, Fault::plan, "start, limit and delta of a range must be scalars");
      require(x.value != nullptr, Fault::unsupported, "a shape that depends on data");
    }
    const int64_t n = start.dtype == Dtype::f32 ? count(real(binding, 0), real(binding, 1), real(binding, 2))
                                                : count(whole(binding, 0), whole(binding, 1), whole(binding, 2));
    binding.output(0, start.dtype, {n});
  }

  void run(const Run& run) const override {
    const int64_t n = run.out[0].elements();
    visit(run.out[0].dtype, [&](auto zero) {
      using T = decltype(zero);
      const T start = *run.in[0].as<const T>(), delta = *run.in[2].as<const T>();
      T* out = run.out[0].as<T>();
      for (int64_t i = 0; i < n; ++i) {
        if constexpr (std::is_floating_point_v<T>) {
          out[i] = static_cast<T>(start + static_cast<double>(i) * delta);
        } else {
          out[i] = wrap_add(start, wrap_mul(static_cast<T>(i), delta));
        }
      }
    });
  }

 private:
  static float real(const Binding& binding, int i) { return *static_cast<const float*>(binding.input(i).value); }
  static int64_t whole(const Binding& binding, int i) { return Integers(binding.input(i))[0]; }

  static int64_t count(float start, float limit, float delta) {
    require(delta != 0, Fault::plan, "a range of step 0");
    const double n = std::ceil((static_cast<double>(limit) - start) / delta);
    require(std::isfinite(n), Fault::plan, "a range without end");
    require(n <= static_cast<double>(kMaxElements), Fault::memory, "a range of too many elements");
    return n > 0 ? static_cast<int64_t>(n) : 0;
  }

  static int64_t count(int64_t start, int64_t limit, int64_t delta) {
    require(delta != 0, Fault::plan, "a range of step 0");
    if (delta > 0 ? start >= limit : start <= limit) return 0;
    // In uint64_t: the distance of two int64_t can leave int64_t.
    const uint64_t low = static_cast<uint64_t>(delta > 0 ? start : limit);
    const uint64_t high = static_cast<uint64_t>(delta > 0 ? limit : start);
    const uint64_t pace = delta > 0 ? static_cast<uint64_t>(delta) : uint64_t{0} - static_cast<uint64_t>(delta);
    const uint64_t n = (high - low - 1) / pace + 1;
    require(n <= static_cast<uint64_t>(kMaxElements), Fault::memory, "a range of too many elements");
    return static_cast<int64_t>(n);
  }
};

class ConstantOfShape : public Operator {
 public:
  explicit ConstantOfShape(const Recipe& recipe) {
    const Json *dtype = recipe.attributes.find("dtype"), *value = recipe.attributes.find("value");
    if (dtype) dtype_ = element_type(*dtype);
    if (!value) return;
    if (value->kind() == Json::Kind::boolean) {
      real_ = integer_ = value->boolean();
    } else {
      real_ = value->real();
      integer_ = value->kind() == Json::Kind::integer ? value->integer() : saturate<int64_t>(real_);
    }
  }

  void bind(Binding& binding) const override {
    expect_inputs(binding, 1, 1);
    const Integers sizes(operand(binding, 0, kIntegers));
    Shape out;
    for (int64_t i = 0; i < sizes.size(); ++i) out.push(sizes[i]);
    binding.output(0, dtype_, out);
  }

  void run(const Run& run) const override {
    const Tensor& out = run.out[0];
    visit(out.dtype, [&](auto zero) {
      using T = decltype(zero);
      T value = std::is_floating_point_v<T> ? static_cast<T>(real_) : static_cast<T>(integer_);
      if (out.dtype == Dtype::boolean) value = static_cast<T>(real_ != 0);
      T* y = out.as<T>();
      in_chunks(run.pool, out.elements(), kGrain,
                [&](int64_t begin, int64_t end) { std::fill(y + begin, y + end, value); });
    });
  }

 private:
  Dtype dtype_ = Dtype::f32;
  double real_ = 0;
  int64_t integer_ = 0;
};

// The triangle of each matrix above (or below) its k-th diagonal, that diagonal included; zeros elsewhere.
class Trilu : public Operator {
 public:
  explicit Trilu(const Recipe& recipe) : upper_(recipe.attributes.integer("upper", 1) != 0) {}

  void bind(Binding& binding) const override {
    expect_inputs(binding, 1, 2);
    const Known& x = operand(binding, 0, kEvery);
    require(x.shape.rank() >= 2, Fault::input, "Trilu needs matrices");
    if (binding.input(1).present)
      require(operand(binding, 1, kIntegers).shape.elements() == 1, Fault::plan, "k must be a scalar");
    binding.output(0, x.dtype, x.shape);
    binding.may_overwrite(0, 0);
  }

  void run(const Run& run) const override {
    const Tensor &in = run.in[0], &out = run.out[0];
    if (out.elements() == 0) return;
    const int64_t columns = out.shape.back(), rows = out.shape[out.shape.rank() - 2];
    const Integers given(run.inputs > 1 ? run.in[1] : Tensor{});
    const int64_t k = given.size() ? std::clamp<int64_t>(given[0], -rows, columns) : 0;
    const size_t bytes = bytes_of(out.dtype);
    in_chunks(run.pool, out.elements() / columns, kGrain / columns, [&](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row) {
        const int64_t diagonal = std::clamp<int64_t>(row % rows + k + (upper_ ? 0 : 1), 0, columns);
        const int64_t first = upper_ ? diagonal : 0, last = upper_ ? columns : diagonal;  // what is kept
        char* to = out.as<char>() + static_cast<size_t>(row * columns) * bytes;
        const char* from = in.as<const char>() + static_cast<size_t>(row * columns) * bytes;
        const size_t head = static_cast<size_t>(first) * bytes, tail = static_cast<size_t>(last) * bytes;
        if (to != from) std::memcpy(to + head, from + head, tail - head);
        std::memset(to, 0, head);
        std::memset(to + tail, 0, static_cast<size_t>(columns) * bytes - tail);
      }
    });
  }

 private:
  bool upper_;
};

}  // namespace

std::vector<Row> fill_rows() {
  return {{"Expand", make<Expand>},
          {"Tile", make<Tile>},
          {"Range", make<Range>},
          {"ConstantOfShape", make<ConstantOfShape>},
          {"Trilu", make<Trilu>}};
}

}  // namespace speedwell
