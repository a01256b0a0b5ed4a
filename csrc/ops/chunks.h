// Work over [0, n) handed to the pool in pieces.
#pragma once

#include <algorithm>
#include <cstdint>

#include "core/pool.h"

namespace speedwell {

constexpr int64_t kGrain = 16384;      // elements worth a piece where one costs about a nanosecond
constexpr int64_t kFineGrain = 2048;   // the same for exp, erf, pow, ...

// Calls work(begin, end, thread) for pieces that cover [0, n), each of at least `grain` unless n is smaller. Several
// pieces a thread, so that one that is held up leaves its share to others.
template <typename Work>
void in_chunks_of_threads(Pool& pool, int64_t n, int64_t grain, const Work& work) {
  if (n <= 0) return;
  const int64_t chunks = std::max<int64_t>(1, std::min(n / std::max<int64_t>(1, grain), int64_t{8} * pool.threads()));
  const int64_t size = n / chunks, longer = n % chunks;
  pool.parallel(chunks, [&](int64_t chunk, int thread) {
    const int64_t begin = chunk * size + std::min(chunk, longer);
    work(begin, begin + size + (chunk < longer ? 1 : 0), thread);
  });
}

// The same for work(begin, end).
template <typename Work>
void in_chunks(Pool& pool, int64_t n, int64_t grain, const Work& work) {
  in_chunks_of_threads(pool, n, grain, [&](int64_t begin, int64_t end, int) { work(begin, end); });
}

}  // namespace speedwell
