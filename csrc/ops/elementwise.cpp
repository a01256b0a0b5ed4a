#include "ops/elementwise.h"

#include "ops/families.h"

namespace speedwell {

std::vector<Row> elementwise_rows() {
  std::vector<Row> all;
  for (const auto& part : {arithmetic_rows, compare_rows, unary_rows, select_rows})
    for (const Row& row : part()) all.push_back(row);
  return all;
}

}  // namespace speedwell
