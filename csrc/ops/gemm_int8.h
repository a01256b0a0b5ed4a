// gemm_int8: a product of u8 activations (static, or float rows quantized as they are read) and constant s8 weights.
#pragma once

#include <optional>
#include <vector>

#include "gemm/pack.h"
#include "gemm/runs.h"
#include "ops/product.h"

namespace speedwell {

class GemmInt8 : public Operator {
 public:
  explicit GemmInt8(const Recipe& recipe);
  void bind(Binding& binding) const override;
  void run(const Run& run) const override;

 private:
  struct Layout {  // of the scratch: quantized rows, their scales, their zero points
    size_t scales, zeros, whole;
  };
  Layout layout(int64_t m) const;
  // Static rows are read where they lie unless a row ends inside a quad: its last read would leave the tensor.
  bool copies() const { return !input_ || weight_.k % 4; }
  void quantize_rows(const Run& run, int64_t m, uint8_t* out, float* scales, int32_t* zeros) const;

  PackedInt8 weight_;
  std::vector<float> scale_;      // padded to whole blocks; times the input's scale where that is static
  std::vector<int32_t> start_;    // -zero * column sum, where the input is static
  Ending ending_;
  std::optional<Quantization> input_;
  int high_;
  std::optional<RunPlan> runs_;   // AVX2 without VNNI, where the plan has proven them
};

}  // namespace speedwell
