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

namespace simd {

// Row r of the sums as floats: scaled, with bias and residual. Columns of scale, bias and column sum are padded.
template <bool kRowScale, bool kResidual>
struct Scaled {
  const int32_t* sum;
  const Epilogue& e;
  const float* bias;
  const float* residual;
  float row_scale;
  int32_t row_zero;

  template <typename How>
  SPEEDWELL_INLINE Floats at(int64_t j, const How& how) const {
    Ints x;
    __builtin_memcpy(&x, sum + j, sizeof x);
    Floats scale = load(e.scale + j);
    if (kRowScale) {
      Ints whole;
      __builtin_memcpy(&whole, e.column_sum + j, sizeof whole);
      x -= whole * row_zero;
      scale *= row_scale;
    }
    const Floats value = __builtin_convertvector(x, Floats) * scale + load(bias + j);
    return kResidual ? value + how.read(residual + j) : value;
  }
};

template <bool kRowScale, bool kResidual>
inline void finish_rows(const int32_t* sums, int64_t lds, int rows, int columns, const Epilogue& e) {
  const Levels levels(e.inverse_scale, e.zero, e.low, e.high);
  for (int r = 0; r < rows; ++r) {
    const Scaled<kRowScale, kResidual> row{sums + r * lds, e, e.bias ? e.bias : kZeros,
                                           kResidual ? e.residual + r * e.ldr : nullptr,
                                           kRowScale ? e.row_scale[r] : 1.0f, kRowScale ? e.row_zero[r] : 0};
    float* out_float = e.out_float ? e.out_float + r * e.ldo : nullptr;
    uint8_t* out_u8 = e.out_u8 ? e.out_u8 + r * e.ldq : nullptr;
    const auto value = [&](int64_t j, auto how) __attribute__((always_inline)) { return row.at(j, how); };
    if (!out_float && e.activation == Activation::none) {
      store_levels(out_u8, columns, levels, value);
      continue;
    }
    float values[kBlockColumns];
    float* out = out_float ? out_float : values;
    walk(columns, [&](int64_t j, auto how) __attribute__((always_inline)) { how.write(out + j, value(j, how)); });
    if (e.activation != Activation::none) activate(out, out, columns, e.activation);
    if (out_u8) quantize_all(out, out_u8, columns, levels);
  }
}

}  // namespace simd

inline void finish_int8(const int32_t* sums, int64_t lds, int rows, int columns, const Epilogue& e) {
  using Rows = void (*)(const int32_t*, int64_t, int, int, const Epilogue&);
  static constexpr Rows kRows[2][2] = {{simd::finish_rows<false, false>, simd::finish_rows<false, true>},
                                       {simd::finish_rows<true, false>, simd::finish_rows<true, true>}};
  kRows[e.row_scale != nullptr][e.residual != nullptr](sums, lds, rows, columns, e);
}

// Sums of tile_int4. column_sum [columns]: sum of scale * w, which a row's zero point meets; used with row_scale.
inline void finish_int4(const float* sums, int64_t lds, int rows, int columns, const float* column_sum,
                        const Epilogue& e) {
  float values[kBlockColumns];
  for (int r = 0; r < rows; ++r) {
    const float* sum = sums + r * lds;
    if (e.row_scale) {
      const float scale = e.row_scale[r], zero = static_cast<float>(e.row_zero[r]);
      for (int j = 0; j < columns; ++j) values[j] = (sum[j] - zero * column_sum[j]) * scale;
    } else {
      for (int j = 0; j < columns; ++j) values[j] = sum[j];
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
