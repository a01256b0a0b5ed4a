// The operator families: each function lists the kinds of one file (or folder).
#pragma once

#include <vector>

#include "ops/operator.h"

namespace speedwell {

std::vector<Row> elementwise_rows();  // ops/elementwise.cpp: arithmetic, comparison, logic, Where, Cast, Clip
std::vector<Row> shape_rows();        // ops/shape.cpp: Shape, Reshape, Concat, Slice, Transpose, Expand, Range, ...
std::vector<Row> gather_rows();       // ops/gather.cpp: Gather, GatherElements, GatherND
std::vector<Row> reduce_rows();       // ops/reduce.cpp: ReduceSum, ReduceMean, ArgMax, CumSum, ...
std::vector<Row> layer_rows();        // ops/layer.cpp: layer_norm, Softmax, quantize, attention, ...
std::vector<Row> gemm_rows();         // ops/gemm.cpp: gemm_int8, gemm_float, matmul

}  // namespace speedwell
