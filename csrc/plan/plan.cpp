#include "plan/plan.h"

#include <set>

#include "ops/operator.h"
#include "plan/reach.h"

namespace speedwell {

namespace {

constexpr int64_t kMaxValues = 1 << 20;
constexpr size_t kMaxOperands = 1 << 12;

// Each value is made once and before it is read.
class Made {
 public:
  explicit Made(int64_t values) : made_(static_cast<size_t>(values), false) {}

  int make(int64_t value) {
    check(value);
    require(!made_[static_cast<size_t>(value)], Fault::plan, "a value of the plan is made twice");
    made_[static_cast<size_t>(value)] = true;
    return static_cast<int>(value);
  }

  int read(int64_t value) const {
    check(value);
    require(made_[static_cast<size_t>(value)], Fault::plan, "a value of the plan is read before it is made");
    return static_cast<int>(value);
  }

 private:
  void check(int64_t value) const {
    require(value >= 0 && value < static_cast<int64_t>(made_.size()), Fault::plan, "a value outside the plan's count");
  }
  std::vector<bool> made_;
};

PlanInput read_input(const Json& entry, Made& made) {
  PlanInput input;
  input.name = entry["name"].string();
  input.value = made.make(entry["value"].integer());
  input.dtype = dtype_named(entry["dtype"].string());
  for (const Json& size : entry["shape"].array()) {
    const bool symbolic = size.kind() == Json::Kind::string;
    input.sizes.push_back(symbolic ? -1 : size.integer());
    input.symbols.push_back(symbolic ? size.string() : "");
    require(symbolic || size.integer() >= 0, Fault::plan, "an input has a negative size");
  }
  require(input.sizes.size() <= kMaxRank, Fault::unsupported, "an input of more than 8 dimensions");
  return input;
}

PlanOperator read_operator(const Json& entry, Made& made) {
  PlanOperator op;
  op.kind = entry["kind"].string();
  op.name = entry.string("name", op.kind);
  const std::vector<int64_t> inputs = entry.integers("inputs"), outputs = entry.integers("outputs");
  require(inputs.size() <= kMaxOperands && outputs.size() <= kMaxOperands, Fault::plan, "an operator of too many operands");
  require(!outputs.empty(), Fault::plan, "an operator without outputs");
  for (const int64_t value : inputs) op.inputs.push_back(value == -1 ? -1 : made.read(value));
  for (const int64_t value : outputs) op.outputs.push_back(value == -1 ? -1 : made.make(value));
  if (const Json* attributes = entry.find("attributes")) op.attributes = *attributes;
  if (op.attributes.kind() == Json::Kind::null) op.attributes = Json::parse("{}");
  op.attributes.object();
  return op;
}

}  // namespace

Plan::Plan(const std::string& text, std::shared_ptr<const Weights> from) : weights(std::move(from)) {
  const Json json = Json::parse(text);
  require(json["format"].string() == "speedwell-plan", Fault::plan, "not a speedwell plan");
  require(json["version"].integer() == 1, Fault::plan, "a plan of another version than 1: lower the model again");
  const int64_t count = json["values"].integer();
  require(count >= 0 && count <= kMaxValues, Fault::plan, "a plan of too many values");
  values = static_cast<int>(count);
  Made made(count);
  for (const Json& entry : json["inputs"].array()) inputs.push_back(read_input(entry, made));
  for (const Json& entry : json["constants"].array())
    constants.push_back({made.make(entry["value"].integer()), (*weights)[entry["tensor"].string()]});
  std::set<std::string> unknown;
  for (const Json& entry : json["operators"].array()) {
    operators.push_back(read_operator(entry, made));
    if (!find_operator(operators.back().kind)) unknown.insert(operators.back().kind);
  }
  for (const Json& entry : json["outputs"].array())
    outputs.push_back({entry["name"].string(), made.read(entry["value"].integer())});
  if (!unknown.empty()) {
    std::string names;
    for (const std::string& kind : unknown) names += (names.empty() ? "" : ", ") + kind;
    throw Error(Fault::unsupported, "unsupported: " + names);
  }
  require_reach(*this);
}

}  // namespace speedwell
