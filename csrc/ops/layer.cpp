#include "ops/layer.h"

#include <cmath>

#include "ops/families.h"

namespace speedwell {

std::vector<Row> layer_rows() {
  std::vector<Row> all;
  for (const auto& part : {quantize_rows, lookup_rows, quantize_linear_rows, softmax_rows, layer_norm_rows, channel_norm_rows,
                           attention_rows})
    for (const Row& row : part()) all.push_back(row);
  return all;
}

float epsilon_of(const Recipe& recipe) {
  const float epsilon = static_cast<float>(recipe.attributes.real("epsilon", 1e-5));
  require(std::isfinite(epsilon) && epsilon >= 0, Fault::plan, "epsilon must be finite and not negative");
  return epsilon;
}

}  // namespace speedwell
