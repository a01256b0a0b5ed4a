// A plan bound to input sizes: every shape known, what depends on shapes alone computed, memory laid out.
#pragma once

#include <memory>
#include <vector>

#include "core/memory.h"
#include "ops/operator.h"
#include "plan/plan.h"

namespace speedwell {

class Bound {
 public:
  // `operators` stand in the plan's order. Throws Error of any fault.
  Bound(const Plan& plan, const std::vector<std::unique_ptr<Operator>>& operators, const std::vector<Shape>& inputs,
        Pool& pool, const Kernels& kernels);

  struct Step {
    int op;               // index into the plan's operators
    int inputs, outputs;  // that the plan names
    std::vector<Tensor> in, out;
    size_t scratch, scratch_bytes;  // offset in the arena; size
    std::vector<Lines> upcoming;  // of Run
  };
  enum class Home { none, input, fixed, arena };  // fixed: a constant, or computed when the plan was bound
  struct Place {                                  // where a value's bytes are
    Home home = Home::none;
    size_t at = 0;  // number of the input, or offset in the arena
  };

  const std::vector<Shape>& input_shapes() const { return input_shapes_; }
  std::vector<Step>& steps() { return steps_; }
  const std::vector<Step>& steps() const { return steps_; }
  const Tensor& output(int i) const { return outputs_[static_cast<size_t>(i)]; }
  size_t arena_bytes() const { return arena_bytes_; }
  // Of an operand of steps(); for those who explain a binding, not for a run.
  Place place(const Tensor& operand) const;

  // Sets every pointer. `arena` holds arena_bytes(); `inputs` are the run's.
  void point(char* arena, const std::vector<Tensor>& inputs);
  // The arena moved: the next point() sets every pointer again, even if the new one has the old one's address.
  void forget_arena() { arena_base_ = nullptr; }

 private:
  friend class Binder;
  struct Fixup {
    Tensor* tensor;
    Place place;
  };

  std::vector<Shape> input_shapes_;
  std::vector<Step> steps_;
  std::vector<Tensor> outputs_;
  std::vector<Block> folded_;
  std::vector<Fixup> inputs_, arena_;
  char* arena_base_ = nullptr;
  size_t arena_bytes_ = 0;
};

}  // namespace speedwell
