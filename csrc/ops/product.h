// What the two products with constant weights share: what follows the sums, and how the work is cut.
#pragma once

#include <algorithm>
#include <optional>
#include <string>

#include "gemm/contract.h"
#include "ops/operator.h"
#include "ops/quantization.h"

namespace speedwell {

Activation activation_named(const std::string& name);  // throws Fault::unsupported

// A constant [n] float32, copied and padded with zeros to whole blocks. `otherwise` fills it where it is left out.
std::vector<float> column_constant(const Recipe& recipe, size_t input, int64_t n, float otherwise, const char* what);

struct Grid {
  int64_t m, n;
  int64_t block_rows, row_blocks, column_blocks;

  // A chunk is one block of columns for up to 48 rows: its weights stay in L2 while the rows go by.
  Grid(int64_t rows, int64_t columns)
      : m(rows), n(columns), block_rows(rows <= 48 ? std::max<int64_t>(rows, 1) : 48),
        row_blocks((rows + block_rows - 1) / block_rows), column_blocks((columns + kBlockColumns - 1) / kBlockColumns) {}

  int64_t chunks() const { return m ? row_blocks * column_blocks : 0; }

  // Calls tile(row, rows, column, columns) over the chunk's tiles of at most `most` rows, spread evenly (11 = 6 + 5).
  template <typename Tile>
  void walk(int64_t chunk, const Tile& tile, int64_t most = kBlockRows) const {
    const int64_t first = chunk % row_blocks * block_rows, last = std::min(m, first + block_rows);
    const int64_t column = chunk / row_blocks * kBlockColumns;
    const int columns = static_cast<int>(std::min<int64_t>(kBlockColumns, n - column));
    const int64_t tiles = (last - first + most - 1) / most;
    int64_t row = first;
    for (int64_t i = 0; i < tiles; ++i) {
      const int rows = static_cast<int>((last - row + tiles - i - 1) / (tiles - i));
      tile(row, rows, column, columns);
      row += rows;
    }
  }
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
