// Included by isa/<isa>.cpp alone: the kernels of one instruction set, and the table that names them.
#include "attention/kernels.h"
#include "core/kernels.h"
#include "gemm/kernels.h"
#include "vector/kernels.h"

#define SPEEDWELL_QUOTE_(x) #x
#define SPEEDWELL_QUOTE(x) SPEEDWELL_QUOTE_(x)

namespace speedwell {
namespace SPEEDWELL_ISA {

extern const Kernels table;
const Kernels table = {
    SPEEDWELL_QUOTE(SPEEDWELL_ISA),
#define SPEEDWELL_KERNEL(name, arguments) name,
#include "attention/kernels.inc"
#include "gemm/kernels.inc"
#include "vector/kernels.inc"
#undef SPEEDWELL_KERNEL
};

}  // namespace SPEEDWELL_ISA
}  // namespace speedwell
