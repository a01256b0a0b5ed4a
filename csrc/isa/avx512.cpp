// Every kernel, compiled with the flags of avx512 (csrc/CMakeLists.txt).
#define SPEEDWELL_ISA avx512
#include "isa/table.h"
