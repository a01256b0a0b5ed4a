// The parts of the layer family; ops/layer.cpp puts them together.
#pragma once

#include <vector>

#include "ops/operator.h"

namespace speedwell {

std::vector<Row> quantize_rows();         // ops/quantize.cpp: quantize, quantize_rows, dequantize
std::vector<Row> lookup_rows();           // ops/lookup.cpp
std::vector<Row> quantize_linear_rows();  // ops/quantize_linear.cpp: ONNX's three
std::vector<Row> softmax_rows();          // ops/softmax.cpp
std::vector<Row> layer_norm_rows();       // ops/layer_norm.cpp
std::vector<Row> channel_norm_rows();     // ops/channel_norm.cpp: batch, instance and group normalization
std::vector<Row> attention_rows();        // ops/attention.cpp

// The attribute epsilon, 1e-5 where it is missing. Throws Fault::plan where it is negative or not finite.
float epsilon_of(const Recipe& recipe);

}  // namespace speedwell
