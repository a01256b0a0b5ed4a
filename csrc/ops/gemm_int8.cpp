#include "ops/gemm_int8.h"

#include <algorithm>
#include <cstring>

namespace speedwell {

namespace {

int largest(const Json& attributes) {
  const Json& input = attributes["input"];
  const int64_t high = input.integer("rows", input.integer("high", 255));
  require(high >= 1 && high <= 255, Fault::plan, "the largest activation must be 1 to 255");
  return static_cast<int>(high);
}

const Tensor& weight_of(const Recipe& recipe) {
  require(recipe.constants.size() >= 3 && recipe.constants[1].data && recipe.constants[2].data, Fault::plan,
          "weight and weight_scale must be constants");
  const Tensor& weight = recipe.constants[1];
  require(weight.dtype == Dtype::s8 && weight.shape.rank() == 2, Fault::plan, "the weight must be int8 [N, K]");
  return weight;
}

PackedInt8 packed(const Recipe& recipe) {
  const Tensor& weight = weight_of(recipe);
  return pack_int8(weight.as<int8_t>(), weight.shape[0], weight.shape[1], largest(recipe.attributes));
}

size_t aligned(size_t bytes) { return (bytes + 63) / 64 * 64; }

}  // namespace

GemmInt8::GemmInt8(const Recipe& recipe)
    : weight_(packed(recipe)), scale_(column_constant(recipe, 2, weight_.n, 1, "weight_scale")),
      ending_(recipe, weight_.n, 3, 4), high_(largest(recipe.attributes)) {
  const Json& input = recipe.attributes["input"];
  if (!input.find("rows")) {
    input_ = Quantization::read(input);
    for (const int32_t sum : weight_.column_sum) start_.push_back(-input_->zero * sum);
    for (float& scale : scale_) scale *= input_->scale;
  }
  const bool planned = recipe.constants.size() >= 7 && recipe.constants[5].data && recipe.constants[6].data;
  if (!planned || std::strcmp(recipe.kernels.isa, "avx2") != 0) return;
  runs_.emplace(weight_, recipe.constants[5], recipe.constants[6], high_, start_);
  weight_.bytes.reset();  // the runs hold the weights now
}

void GemmInt8::bind(Binding& binding) const {
  const Known& a = binding.input(0);
  const Dtype wanted = input_ ? Dtype::u8 : Dtype::f32;
  require(a.present && a.dtype == wanted, Fault::plan, input_ ? "the input must be uint8" : "the input must be float32");
  require(a.shape.rank() >= 1 && a.shape.back() == weight_.k, Fault::input, "the input's last size is not the weight's");
  Shape rows;
  for (int d = 0; d + 1 < a.shape.rank(); ++d) rows.push(a.shape[d]);
  ending_.bind(binding, rows);
  const int64_t m = rows.elements();
  if (copies()) binding.scratch(layout(m).whole);
}

GemmInt8::Layout GemmInt8::layout(int64_t m) const {
  const size_t bytes = aligned(static_cast<size_t>(m * weight_.quads * 4));
  const size_t rows = aligned(static_cast<size_t>(m) * 4);
  return {bytes, bytes + rows, bytes + 2 * rows};
}

void GemmInt8::run(const Run& run) const {
  const Tensor& a = run.in[0];
  const int64_t m = weight_.k ? a.elements() / weight_.k : run.out[0].elements() / std::max<int64_t>(weight_.n, 1);
  const uint8_t* bytes = a.as<uint8_t>();
  const float* row_scale = nullptr;
  const int32_t* row_zero = nullptr;
  if (copies()) {
    const Layout at = layout(m);
    uint8_t* quantized = reinterpret_cast<uint8_t*>(run.scratch);
    float* scales = reinterpret_cast<float*>(run.scratch + at.scales);
    int32_t* zeros = reinterpret_cast<int32_t*>(run.scratch + at.zeros);
    quantize_rows(run, m, quantized, scales, zeros);
    bytes = quantized;
    if (!input_) row_scale = scales, row_zero = zeros;
  }
  const int64_t lda = copies() ? weight_.quads * 4 : weight_.k;
  const Grid grid(m, weight_.n, run.pool.threads());
  run.pool.parallel(grid.chunks(), [&](int64_t chunk, int) {
    grid.walk(chunk, [&](int64_t row, int rows, int64_t column, int columns) {
      alignas(64) int32_t sums[kGroupRows * kBlockColumns];
      const int panels = (columns + kPanel - 1) / kPanel;
      const int64_t panel = column / kPanel;
      run.kernels.tile_int8({bytes + row * lda, lda, rows, weight_.panel(panel), panels, weight_.quads,
                             input_ ? start_.data() + column : nullptr, weight_.pairs_fit,
                             runs_ ? runs_->panel(panel) : nullptr, sums, kBlockColumns});
      Epilogue ending = ending_.at(run, row, column);
      ending.scale = scale_.data() + column;
      if (row_scale) {
        ending.column_sum = weight_.column_sum.data() + column;
        ending.row_scale = row_scale + row;
        ending.row_zero = row_zero + row;
      }
      run.kernels.finish_int8(sums, kBlockColumns, rows, columns, ending);
    }, runs_ ? kGroupRows : kBlockRows);
  });
}

// The rows as bytes, each padded to whole quads (the padding meets zero weights, so its value does not matter).
void GemmInt8::quantize_rows(const Run& run, int64_t m, uint8_t* out, float* scales, int32_t* zeros) const {
  const int64_t k = weight_.k, lda = weight_.quads * 4;
  const int64_t together = std::max<int64_t>(1, 4096 / std::max<int64_t>(k, 1));
  run.pool.parallel((m + together - 1) / together, [&](int64_t chunk, int) {
    for (int64_t row = chunk * together; row < std::min(m, (chunk + 1) * together); ++row) {
      uint8_t* to = out + row * lda;
      if (input_) {
        std::memcpy(to, run.in[0].as<uint8_t>() + row * k, static_cast<size_t>(k));
      } else {
        run.kernels.quantize_row(run.in[0].as<float>() + row * k, to, k, high_, scales + row, zeros + row);
      }
      std::memset(to + k, 0, static_cast<size_t>(lda - k));
    }
  });
}

}  // namespace speedwell
