// ONNX's quantization operators, as general as ONNX has them: any axis, signed bytes, division by the scale. What is
// static and uint8 is lowered to quantize and dequantize.
#include <cmath>
#include <string>
#include <type_traits>

#include "ops/chunks.h"
#include "ops/layer.h"
#include "ops/operand.h"
#include "ops/typed.h"

namespace speedwell {

namespace {

constexpr Types kBytes = only(Dtype::u8) | only(Dtype::s8);

// T = clamp(round_half_even(x / scale) + zero) over one run of elements of one scale; NaN gives the least.
template <typename T>
void quantize_run(const float* x, T* y, int64_t n, float scale, int32_t zero) {
  const float low = static_cast<float>(std::numeric_limits<T>::min() - zero);
  const float high = static_cast<float>(std::numeric_limits<T>::max() - zero);
  // The addition rounds what is held below 2^22 to an integer, half to even; std::nearbyint is a call a number.
  constexpr float kRounder = 12582912.0f;
  for (int64_t i = 0; i < n; ++i) {
    const float level = x[i] / scale, above = level > low ? level : low, held = above < high ? above : high;
    y[i] = static_cast<T>(static_cast<int32_t>((held + kRounder) - kRounder) + zero);
  }
}

template <typename T>
void dequantize_run(const T* x, float* y, int64_t n, float scale, int32_t zero) {
  using Wide = std::conditional_t<sizeof(T) == 1, int32_t, int64_t>;  // holds every difference
  for (int64_t i = 0; i < n; ++i) y[i] = static_cast<float>(Wide{x[i]} - Wide{zero}) * scale;
}

// Where scales and zero points lie: one for all, or one for each index of an axis.
class Scales {
 public:
  explicit Scales(const Recipe& recipe) : axis_(recipe.attributes.integer("axis", 1)) {
    require(recipe.attributes.integer("block_size", 0) == 0, Fault::unsupported, "quantization by blocks");
  }

  void bind(const Binding& binding, const Shape& x) const {
    const Known& scale = operand(binding, 1, kFloat);
    const int64_t count = scale.shape.elements();
    const bool fits = scale.shape.rank() == 0 || (scale.shape.rank() == 1 && count == 1) ||
                      (scale.shape.rank() == 1 && count == x[wrap_axis(axis_, x.rank())]);
    if (!fits)
      throw Error(Fault::plan, "scales of shape " + scale.shape.text() + " for axis " + std::to_string(axis_) + " of " +
                                   x.text());
    const Known& zero = binding.input(2);
    require(!zero.present || zero.shape.elements() == count, Fault::plan, "not as many zero points as scales");
  }

  // Calls work(begin, end, scale, zero) for runs of one scale that cover x. Z is the zero points' type.
  template <typename Z, typename Work>
  void over(const Run& run, const Work& work) const {
    const Shape& shape = run.in[0].shape;
    const int64_t n = shape.elements();
    if (n == 0) return;
    const float* scale = run.in[1].as<float>();
    const Z* zero = run.inputs > 2 ? run.in[2].as<Z>() : nullptr;
    const int64_t count = run.in[1].elements();
    int64_t inner = n;
    if (count > 1) {
      inner = 1;
      for (int i = wrap_axis(axis_, shape.rank()) + 1; i < shape.rank(); ++i) inner *= shape[i];
    }
    in_chunks(run.pool, n, kGrain, [&](int64_t begin, int64_t end) {
      while (begin < end) {
        const int64_t which = begin / inner, next = std::min(end, (which + 1) * inner), at = which % count;
        work(begin, next, scale[at], zero ? static_cast<int32_t>(zero[at]) : 0);
        begin = next;
      }
    });
  }

 private:
  int64_t axis_;
};

class QuantizeLinear : public Operator {
 public:
  explicit QuantizeLinear(const Recipe& recipe) : scales_(recipe) {
    const Json* named = recipe.attributes.find("output_dtype");
    const bool unnamed = !named || (named->kind() == Json::Kind::integer && named->integer() == 0);
    if (!unnamed) otherwise_ = element_type(*named);
  }

  void bind(Binding& binding) const override {
    expect_inputs(binding, 2, 3);
    const Known& x = operand(binding, 0, kFloat);
    scales_.bind(binding, x.shape);
    const Dtype type = binding.input(2).present ? operand(binding, 2, kBytes).dtype : otherwise_;
    require(kBytes & only(type), Fault::unsupported, "quantization to another type than uint8 or int8");
    binding.output(0, type, x.shape);
  }

