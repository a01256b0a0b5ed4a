// What the two products with constant weights share: what follows the sums, and how the work is cut.
#pragma once

#include <algorithm>
#include <optional>
#include <string>

#include "gemm/contract.h"
#include "ops/operator.h"
#include "ops/quantization.h"

namespace speedwell {

constexpr int64_t kFewRows = 24;  // of a thread, at least, or rows are not shared out

Activation activation_named(const std::string& name);  // throws Fault::unsupported

// A constant [n] float32, copied and padded with zeros to whole blocks. `otherwise` fills it where it is left out.
std::vector<float> column_constant(const Recipe& recipe, size_t input, int64_t n, float otherwise, const char* what);

// A chunk is one block of columns for one block of rows. Rows come first in the order of chunks, so that each thread has
// rows of its own from operator to operator (core/pool.h); where there are too few for that, it has columns of its own,
// and its half of the weights. Each chunk reads its weights from L2 once for up to kGroupRows rows.
struct Grid {
  int64_t m, n;
  int64_t block_rows, row_blocks, column_blocks, tile_rows;

  // tile: rows of a tile, at most.
  Grid(int64_t rows, int64_t columns, int threads, int64_t tile = kBlockRows)
      : m(rows), n(columns), column_blocks((columns + kBlockColumns - 1) / kBlockColumns), tile_rows(tile) {
    int64_t blocks = std::max<int64_t>(1, (rows + kGroupRows - 1) / kGroupRows);
    if (rows >= threads * kFewRows) blocks = (blocks + threads - 1) / threads * threads;
    const int64_t even = (rows + blocks - 1) / blocks;
    block_rows = std::max<int64_t>(1, (even + kRunRows - 1) / kRunRows * kRunRows);
    row_blocks = (rows + block_rows - 1) / block_rows;
  }

  int64_t chunks() const { return m ? row_blocks * column_blocks : 0; }

  // Tiles of a block of rows, and of all rows.
  int64_t tiles() const { return tiles_of(block_rows); }
  int64_t row_tiles() const { return row_blocks * tiles(); }

  // A chunk's first column.
  int64_t column(int64_t chunk) const { return chunk % column_blocks * kBlockColumns; }

  // Calls tile(number of the tile of rows, row, rows, column, columns) over the chunk's tiles, with rows spread evenly
  // over the tiles (11 = 6 + 5).
  template <typename Tile>
  void walk(int64_t chunk, const Tile& tile) const {
    const int64_t first = chunk / column_blocks * block_rows, last = std::min(m, first + block_rows);
    const int64_t column = this->column(chunk);
    const int columns = static_cast<int>(std::min<int64_t>(kBlockColumns, n - column));
    const int64_t count = tiles_of(last - first), number = chunk / column_blocks * tiles();
    int64_t row = first;
    for (int64_t i = 0; i < count; ++i) {
      const int rows = static_cast<int>((last - row + count - i - 1) / (count - i));
      tile(number + i, row, rows, column, columns);
      row += rows;
    }
  }

 private:
  int64_t tiles_of(int64_t rows) const { return (rows + tile_rows - 1) / tile_rows; }
};

// Bias, residual, activation and the form of the output, as the attributes say.
class Ending {
 public:
  // n: columns of the output. bias, residual: which inputs they are.
  Ending(const Recipe& recipe, int64_t n, int bias, int residual);

  // rows: every dimension of the output but the last. Throws Error where bias or residual do not fit.
  void bind(Binding& binding, const Shape& rows) const;

  // Of the tile at (row, column). The scales are the caller's.
  Epilogue at(const Run& run, int64_t row, int64_t column) const;

  const float* bias() const { return bias_.empty() ? nullptr : bias_.data(); }  // padded to whole blocks

 private:
  int64_t n_;
  int bias_input_, residual_input_;
  Activation activation_;
  std::optional<Quantization> out_;
  std::vector<float> bias_;
};

}  // namespace speedwell
