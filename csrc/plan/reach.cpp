#include "plan/reach.h"

#include <algorithm>
#include <array>

namespace speedwell {

namespace {

constexpr int64_t kByte = 255;
// They only move the elements of their first input.
constexpr std::array kMoves = {"Flatten", "Identity", "Reshape", "Slice", "Squeeze", "Transpose", "Unsqueeze"};

// They enforce what `out` says of their bytes.
constexpr std::array kOut = {"attention", "gemm_float", "gemm_int4", "gemm_int8", "layer_norm", "lookup"};

// The largest byte that `op` gives: what it says of its own quantization, which it enforces, else any.
int64_t given(const PlanOperator& op) {
  if (op.kind == "quantize") return op.attributes.integer("high", kByte);
  const bool enforced = std::find(kOut.begin(), kOut.end(), op.kind) != kOut.end();
  const Json* out = enforced ? op.attributes.find("out") : nullptr;
  return out && out->kind() == Json::Kind::object ? out->integer("high", kByte) : kByte;
}

// -1 where the bytes are not of a known quantization: rows are quantized as they are read, to what the proof assumes.
int64_t counted_on(const PlanOperator& op) {
  if (op.kind != "gemm_int8" || op.inputs.empty() || op.inputs[0] < 0) return -1;
  const Json* input = op.attributes.find("input");
  if (!input || input->kind() != Json::Kind::object || input->find("rows")) return -1;
  return input->integer("high", kByte);
}

}  // namespace

void require_reach(const Plan& plan) {
  std::vector<int64_t> most(static_cast<size_t>(plan.values), kByte);
  for (const PlanInput& input : plan.inputs) most[static_cast<size_t>(input.value)] = 0;
  for (const PlanOperator& op : plan.operators) {
    const bool reads = !op.inputs.empty() && op.inputs[0] >= 0;
    const int64_t read = reads ? most[static_cast<size_t>(op.inputs[0])] : kByte, claim = counted_on(op);
    if (claim >= 0 && read > claim)
      throw Error(Fault::plan, "gemm_int8 " + op.name + ": it counts on bytes up to " + std::to_string(claim) +
                                   ", what it reads may reach " + std::to_string(read));
    const bool moves = std::find(kMoves.begin(), kMoves.end(), op.kind) != kMoves.end();
    for (const int value : op.outputs)
      if (value >= 0) most[static_cast<size_t>(value)] = moves ? read : given(op);
  }
}

}  // namespace speedwell
