// The hot loops, once per instruction set. A family lists its kernels in <family>/kernels.inc, as
//   SPEEDWELL_KERNEL(name, (arguments))
// and defines them in <family>/kernels.h inside namespace speedwell::SPEEDWELL_ISA. isa/<isa>.cpp compiles every
// family with that instruction set's flags and fills the table; nothing else may include a family's kernels.h. Those
// files must not use the standard library's templates: the linker would keep one copy, compiled for some other CPU.
#pragma once

#include <cstdint>

#include "attention/contract.h"
#include "gemm/contract.h"
#include "vector/contract.h"

namespace speedwell {

struct Kernels {
  const char* isa;
#define SPEEDWELL_KERNEL(name, arguments) void(*name) arguments;
#include "attention/kernels.inc"
#include "gemm/kernels.inc"
#include "vector/kernels.inc"
#undef SPEEDWELL_KERNEL
};

// By name ("scalar", "avx2", "avx512", "avx512_vnni"); "" is the best that this CPU runs. Throws Fault::unsupported
// where the CPU lacks it or the name is unknown.
const Kernels& kernels_for(const char* isa);

// Names that this CPU runs, best first; "scalar" is always the last.
const char* const* supported_isas();  // ends with null

}  // namespace speedwell
