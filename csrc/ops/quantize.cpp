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

std::vector<Row> quantize_rows() { return {{"quantize", make<Quantize>}, {"dequantize", make<Dequantize>}}; }

}  // namespace speedwell
