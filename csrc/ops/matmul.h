// MatMul of two tensors that are both made at run time, as numpy.matmul: batches broadcast, vectors are promoted.
#pragma once

#include "ops/operator.h"

namespace speedwell {

class MatMul : public Operator {
 public:
  explicit MatMul(const Recipe&) {}
  void bind(Binding& binding) const override;
  void run(const Run& run) const override;
};

}  // namespace speedwell
