#include "core/pool.h"

#include <climits>
#include <string>
#include <system_error>

#if defined(__linux__)
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

#include "core/error.h"

namespace speedwell {

namespace {

// Tries before a waiter gives its core to whoever wants it: 1 to 5 us, for a pause takes 10 to 40 ns. Longer than the
// gap between two operators, far shorter than a foreign process's time slice.
constexpr int kSpins = 512;

void pause_core() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

void sleep_while(std::atomic<uint32_t>& word, uint32_t value) {
#if defined(__linux__)
  static_assert(sizeof(word) == sizeof(uint32_t), "a futex is 32 bits");
  syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, value, nullptr, nullptr, 0);
#else
  while (word.load(std::memory_order_acquire) == value) std::this_thread::yield();
#endif
}

void wake_all(std::atomic<uint32_t>& word) {
#if defined(__linux__)
  syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, INT_MAX, nullptr, nullptr, 0);
#else
  (void)word;
#endif
}

}  // namespace

Pool::Pool(int threads) : tickets_(static_cast<size_t>(threads)), counts_(static_cast<size_t>(threads)) {
  workers_.reserve(static_cast<size_t>(threads - 1));
  try {
    for (int thread = 1; thread < threads; ++thread) workers_.emplace_back([this, thread] { loop(thread); });
  } catch (const std::system_error& error) {
    stop();
    throw Error(Fault::memory, std::string("cannot start threads: ") + error.what());
  }
}

Pool::~Pool() { stop(); }

void Pool::stop() {
  stop_.store(true, std::memory_order_release);
  awake_.fetch_add(1, std::memory_order_release);
  wake_all(awake_);
  for (std::thread& worker : workers_) worker.join();
}

void Pool::begin() {
  if (workers_.empty()) return;
  awake_.fetch_add(1, std::memory_order_release);
  wake_all(awake_);
}

void Pool::end() {
  if (!workers_.empty()) awake_.fetch_add(1, std::memory_order_release);
}

// A ticket holds the job's number beside the chunks that are left. A chunk is taken by a swap that lowers the count,
// so it succeeds only while that job is on; from then until the chunk is counted as done the job cannot end, and its
// fields, written before any ticket was published, cannot change. A thread that looks late finds nothing left.
void Pool::share(int64_t chunks, Call call, const void* work) {
  const uint32_t job = job_.load(std::memory_order_relaxed) + 1;
  call_ = call;
  work_ = work;
  chunks_ = chunks;
  asked_ += chunks;
  for (int64_t thread = 0; thread < threads(); ++thread) {
    const uint64_t part = static_cast<uint64_t>(part_end(thread) - part_end(thread - 1));
    tickets_[static_cast<size_t>(thread)].word.store(uint64_t{job} << 32 | part, std::memory_order_release);
  }
  job_.store(job, std::memory_order_release);
  work_on(0, job);
  for (int tries = 0; done() < asked_; ++tries) {
    if (tries < kSpins) {
      pause_core();
    } else {
      std::this_thread::yield();
    }
  }
}

// Each thread counts for itself: one count for all would travel between the cores with every chunk.
int64_t Pool::done() const {
  int64_t sum = 0;
  for (const Count& count : counts_) sum += count.done.load(std::memory_order_acquire);
  return sum;
}

void Pool::work_on(int thread, uint32_t job) {
  for (int i = 0; i < threads(); ++i) take_from((thread + i) % threads(), thread, job);
}

void Pool::take_from(int owner, int thread, uint32_t job) {
  std::atomic<uint64_t>& word = tickets_[static_cast<size_t>(owner)].word;
  std::atomic<int64_t>& done = counts_[static_cast<size_t>(thread)].done;
  uint64_t ticket = word.load(std::memory_order_acquire);
  for (;;) {
    const int64_t left = static_cast<uint32_t>(ticket);
    if (static_cast<uint32_t>(ticket >> 32) != job || left == 0) return;
    if (!word.compare_exchange_weak(ticket, ticket - 1, std::memory_order_acq_rel, std::memory_order_acquire)) continue;
    call_(work_, part_end(owner) - left, thread);
    done.store(done.load(std::memory_order_relaxed) + 1, std::memory_order_release);
    ticket = word.load(std::memory_order_acquire);
  }
}

void Pool::loop(int thread) {
  uint32_t seen = 0;
  for (;;) {
    uint32_t awake = awake_.load(std::memory_order_acquire);
    while (!(awake & 1) && !stop_.load(std::memory_order_acquire)) {
      sleep_while(awake_, awake);
      awake = awake_.load(std::memory_order_acquire);
    }
    if (stop_.load(std::memory_order_acquire)) return;
    for (int tries = 0; awake_.load(std::memory_order_acquire) == awake;) {
      const uint32_t job = job_.load(std::memory_order_acquire);
      if (job != seen) {
        seen = job;
        tries = 0;
        work_on(thread, job);
      } else if (++tries < kSpins) {
        pause_core();
      } else {
        std::this_thread::yield();
      }
    }
  }
}

}  // namespace speedwell
