// Operators that read or write where indices say: their parts.
#pragma once

#include <vector>

#include "ops/operand.h"

namespace speedwell {

std::vector<Row> take_rows();     // gather.cpp: Gather, GatherElements
std::vector<Row> tuple_rows();    // gather_tuples.cpp: GatherND, ScatterND
std::vector<Row> one_hot_rows();  // gather_one_hot.cpp: OneHot

// An index counted from the front.
inline int64_t from_front(int64_t index, int64_t size) { return index < 0 ? index + size : index; }

// Throws Fault::input where one of the indices is outside [-size, size). Called before any thread uses them.
void check_indices(const Integers& indices, int64_t size);

[[noreturn]] void bad_index(int64_t index, int64_t size);

}  // namespace speedwell
