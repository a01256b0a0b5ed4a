#include "ops/operator.h"

#include "ops/operand.h"

namespace speedwell {

std::vector<int64_t> Known::integers() const {
  require(present, Fault::plan, "a tensor of integers is missing");
  const Integers elements(*this);
  std::vector<int64_t> out;
  out.reserve(static_cast<size_t>(elements.size()));
  for (int64_t i = 0; i < elements.size(); ++i) out.push_back(elements[i]);
  return out;
}

}  // namespace speedwell
