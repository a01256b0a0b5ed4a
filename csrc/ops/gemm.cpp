// Products in float32, and the rows of the family.
#include <algorithm>

#include "gemm/pack.h"
#include "ops/families.h"
#include "ops/gemm_int4.h"
#include "ops/gemm_int8.h"
#include "ops/matmul.h"
#include "ops/product.h"

namespace speedwell {

namespace {

// gemm_float: constant weights.
class GemmFloat : public Operator {
 public:
  explicit GemmFloat(const Recipe& recipe) : weight_(packed(recipe)), ending_(recipe, weight_.n, 2, 3) {}

  void bind(Binding& binding) const override {
    const Known& a = binding.input(0);
    require(a.present && a.dtype == Dtype::f32, Fault::plan, "the input must be float32");
    require(a.shape.rank() >= 1 && a.shape.back() == weight_.k, Fault::input, "the input's last size is not the weight's");
    Shape rows;
    for (int d = 0; d + 1 < a.shape.rank(); ++d) rows.push(a.shape[d]);
    ending_.bind(binding, rows);
  }

  void run(const Run& run) const override {
    const int64_t m = run.out[0].elements() / std::max<int64_t>(weight_.n, 1), k = weight_.k;
    const Grid grid(m, weight_.n, run.pool.threads(), kGroupRows);
    run.pool.parallel(grid.chunks(), [&](int64_t chunk, int) {
      grid.walk(chunk, [&](int64_t, int64_t row, int rows, int64_t column, int columns) {
        alignas(64) float sums[kGroupRows * kBlockColumns];
        const float* start = ending_.bias() ? ending_.bias() + column : nullptr;
        const TileFloat tile{run.in[0].as<float>() + row * k, k, rows, weight_.panel(column / kPanel),
                             (columns + kPanel - 1) / kPanel, k, start, sums, kBlockColumns};
        run.kernels.tile_float(tile);
        run.kernels.finish_float(sums, kBlockColumns, rows, columns, ending_.at(run, row, column));
      });
    });
  }

 private:
  static PackedFloat packed(const Recipe& recipe) {
    require(recipe.constants.size() >= 2 && recipe.constants[1].data, Fault::plan, "the weight must be a constant");
    const Tensor& weight = recipe.constants[1];
    require(weight.dtype == Dtype::f32 && weight.shape.rank() == 2, Fault::plan, "the weight must be float32 [N, K]");
    return pack_float(weight.as<float>(), weight.shape[0], weight.shape[1], recipe.slab);
  }

  PackedFloat weight_;
  Ending ending_;
};

}  // namespace

std::vector<Row> gemm_rows() {
  return {{"gemm_int8", make<GemmInt8>},
          {"gemm_int4", make<GemmInt4>},
          {"gemm_float", make<GemmFloat>},
          {"MatMul", make<MatMul>}};
}

}  // namespace speedwell
