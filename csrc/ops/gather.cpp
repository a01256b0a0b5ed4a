#include "ops/gather.h"

#include "ops/chunks.h"
#include "ops/copy.h"
#include "ops/families.h"
#include "ops/typed.h"

namespace speedwell {

void bad_index(int64_t index, int64_t size) {
  throw Error(Fault::input, "index " + std::to_string(index) + " into an axis of " + std::to_string(size));
}

void check_indices(const Integers& indices, int64_t size) {
  for (int64_t i = 0; i < indices.size(); ++i)
    if (indices[i] < -size || indices[i] >= size) bad_index(indices[i], size);
}

namespace {

class Gather : public Operator {
 public:
  explicit Gather(const Recipe& recipe) : axis_(recipe.attributes.integer("axis", 0)) {}

  void bind(Binding& binding) const override {
    expect_inputs(binding, 2, 2);
    const Known &data = operand(binding, 0, kEvery), &indices = operand(binding, 1, kIntegers);
    const int axis = wrap_axis(axis_, data.shape.rank());
    Shape out;
    for (int i = 0; i < axis; ++i) out.push(data.shape[i]);
    for (int i = 0; i < indices.shape.rank(); ++i) out.push(indices.shape[i]);
    for (int i = axis + 1; i < data.shape.rank(); ++i) out.push(data.shape[i]);
    binding.output(0, data.dtype, out);
  }

  void run(const Run& run) const override {
    const Tensor &data = run.in[0], &out = run.out[0];
    const int axis = wrap_axis(axis_, data.shape.rank());
    const Integers indices(run.in[1]);
    const int64_t size = data.shape[axis], n = indices.size();
    check_indices(indices, size);
    if (out.elements() == 0) return;
    int64_t inner = 1;
    for (int i = axis + 1; i < data.shape.rank(); ++i) inner *= data.shape[i];
    const size_t block = static_cast<size_t>(inner) * bytes_of(data.dtype);
    char* to = out.as<char>();
    const char* from = data.as<const char>();
    in_chunks(run.pool, out.elements() / inner, kGrain / inner, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const int64_t row = i / n * size + from_front(indices[i % n], size);
        copy_block(to + static_cast<size_t>(i) * block, from + static_cast<size_t>(row) * block, block);
      }
    });
  }

 private:
  int64_t axis_;
};

class GatherElements : public Operator {
 public:
  explicit GatherElements(const Recipe& recipe) : axis_(recipe.attributes.integer("axis", 0)) {}

  void bind(Binding& binding) const override {
    expect_inputs(binding, 2, 2);
    const Known &data = operand(binding, 0, kEvery), &indices = operand(binding, 1, kIntegers);
    const int axis = wrap_axis(axis_, data.shape.rank());
    require(indices.shape.rank() == data.shape.rank(), Fault::input, "data and indices differ in rank");
    for (int i = 0; i < data.shape.rank(); ++i)
      require(i == axis || indices.shape[i] <= data.shape[i], Fault::input, "indices are larger than data");
    binding.output(0, data.dtype, indices.shape);
  }

  void run(const Run& run) const override {
    const Tensor &data = run.in[0], &out = run.out[0];
    if (out.elements() == 0) return;
    const int axis = wrap_axis(axis_, data.shape.rank());
    const Integers indices(run.in[1]);
    const int64_t size = data.shape[axis];
    check_indices(indices, size);
    const auto stride = dense_strides(data.shape);
    Loops<1> loops;
    for (int i = 0; i < out.shape.rank(); ++i)
      loops.inside(out.shape[i], {i == axis ? 0 : stride[static_cast<size_t>(i)]});
    const int64_t step = loops.step(0), along = stride[static_cast<size_t>(axis)];
    visit_bytes(bytes_of(data.dtype), [&](auto zero) {
      using T = decltype(zero);
      const T* x = data.as<const T>();
      T* y = out.as<T>();
      in_chunks(run.pool, out.elements(), kGrain, [&](int64_t begin, int64_t end) {
        loops.over(begin, end, [&](int64_t at, const Loops<1>::Strides& from, int64_t n) {
          for (int64_t i = 0; i < n; ++i)
            y[at + i] = x[from[0] + i * step + from_front(indices[at + i], size) * along];
        });
      });
    });
  }

 private:
  int64_t axis_;
};

}  // namespace

std::vector<Row> take_rows() { return {{"Gather", make<Gather>}, {"GatherElements", make<GatherElements>}}; }

std::vector<Row> gather_rows() {
  std::vector<Row> all;
  for (const auto& part : {take_rows, tuple_rows, one_hot_rows})
    for (const Row& row : part()) all.push_back(row);
  return all;
}

}  // namespace speedwell
