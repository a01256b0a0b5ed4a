// From a Dtype to the C++ type of its elements.
#pragma once

#include <cstdint>
#include <limits>
#include <type_traits>

#include "core/tensor.h"

namespace speedwell {

// Calls f with a zero of the type. bool's bytes are read as uint8_t: a plan's bytes need not be 0 or 1.
template <typename F>
void visit(Dtype dtype, const F& f) {
  switch (dtype) {
    case Dtype::f32: f(float{}); break;
    case Dtype::s8: f(int8_t{}); break;
    case Dtype::s32: f(int32_t{}); break;
    case Dtype::s64: f(int64_t{}); break;
    case Dtype::u8:
    case Dtype::boolean: f(uint8_t{}); break;
  }
}

// Calls f with a zero of an unsigned type of that many bytes: for what moves elements and does not read them.
template <typename F>
void visit_bytes(size_t bytes, const F& f) {
  switch (bytes) {
    case 1: f(uint8_t{}); break;
    case 4: f(uint32_t{}); break;
    default: f(uint64_t{}); break;
  }
}

// Integers wrap, as numpy's do: signed overflow would be undefined.
template <typename T>
T wrap_add(T a, T b) {
  if constexpr (std::is_floating_point_v<T>) {
    return a + b;
  } else {
    return static_cast<T>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b));
  }
}

template <typename T>
T wrap_sub(T a, T b) {
  if constexpr (std::is_floating_point_v<T>) {
    return a - b;
  } else {
    return static_cast<T>(static_cast<uint64_t>(a) - static_cast<uint64_t>(b));
  }
}

template <typename T>
T wrap_mul(T a, T b) {
  if constexpr (std::is_floating_point_v<T>) {
    return a * b;
  } else {
    return static_cast<T>(static_cast<uint64_t>(a) * static_cast<uint64_t>(b));
  }
}

// Toward zero; x / 0 is 0.
template <typename T>
T safe_div(T a, T b) {
  if constexpr (std::is_floating_point_v<T>) {
    return a / b;
  } else {
    if (b == 0) return 0;
    if (std::is_signed_v<T> && b == static_cast<T>(-1)) return wrap_sub<T>(0, a);  // the least / -1 traps
    return static_cast<T>(a / b);
  }
}

// To an integer type: toward zero, at the type's ends where x lies outside of it, 0 for NaN.
template <typename T>
T saturate(double x) {
  if (!(x == x)) return 0;
  // Both ends are exact in double or round outwards, so `>=` and `<=` keep the cast defined.
  if (x >= static_cast<double>(std::numeric_limits<T>::max())) return std::numeric_limits<T>::max();
  if (x <= static_cast<double>(std::numeric_limits<T>::min())) return std::numeric_limits<T>::min();
  return static_cast<T>(x);
}

}  // namespace speedwell
