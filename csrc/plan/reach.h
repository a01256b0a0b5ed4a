// What a product counts on, checked against who makes it: runs in 16 bits are proven for activations up to `high`.
#pragma once

#include "plan/plan.h"

namespace speedwell {

// Throws Fault::plan where a gemm_int8 says that its bytes stay below what the operator that makes them may give. The
// network's own inputs are taken at their word: nobody but the caller makes them.
void require_reach(const Plan& plan);

}  // namespace speedwell
