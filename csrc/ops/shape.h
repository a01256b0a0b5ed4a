// Operators that move elements and do not read them: their parts.
#pragma once

#include <vector>

#include "ops/operand.h"

namespace speedwell {

std::vector<Row> reshape_rows();  // shape_reshape.cpp: Shape, Size, Reshape, Flatten, Squeeze, Unsqueeze
std::vector<Row> join_rows();     // shape_join.cpp: Concat, Split
std::vector<Row> slice_rows();    // shape_slice.cpp: Slice
std::vector<Row> permute_rows();  // shape_permute.cpp: Transpose, DepthToSpace, SpaceToDepth
std::vector<Row> fill_rows();     // shape_fill.cpp: Expand, Tile, Range, ConstantOfShape, Trilu
std::vector<Row> pad_rows();      // shape_pad.cpp: Pad

}  // namespace speedwell
