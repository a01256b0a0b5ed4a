// Normalizations of [N, C, ...] whose scale and bias belong to channels.
#include <cmath>

#include "ops/layer.h"
#include "ops/operand.h"
#include "ops/rows.h"

namespace speedwell {

namespace {

constexpr int kAdd = 0, kMultiply = 2;  // kinds of the arithmetic kernel
constexpr double kCost = 0.5;           // nanoseconds an element

// A tensor as [samples, channels, inner].
struct Channels {
  int64_t samples, channels, inner = 1;

  explicit Channels(const Shape& shape) {
    require(shape.rank() >= 2, Fault::plan, "a tensor with channels has at least two dimensions");
    samples = shape[0];
    channels = shape[1];
    for (int i = 2; i < shape.rank(); ++i) inner = times(inner, shape[i]);
  }
};

void expect_count(const Binding& binding, int i, int64_t count) {
  const Shape& shape = operand(binding, i, kFloat).shape;
  if (shape.rank() != 1 || shape[0] != count)
    throw Error(Fault::plan, "input " + std::to_string(i) + " has the shape " + shape.text() + ", not [" +
                                 std::to_string(count) + "]");
}

// y = x * a[c] + b[c], with what was learned of mean and variance folded into a and b.
class BatchNormalization : public Operator {
 public:
  explicit BatchNormalization(const Recipe& recipe) : epsilon_(epsilon_of(recipe)) {
    require(recipe.attributes.integer("training_mode", 0) == 0, Fault::unsupported, "batch normalization that trains");
  }

  void bind(Binding& binding) const override {
    expect_inputs(binding, 5, 5);
    const Shape& shape = operand(binding, 0, kFloat).shape;
    const Channels x(shape);
    for (int i = 1; i < 5; ++i) expect_count(binding, i, x.channels);
    binding.output(0, Dtype::f32, shape);
    binding.may_overwrite(0, 0);
    binding.scratch(static_cast<size_t>(times(x.channels, 2)) * sizeof(float));
  }

  void run(const Run& run) const override {
    const Channels shape(run.in[0].shape);
    if (run.in[0].elements() == 0) return;
    const float* x = run.in[0].as<float>();
    float* y = run.out[0].as<float>();
    float* a = reinterpret_cast<float*>(run.scratch);
    float* b = a + shape.channels;
    for (int64_t c = 0; c < shape.channels; ++c) {
      a[c] = run.in[1].as<float>()[c] / std::sqrt(run.in[4].as<float>()[c] + epsilon_);
      b[c] = run.in[2].as<float>()[c] - run.in[3].as<float>()[c] * a[c];
    }
    // Without inner elements a sample is one row, and a and b walk beside it.
    const bool flat = shape.inner == 1;
    const int64_t n = flat ? shape.channels : shape.inner, rows = flat ? shape.samples : shape.samples * shape.channels;
    const RowChunks chunks(rows, static_cast<double>(n) * kCost + 10.0, run.pool.threads());
    run.pool.parallel(chunks.count(), [&](int64_t chunk, int) {
      for (int64_t row = chunks.begin(chunk); row < chunks.end(chunk); ++row) {
        const int64_t c = flat ? 0 : row % shape.channels;
        run.kernels.arithmetic(kMultiply, x + row * n, 1, a + c, flat, y + row * n, n);
        run.kernels.arithmetic(kAdd, y + row * n, 1, b + c, flat, y + row * n, n);
      }
    });
  }

 private:
  float epsilon_;
};

// Mean and variance of each group of channels of each sample. An instance normalization has a group a channel.
class GroupNormalization : public Operator {
 public:
  explicit GroupNormalization(const Recipe& recipe)
      : epsilon_(epsilon_of(recipe)),
        groups_(recipe.kind == "GroupNormalization" ? recipe.attributes["num_groups"].integer() : 0) {
    require(recipe.kind != "GroupNormalization" || groups_ > 0, Fault::plan, "num_groups must be positive");
    require(recipe.attributes.integer("stash_type", 1) == 1, Fault::unsupported, "a stash_type other than float32");
  }

  void bind(Binding& binding) const override {
    expect_inputs(binding, 3, 3);
    const Shape& shape = operand(binding, 0, kFloat).shape;
    const Channels x(shape);
    const int64_t groups = groups_ ? groups_ : x.channels;
    require(groups == 0 || x.channels % groups == 0, Fault::plan, "num_groups does not divide the channels");
    // Up to opset 20 ONNX has a scale for each group, from 21 on for each channel.
    const Shape& scale = operand(binding, 1, kFloat).shape;
    const int64_t count = scale.rank() == 1 && scale[0] == groups ? groups : x.channels;
    expect_count(binding, 1, count);
    expect_count(binding, 2, count);
    binding.output(0, Dtype::f32, shape);
    binding.may_overwrite(0, 0);
    binding.scratch(groups ? static_cast<size_t>(times(x.channels / groups, x.inner)) * sizeof(float) : 0);
  }

  void run(const Run& run) const override {
    const Channels shape(run.in[0].shape);
    if (run.in[0].elements() == 0) return;
    const int64_t groups = groups_ ? groups_ : shape.channels, each = shape.channels / groups, n = each * shape.inner;
    const bool by_group = run.in[1].elements() == groups;
    const float* x = run.in[0].as<float>();
    const float* scale = run.in[1].as<float>();
    const float* bias = run.in[2].as<float>();
    float* y = run.out[0].as<float>();
    float* ones = reinterpret_cast<float*>(run.scratch);
    std::fill_n(ones, n, 1.0f);
    const RowChunks chunks(shape.samples * groups, static_cast<double>(n) * 2 * kCost + 30.0, run.pool.threads());
    run.pool.parallel(chunks.count(), [&](int64_t chunk, int) {
      for (int64_t row = chunks.begin(chunk); row < chunks.end(chunk); ++row) {
        const int64_t group = row % groups;
        run.kernels.layer_norm_row(x + row * n, nullptr, ones, nullptr, epsilon_, n, nullptr, y + row * n);
        for (int64_t i = 0; i < each; ++i) {
          float* channel = y + row * n + i * shape.inner;
          const int64_t at = by_group ? group : group * each + i;
          run.kernels.arithmetic(kMultiply, channel, 1, scale + at, 0, channel, shape.inner);
          run.kernels.arithmetic(kAdd, channel, 1, bias + at, 0, channel, shape.inner);
        }
      }
    });
  }

 private:
  float epsilon_;
  int64_t groups_;  // 0: as many as channels
};

}  // namespace

std::vector<Row> channel_norm_rows() {
  return {{"BatchNormalization", make<BatchNormalization>},
          {"InstanceNormalization", make<GroupNormalization>},
          {"GroupNormalization", make<GroupNormalization>}};
}

}  // namespace speedwell
