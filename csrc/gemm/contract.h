// Vocabulary of the matrix kernels.
//
// Weights are packed in panels of 16 output columns: panel p, k-quad q, column c, byte i at ((p * K4 + q) * 16 + c) * 4
// + i, where K4 = ceil(K / 4). Columns past N and bytes past K are zero. The same bytes serve every instruction set.
#pragma once

#include <cstdint>

#include "vector/contract.h"

namespace speedwell {

constexpr int kPanel = 16;       // columns of a panel
constexpr int kBlockRows = 6;    // rows of a tile, at most
constexpr int kBlockPanels = 4;  // panels of a tile, at most
constexpr int kGroupRows = 48;   // rows of a tile that is added in runs, or of floats, at most
constexpr int kBlockColumns = kPanel * kBlockPanels;
alignas(64) constexpr float kZeros[kBlockColumns] = {};  // no bias

// Cache lines that are read next, to be fetched early. `begin` may be null.
struct Lines {
  const char* begin = nullptr;
  int64_t count = 0;
};

// Quads of a panel in the order and the runs in which a CPU without VNNI adds them in 16 bits (gemm/runs.h proves that
// none of them overflows). Used by the AVX2 kernels; the others read the panel itself.
struct PanelRuns {
  const int8_t* bytes;    // of all runs: constants, where centred, then 64 bytes of weights a quad; 64-aligned
  const int32_t* stream;  // of all runs: a header, then where each quad's four activations are in a row; one more
  int64_t runs;
  const int32_t* start;   // [16] first value of the sums: the caller's start less the lane constants
  int64_t lines;          // of 64 bytes, from `start` on: `start`, `stream` and `bytes` lie one behind the other
};
constexpr int kLongestRun = 16;  // quads; a header is the length,
constexpr int kCentredRun = 32;  // and this is added where the run begins with 64 bytes of 16-bit lane constants
constexpr int kRunRows = 3;      // rows of an inner loop

// Sums of a tile: c[r * ldc + j] = start[j] + sum over k of a[r][k] * w[j][k], exact in 32 bits.
struct TileInt8 {
  const uint8_t* a;       // [rows][lda], readable up to quads * 4 bytes in each row
  int64_t lda;
  int rows;               // 1..kBlockRows; with runs 1..kGroupRows
  const int8_t* b;        // the first panel
  int panels;             // 1..kBlockPanels
  int64_t quads;          // K4
  const int32_t* start;   // [panels * 16], may be null (zeros)
  bool pairs_fit;         // no sum of two neighbouring products can leave 16 signed bits (vpmaddubsw saturates there)
  const PanelRuns* runs;  // [panels] or null
  int32_t* c;
  int64_t ldc;  // at least panels * 16
  Lines upcoming;  // after the last panel; used with runs
};

// Weights of 4 bits in groups along k: bytes in panels as above, but a byte holds two: of quads 2j (low half) and 2j + 1.
// A half holds w + 8, w in [-8, 7]. A group is 16, 32, 64, 128 or 256 terms; the last one is padded with activations 0.
//   c[r * ldc + j] = sum over groups g of scale[g][j] * (start[r][g] + sum over k in g of a[r][k] * (w[j][k] + 8))
//                                       + offset[g][j] * start[r][g]
// With start = -8 * (sum of the group's activations) the bracket is the integer a . w, exact; the sum over groups is in
// float32, in the groups' order, each step in one rounding.
struct TileInt4 {
  const uint8_t* a;      // [rows][lda], groups * pairs * 8 bytes in each row
  int64_t lda;
  int rows;              // 1..kBlockRows
  const uint8_t* b;      // the first panel: [groups][pairs][16][4]
  int panels;            // 1..kBlockPanels
  int64_t groups;
  int64_t pairs;         // of quads in a group: 2, 4, 8, 16 or 32
  const float* scale;    // [panels][groups][16]
  const float* offset;   // [panels][groups][16] or null
  const int32_t* start;  // [rows][lds]
  int64_t lds;
  float* c;
  int64_t ldc;  // at least panels * 16
};

// What happens to a tile's sums on their way out. Pointers to per-column data are at the tile's first column,
// pointers to per-row data at its first row.
struct Epilogue {
  const float* scale;            // [columns] weight scale (times activation scale where that is static)
  const float* bias;             // [columns] or null
  const int32_t* column_sum;     // [columns] sum of the weights; used with row_zero
  const float* row_scale;        // [rows] or null: dynamic quantization
  const int32_t* row_zero;       // [rows] or null
  const float* residual;         // [rows][ldr] or null, added before the activation
  int64_t ldr;
  Activation activation;
  float* out_float;              // [rows][ldo] or null
  int64_t ldo;
  uint8_t* out_u8;               // [rows][ldq] or null: clamp(round(x * inverse_scale) + zero, low, high)
  int64_t ldq;
  float inverse_scale;
  int32_t zero, low, high;
};

// Float tile: c = a [rows][lda] x b (panels of 16 columns, [K][16]) + start.
struct TileFloat {
  const float* a;
  int64_t lda;
  int rows;     // 1..kGroupRows
  const float* b;
  int panels;   // 1..kBlockPanels
  int64_t k;
  const float* start;  // [panels * 16] or null
  float* c;
  int64_t ldc;
};

// Some rows (1..kBlockRows) of a float tile over some of its depth. The sums begin with from[r * from_step + j]: `start`,
// or where an earlier part left them in c.
struct PartFloat {
  const float* a;
  int64_t lda;
  const float* b;  // the first panel; the next one lies `step` further
  int64_t step, k;
  const float* from;
  int64_t from_step;
  float* c;
  int64_t ldc;
  const float* ahead;  // where the next piece begins, of which a line may be fetched every kFetchEvery steps in depth
};
constexpr int64_t kFetchEvery = 8;  // eight tiles of rows fetch a whole piece

}  // namespace speedwell
