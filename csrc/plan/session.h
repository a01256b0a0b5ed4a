// A plan opened on this machine: operators made, weights packed, threads started. Usable from several threads.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "plan/bound.h"

namespace speedwell {

struct Timing {
  std::string name, kind;
  double seconds;  // of one run, mean
};

class Session {
 public:
  // threads: 1..64. isa: a name of supported_isas(), "" for the best. Throws Error.
  Session(const std::string& plan, const std::string& weights, int threads, const std::string& isa);

  const Plan& plan() const { return plan_; }

  // Takes the inputs in the plan's order, hands the outputs to `take` while they are valid. Runs of one session follow
  // one another; concurrent callers wait.
  template <typename Take>
  void run(const std::vector<Tensor>& inputs, const Take& take) {
    const std::lock_guard<std::mutex> alone(busy_);
    Bound& bound = bind(inputs);
    execute(bound);
    for (size_t i = 0; i < plan_.outputs.size(); ++i) take(i, bound.output(static_cast<int>(i)));
  }

  // Binds the plan to these input shapes without a run, and shows the binding to `look`.
  template <typename Look>
  void bound(const std::vector<Shape>& shapes, const Look& look) {
    const std::lock_guard<std::mutex> alone(busy_);
    std::vector<Tensor> inputs;
    for (size_t i = 0; i < shapes.size(); ++i)
      inputs.push_back({i < plan_.inputs.size() ? plan_.inputs[i].dtype : Dtype::f32, shapes[i], nullptr});
    look(static_cast<const Bound&>(bind(inputs)));
  }

  // Time by operator over `runs` runs; one more before them is not counted.
  std::vector<Timing> profile(const std::vector<Tensor>& inputs, int runs);

  const char* isa() const { return kernels_.isa; }
  int threads() const { return pool_.threads(); }
  size_t weight_bytes() const { return plan_.weights->bytes(); }
  size_t arena_bytes() const { return arena_bytes_; }
  int operators() const { return static_cast<int>(operators_.size()); }

 private:
  Bound& bind(const std::vector<Tensor>& inputs);
  void execute(Bound& bound);
  void run_step(Bound::Step& step);

  Plan plan_;
  const Kernels& kernels_;
  Pool pool_;
  Slab slab_;  // the operators' weights
  std::vector<std::unique_ptr<Operator>> operators_;
  std::mutex busy_;
  std::vector<std::unique_ptr<Bound>> bound_;  // most recent first
  Block arena_;
  size_t arena_bytes_ = 0;
};

}  // namespace speedwell
