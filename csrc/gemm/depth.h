// A float tile, piece by piece in depth: a piece of its weights stays in L1 while all rows meet it.
#pragma once

#include "gemm/contract.h"

namespace speedwell {
namespace SPEEDWELL_ISA {

// Calls part(rows, PartFloat) for all of the tile: pieces `most` deep, of `at_once` panels (or what is left), of
// 1..kBlockRows rows each. The sums are those of one go, bit for bit: what a piece leaves in c is what the next begins
// with. Each part fetches its share of the piece that comes next.
template <typename Part>
inline void depth_by_depth(const TileFloat& t, int64_t most, int at_once, const Part& part) {
  const int tiles = (t.rows + kBlockRows - 1) / kBlockRows;
  const int64_t step = t.k * kPanel;
  int64_t k = 0;
  do {
    const int64_t depth = t.k - k < most ? t.k - k : most;
    for (int panel = 0; panel < t.panels; panel += at_once) {
      const float* const b = t.b + panel * step + k * kPanel;
      const float* ahead = b + at_once * step;  // behind the last panel lies the next block's first
      if (panel + at_once >= t.panels && k + depth < t.k) ahead = t.b + (k + depth) * kPanel;
      const float* const start = (t.start ? t.start : kZeros) + panel * kPanel;
      int row = 0;
      for (int i = 0; i < tiles; ++i, ahead += depth / kFetchEvery * kPanel) {
        const int rows = (t.rows - row + tiles - i - 1) / (tiles - i);
        float* const c = t.c + row * t.ldc + panel * kPanel;
        part(rows, PartFloat{t.a + row * t.lda + k, t.lda, b, step, depth, k ? c : start, k ? t.ldc : 0, c, t.ldc, ahead});
        row += rows;
      }
    }
    k += depth;
  } while (k < t.k);
}

}  // namespace SPEEDWELL_ISA
}  // namespace speedwell
