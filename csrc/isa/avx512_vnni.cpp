// Every kernel, compiled with the flags of avx512_vnni (csrc/CMakeLists.txt).
#define SPEEDWELL_ISA avx512_vnni
#include "isa/table.h"
