// Rows that are made ready once each, by whichever thread needs them first: no barrier between making and using them.
#pragma once

#include <atomic>
#include <cstdint>
#include <new>
#include <thread>

namespace speedwell {

// States of `count` blocks of rows, in memory of the caller's: bytes(count), any content.
class ReadyRows {
 public:
  static size_t bytes(int64_t count) { return static_cast<size_t>(count) * sizeof(State); }

  ReadyRows(char* memory, int64_t count) : states_(reinterpret_cast<State*>(memory)) {
    for (int64_t i = 0; i < count; ++i) new (states_ + i) State(kRaw);
  }

  // True where block i is ready now, if need be by calling make(); false where another thread is at it.
  template <typename Make>
  bool try_ready(int64_t i, const Make& make) const {
    int32_t found = states_[i].load(std::memory_order_acquire);
    if (found == kReady) return true;
    if (found != kRaw || !states_[i].compare_exchange_strong(found, kTaken, std::memory_order_acq_rel))
      return found == kReady;
    make();
    states_[i].store(kReady, std::memory_order_release);
    return true;
  }

  // Until block i is ready; some thread is at it.
  void wait(int64_t i) const {
    while (states_[i].load(std::memory_order_acquire) != kReady) std::this_thread::yield();
  }

 private:
  enum : int32_t { kRaw, kTaken, kReady };
  using State = std::atomic<int32_t>;
  State* states_;
};

}  // namespace speedwell
