#include "ops/gemm_int4.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "ops/operand.h"

namespace speedwell {

namespace {

enum Input : size_t { kWeight = 1, kScale = 2, kBias = 3, kResidual = 4, kZero = 5 };

std::optional<Quantization> static_input(const Json& attributes) {
  const Json& input = attributes["input"];
  if (input.find("rows")) return std::nullopt;
  return Quantization::read(input);
}

int largest_row(const Json& attributes) {
  const int64_t high = attributes["input"].integer("rows", 255);
  require(high >= 1 && high <= 255, Fault::plan, "the largest activation must be 1 to 255");
  return static_cast<int>(high);
}

PackedInt4 packed(const Recipe& recipe, const std::optional<Quantization>& input) {
  const auto constant = [&](size_t i) { return i < recipe.constants.size() ? recipe.constants[i] : Tensor{}; };
  require(constant(kWeight).data && constant(kScale).data, Fault::plan, "weight and weight_scale must be constants");
  const GroupedWeight weight{constant(kWeight), constant(kScale), constant(kZero),
                             recipe.attributes["depth"].integer(), recipe.attributes["group"].integer()};
  return pack_int4(weight, input ? input->scale : 1.0f, recipe.slab);
}

}  // namespace

GemmInt4::GemmInt4(const Recipe& recipe)
    : input_(static_input(recipe.attributes)), high_(largest_row(recipe.attributes)), weight_(packed(recipe, input_)),
      ending_(recipe, weight_.n, kBias, kResidual) {
  if (!input_) return;
  // scale (q - zero) w = scale q w - zero (scale w): what the zero point takes is one number a column.
  bias_.assign(static_cast<size_t>((weight_.n + kBlockColumns - 1) / kBlockColumns * kBlockColumns), 0.0f);
  for (size_t j = 0; j < static_cast<size_t>(weight_.n); ++j)
    bias_[j] = static_cast<float>((ending_.bias() ? ending_.bias()[j] : 0.0) -
                                  static_cast<double>(input_->zero) * weight_.column_sum[j]);
}

void GemmInt4::bind(Binding& binding) const {
  const Known& a = binding.input(0);
  const Dtype wanted = input_ ? Dtype::u8 : Dtype::f32;
  require(a.present && a.dtype == wanted, Fault::plan, input_ ? "the input must be uint8" : "the input must be float32");
  require(!binding.input(kZero).present || !weight_.offset.empty(), Fault::plan, "weight_zero must be a constant");
  if (a.shape.rank() < 1 || a.shape.back() != weight_.k)
    throw Error(Fault::input, "the input is " + a.shape.text() + ", its last size must be the weight's depth, " +
                                  std::to_string(weight_.k));
  Shape rows;
  for (int d = 0; d + 1 < a.shape.rank(); ++d) rows.push(a.shape[d]);
  ending_.bind(binding, rows);
  binding.scratch(layout(rows.elements()).whole);
}

GemmInt4::Layout GemmInt4::layout(int64_t m) const {
  const size_t bytes = copies() ? whole_lines(static_cast<size_t>(times(m, weight_.groups * weight_.group))) : 0;
  const size_t start = bytes + whole_lines(static_cast<size_t>(times(m, weight_.groups)) * 4), rows = input_ ? 0 : whole_lines(static_cast<size_t>(m) * 4);
  return {bytes, start, start + rows, start + 2 * rows};
}

// The rows as bytes, padded with zeros to whole groups, and their groups' sums.
GemmInt4::Rows GemmInt4::prepare(const Run& run, int64_t m) const {
  const Layout at = layout(m);
  const int64_t k = weight_.k, groups = weight_.groups, step = groups * weight_.group;
  uint8_t* const copied = reinterpret_cast<uint8_t*>(run.scratch);
  int32_t* const start = reinterpret_cast<int32_t*>(run.scratch + at.start);
  float* const scale = reinterpret_cast<float*>(run.scratch + at.scales);
  int32_t* const zero = reinterpret_cast<int32_t*>(run.scratch + at.zeros);
  const int64_t together = std::max<int64_t>(1, 4096 / step);
  run.pool.parallel((m + together - 1) / together, [&](int64_t chunk, int) {
    for (int64_t row = chunk * together; row < std::min(m, (chunk + 1) * together); ++row) {
      const uint8_t* bytes = input_ ? run.in[0].as<uint8_t>() + row * k : nullptr;
      if (copies()) {
        uint8_t* const to = copied + row * step;
        if (input_) {
          std::memcpy(to, bytes, static_cast<size_t>(k));
        } else {
          run.kernels.quantize_row(run.in[0].as<float>() + row * k, to, k, high_, scale + row, zero + row);
        }
        std::memset(to + k, 0, static_cast<size_t>(step - k));
        bytes = to;
      }
      run.kernels.start_int4(bytes, groups, weight_.group, start + row * groups);
    }
  });
  return {copies() ? copied : run.in[0].as<uint8_t>(), copies() ? step : k, start, input_ ? nullptr : scale, zero};
}

void GemmInt4::run(const Run& run) const {
  const int64_t m = run.in[0].elements() / weight_.k, groups = weight_.groups;
  const Rows rows_of = prepare(run, m);
  const Grid grid(m, weight_.n, run.pool.threads());
  run.pool.parallel(grid.chunks(), [&](int64_t chunk, int) {
    grid.walk(chunk, [&](int64_t, int64_t row, int rows, int64_t column, int columns) {
      alignas(64) float sums[kBlockRows * kBlockColumns];
      const int64_t panel = column / kPanel, scales = panel * groups * kPanel;
      run.kernels.tile_int4({rows_of.bytes + row * rows_of.step, rows_of.step, rows, weight_.panel(panel),
                             (columns + kPanel - 1) / kPanel, groups, weight_.group / 8,
                             weight_.scale.data() + scales,
                             weight_.offset.empty() ? nullptr : weight_.offset.data() + scales,
                             rows_of.start + row * groups, groups, sums, kBlockColumns});
      Epilogue ending = ending_.at(run, row, column);
      if (input_) ending.bias = bias_.data() + column;
      if (rows_of.scale) {
        ending.row_scale = rows_of.scale + row;
        ending.row_zero = rows_of.zero + row;
      }
      run.kernels.finish_int4(sums, kBlockColumns, rows, columns, weight_.column_sum.data() + column, ending);
    });
  });
}

}  // namespace speedwell
