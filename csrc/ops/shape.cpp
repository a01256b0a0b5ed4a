#include "ops/shape.h"

#include "ops/families.h"

namespace speedwell {

std::vector<Row> shape_rows() {
  std::vector<Row> all;
  for (const auto& part : {reshape_rows, join_rows, slice_rows, permute_rows, fill_rows, pad_rows})
    for (const Row& row : part()) all.push_back(row);
  return all;
}

}  // namespace speedwell
