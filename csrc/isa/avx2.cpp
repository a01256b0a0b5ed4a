// Every kernel, compiled with the flags of avx2 (csrc/CMakeLists.txt).
#define SPEEDWELL_ISA avx2
#include "isa/table.h"
