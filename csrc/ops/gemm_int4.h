// gemm_int4: a product of u8 activations (static, or float rows quantized as they are read) and constant weights of 4
// bits, with a scale for each group of terms.
#pragma once

#include <optional>
#include <vector>

#include "gemm/pack_int4.h"
#include "ops/product.h"

namespace speedwell {

class GemmInt4 : public Operator {
 public:
  explicit GemmInt4(const Recipe& recipe);
  void bind(Binding& binding) const override;
  void run(const Run& run) const override;

 private:
  struct Layout {  // of the scratch: rows as bytes, what they start from, their scales, their zero points
    size_t start, scales, zeros, whole;
  };
  struct Rows {
    const uint8_t* bytes;
    int64_t step;
    const int32_t* start;  // [rows][groups]
    const float* scale;    // [rows], null where the input is static
    const int32_t* zero;
  };
  Layout layout(int64_t m) const;
  // Static rows are read where they lie, unless the last group is padded.
  bool copies() const { return !input_ || weight_.k % weight_.group; }
  Rows prepare(const Run& run, int64_t m) const;

  std::optional<Quantization> input_;
  int high_ = 255;
  PackedInt4 weight_;
  Ending ending_;
  std::vector<float> bias_;  // padded to whole blocks, less the input's zero point where that is static; or empty
};

}  // namespace speedwell