  void run(const Run& run) const override {
    const float* x = run.in[0].as<float>();
    const auto quantize = [&](auto* y) {
      using T = std::remove_pointer_t<decltype(y)>;
      scales_.over<T>(run, [&](int64_t begin, int64_t end, float scale, int32_t zero) {
        quantize_run(x + begin, y + begin, end - begin, scale, zero);
      });
    };
    if (run.out[0].dtype == Dtype::u8) {
      quantize(run.out[0].as<uint8_t>());
    } else {
      quantize(run.out[0].as<int8_t>());
    }
  }

 private:
  Scales scales_;
  Dtype otherwise_ = Dtype::u8;
};

class DequantizeLinear : public Operator {
 public:
  explicit DequantizeLinear(const Recipe& recipe) : scales_(recipe) {}

  void bind(Binding& binding) const override {
    expect_inputs(binding, 2, 3);
    const Known& x = operand(binding, 0, kBytes | only(Dtype::s32));
    scales_.bind(binding, x.shape);
    if (binding.input(2).present) expect_same_type(x, binding.input(2));
    binding.output(0, Dtype::f32, x.shape);
  }

  void run(const Run& run) const override {
    float* y = run.out[0].as<float>();
    const auto dequantize = [&](const auto* x) {
      using T = std::remove_const_t<std::remove_pointer_t<decltype(x)>>;
      scales_.over<T>(run, [&](int64_t begin, int64_t end, float scale, int32_t zero) {
        if constexpr (std::is_same_v<T, uint8_t>) {
          run.kernels.dequantize(x + begin, y + begin, end - begin, scale, zero);
        } else {
          dequantize_run(x + begin, y + begin, end - begin, scale, zero);
        }
      });
    };
    switch (run.in[0].dtype) {
      case Dtype::u8: return dequantize(run.in[0].as<const uint8_t>());
      case Dtype::s8: return dequantize(run.in[0].as<const int8_t>());
      default: return dequantize(run.in[0].as<const int32_t>());
    }
  }

 private:
  Scales scales_;
};

// One scale for the whole tensor, from its range with 0 in it.
class DynamicQuantizeLinear : public Operator {
 public:
  explicit DynamicQuantizeLinear(const Recipe&) {}

  void bind(Binding& binding) const override {
    expect_inputs(binding, 1, 1);
    binding.output(0, Dtype::u8, operand(binding, 0, kFloat).shape);
    binding.output(1, Dtype::f32, Shape());
    binding.output(2, Dtype::u8, Shape());
    binding.scratch(sizeof(float) * kLine * static_cast<size_t>(binding.threads()));
  }

  void run(const Run& run) const override {
    const float* x = run.in[0].as<float>();
    const int64_t n = run.in[0].elements();
    const int64_t pieces = std::max<int64_t>(1, std::min<int64_t>(run.pool.threads(), n / kGrain));
    float* ranges = reinterpret_cast<float*>(run.scratch);
    run.pool.parallel(pieces, [&](int64_t piece, int) {
      const int64_t begin = n * piece / pieces, end = n * (piece + 1) / pieces;
      run.kernels.range(x + begin, end - begin, ranges + piece * kLine, ranges + piece * kLine + 1);
    });
    float least = 0, most = 0;
    for (int64_t piece = 0; piece < pieces; ++piece) {
      least = std::min(least, ranges[piece * kLine]);
      most = std::max(most, ranges[piece * kLine + 1]);
    }
    const float step = (most - least) / 255.0f, scale = step > 0 ? step : 1.0f;
    const float level = -least / scale;  // NaN where the range is infinite: zero, then
    const uint8_t zero = static_cast<uint8_t>(level > 0 ? std::nearbyint(std::min(level, 255.0f)) : 0.0f);
    if (float* to = run.out[1].as<float>()) *to = scale;
    if (uint8_t* to = run.out[2].as<uint8_t>()) *to = zero;
    uint8_t* y = run.out[0].as<uint8_t>();
    if (!y) return;
    in_chunks(run.pool, n, kGrain,
              [&](int64_t begin, int64_t end) { quantize_run(x + begin, y + begin, end - begin, scale, zero); });
  }

 private:
  static constexpr int kLine = 16;  // floats of a cache line: threads do not write to one at the same time
};

}  // namespace

std::vector<Row> quantize_linear_rows() {
  return {{"QuantizeLinear", make<QuantizeLinear>},
          {"DequantizeLinear", make<DequantizeLinear>},
          {"DynamicQuantizeLinear", make<DynamicQuantizeLinear>}};
}

}  // namespace speedwell
