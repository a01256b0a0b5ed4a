#include "core/kernels.h"

#include <cstring>
#include <string>

#include "core/cpu.h"
#include "core/error.h"

namespace speedwell {

// Defined in isa/<name>.cpp.
namespace scalar {
extern const Kernels table;
}
#if defined(__x86_64__)
namespace avx2 {
extern const Kernels table;
}
namespace avx512 {
extern const Kernels table;
}
namespace avx512_vnni {
extern const Kernels table;
}
#endif

namespace {

// Best first; ends with null.
const Kernels* const* supported() {
  static const Kernels* list[5] = {};
  static const bool filled = [] {
    int n = 0;
#if defined(__x86_64__)
    const Cpu& cpu = Cpu::here();
    if (cpu.avx512_vnni) list[n++] = &avx512_vnni::table;
    if (cpu.avx512) list[n++] = &avx512::table;
    if (cpu.avx2) list[n++] = &avx2::table;
#endif
    list[n] = &scalar::table;
    return true;
  }();
  (void)filled;
  return list;
}

}  // namespace

const Kernels& kernels_for(const char* isa) {
  for (const Kernels* const* table = supported(); *table; ++table)
    if (!*isa || !std::strcmp(isa, (*table)->isa)) return **table;
  std::string names;
  for (const Kernels* const* table = supported(); *table; ++table) names += std::string(" ") + (*table)->isa;
  throw Error(Fault::unsupported, "this CPU has no instruction set \"" + std::string(isa) + "\"; it runs:" + names);
}

const char* const* supported_isas() {
  static const char* names[5] = {};
  for (int i = 0; supported()[i]; ++i) names[i] = supported()[i]->isa;
  return names;
}

}  // namespace speedwell
