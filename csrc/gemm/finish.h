// A tile's sums on their way out: scales, bias, residual, activation, requantization; a row of at most 64 columns at
// a time, so that it stays in registers and L1.
#pragma once

#include "gemm/contract.h"
#include "vector/kernels.h"

namespace speedwell {
namespace SPEEDWELL_ISA {

// `values` holds the scaled sums of row r.
inline void finish_row(float* values, int r, int columns, const Epilogue& e) {
  if (e.residual) {
    const float* residual = e.residual + r * e.ldr;
    for (int j = 0; j < columns; ++j) values[j] += residual[j];
  }
  float* out = e.out_float ? e.out_float + r * e.ldo : values;
  if (e.activation != Activation::none) {
    activate(values, out, columns, e.activation);
  } else if (out != values) {
    for (int j = 0; j < columns; ++j) out[j] = values[j];
  }
  if (e.out_u8) quantize(out, e.out_u8 + r * e.ldq, columns, e.inverse_scale, e.zero, e.low, e.high);
}

inline void finish_int8(const int32_t* sums, int64_t lds, int rows, int columns, const Epilogue& e) {
  float values[kBlockColumns];
  for (int r = 0; r < rows; ++r) {
    const int32_t* sum = sums + r * lds;
    if (e.row_scale) {
      const float scale = e.row_scale[r];
      const int32_t zero = e.row_zero[r];
      for (int j = 0; j < columns; ++j)
        values[j] = static_cast<float>(sum[j] - zero * e.column_sum[j]) * (scale * e.scale[j]);
    } else {
      for (int j = 0; j < columns; ++j) values[j] = static_cast<float>(sum[j]) * e.scale[j];
    }
    if (e.bias)
      for (int j = 0; j < columns; ++j) values[j] += e.bias[j];
    finish_row(values, r, columns, e);
  }
}

// The bias is in the sums already.
inline void finish_float(const float* sums, int64_t lds, int rows, int columns, const Epilogue& e) {
  float values[kBlockColumns];
  for (int r = 0; r < rows; ++r) {
    for (int j = 0; j < columns; ++j) values[j] = sums[r * lds + j];
    finish_row(values, r, columns, e);
  }
}

}  // namespace SPEEDWELL_ISA
}  // namespace speedwell
