// Every kernel, compiled with the flags of scalar (csrc/CMakeLists.txt).
#define SPEEDWELL_ISA scalar
#include "isa/table.h"
