#include "ops/chunks.h"
#include "ops/layer.h"
#include "ops/operand.h"
#include "ops/quantization.h"

namespace speedwell {

namespace {

class Quantize : public Operator {
 public:
  explicit Quantize(const Recipe& recipe) : q_(Quantization::read(recipe.attributes)) {}

  void bind(Binding& binding) const override {
    expect_inputs(binding, 1, 1);
    binding.output(0, Dtype::u8, operand(binding, 0, kFloat).shape);
  }

  void run(const Run& run) const override {
    const float* x = run.in[0].as<float>();
    uint8_t* y = run.out[0].as<uint8_t>();
    in_chunks(run.pool, run.in[0].elements(), kGrain, [&](int64_t begin, int64_t end) {
      run.kernels.quantize(x + begin, y + begin, end - begin, q_.inverse, q_.zero, q_.low, q_.high);
    });
  }

 private:
  Quantization q_;
};

// quantize_rows: each row over the last axis with a range of its own.
class QuantizeRows : public Operator {
 public:
  explicit QuantizeRows(const Recipe& recipe) {
    const int64_t high = recipe.attributes["high"].integer();
    require(high >= 1 && high <= 255, Fault::plan, "the largest level must be 1 to 255");
    high_ = static_cast<int32_t>(high);
  }

  void bind(Binding& binding) const override {
    expect_inputs(binding, 1, 1);
    const Shape& shape = operand(binding, 0, kFloat).shape;
    require(shape.rank() >= 1, Fault::plan, "the input must have an axis to be quantized along");
    Shape rows;
    for (int d = 0; d + 1 < shape.rank(); ++d) rows.push(shape[d]);
    binding.output(0, Dtype::u8, shape);
    binding.output(1, Dtype::f32, rows);
    binding.output(2, Dtype::u8, rows);
    binding.scratch(static_cast<size_t>(times(shape.back(), binding.threads())));
  }

  void run(const Run& run) const override {
    const Tensor& x = run.in[0];
    uint8_t *bytes = run.out[0].as<uint8_t>(), *zeros = run.out[2].as<uint8_t>();
    float* scales = run.out[1].as<float>();
    const int64_t k = x.shape.back();
    int64_t rows = 1;
    for (int d = 0; d + 1 < x.shape.rank(); ++d) rows *= x.shape[d];
    const int64_t grain = std::max<int64_t>(1, kGrain / std::max<int64_t>(k, 1));
    in_chunks_of_threads(run.pool, rows, grain, [&](int64_t begin, int64_t end, int thread) {
      for (int64_t row = begin; row < end; ++row) {
        uint8_t* out = bytes ? bytes + row * k : reinterpret_cast<uint8_t*>(run.scratch) + thread * k;
        float scale;
        int32_t zero;
        run.kernels.quantize_row(x.as<float>() + row * k, out, k, high_, &scale, &zero);
        if (scales) scales[row] = scale;
        if (zeros) zeros[row] = static_cast<uint8_t>(zero);
      }
    });
  }

 private:
  int32_t high_;
};

class Dequantize : public Operator {
 public:
  explicit Dequantize(const Recipe& recipe) : q_(Quantization::read(recipe.attributes)) {}

  void bind(Binding& binding) const override {
    expect_inputs(binding, 1, 1);
    binding.output(0, Dtype::f32, operand(binding, 0, only(Dtype::u8)).shape);
  }

  void run(const Run& run) const override {
    const uint8_t* x = run.in[0].as<uint8_t>();
    float* y = run.out[0].as<float>();
    in_chunks(run.pool, run.in[0].elements(), kGrain, [&](int64_t begin, int64_t end) {
      run.kernels.dequantize(x + begin, y + begin, end - begin, q_.scale, q_.zero);
    });
  }

 private:
  Quantization q_;
};

}  // namespace

std::vector<Row> quantize_rows() {
  return {{"quantize", make<Quantize>}, {"quantize_rows", make<QuantizeRows>}, {"dequantize", make<Dequantize>}};
}

}  // namespace speedwell
