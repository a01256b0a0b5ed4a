#include "ops/matmul.h"

#include <algorithm>
#include <cstring>

#include "gemm/contract.h"
#include "ops/product.h"

namespace speedwell {

namespace {

// Sizes of the two as matrices, and their batches.
struct Sizes {
  int64_t m, k, n;
  Shape a_batch, b_batch, batch;

  Sizes(const Shape& a, const Shape& b) {
    require(a.rank() >= 1 && b.rank() >= 1, Fault::input, "a product of scalars");
    m = a.rank() == 1 ? 1 : a[a.rank() - 2];
    k = a.back();
    n = b.rank() == 1 ? 1 : b.back();
    const int64_t inner = b.rank() == 1 ? b[0] : b[b.rank() - 2];
    if (inner != k) throw Error(Fault::input, "a product of " + a.text() + " and " + b.text());
    for (int d = 0; d + 2 < a.rank(); ++d) a_batch.push(a[d]);
    for (int d = 0; d + 2 < b.rank(); ++d) b_batch.push(b[d]);
    batch = broadcast(a_batch, b_batch);
  }
};

// Which matrix of an operand belongs to matrix `index` of the product.
int64_t source(int64_t index, const Shape& batch, const Shape& operand) {
  int64_t at = 0, step = 1;
  for (int d = batch.rank() - 1, o = operand.rank() - 1; o >= 0; --d, --o) {
    const int64_t i = index % batch[d];
    index /= batch[d];
    if (operand[o] != 1) at += i * step;
    step *= operand[o];
  }
  return at;
}

// A block of 64 columns of b in panels.
size_t block_bytes(int64_t k) { return static_cast<size_t>(k) * kBlockColumns * sizeof(float); }

}  // namespace

void MatMul::bind(Binding& binding) const {
  const Known &a = binding.input(0), &b = binding.input(1);
  require(a.present && b.present && a.dtype == Dtype::f32 && b.dtype == Dtype::f32, Fault::unsupported,
          "unsupported: MatMul of other types than float32");
  const Sizes sizes(a.shape, b.shape);
  Shape out = sizes.batch;
  if (a.shape.rank() > 1) out.push(sizes.m);
  if (b.shape.rank() > 1) out.push(sizes.n);
  binding.output(0, Dtype::f32, out);
  binding.scratch(block_bytes(sizes.k) * static_cast<size_t>(binding.threads()));
}

void MatMul::run(const Run& run) const {
  const Sizes sizes(run.in[0].shape, run.in[1].shape);
  const int64_t m = sizes.m, k = sizes.k, n = sizes.n;
  const int64_t blocks = (n + kBlockColumns - 1) / kBlockColumns;
  if (m == 0) return;
  run.pool.parallel(sizes.batch.elements() * blocks, [&](int64_t chunk, int thread) {
    const int64_t index = chunk / blocks, column = chunk % blocks * kBlockColumns;
    const float* a = run.in[0].as<float>() + source(index, sizes.batch, sizes.a_batch) * m * k;
    const float* b = run.in[1].as<float>() + source(index, sizes.batch, sizes.b_batch) * k * n + column;
    float* out = run.out[0].as<float>() + index * m * n + column;
    float* packed = reinterpret_cast<float*>(run.scratch + block_bytes(k) * static_cast<size_t>(thread));
    const int64_t columns = std::min<int64_t>(kBlockColumns, n - column);
    const int panels = static_cast<int>((columns + kPanel - 1) / kPanel);
    for (int p = 0; p < panels; ++p) {
      const int64_t first = p * kPanel, width = std::min<int64_t>(kPanel, columns - first);
      float* panel = packed + p * k * kPanel;
      for (int64_t i = 0; i < k; ++i, panel += kPanel) {
        for (int64_t j = 0; j < width; ++j) panel[j] = b[i * n + first + j];
        for (int64_t j = width; j < kPanel; ++j) panel[j] = 0;
      }
    }
    for (int64_t row = 0; row < m; row += kBlockRows) {
      const int rows = static_cast<int>(std::min<int64_t>(kBlockRows, m - row));
      alignas(64) float sums[kBlockRows * kBlockColumns];
      run.kernels.tile_float({a + row * k, k, rows, packed, panels, k, nullptr, sums, kBlockColumns});
      for (int r = 0; r < rows; ++r)
        std::memcpy(out + (row + r) * n, sums + r * kBlockColumns, static_cast<size_t>(columns) * sizeof(float));
    }
  });
}

}  // namespace speedwell
