// Runs: how many quads of a panel may be added in 16 bits before they are widened, and the proof that none overflows.
//
// A quad adds two products to each 16-bit lane (two lanes a column). Over a run, with activations in [0, high], a lane
// stays in [-high * N, high * P], P and N the sums of its positive and negative weights. 16-bit sums wrap modulo 2^16,
// so only the final value must be known: either it fits as it is, or, where high * (P + N) <= 65535, it does after a
// constant is added that centres the interval; that constant is taken off the 32-bit sum again.
#pragma once

#include <cstdint>
#include <vector>

#include "core/tensor.h"
#include "gemm/contract.h"
#include "gemm/pack.h"

namespace speedwell {

class RunPlan {
 public:
  // order: int32 [panels, quads], a permutation of the quads in each row. lengths: int32 [panels, any], runs in that
  // order, zeros after the last; those longer than kLongestRun are cut. start: the caller's first sums [panels * 16], or
  // empty. Packs the weights into the slab; throws Fault::plan where order or lengths are not well formed or a run could overflow.
  RunPlan(const PackedInt8& weight, const Tensor& order, const Tensor& lengths, int high,
          const std::vector<int32_t>& start, Slab& slab);

  const PanelRuns* panel(int64_t p) const { return panels_.data() + p; }

 private:
  std::vector<PanelRuns> panels_;
};

}  // namespace speedwell
