// Reductions: their parts, and the folds that they share.
#pragma once

#include <cmath>
#include <limits>
#include <type_traits>
#include <vector>

#include "ops/operand.h"
#include "ops/typed.h"

namespace speedwell {

std::vector<Row> fold_rows();  // reduce.cpp: ReduceSum, ReduceMean, ...
std::vector<Row> arg_rows();   // reduce_arg.cpp: ArgMax, ArgMin
std::vector<Row> scan_rows();  // reduce_scan.cpp: CumSum
std::vector<Row> top_rows();   // reduce_top.cpp: TopK

// What one step of a fold holds, and what many are gathered in. A float32 sum stays in float32 for a few dozen
// elements at most and goes on in double: its error does not grow with the number of elements.
template <typename T>
using Lane = std::conditional_t<std::is_floating_point_v<T>, float, int64_t>;
template <typename T>
using Total = std::conditional_t<std::is_floating_point_v<T>, double, int64_t>;

// A fold: first() is the result of nothing, take() adds an element, join() two results, finish() makes the output of
// the result of n elements.
struct Sum {
  static constexpr bool selects = false;  // whether take() holds a comparison
  template <typename T, typename L>
  static L first() {
    return 0;
  }
  template <typename L, typename T>
  static L take(L lane, T x) {
    return wrap_add<L>(lane, x);
  }
  template <typename L>
  static L join(L a, L b) {
    return wrap_add(a, b);
  }
  template <typename T>
  static T finish(Total<T> total, int64_t) {
    return static_cast<T>(total);
  }
};

struct Mean : Sum {
  template <typename T>
  static T finish(Total<T> total, int64_t n) {
    return static_cast<T>(safe_div<Total<T>>(total, static_cast<Total<T>>(n)));
  }
};

struct SumOfMagnitudes : Sum {
  template <typename L, typename T>
  static L take(L lane, T x) {
    if constexpr (std::is_floating_point_v<T>) return lane + std::fabs(x);
    return x < 0 ? wrap_sub<L>(lane, x) : wrap_add<L>(lane, x);
  }
};

struct SumOfSquares : Sum {
  template <typename L, typename T>
  static L take(L lane, T x) {
    return wrap_add<L>(lane, wrap_mul<L>(x, x));
  }
};

struct Norm : SumOfSquares {
  template <typename T>
  static T finish(Total<T> total, int64_t) {
    return static_cast<T>(std::sqrt(static_cast<double>(total)));
  }
};

struct Product : Sum {
  template <typename T, typename L>
  static L first() {
    return 1;
  }
  template <typename L, typename T>
  static L take(L lane, T x) {
    return wrap_mul<L>(lane, x);
  }
  template <typename L>
  static L join(L a, L b) {
    return wrap_mul(a, b);
  }
};

// NaN wins, as numpy has it. Two selections, because `||` would become a branch that random elements mispredict.
struct Largest : Sum {
  static constexpr bool selects = true;
  template <typename T, typename L>
  static L first() {
    using Limits = std::numeric_limits<T>;
    return static_cast<L>(Limits::has_infinity ? -Limits::infinity() : Limits::lowest());
  }
  template <typename L, typename T>
  static L take(L lane, T x) {
    const L next = x > lane ? x : lane;
    return x != x ? x : next;
  }
  template <typename L>
  static L join(L a, L b) {
    return take<L, L>(a, b);
  }
};

struct Smallest : Sum {
  static constexpr bool selects = true;
  template <typename T, typename L>
  static L first() {
    using Limits = std::numeric_limits<T>;
    return static_cast<L>(Limits::has_infinity ? Limits::infinity() : Limits::max());
  }
  template <typename L, typename T>
  static L take(L lane, T x) {
    const L next = x < lane ? x : lane;
    return x != x ? x : next;
  }
  template <typename L>
  static L join(L a, L b) {
    return take<L, L>(a, b);
  }
};

// Of n neighbours.
template <typename F, typename T>
Total<T> fold_run(const T* x, int64_t n) {
  constexpr int64_t kLanes = 16, kBlock = 512;
  Total<T> total = F::template first<T, Total<T>>();
  for (int64_t begin = 0; begin < n; begin += kBlock) {
    const int64_t end = begin + kBlock < n ? begin + kBlock : n;
    Lane<T> lane[kLanes];
    for (int64_t l = 0; l < kLanes; ++l) lane[l] = F::template first<T, Lane<T>>();
    int64_t i = begin;
    for (; i + kLanes <= end; i += kLanes) {
      if constexpr (F::selects) {
#pragma GCC unroll 1  // unrolled, a loop that holds a selection is not vectorized; one that only adds gets faster
        for (int64_t l = 0; l < kLanes; ++l) lane[l] = F::take(lane[l], x[i + l]);
      } else {
        for (int64_t l = 0; l < kLanes; ++l) lane[l] = F::take(lane[l], x[i + l]);
      }
    }
    for (int64_t l = 0; i < end; ++i, ++l) lane[l] = F::take(lane[l], x[i]);
    for (int64_t half = kLanes / 2; half > 0; half /= 2)
      for (int64_t l = 0; l < half; ++l) lane[l] = F::join(lane[l], lane[l + half]);
    total = F::join(total, static_cast<Total<T>>(lane[0]));
  }
  return total;
}

}  // namespace speedwell
