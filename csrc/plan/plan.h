// A plan at rest: what plan.json and weights.safetensors say, checked. docs/native.md describes the format.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/json.h"
#include "core/tensor.h"
#include "plan/weights.h"

namespace speedwell {

struct PlanInput {
  std::string name;
  int value;
  Dtype dtype;
  std::vector<int64_t> sizes;        // -1 where symbolic
  std::vector<std::string> symbols;  // "" where fixed
};

struct PlanOutput {
  std::string name;
  int value;
};

struct PlanConstant {
  int value;
  Tensor tensor;  // in the weights' memory
};

struct PlanOperator {
  std::string kind, name;
  std::vector<int> inputs, outputs;  // -1: left out
  Json attributes;
};

class Plan {
 public:
  // Throws Fault::plan where a rule of the format is broken, Fault::unsupported (with all names) for unknown kinds.
  Plan(const std::string& json, std::shared_ptr<const Weights> weights);

  int values = 0;
  std::vector<PlanInput> inputs;
  std::vector<PlanOutput> outputs;
  std::vector<PlanConstant> constants;
  std::vector<PlanOperator> operators;
  std::shared_ptr<const Weights> weights;
};

}  // namespace speedwell
