// Add, Sub, Mul, Div, Max, Min, Mod, Pow, PRelu.
#include <cmath>

#include "ops/elementwise.h"

namespace speedwell {

namespace {

// The numbers of kernels.arithmetic.
struct Add {
  static constexpr int kernel = 0;
  template <typename T>
  T operator()(T a, T b) const {
    return wrap_add(a, b);
  }
};

struct Sub {
  static constexpr int kernel = 1;
  template <typename T>
  T operator()(T a, T b) const {
    return wrap_sub(a, b);
  }
};

struct Mul {
  static constexpr int kernel = 2;
  template <typename T>
  T operator()(T a, T b) const {
    return wrap_mul(a, b);
  }
};

struct Div {
  static constexpr int kernel = 3;
  template <typename T>
  T operator()(T a, T b) const {
    return safe_div(a, b);
  }
};

struct Max {
  static constexpr int kernel = 4;
  template <typename T>
  T operator()(T a, T b) const {
    return a > b ? a : b;
  }
};

struct Min {
  static constexpr int kernel = 5;
  template <typename T>
  T operator()(T a, T b) const {
    return a < b ? a : b;
  }
};

template <typename F>
void combine(const Run& run, const Tensor& a, const Tensor& b, const Tensor& out) {
  if (out.elements() == 0) return;
  if (out.dtype != Dtype::f32) {
    visit(out.dtype, [&](auto zero) {
      using T = decltype(zero);
      zip<T, T, T>(run.pool, a, b, out, kGrain, F());
    });
    return;
  }
  const auto loops = broadcast_loops<2>(out.shape, {&a.shape, &b.shape});
  const float *x = a.as<const float>(), *y = b.as<const float>();
  float* z = out.as<float>();
  const int step_x = static_cast<int>(loops.step(0)), step_y = static_cast<int>(loops.step(1));
  in_chunks(run.pool, out.elements(), kGrain, [&](int64_t begin, int64_t end) {
    loops.over(begin, end, [&](int64_t at, const Loops<2>::Strides& from, int64_t n) {
      run.kernels.arithmetic(F::kernel, x + from[0], step_x, y + from[1], step_y, z + at, n);
    });
  });
}

template <typename F>
class Arithmetic : public Operator {
 public:
  explicit Arithmetic(const Recipe&) {}

  void bind(Binding& binding) const override {
    expect_inputs(binding, 2, 2);
    const Known &a = operand(binding, 0, kNumbers), &b = operand(binding, 1, kNumbers);
    expect_same_type(a, b);
    const Shape out = broadcast(a.shape, b.shape);
    binding.output(0, a.dtype, out);
    overwrite_first(binding, out, a.dtype, 0, 1);
  }

  void run(const Run& run) const override { combine<F>(run, run.in[0], run.in[1], run.out[0]); }
};

// Max and Min, of any number of inputs.
template <typename F>
class Extreme : public Operator {
 public:
  explicit Extreme(const Recipe&) {}

  void bind(Binding& binding) const override {
    const Known& first = operand(binding, 0, kNumbers);
    Shape out = first.shape;
    for (int i = 1; i < binding.inputs(); ++i) {
      const Known& next = operand(binding, i, kNumbers);
      expect_same_type(first, next);
      out = broadcast(out, next.shape);
    }
    if (binding.inputs() == 1) return binding.alias(0, 0, out);
    binding.output(0, first.dtype, out);
    // An overwritten input that stands again further on holds the extreme so far by then, which changes nothing.
    overwrite_first(binding, out, first.dtype, 0, 1);
  }

  void run(const Run& run) const override {
    if (run.inputs == 1) return;
    combine<F>(run, run.in[0], run.in[1], run.out[0]);
    for (int i = 2; i < run.inputs; ++i) combine<F>(run, run.out[0], run.in[i], run.out[0]);
  }
};

class Mod : public Operator {
 public:
  explicit Mod(const Recipe& recipe) : like_c_(recipe.attributes.integer("fmod", 0) != 0) {}

  void bind(Binding& binding) const override {
    expect_inputs(binding, 2, 2);
    const Known &a = operand(binding, 0, kNumbers), &b = operand(binding, 1, kNumbers);
    expect_same_type(a, b);
    require(like_c_ || a.dtype != Dtype::f32, Fault::plan, "Mod of float32 needs fmod = 1");
    const Shape out = broadcast(a.shape, b.shape);
    binding.output(0, a.dtype, out);
    overwrite_first(binding, out, a.dtype, 0, 1);
  }

  void run(const Run& run) const override {
    visit(run.out[0].dtype, [&](auto zero) {
      using T = decltype(zero);
      const bool like_c = like_c_;
      zip<T, T, T>(run.pool, run.in[0], run.in[1], run.out[0], kFineGrain,
                   [like_c](T a, T b) { return remainder(a, b, like_c); });
    });
  }

