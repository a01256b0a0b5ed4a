// What this CPU and its operating system can run.
#pragma once

namespace speedwell {

struct Cpu {
  bool avx2 = false;         // AVX2, FMA and F16C
  bool avx512 = false;       // F, BW, VL, DQ
  bool avx512_vnni = false;

  static const Cpu& here();
};

}  // namespace speedwell
