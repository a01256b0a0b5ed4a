// Equal, Less, LessOrEqual, Greater, GreaterOrEqual, And, Or, Xor.
#include "ops/elementwise.h"

namespace speedwell {

namespace {

struct Equal {
  static constexpr Types types = kEvery;
  template <typename T>
  uint8_t operator()(T a, T b) const {
    return a == b;
  }
};

struct Less {
  static constexpr Types types = kNumbers;
  template <typename T>
  uint8_t operator()(T a, T b) const {
    return a < b;
  }
};

struct LessOrEqual {
  static constexpr Types types = kNumbers;
  template <typename T>
  uint8_t operator()(T a, T b) const {
    return a <= b;
  }
};

struct Greater {
  static constexpr Types types = kNumbers;
  template <typename T>
  uint8_t operator()(T a, T b) const {
    return a > b;
  }
};

struct GreaterOrEqual {
  static constexpr Types types = kNumbers;
  template <typename T>
  uint8_t operator()(T a, T b) const {
    return a >= b;
  }
};

struct And {
  static constexpr Types types = only(Dtype::boolean);
  template <typename T>
  uint8_t operator()(T a, T b) const {
    return a && b;
  }
};

struct Or {
  static constexpr Types types = only(Dtype::boolean);
  template <typename T>
  uint8_t operator()(T a, T b) const {
    return a || b;
  }
};

struct Xor {
  static constexpr Types types = only(Dtype::boolean);
  template <typename T>
  uint8_t operator()(T a, T b) const {
    return a != b;
  }
};

template <typename F>
class Compare : public Operator {
 public:
  explicit Compare(const Recipe&) {}

  void bind(Binding& binding) const override {
    expect_inputs(binding, 2, 2);
    const Known &a = operand(binding, 0, F::types), &b = operand(binding, 1, F::types);
    expect_same_type(a, b);
    const Shape out = broadcast(a.shape, b.shape);
    binding.output(0, Dtype::boolean, out);
    overwrite_first(binding, out, Dtype::boolean, 0, 1);
  }

  void run(const Run& run) const override {
    const Tensor &a = run.in[0], &b = run.in[1], &out = run.out[0];
    if (a.dtype == Dtype::boolean) {
      zip<uint8_t, uint8_t, uint8_t>(run.pool, a, b, out, kGrain,
                                     [](uint8_t x, uint8_t y) { return F()(x != 0, y != 0); });
      return;
    }
    visit(a.dtype, [&](auto zero) {
      using T = decltype(zero);
      if constexpr (F::types != only(Dtype::boolean)) zip<T, T, uint8_t>(run.pool, a, b, out, kGrain, F());
    });
  }
};

}  // namespace

std::vector<Row> compare_rows() {
  return {{"Equal", make<Compare<Equal>>},
          {"Less", make<Compare<Less>>},
          {"LessOrEqual", make<Compare<LessOrEqual>>},
          {"Greater", make<Compare<Greater>>},
          {"GreaterOrEqual", make<Compare<GreaterOrEqual>>},
          {"And", make<Compare<And>>},
          {"Or", make<Compare<Or>>},
          {"Xor", make<Compare<Xor>>}};
}

}  // namespace speedwell
