#include "ops/gemm_int8.h"

#include <algorithm>
#include <cstring>

#include "ops/fetch.h"
#include "ops/ready_rows.h"

namespace speedwell {

namespace {

enum Input { kA, kWeight, kScale, kBias, kResidual, kOrder, kRuns, kRowScale, kRowZero };

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
  if (planned && std::strcmp(recipe.kernels.isa, "avx2") == 0) {
    runs_.emplace(weight_, recipe.constants[5], recipe.constants[6], high_, start_, recipe.slab);
  } else {
    panels_ = reinterpret_cast<const int8_t*>(recipe.slab.hold(weight_.bytes.get(), weight_.size()));
  }
  weight_.bytes.reset();
}

void GemmInt8::bind(Binding& binding) const {
  const Known& a = binding.input(kA);
  require(a.present && (a.dtype == Dtype::u8 || (!input_ && a.dtype == Dtype::f32)), Fault::plan,
          input_ ? "the input must be uint8" : "the input must be float32, or uint8 with its rows' scales");
  require(a.shape.rank() >= 1 && a.shape.back() == weight_.k, Fault::input, "the input's last size is not the weight's");
  Shape rows;
  for (int d = 0; d + 1 < a.shape.rank(); ++d) rows.push(a.shape[d]);
  const Known &scale = binding.input(kRowScale), &zero = binding.input(kRowZero);
  if (!input_ && a.dtype == Dtype::u8) {
    require(scale.present && scale.dtype == Dtype::f32 && scale.shape == rows, Fault::plan,
            "rows of bytes need a scale each, float32");
    require(zero.present && zero.dtype == Dtype::u8 && zero.shape == rows, Fault::plan,
            "rows of bytes need a zero point each, uint8");
  } else {
    require(!scale.present && !zero.present, Fault::plan, "scales of rows that are not quantized yet, or all alike");
  }
  ending_.bind(binding, rows);
  if (copies(a.dtype)) binding.scratch(layout(rows.elements(), grid(rows.elements(), binding.threads())).whole);
}

Grid GemmInt8::grid(int64_t m, int threads) const {
  return Grid(m, weight_.n, threads, runs_ ? kGroupRows : kBlockRows);
}

GemmInt8::Layout GemmInt8::layout(int64_t m, const Grid& grid) const {
  const size_t bytes = whole_lines(static_cast<size_t>(m * weight_.quads * 4));
  const size_t rows = whole_lines(static_cast<size_t>(m) * 4);
  const size_t states = whole_lines(ReadyRows::bytes(grid.row_tiles()));
  return {bytes, bytes + rows, bytes + 2 * rows, bytes + 2 * rows + states};
}

void GemmInt8::run(const Run& run) const {
  const Tensor& a = run.in[kA];
  const int64_t m = weight_.k ? a.elements() / weight_.k : run.out[0].elements() / std::max<int64_t>(weight_.n, 1);
  const Grid grid = this->grid(m, run.pool.threads());
  if (!copies(a.dtype)) {
    const Rows rows{const_cast<uint8_t*>(a.as<uint8_t>()), weight_.k, nullptr, nullptr};  // only read
    // Threads that share rows have written them together. Where a thread has rows of its own, they are near.
    const bool shared = run.pool.threads() > 1 && grid.row_blocks == 1 && a.bytes() <= kFetchedAtOnce;
    run.pool.parallel(grid.chunks(), [&](int64_t chunk, int thread) {
      const Lines then = upcoming(run, grid, chunk, thread);
      const bool begins = chunk == Pool::part_end(grid.chunks(), thread - 1, run.pool.threads());
      if (begins && shared) fetch_bytes(a.data, static_cast<int64_t>(a.bytes()));
      grid.walk(chunk, [&](int64_t tile, int64_t row, int count, int64_t column, int columns) {
        fetch_ahead(grid, tile, then);
        multiply(run, row, count, column, columns, rows, then);
      });
    });
    return;
  }
  const Layout at = layout(m, grid);
  const Rows rows{reinterpret_cast<uint8_t*>(run.scratch), weight_.quads * 4,
                  reinterpret_cast<float*>(run.scratch + at.scales), reinterpret_cast<int32_t*>(run.scratch + at.zeros)};
  const ReadyRows states(run.scratch + at.states, grid.row_tiles());
  run.pool.parallel(grid.chunks(), [&](int64_t chunk, int thread) {
    const Lines then = upcoming(run, grid, chunk, thread);
    // A tile whose rows another thread is quantizing comes last: by then they are ready.
    unsigned late = 0;
    int number = 0;
    grid.walk(chunk, [&](int64_t tile, int64_t row, int count, int64_t column, int columns) {
      fetch_ahead(grid, tile, then);
      if (states.try_ready(tile, [&] { ready(run, row, count, rows); })) {
        multiply(run, row, count, column, columns, rows, then);
      } else {
        late |= 1u << number;
      }
      ++number;
    });
    number = 0;
    if (late)
      grid.walk(chunk, [&](int64_t tile, int64_t row, int count, int64_t column, int columns) {
        if (!(late >> number++ & 1)) return;
        states.wait(tile);
        multiply(run, row, count, column, columns, rows, then);
      });
  });
}

Lines GemmInt8::weights_of(const Grid& grid, int64_t chunk) const {
  const int64_t panel = grid.column(chunk) / kPanel;
  if (runs_) return {reinterpret_cast<const char*>(runs_->panel(panel)->start), runs_->panel(panel)->lines};
  const int64_t panels = std::min<int64_t>(kBlockPanels, weight_.panels - panel);
  return {reinterpret_cast<const char*>(plain(panel)), panels * weight_.quads};
}

Lines GemmInt8::first_weights(const Tensor* in, int threads, int thread) const {
  if (!weight_.k || !in[kA].elements()) return {};
  const Grid grid = this->grid(in[kA].elements() / weight_.k, threads);
  if (!grid.chunks()) return {};
  return weights_of(grid, std::min(Pool::part_end(grid.chunks(), thread - 1, threads), grid.chunks() - 1));
}

Lines GemmInt8::upcoming(const Run& run, const Grid& grid, int64_t chunk, int thread) const {
  const int64_t end = Pool::part_end(grid.chunks(), thread, run.pool.threads());
  if (grid.chunks() > 1 && chunk + 1 != end) return weights_of(grid, (chunk + 1) % grid.chunks());
  return run.upcoming ? run.upcoming[thread] : Lines{};
}

// Asks for a piece of the next block's weights, so that they are in L2 when their turn comes: in a network a layer's
// weights come from L3 or memory. (The kernel of runs does this itself, run by run.)
void GemmInt8::fetch_ahead(const Grid& grid, int64_t tile, const Lines& upcoming) const {
  if (runs_ || !upcoming.begin) return;
  const int64_t tiles = grid.tiles(), at = tile % tiles;
  for (int64_t line = upcoming.count * at / tiles; line < upcoming.count * (at + 1) / tiles; ++line)
    __builtin_prefetch(upcoming.begin + line * 64, 0, 2);
}

void GemmInt8::multiply(const Run& run, int64_t row, int rows, int64_t column, int columns, const Rows& from,
                        const Lines& upcoming) const {
  alignas(64) int32_t sums[kGroupRows * kBlockColumns];
  const int panels = (columns + kPanel - 1) / kPanel;
  const int64_t panel = column / kPanel;
  Epilogue ending = ending_.at(run, row, column);
  ending.scale = scale_.data() + column;
  fetch_epilogue(ending, rows, columns);
  run.kernels.tile_int8({from.bytes + row * from.lda, from.lda, rows, runs_ ? nullptr : plain(panel), panels,
                         weight_.quads, input_ ? start_.data() + column : nullptr, weight_.pairs_fit,
                         runs_ ? runs_->panel(panel) : nullptr, sums, kBlockColumns, upcoming});
  int32_t zeros[kGroupRows];
  if (!input_) {
    ending.column_sum = weight_.column_sum.data() + column;
    if (run.in[kA].dtype == Dtype::u8) {
      std::copy_n(run.in[kRowZero].as<uint8_t>() + row, rows, zeros);
      ending.row_scale = run.in[kRowScale].as<float>() + row;
      ending.row_zero = zeros;
    } else {
      ending.row_scale = from.scales + row;
      ending.row_zero = from.zeros + row;
    }
  }
  run.kernels.finish_int8(sums, kBlockColumns, rows, columns, ending);
}

// Some rows as bytes, each padded to whole quads (the padding meets zero weights, so its value does not matter).
void GemmInt8::ready(const Run& run, int64_t row, int rows, const Rows& to) const {
  const Tensor& a = run.in[kA];
  const int64_t k = weight_.k;
  for (int64_t i = row; i < row + rows; ++i) {
    uint8_t* const out = to.bytes + i * to.lda;
    if (a.dtype == Dtype::u8) {
      std::memcpy(out, a.as<uint8_t>() + i * k, static_cast<size_t>(k));
    } else {
      run.kernels.quantize_row(a.as<float>() + i * k, out, k, high_, to.scales + i, to.zeros + i);
    }
    std::memset(out + k, 0, static_cast<size_t>(to.lda - k));
  }
}

}  // namespace speedwell
