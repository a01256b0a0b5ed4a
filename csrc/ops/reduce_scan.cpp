// CumSum.
#include <algorithm>

#include "ops/chunks.h"
#include "ops/reduce.h"
#include "ops/reduce_axis.h"

namespace speedwell {

namespace {

constexpr int64_t kTile = 128;

// Columns side by side. Sums of float32 are kept in double; y may be x.
template <typename T>
void scan(const T* x, T* y, const Axis& axis, int64_t width, bool exclusive, bool reverse) {
  Total<T> sum[kTile];
  std::fill(sum, sum + width, Total<T>(0));
  for (int64_t r = 0; r < axis.size; ++r) {
    const int64_t row = (reverse ? axis.size - 1 - r : r) * axis.inner;
    for (int64_t j = 0; j < width; ++j) {
      const Total<T> before = sum[j];
      sum[j] = wrap_add<Total<T>>(sum[j], x[row + j]);
      y[row + j] = static_cast<T>(exclusive ? before : sum[j]);
    }
  }
}

class CumSum : public Operator {
 public:
  explicit CumSum(const Recipe& recipe)
      : exclusive_(recipe.attributes.integer("exclusive", 0) != 0),
        reverse_(recipe.attributes.integer("reverse", 0) != 0) {}

  void bind(Binding& binding) const override {
    expect_inputs(binding, 2, 2);
    const Known &x = operand(binding, 0, kFloat | kIntegers), &axis = operand(binding, 1, kIntegers);
    require(axis.shape.elements() == 1, Fault::plan, "the axis must be a scalar");
    if (axis.value) wrap_axis(Integers(axis)[0], x.shape.rank());
    binding.output(0, x.dtype, x.shape);
    binding.may_overwrite(0, 0);
  }

  void run(const Run& run) const override {
    const Tensor &in = run.in[0], &out = run.out[0];
    const int64_t asked = Integers(run.in[1])[0], rank = in.shape.rank();
    require(asked >= -rank && asked < rank, Fault::input, "the axis is outside of the tensor");
    if (out.elements() == 0) return;
    const Axis axis(in.shape, static_cast<int>(asked < 0 ? asked + rank : asked));
    const int64_t tiles = (axis.inner - 1) / kTile + 1;
    visit(in.dtype, [&](auto zero) {
      using T = decltype(zero);
      in_chunks(run.pool, axis.outer * tiles, kGrain / (axis.size * std::min(axis.inner, kTile)),
                [&](int64_t begin, int64_t end) {
                  for (int64_t job = begin; job < end; ++job) {
                    const int64_t first = job % tiles * kTile;
                    const int64_t at = job / tiles * axis.size * axis.inner + first;
                    scan(in.as<const T>() + at, out.as<T>() + at, axis, std::min(kTile, axis.inner - first),
                         exclusive_, reverse_);
                  }
                });
    });
  }

 private:
  bool exclusive_, reverse_;
};

}  // namespace

std::vector<Row> scan_rows() { return {{"CumSum", make<CumSum>}}; }

}  // namespace speedwell