 private:
  // The sign is the dividend's (like_c) or the divisor's; x % 0 is 0 for integers.
  template <typename T>
  static T remainder(T a, T b, bool like_c) {
    if constexpr (std::is_floating_point_v<T>) {
      return std::fmod(a, b);
    } else {
      if (b == 0 || (std::is_signed_v<T> && b == static_cast<T>(-1))) return 0;
      const T rest = static_cast<T>(a % b);
      return !like_c && rest != 0 && (rest < 0) != (b < 0) ? static_cast<T>(rest + b) : rest;
    }
  }

  bool like_c_;
};

// base ** exponent. Integers wrap; a negative exponent gives the integer part of the power (0 for base 0).
template <typename T, typename E>
T power(T base, E exponent) {
  if constexpr (std::is_floating_point_v<T> && std::is_floating_point_v<E>) {
    return std::pow(base, exponent);
  } else if constexpr (std::is_floating_point_v<T>) {
    return static_cast<T>(std::pow(static_cast<double>(base), static_cast<double>(exponent)));
  } else if constexpr (std::is_floating_point_v<E>) {
    return saturate<T>(std::pow(static_cast<double>(base), static_cast<double>(exponent)));
  } else {
    if (exponent < 0) return base == 1 ? 1 : base != static_cast<T>(-1) ? 0 : exponent % 2 ? -1 : 1;
    T result = 1;
    for (; exponent; exponent /= 2, base = wrap_mul(base, base))
      if (exponent % 2) result = wrap_mul(result, base);
    return result;
  }
}

class Pow : public Operator {
 public:
  explicit Pow(const Recipe&) {}

  void bind(Binding& binding) const override {
    expect_inputs(binding, 2, 2);
    const Known &base = operand(binding, 0, kFloat | kIntegers), &exponent = operand(binding, 1, kFloat | kIntegers);
    const Shape out = broadcast(base.shape, exponent.shape);
    binding.output(0, base.dtype, out);
    overwrite_first(binding, out, base.dtype, 0, 0);
  }

  void run(const Run& run) const override {
    const Tensor &base = run.in[0], &exponent = run.in[1], &out = run.out[0];
    if (out.elements() == 0 || squared_or_cubed(run)) return;
    visit(base.dtype, [&](auto zero) {
      visit(exponent.dtype, [&](auto nought) {
        using T = decltype(zero);
        using E = decltype(nought);
        if constexpr (sizeof(T) >= 4 && sizeof(E) >= 4)
          zip<T, E, T>(run.pool, base, exponent, out, kFineGrain, [](T x, E y) { return power(x, y); });
      });
    });
  }

 private:
  // What normalization layers are exported with, many times as fast as pow.
  static bool squared_or_cubed(const Run& run) {
    const Tensor &base = run.in[0], &exponent = run.in[1], &out = run.out[0];
    if (base.dtype != Dtype::f32 || exponent.dtype != Dtype::f32 || exponent.elements() != 1) return false;
    const float y = *exponent.as<float>();
    if (y != 2 && y != 3) return false;
    const bool cubed = y == 3;
    map(run.pool, base.as<const float>(), out.as<float>(), out.elements(), kGrain,
        [cubed](float x) { return cubed ? x * x * x : x * x; });
    return true;
  }
};

class PRelu : public Operator {
 public:
  explicit PRelu(const Recipe&) {}

  void bind(Binding& binding) const override {
    expect_inputs(binding, 2, 2);
    const Known &x = operand(binding, 0, kFloat), &slope = operand(binding, 1, kFloat);
    require(broadcast(x.shape, slope.shape) == x.shape, Fault::input, "the slope does not broadcast to x");
    binding.output(0, Dtype::f32, x.shape);
    overwrite_first(binding, x.shape, Dtype::f32, 0, 0);
  }

  void run(const Run& run) const override {
    zip<float, float, float>(run.pool, run.in[0], run.in[1], run.out[0], kGrain,
                             [](float x, float slope) { return x < 0 ? x * slope : x; });
  }
};

}  // namespace

std::vector<Row> arithmetic_rows() {
  return {{"Add", make<Arithmetic<Add>>}, {"Sub", make<Arithmetic<Sub>>}, {"Mul", make<Arithmetic<Mul>>},
          {"Div", make<Arithmetic<Div>>}, {"Max", make<Extreme<Max>>},    {"Min", make<Extreme<Min>>},
          {"Mod", make<Mod>},             {"Pow", make<Pow>},             {"PRelu", make<PRelu>}};
}

}  // namespace speedwell
