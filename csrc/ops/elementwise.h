// Elementwise operators: their parts, and the loops that they share.
#pragma once

#include <type_traits>
#include <vector>

#include "ops/chunks.h"
#include "ops/loops.h"
#include "ops/operand.h"
#include "ops/typed.h"

namespace speedwell {

std::vector<Row> arithmetic_rows();  // elementwise_arithmetic.cpp
std::vector<Row> compare_rows();     // elementwise_compare.cpp
std::vector<Row> unary_rows();       // elementwise_unary.cpp
std::vector<Row> select_rows();      // elementwise_select.cpp: Where, Clip, Cast, Identity

// Loops over `out` with the strides of operands that broadcast to it. `out` must not be empty.
template <size_t N>
Loops<N> broadcast_loops(const Shape& out, const std::array<const Shape*, N>& operands) {
  std::array<std::array<int64_t, kMaxRank>, N> stride;
  for (size_t k = 0; k < N; ++k) stride[k] = dense_strides(*operands[k]);
  Loops<N> loops;
  for (int i = 0; i < out.rank(); ++i) {
    typename Loops<N>::Strides step{};
    for (size_t k = 0; k < N; ++k) {
      const int own = i - (out.rank() - operands[k]->rank());
      if (own >= 0 && (*operands[k])[own] != 1) step[k] = stride[k][static_cast<size_t>(own)];
    }
    loops.inside(out[i], step);
  }
  return loops;
}

// Output 0 may lie over the first of the inputs 0..last that has its shape, unless that is a constant.
inline void overwrite_first(Binding& binding, const Shape& out, Dtype dtype, int first, int last) {
  for (int i = first; i <= last; ++i) {
    const Known& known = binding.input(i);
    if (!known.present || known.value || known.dtype != dtype || known.shape != out) continue;
    binding.may_overwrite(0, i);
    return;
  }
}

// y[i] = f(x[i]); y may be x.
template <typename T, typename R, typename F>
void map(Pool& pool, const T* x, R* y, int64_t n, int64_t grain, const F& f) {
  in_chunks(pool, n, grain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) y[i] = f(x[i]);
  });
}

// out[i] = f(a[i], b[i]) over a run; a step is 0 or 1, and out may be an operand of step 1.
template <typename T, typename E, typename R, typename F>
void zip_run(const T* a, int64_t step_a, const E* b, int64_t step_b, R* out, int64_t n, const F& f) {
  if (step_a && step_b) {
    for (int64_t i = 0; i < n; ++i) out[i] = f(a[i], b[i]);
  } else if (step_a) {
    const E y = *b;
    for (int64_t i = 0; i < n; ++i) out[i] = f(a[i], y);
  } else if (step_b) {
    const T x = *a;
    for (int64_t i = 0; i < n; ++i) out[i] = f(x, b[i]);
  } else {
    const R value = f(*a, *b);
    for (int64_t i = 0; i < n; ++i) out[i] = value;
  }
}

// out = f(a, b), broadcast. T and E are the operands' types, R the result's.
template <typename T, typename E, typename R, typename F>
void zip(Pool& pool, const Tensor& a, const Tensor& b, const Tensor& out, int64_t grain, const F& f) {
  if (out.elements() == 0) return;
  const auto loops = broadcast_loops<2>(out.shape, {&a.shape, &b.shape});
  const T* x = a.as<const T>();
  const E* y = b.as<const E>();
  R* z = out.as<R>();
  in_chunks(pool, out.elements(), grain, [&](int64_t begin, int64_t end) {
    loops.over(begin, end, [&](int64_t at, const Loops<2>::Strides& from, int64_t n) {
      zip_run(x + from[0], loops.step(0), y + from[1], loops.step(1), z + at, n, f);
    });
  });
}

}  // namespace speedwell
