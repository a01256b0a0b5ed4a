// Where, Clip, Cast, Identity.
#include <limits>

#include "ops/elementwise.h"

namespace speedwell {

namespace {

// Both sides are read before one is chosen: a load that might not happen would keep the loop from being vectorized.
template <bool kWalkX, bool kWalkY, typename T>
void choose_walking(const uint8_t* c, const T* x, const T* y, T* z, int64_t n) {
  const T one_x = *x, one_y = *y;
  for (int64_t i = 0; i < n; ++i) {
    const T a = kWalkX ? x[i] : one_x, b = kWalkY ? y[i] : one_y;
    z[i] = c[i] ? a : b;
  }
}

// z = c ? x : y over a run; a step is 0 or 1, and z may be x or y where its step is 1.
template <typename T>
void choose(const uint8_t* c, int64_t step_c, const T* x, int64_t step_x, const T* y, int64_t step_y, T* z, int64_t n) {
  if (step_c == 0) {
    const T* taken = *c ? x : y;
    const int64_t step = *c ? step_x : step_y;
    for (int64_t i = 0; i < n; ++i) z[i] = taken[i * step];
  } else if (step_x && step_y) {
    choose_walking<true, true>(c, x, y, z, n);
  } else if (step_x) {
    choose_walking<true, false>(c, x, y, z, n);
  } else if (step_y) {
    choose_walking<false, true>(c, x, y, z, n);
  } else {
    choose_walking<false, false>(c, x, y, z, n);
  }
}

class Where : public Operator {
 public:
  explicit Where(const Recipe&) {}

  void bind(Binding& binding) const override {
    expect_inputs(binding, 3, 3);
    const Known& condition = operand(binding, 0, only(Dtype::boolean));
    const Known &x = operand(binding, 1, kEvery), &y = operand(binding, 2, kEvery);
    expect_same_type(x, y);
    const Shape out = broadcast(condition.shape, broadcast(x.shape, y.shape));
    binding.output(0, x.dtype, out);
    overwrite_first(binding, out, x.dtype, 1, 2);
  }

  void run(const Run& run) const override {
    const Tensor& out = run.out[0];
    if (out.elements() == 0) return;
    const auto loops = broadcast_loops<3>(out.shape, {&run.in[0].shape, &run.in[1].shape, &run.in[2].shape});
    const uint8_t* condition = run.in[0].as<const uint8_t>();
    visit_bytes(bytes_of(out.dtype), [&](auto zero) {
      using T = decltype(zero);
      const T *x = run.in[1].as<const T>(), *y = run.in[2].as<const T>();
      T* z = out.as<T>();
      in_chunks(run.pool, out.elements(), kGrain, [&](int64_t begin, int64_t end) {
        loops.over(begin, end, [&](int64_t at, const Loops<3>::Strides& from, int64_t n) {
          choose(condition + from[0], loops.step(0), x + from[1], loops.step(1), y + from[2], loops.step(2), z + at, n);
        });
      });
    });
  }
};

class Clip : public Operator {
 public:
  explicit Clip(const Recipe& recipe) { refuse_attributes(recipe, {"min", "max"}); }

  void bind(Binding& binding) const override {
    expect_inputs(binding, 1, 3);
    const Known& x = operand(binding, 0, kNumbers);
    for (int i = 1; i < 3; ++i) {
      const Known& end = binding.input(i);
      if (!end.present) continue;
      expect_same_type(x, end);
      require(end.shape.elements() == 1, Fault::input, "min and max must be scalars");
    }
    binding.output(0, x.dtype, x.shape);
    binding.may_overwrite(0, 0);
  }

  void run(const Run& run) const override {
    visit(run.out[0].dtype, [&](auto zero) {
      using T = decltype(zero);
      using Limits = std::numeric_limits<T>;
      T low = Limits::has_infinity ? -Limits::infinity() : Limits::lowest();
      T high = Limits::has_infinity ? Limits::infinity() : Limits::max();
      if (run.inputs > 1 && run.in[1].data) low = *run.in[1].as<const T>();
      if (run.inputs > 2 && run.in[2].data) high = *run.in[2].as<const T>();
      // NaN passes; where min > max all become max, as ONNX has it.
      map(run.pool, run.in[0].as<const T>(), run.out[0].as<T>(), run.out[0].elements(), kGrain, [low, high](T x) {
        const T y = x < low ? low : x;
        return y > high ? high : y;
      });
    });
  }
};

class Cast : public Operator {
 public:
  explicit Cast(const Recipe& recipe) : to_(element_type(recipe.attributes["to"])) {}

  void bind(Binding& binding) const override {
    expect_inputs(binding, 1, 1);
    const Known& x = operand(binding, 0, kEvery);
    if (x.dtype == to_) return binding.alias(0, 0, x.shape);
    binding.output(0, to_, x.shape);
  }

  void run(const Run& run) const override {
    const Tensor &in = run.in[0], &out = run.out[0];
    if (in.dtype == out.dtype) return;
    visit(in.dtype, [&](auto zero) {
      using T = decltype(zero);
      const T* x = in.as<const T>();
      if (out.dtype == Dtype::boolean) {
        map(run.pool, x, out.as<uint8_t>(), out.elements(), kGrain, [](T v) { return uint8_t(v != T(0)); });
        return;
      }
      const bool from_bool = in.dtype == Dtype::boolean;
      visit(out.dtype, [&](auto nought) {
        using R = decltype(nought);
        R* y = out.as<R>();
        if (from_bool) {
          map(run.pool, x, y, out.elements(), kGrain, [](T v) { return R(v != T(0)); });
        } else {
          map(run.pool, x, y, out.elements(), kGrain, [](T v) { return convert<T, R>(v); });
        }
      });
    });
  }

 private:
  // ONNX leaves a float that does not fit open; integers keep their low bits, as numpy has it.
  template <typename T, typename R>
  static R convert(T x) {
    if constexpr (std::is_floating_point_v<T> && !std::is_floating_point_v<R>) {
      return saturate<R>(static_cast<double>(x));
    } else {
      return static_cast<R>(x);
    }
  }

  Dtype to_;
};

class Identity : public Operator {
 public:
  explicit Identity(const Recipe&) {}
  void bind(Binding& binding) const override {
    expect_inputs(binding, 1, 1);
    binding.alias(0, 0, operand(binding, 0, kEvery).shape);
  }
  void run(const Run&) const override {}
};

}  // namespace

std::vector<Row> select_rows() {
  return {{"Where", make<Where>}, {"Clip", make<Clip>}, {"Cast", make<Cast>}, {"Identity", make<Identity>}};
}

}  // namespace speedwell
