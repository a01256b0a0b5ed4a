// Neg, Abs, Sqrt, Exp, ...: one tensor in, one of its shape out.
#include <cmath>

#include "ops/elementwise.h"

namespace speedwell {

namespace {

constexpr Types kSigned = kFloat | kIntegers | only(Dtype::s8);

// A function of float32 alone, without attributes.
#define SPEEDWELL_FLOAT_FUNCTION(Name, grain_of_it, expression) \
  struct Name {                                                 \
    static constexpr Types types = kFloat;                      \
    static constexpr int64_t grain = grain_of_it;               \
    explicit Name(const Json&) {}                               \
    float operator()(float x) const { return expression; }      \
  };
SPEEDWELL_FLOAT_FUNCTION(Sqrt, kGrain, std::sqrt(x))
SPEEDWELL_FLOAT_FUNCTION(Reciprocal, kGrain, 1.0f / x)
SPEEDWELL_FLOAT_FUNCTION(Floor, kGrain, std::floor(x))
SPEEDWELL_FLOAT_FUNCTION(Ceil, kGrain, std::ceil(x))
SPEEDWELL_FLOAT_FUNCTION(Round, kGrain, std::nearbyint(x))
SPEEDWELL_FLOAT_FUNCTION(Sin, kFineGrain, std::sin(x))
SPEEDWELL_FLOAT_FUNCTION(Cos, kFineGrain, std::cos(x))
// log(1 + exp(x)), written so that exp cannot overflow
SPEEDWELL_FLOAT_FUNCTION(Softplus, kFineGrain, std::log1p(std::exp(-std::fabs(x))) + (x > 0 ? x : 0.0f))
#undef SPEEDWELL_FLOAT_FUNCTION

struct Neg {
  static constexpr Types types = kSigned;
  static constexpr int64_t grain = kGrain;
  explicit Neg(const Json&) {}
  template <typename T>
  T operator()(T x) const {
    if constexpr (std::is_floating_point_v<T>) return -x;
    return wrap_sub<T>(0, x);
  }
};

struct Abs {
  static constexpr Types types = kNumbers;
  static constexpr int64_t grain = kGrain;
  explicit Abs(const Json&) {}
  template <typename T>
  T operator()(T x) const {
    if constexpr (std::is_floating_point_v<T>) return std::fabs(x);
    return x < 0 ? wrap_sub<T>(0, x) : x;
  }
};

struct Sign {
  static constexpr Types types = kNumbers;
  static constexpr int64_t grain = kGrain;
  explicit Sign(const Json&) {}
  template <typename T>
  T operator()(T x) const {
    if (!(x == x)) return x;
    return static_cast<T>((x > 0) - (x < 0));
  }
};

struct Elu {
  static constexpr Types types = kFloat;
  static constexpr int64_t grain = kFineGrain;
  explicit Elu(const Json& attributes) : alpha(static_cast<float>(attributes.real("alpha", 1.0))) {}
  float operator()(float x) const { return x < 0 ? alpha * std::expm1(x) : x; }
  float alpha;
};

struct LeakyRelu {
  static constexpr Types types = kFloat;
  static constexpr int64_t grain = kGrain;
  explicit LeakyRelu(const Json& attributes) : alpha(static_cast<float>(attributes.real("alpha", 0.01))) {}
  float operator()(float x) const { return x < 0 ? alpha * x : x; }
  float alpha;
};

struct HardSigmoid {
  static constexpr Types types = kFloat;
  static constexpr int64_t grain = kGrain;
  explicit HardSigmoid(const Json& attributes)
      : alpha(static_cast<float>(attributes.real("alpha", 0.2))),
        beta(static_cast<float>(attributes.real("beta", 0.5))) {}
  float operator()(float x) const {
    const float y = alpha * x + beta;
    return y < 0 ? 0 : y > 1 ? 1 : y;
  }
  float alpha, beta;
};

template <typename F>
class Unary : public Operator {
 public:
  explicit Unary(const Recipe& recipe) : f_(recipe.attributes) {}

  void bind(Binding& binding) const override {
    expect_inputs(binding, 1, 1);
    const Known& x = operand(binding, 0, F::types);
    binding.output(0, x.dtype, x.shape);
    binding.may_overwrite(0, 0);
  }

  void run(const Run& run) const override {
    visit(run.in[0].dtype, [&](auto zero) {
      using T = decltype(zero);
      if constexpr (std::is_same_v<T, float> || F::types != kFloat)
        map(run.pool, run.in[0].as<const T>(), run.out[0].as<T>(), run.out[0].elements(), F::grain, f_);
    });
  }

 private:
  F f_;
};

// Exp, Log, Erf: what has a kernel and is no activation.
template <Function kFunction>
class Apply : public Operator {
 public:
  explicit Apply(const Recipe&) {}

  void bind(Binding& binding) const override {
    expect_inputs(binding, 1, 1);
    const Known& x = operand(binding, 0, kFloat);
    binding.output(0, x.dtype, x.shape);
    binding.may_overwrite(0, 0);
  }

