// TopK.
#include <algorithm>
#include <numeric>

#include "ops/chunks.h"
#include "ops/reduce.h"
#include "ops/reduce_axis.h"

namespace speedwell {

namespace {

// a stands before b: NaN counts as the greatest, as in numpy's sort; of equal elements the first comes first.
template <typename T>
bool before(const T* x, int64_t stride, int64_t a, int64_t b, bool largest) {
  const T u = x[a * stride], v = x[b * stride];
  if (u == v || (u != u && v != v)) return a < b;
  const bool greater = u > v || u != u;
  return greater == largest;
}

class TopK : public Operator {
 public:
  explicit TopK(const Recipe& recipe)
      : axis_(recipe.attributes.integer("axis", -1)), largest_(recipe.attributes.integer("largest", 1) != 0) {
    refuse_attributes(recipe, {"k"});
    recipe.attributes.integer("sorted", 1);  // an order is one of those that sorted = 0 allows
  }

  void bind(Binding& binding) const override {
    expect_inputs(binding, 2, 2);
    const Known& x = operand(binding, 0, kNumbers);
    const Integers k(operand(binding, 1, kIntegers));
    require(k.size() == 1 && k[0] >= 0, Fault::plan, "k must be one number that is not negative");
    const int axis = wrap_axis(axis_, x.shape.rank());
    if (k[0] > x.shape[axis])
      throw Error(Fault::input, "the " + std::to_string(k[0]) + " first of " + std::to_string(x.shape[axis]));
    Shape out = x.shape;
    out[axis] = k[0];
    binding.output(0, x.dtype, out);
    binding.output(1, Dtype::s64, out);
    if (out.elements() > 0) binding.scratch(static_cast<size_t>(x.shape[axis] * binding.threads()) * sizeof(int64_t));
  }

  void run(const Run& run) const override {
    const Tensor &in = run.in[0], &values = run.out[0], &places = run.out[1];
    const Shape& out = values.data ? values.shape : places.shape;
    if (out.elements() == 0) return;
    const int along = wrap_axis(axis_, in.shape.rank());
    const Axis axis(in.shape, along);
    const int64_t k = out[along];
    visit(in.dtype, [&](auto zero) {
      using T = decltype(zero);
      const auto work = [&](int64_t begin, int64_t end, int thread) {
        int64_t* order = reinterpret_cast<int64_t*>(run.scratch) + thread * axis.size;
        for (int64_t i = begin; i < end; ++i) {
          const int64_t outer = i / axis.inner, column = i % axis.inner;
          const T* x = in.as<const T>() + outer * axis.size * axis.inner + column;
          std::iota(order, order + axis.size, int64_t{0});
          std::partial_sort(order, order + k, order + axis.size,
                            [&](int64_t a, int64_t b) { return before(x, axis.inner, a, b, largest_); });
          for (int64_t j = 0; j < k; ++j) {
            const int64_t at = (outer * k + j) * axis.inner + column;
            if (values.data) values.as<T>()[at] = x[order[j] * axis.inner];
            if (places.data) places.as<int64_t>()[at] = order[j];
          }
        }
      };
      in_chunks_of_threads(run.pool, axis.outer * axis.inner, kFineGrain / axis.size, work);
    });
  }

 private:
  int64_t axis_;
  bool largest_;
};

}  // namespace

std::vector<Row> top_rows() { return {{"TopK", make<TopK>}}; }

}  // namespace speedwell
