// Vocabulary of the attention kernels.
#pragma once

#include <cstdint>

#include "gemm/contract.h"

namespace speedwell {

struct AttentionInt8Layout;

// One (batch, head): out[i] = softmax(scale q[i] . k[j] + mask[i][j]) v[j], i in [0, rows), j in [0, keys).
struct AttentionHead {
  const float* q;  // [rows], each `d` floats, `q_step` floats apart; k, v [keys] and out [rows] alike
  int64_t q_step;
  const float* k;
  int64_t k_step;
  const float* v;
  int64_t v_step;
  const float* mask;  // [rows][keys] or null
  int64_t mask_step;  // between rows; 0: one row for all
  float* out;
  int64_t out_step;
  int64_t rows, keys;
  int64_t d;  // 1..256
  float scale;
  bool nan_to_zero;  // a row whose mask is -inf everywhere gives zeros, not NaN
  float* scratch;    // 64-byte aligned: attention_scratch floats, or layout->whole
  const AttentionInt8Layout* layout;  // null for the float kernel
};

// Floats of scratch, whatever the instruction set: packed keys and values, and some rows of scores and results.
inline int64_t attention_scratch(int64_t keys, int64_t d) {
  const int64_t padded = (keys + 31) / 32 * 32, wide = (d + 15) / 16 * 16;
  return padded * d + padded * wide + 8 * (padded + 16) + 8 * wide;
}

// Levels of the quantized keys and values: of 7 bits, so that no pair of products leaves 16 signed bits on AVX2.
constexpr int32_t kAttentionReach = 63;
// The sums of shares times values stay in 32 bits up to here: 255 * 63 * keys.
constexpr int64_t kAttentionInt8Keys = 65536;

constexpr int kAttentionBlock = 8 * kBlockRows;

// The int8 kernel's scratch: where each part begins, in floats (ops/attention_layout.h works it out).
struct AttentionInt8Layout {
  int64_t block;       // rows of q that are worked on together, 1..kAttentionBlock
  int64_t panels;      // of 16 keys
  int64_t quads;       // of d: depth of the first product
  int64_t groups;      // quads of keys: depth of the second
  int64_t wide;        // d up to whole panels
  int64_t q_step;      // bytes between quantized rows of q
  int64_t score_step;  // floats between rows of scores
  int64_t share_step;  // bytes between rows of shares
  int64_t keys, key_scale, key_start, values, value_scale, value_middle, q, scores, shares, sums;
  int64_t whole;       // floats of all parts
};

}  // namespace speedwell
