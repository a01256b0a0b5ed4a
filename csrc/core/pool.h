// A fixed pool of threads for one session. They sleep between runs and spin, shortly, inside one.
#pragma once

#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

namespace speedwell {

class Pool {
 public:
  explicit Pool(int threads);  // the caller counts as one
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  int threads() const { return static_cast<int>(workers_.size()) + 1; }

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
  int64_t part_end(int64_t thread) const;
  void take_from(int owner, int thread, uint32_t job);
  void loop(int thread);

  // A thread's part of a job: the job's number in the upper half, chunks left in the lower.
  struct alignas(64) Ticket {
    std::atomic<uint64_t> word{0};
  };

  std::vector<std::thread> workers_;
  Call call_ = nullptr;
  const void* work_ = nullptr;
  int64_t chunks_ = 0;
  std::vector<Ticket> tickets_;                  // one a thread
  alignas(64) std::atomic<uint32_t> job_{0};     // number of the last job, written when all its tickets are out
  alignas(64) std::atomic<int64_t> done_{0};     // chunks finished of the current job
  alignas(64) std::atomic<uint32_t> awake_{0};   // odd while a run is on; a futex
  std::atomic<bool> stop_{false};
};

}  // namespace speedwell
