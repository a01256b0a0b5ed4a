#include <algorithm>
#include <map>

#include "ops/families.h"
#include "ops/operator.h"

namespace speedwell {

namespace {
const std::map<std::string, Factory>& table() {
  static const std::map<std::string, Factory> rows = [] {
    std::map<std::string, Factory> all;
    for (const auto& family : {elementwise_rows, shape_rows, gather_rows, reduce_rows, layer_rows, gemm_rows})
      for (const Row& row : family()) all.emplace(row.kind, row.make);
    return all;
  }();
  return rows;
}
}  // namespace

Factory find_operator(const std::string& kind) {
  const auto found = table().find(kind);
  return found == table().end() ? nullptr : found->second;
}

std::vector<std::string> operator_kinds() {
  std::vector<std::string> kinds;
  for (const auto& row : table()) kinds.push_back(row.first);
  return kinds;
}

}  // namespace speedwell
