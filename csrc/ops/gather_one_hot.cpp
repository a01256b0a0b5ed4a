// OneHot.
#include "ops/chunks.h"
#include "ops/gather.h"
#include "ops/typed.h"

namespace speedwell {

namespace {

// values = {off, on}. An index outside [-depth, depth) is all off, as ONNX has it.
class OneHot : public Operator {
 public:
  explicit OneHot(const Recipe& recipe) : axis_(recipe.attributes.integer("axis", -1)) {}

  void bind(Binding& binding) const override {
    expect_inputs(binding, 3, 3);
    const Known &indices = operand(binding, 0, kIntegers), &values = operand(binding, 2, kEvery);
    const Integers depth(operand(binding, 1, kIntegers));
    require(depth.size() == 1 && depth[0] >= 0, Fault::plan, "depth must be one number that is not negative");
    require(values.shape.elements() == 2, Fault::plan, "values must be two: off and on");
    const int rank = indices.shape.rank(), axis = wrap_axis(axis_, rank + 1);
    Shape out;
    for (int i = 0; i <= rank; ++i) out.push(i == axis ? depth[0] : indices.shape[i - (i > axis)]);
    binding.output(0, values.dtype, out);
  }

  void run(const Run& run) const override {
    const Tensor& out = run.out[0];
    if (out.elements() == 0) return;
    const Integers indices(run.in[0]);
    const int axis = wrap_axis(axis_, out.shape.rank());
    const int64_t depth = out.shape[axis];
    int64_t inner = 1;
    for (int i = axis + 1; i < out.shape.rank(); ++i) inner *= out.shape[i];
    visit_bytes(bytes_of(out.dtype), [&](auto zero) {
      using T = decltype(zero);
      const T off = run.in[2].as<const T>()[0], on = run.in[2].as<const T>()[1];
      T* y = out.as<T>();
      in_chunks(run.pool, indices.size() / inner, kGrain / (depth * inner), [&](int64_t begin, int64_t end) {
        std::fill(y + begin * depth * inner, y + end * depth * inner, off);
        for (int64_t i = begin * inner; i < end * inner; ++i) {
          const int64_t index = indices[i];
          if (index < -depth || index >= depth) continue;
          y[(i / inner * depth + from_front(index, depth)) * inner + i % inner] = on;
        }
      });
    });
  }

 private:
  int64_t axis_;
};

}  // namespace

std::vector<Row> one_hot_rows() { return {{"OneHot", make<OneHot>}}; }

}  // namespace speedwell
