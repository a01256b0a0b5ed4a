#include <optional>

#include "ops/layer.h"
#include "ops/operand.h"
#include "ops/quantization.h"
#include "ops/rows.h"

namespace speedwell {

namespace {

constexpr double kCost = 0.3;  // nanoseconds an element

// Without the sizes of 1 in front, as broadcasting ignores them.
Shape trimmed(const Shape& shape, int from) {
  Shape out;
  for (int i = from; i < shape.rank(); ++i)
    if (out.rank() > 0 || shape[i] != 1) out.push(shape[i]);
  return out;
}

// Ours: over the last axis, with an addition before it and bytes behind it.
class LayerNorm : public Operator {
 public:
  explicit LayerNorm(const Recipe& recipe) : epsilon_(epsilon_of(recipe)) {
    if (const Json* out = recipe.attributes.find("out")) out_ = Quantization::read(*out);
  }

  void bind(Binding& binding) const override {
    expect_inputs(binding, 2, 4);
    const Shape& shape = operand(binding, 0, kFloat).shape;
    require(shape.rank() >= 1, Fault::plan, "a scalar has no axis to normalize");
    const Shape columns{shape.back()};
    require(operand(binding, 1, kFloat).shape == columns, Fault::plan, "gamma must hold one number a column");
    if (binding.input(2).present)
      require(operand(binding, 2, kFloat).shape == columns, Fault::plan, "beta must hold one number a column");
    if (binding.input(3).present)
      require(operand(binding, 3, kFloat).shape == shape, Fault::plan, "the residual must have x's shape");
    binding.output(0, Dtype::f32, shape);
    binding.may_overwrite(0, 0);
    if (out_) binding.output(1, Dtype::u8, shape);
    binding.output(2, Dtype::f32, shape);
    if (out_) binding.scratch(static_cast<size_t>(times(in_lines(shape.back()), binding.threads())) * sizeof(float));
  }

  void run(const Run& run) const override {
    const int64_t n = run.in[0].shape.back();
    if (run.in[0].elements() == 0) return;
    const int64_t rows = run.in[0].elements() / n;
    const float* x = run.in[0].as<float>();
    const float* gamma = run.in[1].as<float>();
    const float* beta = optional_input(run, 2);
    const float* residual = optional_input(run, 3);
    float* y = run.out[0].as<float>();
    uint8_t* bytes = out_ ? run.out[1].as<uint8_t>() : nullptr;
    float* sum = run.out[2].as<float>();
    if (!y && !bytes && !sum) return;
    const RowChunks chunks(rows, static_cast<double>(n) * kCost + 20.0, run.pool.threads());
    run.pool.parallel(chunks.count(), [&](int64_t chunk, int thread) {
      float* own = reinterpret_cast<float*>(run.scratch) + thread * in_lines(n);
      for (int64_t row = chunks.begin(chunk); row < chunks.end(chunk); ++row) {
        const int64_t at = row * n;
        float* to = y ? y + at : own;
        run.kernels.layer_norm_row(x + at, residual ? residual + at : nullptr, gamma, beta, epsilon_, n,
                                   sum ? sum + at : nullptr, to);
        if (bytes) run.kernels.quantize(to, bytes + at, n, out_->inverse, out_->zero, out_->low, out_->high);
      }
    });
  }

 private:
  float epsilon_;
  std::optional<Quantization> out_;
};

// ONNX's: over all axes from one on.
class LayerNormalization : public Operator {
 public:
  explicit LayerNormalization(const Recipe& recipe)
      : epsilon_(epsilon_of(recipe)), axis_(recipe.attributes.integer("axis", -1)) {
    require(recipe.attributes.integer("stash_type", 1) == 1, Fault::unsupported, "a stash_type other than float32");
  }

  void bind(Binding& binding) const override {
    expect_inputs(binding, 2, 3);
    const Shape& shape = operand(binding, 0, kFloat).shape;
    const Shape columns = trimmed(shape, wrap_axis(axis_, shape.rank()));
    for (int i = 1; i < 3; ++i) {
      if (i == 2 && !binding.input(i).present) continue;
      const Shape& given = operand(binding, i, kFloat).shape;
      if (trimmed(given, 0) != columns)
        throw Error(Fault::unsupported, "scale or bias of shape " + given.text() + " for " + shape.text());
    }
    binding.output(0, Dtype::f32, shape);
    binding.may_overwrite(0, 0);
  }

  void run(const Run& run) const override {
    const Shape& shape = run.in[0].shape;
    if (run.in[0].elements() == 0) return;
    int64_t n = 1;
    for (int i = wrap_axis(axis_, shape.rank()); i < shape.rank(); ++i) n *= shape[i];
    const float* x = run.in[0].as<float>();
    const float* gamma = run.in[1].as<float>();
    const float* beta = optional_input(run, 2);
    float* y = run.out[0].as<float>();
    const RowChunks chunks(run.in[0].elements() / n, static_cast<double>(n) * kCost + 20.0, run.pool.threads());
    run.pool.parallel(chunks.count(), [&](int64_t chunk, int) {
      for (int64_t row = chunks.begin(chunk); row < chunks.end(chunk); ++row)
        run.kernels.layer_norm_row(x + row * n, nullptr, gamma, beta, epsilon_, n, nullptr, y + row * n);
    });
  }

 private:
  float epsilon_;
  int64_t axis_;
};

}  // namespace

std::vector<Row> layer_norm_rows() {
  return {{"layer_norm", make<LayerNorm>}, {"LayerNormalization", make<LayerNormalization>}};
}

}  // namespace speedwell
