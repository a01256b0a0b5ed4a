// A fixed pool of threads for one session. They sleep between runs and spin, shortly, inside one.
#pragma once

#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

namespace speedwell {

class Pool {
 public:
  explicit Pool(int threads);  // the caller counts as one; throws Fault::memory where the system has no more threads
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  int threads() const { return static_cast<int>(workers_.size()) + 1; }

  // Where the part of `thread` ends, of so many chunks; the next thread's begins there.
  static int64_t part_end(int64_t chunks, int64_t thread, int64_t threads) { return chunks * (thread + 1) / threads; }

  // A run begins: workers wake and stay awake until it ends. Both are called by the thread that calls parallel.
  void begin();
  void end();

  // Calls work(chunk, thread) once for each chunk in [0, chunks), thread in [0, threads()). Each thread begins with its
  // own part of the range, the same part every time: chunks in the order of rows keep a row on one core from operator
  // to operator, and what one core wrote is slow to read on another (a mesh of cores). Chunks are taken one by one, and
  // who is done helps the others, so a thread that is held up by a foreign process leaves its share to them. `work`
  // must not throw. Must lie between begin() and end().
  template <typename Work>
  void parallel(int64_t chunks, const Work& work) {
    if (chunks == 1 || workers_.empty()) {
      for (int64_t chunk = 0; chunk < chunks; ++chunk) work(chunk, 0);
      return;
    }
    if (chunks > 0) share(chunks, [](const void* w, int64_t c, int t) { (*static_cast<const Work*>(w))(c, t); }, &work);
  }

 private:
  using Call = void (*)(const void*, int64_t, int);
  void share(int64_t chunks, Call call, const void* work);
  void work_on(int thread, uint32_t job);
  int64_t part_end(int64_t thread) const { return part_end(chunks_, thread, threads()); }
  void take_from(int owner, int thread, uint32_t job);
  void loop(int thread);
  void stop();
  int64_t done() const;

  // A thread's part of a job: the job's number in the upper half, chunks left in the lower.
  struct alignas(64) Ticket {
    std::atomic<uint64_t> word{0};
  };
  // Chunks that a thread has done since the pool began, of its own part and of others'. Written by that thread alone.
  struct alignas(64) Count {
    std::atomic<int64_t> done{0};
  };

  std::vector<std::thread> workers_;
  std::vector<Ticket> tickets_;                  // one a thread
  std::vector<Count> counts_;                    // one a thread
  int64_t asked_ = 0;                            // chunks of all jobs so far
  // One line, so that who sees a job's number has the rest with it: another core's line takes 0.1 to 0.2 us.
  alignas(64) std::atomic<uint32_t> job_{0};     // number of the last job, written when all its tickets are out
  Call call_ = nullptr;
  const void* work_ = nullptr;
  int64_t chunks_ = 0;
  alignas(64) std::atomic<uint32_t> awake_{0};   // odd while a run is on; a futex
  std::atomic<bool> stop_{false};
};

}  // namespace speedwell
