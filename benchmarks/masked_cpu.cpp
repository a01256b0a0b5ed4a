// Preloaded into a process, makes its CPU say that it has AVX2 and nothing newer: no AVX-512, VNNI or AMX.
//
// Linux lets a process have CPUID fault (arch_prctl ARCH_SET_CPUID) where the CPU or its hypervisor can. The signal is
// answered with what the CPU says, less some bits, so every library in the process that asks the CPU itself sees the
// masked one. What the C library chose before this was loaded (memcpy, strlen) stays. Inherited by threads and forks;
// a program that is executed loads this anew.
#include <asm/prctl.h>
#include <dlfcn.h>
#include <signal.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

namespace {

using Action = int (*)(int, const struct sigaction*, struct sigaction*);

struct sigaction theirs;  // what the program itself has asked for on SIGSEGV

int really(int number, const struct sigaction* now, struct sigaction* old) {
  static const Action action = reinterpret_cast<Action>(dlsym(RTLD_NEXT, "sigaction"));
  return action(number, now, old);
}

long let_cpuid_run(int on) { return syscall(SYS_arch_prctl, ARCH_SET_CPUID, on); }

constexpr uint32_t bits() { return 0; }
template <typename... More>
constexpr uint32_t bits(int first, More... more) { return 1u << first | bits(more...); }

struct Answer { uint32_t a, b, c, d; };

// Bits by the manuals' tables of leaves 7 and 13 (Intel SDM vol. 2A, CPUID; AMD APM vol. 3, appendix E).
void mask(uint32_t leaf, uint32_t part, Answer& x) {
  if (leaf == 7 && part == 0) {
    x.b &= ~bits(16, 17, 21, 26, 27, 28, 30, 31);    // AVX512: F, DQ, IFMA, PF, ER, CD, BW, VL
    x.c &= ~bits(1, 6, 11, 12, 14);                  // AVX512: VBMI, VBMI2, VNNI, BITALG, VPOPCNTDQ
    x.d &= ~bits(2, 3, 8, 22, 23, 24, 25);           // AVX512: 4VNNIW, 4FMAPS, VP2INTERSECT, FP16; AMX
  } else if (leaf == 7 && part == 1) {
    x.a &= ~bits(4, 5, 21, 23);                      // AVX-VNNI, AVX512-BF16, AMX-FP16, AVX-IFMA
    x.d &= ~bits(4, 5, 8, 10, 19);                   // AVX-VNNI of bytes and words, AVX-NE-CONVERT, AMX, AVX10
  } else if (leaf == 13 && part == 0) {
    x.a &= bits(0, 1, 2);                            // state that can be saved: x87, SSE, AVX
  } else if (leaf == 0x1d || leaf == 0x1e || leaf == 0x24) {
    x = {};                                          // AMX tiles, AMX products, AVX10
  }
}

void answer(int number, siginfo_t* info, void* context) {
  greg_t* r = static_cast<ucontext_t*>(context)->uc_mcontext.gregs;
  const uint8_t* at = reinterpret_cast<const uint8_t*>(r[REG_RIP]);
  if (info->si_code != SI_KERNEL || at[0] != 0x0f || at[1] != 0xa2) {
    really(number, &theirs, nullptr);  // a fault of the program's own: it happens again, to its handler
    return;
  }
  const uint32_t leaf = static_cast<uint32_t>(r[REG_RAX]), part = static_cast<uint32_t>(r[REG_RCX]);
  Answer x;
  let_cpuid_run(1);
  asm volatile("cpuid" : "=a"(x.a), "=b"(x.b), "=c"(x.c), "=d"(x.d) : "a"(leaf), "c"(part));
  let_cpuid_run(0);
  mask(leaf, part, x);
  r[REG_RAX] = x.a, r[REG_RBX] = x.b, r[REG_RCX] = x.c, r[REG_RDX] = x.d;
  r[REG_RIP] += 2;
}

__attribute__((constructor)) void begin() {
  struct sigaction ours {};
  ours.sa_sigaction = answer;
  ours.sa_flags = SA_SIGINFO | SA_NODEFER | SA_ONSTACK;
  if (really(SIGSEGV, &ours, &theirs) == 0) let_cpuid_run(0);
}

}  // namespace

// A program's own handler of SIGSEGV is kept for its own faults, however it asks for it (gcc: signal).
extern "C" int sigaction(int number, const struct sigaction* now, struct sigaction* old) {
  if (number != SIGSEGV) return really(number, now, old);
  if (old) *old = theirs;
  if (now) theirs = *now;
  return 0;
}

extern "C" sighandler_t signal(int number, sighandler_t handler) noexcept {
  struct sigaction now {}, old {};
  now.sa_handler = handler;
  now.sa_flags = SA_RESTART;
  return sigaction(number, &now, &old) == 0 ? old.sa_handler : SIG_ERR;
}
