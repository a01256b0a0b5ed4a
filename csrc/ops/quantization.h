// How a tensor is held in bytes: u8 = clamp(round_half_even(x / scale) + zero, low, high).
#pragma once

#include <cmath>
#include <cstdint>

#include "core/json.h"

namespace speedwell {

struct Quantization {
  float scale = 1, inverse = 1;
  int32_t zero = 0, low = 0, high = 255;

  // Throws Fault::plan unless scale is finite and > 0 and 0 <= low <= zero <= high <= 255.
  static Quantization read(const Json& json) {
    Quantization q;
    const double scale = json["scale"].real();
    q.scale = static_cast<float>(scale);
    q.inverse = 1.0f / q.scale;
    require(std::isfinite(q.scale) && q.scale > 0 && std::isfinite(q.inverse), Fault::plan, "a scale must be finite and positive");
    const int64_t zero = json["zero"].integer(), low = json.integer("low", 0), high = json.integer("high", 255);
    require(0 <= low && low <= zero && zero <= high && high <= 255, Fault::plan, "0 <= low <= zero <= high <= 255 does not hold");
    q.zero = static_cast<int32_t>(zero);
    q.low = static_cast<int32_t>(low);
    q.high = static_cast<int32_t>(high);
    return q;
  }
};

}  // namespace speedwell
