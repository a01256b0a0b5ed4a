// Rows that do not depend on each other, handed to the pool in chunks.
#pragma once

#include <algorithm>
#include <cstdint>

#include "ops/operator.h"

namespace speedwell {

// Chunks of about ten microseconds or more, so that handing one out (0.2 us) does not count. Where the whole is shorter
// there is one for each thread, as long as it is worth waking it (1 us).
class RowChunks {
 public:
  RowChunks(int64_t rows, double nanoseconds_each, int threads) : rows_(rows) {
    const double whole = static_cast<double>(rows) * nanoseconds_each;
    int64_t wanted = static_cast<int64_t>(std::min(whole / 1e4, 16.0 * threads));
    wanted = (wanted + threads - 1) / threads * threads;  // three chunks would leave two threads waiting for one
    wanted = std::max(wanted, static_cast<int64_t>(std::min<double>(threads, whole / 1e3)));
    count_ = std::min(rows, threads > 1 ? std::max<int64_t>(1, wanted) : 1);
  }

  int64_t count() const { return count_; }
  int64_t begin(int64_t chunk) const { return chunk * (rows_ / count_) + std::min(chunk, rows_ % count_); }
  int64_t end(int64_t chunk) const { return begin(chunk + 1); }

 private:
  int64_t rows_;
  int64_t count_;
};

// Floats of scratch for each thread, a whole number of cache lines apart.
inline int64_t in_lines(int64_t floats) { return (floats + 15) / 16 * 16; }

// Input i of a run, null where it is left out.
inline const float* optional_input(const Run& run, int i) {
  return i < run.inputs ? run.in[i].as<const float>() : nullptr;
}

}  // namespace speedwell
