// gemm_int8: a product of u8 activations and constant s8 weights. The activations are static, or rows with a range of
// their own: floats, each row quantized by the thread that multiplies with it first, or bytes from quantize_rows.
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
  Lines first_weights(const Tensor* in, int threads, int thread) const override;

 private:
  struct Layout {  // of the scratch: quantized rows, their scales, their zero points, which of them are ready
    size_t scales, zeros, states, whole;
  };
  struct Rows {  // of bytes, `lda` apart; scales and zero points where each row has its own
    uint8_t* bytes;
    int64_t lda;
    float* scales;
    int32_t* zeros;
  };
  Grid grid(int64_t m, int threads) const;
  Layout layout(int64_t m, const Grid& grid) const;
  // Bytes are read where they lie unless a row ends inside a quad: its last read would leave the tensor.
  bool copies(Dtype dtype) const { return dtype == Dtype::f32 || weight_.k % 4; }
  void ready(const Run& run, int64_t row, int rows, const Rows& to) const;
  void fetch_ahead(const Grid& grid, int64_t tile, const Lines& upcoming) const;
  // A panel that is not in runs.
  const int8_t* plain(int64_t panel) const { return panels_ + panel * weight_.quads * 64; }
  // A chunk's weights; of runs, those of its first panel.
  Lines weights_of(const Grid& grid, int64_t chunk) const;
  // What a thread that has done this chunk reads next.
  Lines upcoming(const Run& run, const Grid& grid, int64_t chunk, int thread) const;
  void multiply(const Run& run, int64_t row, int rows, int64_t column, int columns, const Rows& from,
                const Lines& upcoming) const;

  PackedInt8 weight_;               // its bytes are let go
  const int8_t* panels_ = nullptr;  // where they are kept, unless the runs hold them
  std::vector<float> scale_;      // padded to whole blocks; times the input's scale where that is static
  std::vector<int32_t> start_;    // -zero * column sum, where the input is static
  Ending ending_;
  std::optional<Quantization> input_;
  int high_;
  std::optional<RunPlan> runs_;   // AVX2 without VNNI, where the plan has proven them
};

}  // namespace speedwell