  void run(const Run& run) const override {
    const float* x = run.in[0].as<const float>();
    float* y = run.out[0].as<float>();
    in_chunks(run.pool, run.out[0].elements(), kGrain, [&](int64_t begin, int64_t end) {
      run.kernels.apply(x + begin, y + begin, end - begin, kFunction);
    });
  }
};

// What is an activation.
class Activate : public Operator {
 public:
  explicit Activate(const Recipe& recipe) : activation_(activation_of(recipe)) {}

  void bind(Binding& binding) const override {
    expect_inputs(binding, 1, 1);
    const Known& x = operand(binding, 0, activation_ == Activation::relu ? kSigned : kFloat);
    binding.output(0, x.dtype, x.shape);
    binding.may_overwrite(0, 0);
  }

  void run(const Run& run) const override {
    const Tensor &in = run.in[0], &out = run.out[0];
    if (in.dtype != Dtype::f32) {
      visit(in.dtype, [&](auto zero) {
        using T = decltype(zero);
        map(run.pool, in.as<const T>(), out.as<T>(), out.elements(), kGrain, [](T x) { return x > 0 ? x : T(0); });
      });
      return;
    }
    const float* x = in.as<const float>();
    float* y = out.as<float>();
    in_chunks(run.pool, out.elements(), kGrain, [&](int64_t begin, int64_t end) {
      run.kernels.activate(x + begin, y + begin, end - begin, activation_);
    });
  }

 private:
  static Activation activation_of(const Recipe& recipe) {
    if (recipe.kind == "Relu") return Activation::relu;
    if (recipe.kind == "Tanh") return Activation::tanh;
    if (recipe.kind == "Sigmoid") return Activation::sigmoid;
    if (recipe.kind == "HardSwish") return Activation::hard_swish;
    const std::string approximate = recipe.attributes.string("approximate", "none");
    if (approximate == "tanh") return Activation::gelu_tanh;
    if (approximate != "none") throw Error(Fault::plan, "approximate is \"" + approximate + "\", not none or tanh");
    return Activation::gelu;
  }

  Activation activation_;
};

// IsNaN, IsInf and Not: bool out.
class Test : public Operator {
 public:
  explicit Test(const Recipe& recipe)
      : kind_(recipe.kind),
        negative_(recipe.attributes.integer("detect_negative", 1) != 0),
        positive_(recipe.attributes.integer("detect_positive", 1) != 0) {}

  void bind(Binding& binding) const override {
    expect_inputs(binding, 1, 1);
    const Known& x = operand(binding, 0, kind_ == "Not" ? only(Dtype::boolean) : kFloat);
    binding.output(0, Dtype::boolean, x.shape);
    if (x.dtype == Dtype::boolean) binding.may_overwrite(0, 0);
  }

  void run(const Run& run) const override {
    const float* x = run.in[0].as<const float>();
    uint8_t* y = run.out[0].as<uint8_t>();
    const int64_t n = run.out[0].elements();
    if (kind_ == "Not") {
      map(run.pool, run.in[0].as<const uint8_t>(), y, n, kGrain, [](uint8_t v) { return uint8_t(v == 0); });
    } else if (kind_ == "IsNaN") {
      map(run.pool, x, y, n, kGrain, [](float v) { return uint8_t(std::isnan(v)); });
    } else {
      const bool negative = negative_, positive = positive_;
      map(run.pool, x, y, n, kGrain,
          [=](float v) { return uint8_t(std::isinf(v) && (v < 0 ? negative : positive)); });
    }
  }

 private:
  std::string kind_;
  bool negative_, positive_;
};

}  // namespace

std::vector<Row> unary_rows() {
  return {{"Neg", make<Unary<Neg>>},
          {"Abs", make<Unary<Abs>>},
          {"Sign", make<Unary<Sign>>},
          {"Sqrt", make<Unary<Sqrt>>},
          {"Reciprocal", make<Unary<Reciprocal>>},
          {"Floor", make<Unary<Floor>>},
          {"Ceil", make<Unary<Ceil>>},
          {"Round", make<Unary<Round>>},
          {"Exp", make<Apply<Function::exp>>},
          {"Log", make<Apply<Function::log>>},
          {"Erf", make<Apply<Function::erf>>},
          {"Sin", make<Unary<Sin>>},
          {"Cos", make<Unary<Cos>>},
          {"Softplus", make<Unary<Softplus>>},
          {"Elu", make<Unary<Elu>>},
          {"LeakyRelu", make<Unary<LeakyRelu>>},
          {"HardSigmoid", make<Unary<HardSigmoid>>},
          {"Relu", make<Activate>},
          {"Tanh", make<Activate>},
          {"Sigmoid", make<Activate>},
          {"HardSwish", make<Activate>},
          {"Gelu", make<Activate>},
          {"IsNaN", make<Test>},
          {"IsInf", make<Test>},
          {"Not", make<Test>}};
}

}  // namespace speedwell
