// The scratch of the int8 attention kernel. Here and not beside the kernel: code that both the kernels' files and the
// others compile would be kept once, for whichever CPU the linker happens to pick.
#pragma once

#include <algorithm>

#include "attention/contract.h"
#include "ops/operand.h"

namespace speedwell {

// keys <= kAttentionInt8Keys, d <= 256.
inline AttentionInt8Layout attention_int8_layout(int64_t keys, int64_t d) {
  const auto up = [](int64_t n, int64_t to) { return (n + to - 1) / to * to; };
  AttentionInt8Layout at{};
  at.panels = up(keys, kPanel) / kPanel;
  at.quads = up(d, 4) / 4;
  at.groups = up(keys, 4) / 4;
  at.wide = up(d, kPanel);
  at.q_step = up(d, kPanel);
  // Rows a power of two apart would share their few places in L1.
  at.score_step = up(keys, 64) + 16;
  at.share_step = up(keys, 64) + 64;
  // As many rows as keep their scores in a part of L1: each step of a block waits for the one before.
  at.block = std::clamp<int64_t>(12288 / (at.score_step * 4) / kBlockRows, 1, kAttentionBlock / kBlockRows) * kBlockRows;
  int64_t end = 0;
  const auto part = [&](int64_t floats) {
    const int64_t begin = end;
    end += up(floats, 16);  // a cache line
    return begin;
  };
  at.keys = part(at.panels * at.quads * kPanel);
  at.key_scale = part(at.panels * kPanel);
  at.key_start = part(at.panels * kPanel);
  at.values = part(at.wide * at.groups);
  at.value_scale = part(at.wide);
  at.value_middle = part(at.wide);
  at.q = part(at.block * at.q_step / 4);
  at.scores = part(at.block * at.score_step);
  at.shares = part(at.block * at.share_step / 4);
  at.sums = part(at.block * at.wide);
  at.whole = end;
  return at;
}

}  // namespace speedwell
