#include "core/cpu.h"

namespace speedwell {

const Cpu& Cpu::here() {
  static const Cpu cpu = [] {
    Cpu found;
#if defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__))
    // These ask the operating system too whether it saves the registers.
    __builtin_cpu_init();
    found.avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    found.avx512 = found.avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                   __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
    found.avx512_vnni = found.avx512 && __builtin_cpu_supports("avx512vnni");
#endif
    return found;
  }();
  return cpu;
}

}  // namespace speedwell
