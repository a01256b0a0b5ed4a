#include <cmath>
#include <cstring>
#include <limits>

#include "ops/layer.h"
#include "ops/operand.h"
#include "ops/rows.h"

namespace speedwell {

namespace {

constexpr int64_t kColumns = 16;  // taken at once where the axis is not the last: a cache line of floats

class Softmax : public Operator {
 public:
  explicit Softmax(const Recipe& recipe)
      : axis_(recipe.attributes.integer("axis", -1)), log_(recipe.kind == "LogSoftmax") {}

  void bind(Binding& binding) const override {
    expect_inputs(binding, 1, 1);
    const Shape& shape = operand(binding, 0, kFloat).shape;
    const Split split(shape, axis_);
    binding.output(0, Dtype::f32, shape);
    binding.may_overwrite(0, 0);
    binding.scratch(static_cast<size_t>(times(scratch_floats(split), binding.threads())) * sizeof(float));
  }

  void run(const Run& run) const override {
    const Split split(run.in[0].shape, axis_);
    if (run.in[0].elements() == 0) return;
    const float* x = run.in[0].as<float>();
    float* y = run.out[0].as<float>();
    float* scratch = reinterpret_cast<float*>(run.scratch);
    const double cost = static_cast<double>(split.n) * (log_ ? 2.0 : 0.7) + 20.0;
    if (split.inner == 1) {
      const RowChunks chunks(split.outer, cost, run.pool.threads());
      run.pool.parallel(chunks.count(), [&](int64_t chunk, int thread) {
        float* own = scratch + thread * scratch_floats(split);
        for (int64_t row = chunks.begin(chunk); row < chunks.end(chunk); ++row) {
          float* to = y + row * split.n;
          if (x != y) std::memcpy(to, x + row * split.n, static_cast<size_t>(split.n) * sizeof(float));
          one_row(run, to, own, split.n);
        }
      });
      return;
    }
    const int64_t groups = (split.inner + kColumns - 1) / kColumns;
    const RowChunks chunks(split.outer * groups, cost * kColumns * 2, run.pool.threads());
    run.pool.parallel(chunks.count(), [&](int64_t chunk, int thread) {
      float* own = scratch + thread * scratch_floats(split);
      for (int64_t group = chunks.begin(chunk); group < chunks.end(chunk); ++group) {
        const int64_t first = group % groups * kColumns, at = group / groups * split.n * split.inner + first;
        columns(run, x + at, y + at, own, split, std::min(kColumns, split.inner - first));
      }
    });
  }

 private:
  // The tensor as [outer, n, inner].
  struct Split {
    int64_t outer = 1, n, inner = 1;

    Split(const Shape& shape, int64_t axis) {
      const int at = wrap_axis(axis, shape.rank());
      n = shape[at];
      for (int i = 0; i < at; ++i) outer = times(outer, shape[i]);
      for (int i = at + 1; i < shape.rank(); ++i) inner = times(inner, shape[i]);
    }
  };

  // A thread's: some columns as rows, and a row of exponentials for the logarithm.
  int64_t scratch_floats(const Split& split) const {
    return in_lines(times(split.n, (split.inner > 1 ? kColumns : 0) + (log_ ? 1 : 0)));
  }

  void columns(const Run& run, const float* x, float* y, float* own, const Split& split, int64_t count) const {
    const int64_t n = split.n;
    for (int64_t i = 0; i < n; ++i)
      for (int64_t c = 0; c < count; ++c) own[c * n + i] = x[i * split.inner + c];
    for (int64_t c = 0; c < count; ++c) one_row(run, own + c * n, own + kColumns * n, n);
    for (int64_t i = 0; i < n; ++i)
      for (int64_t c = 0; c < count; ++c) y[i * split.inner + c] = own[c * n + i];
  }

  // In place. log softmax = x - max - log(sum of exp(x - max)), and that sum is 1 / the greatest of the softmax.
  void one_row(const Run& run, float* row, float* exponentials, int64_t n) const {
    if (!log_) return run.kernels.softmax_row(row, nullptr, 1.0f, n, false);
    std::memcpy(exponentials, row, static_cast<size_t>(n) * sizeof(float));
    run.kernels.softmax_row(exponentials, nullptr, 1.0f, n, false);
    float most = -std::numeric_limits<float>::infinity(), share = most;  // a row of NaN leaves share: its log is NaN
    for (int64_t i = 0; i < n; ++i) {
      most = row[i] > most ? row[i] : most;
      share = exponentials[i] > share ? exponentials[i] : share;
    }
    const float log_share = std::log(share);
    for (int64_t i = 0; i < n; ++i) row[i] = row[i] - most + log_share;
  }

  int64_t axis_;
  bool log_;
};

}  // namespace

std::vector<Row> softmax_rows() { return {{"Softmax", make<Softmax>}, {"LogSoftmax", make<Softmax>}}; }

}  // namespace speedwell
