#include "ops/product.h"

#include <cstring>
#include <map>

namespace speedwell {

Activation activation_named(const std::string& name) {
  static const std::map<std::string, Activation> names = {
      {"none", Activation::none},   {"relu", Activation::relu}, {"relu6", Activation::relu6},
      {"silu", Activation::silu},   {"gelu", Activation::gelu}, {"gelu_tanh", Activation::gelu_tanh},
      {"tanh", Activation::tanh},   {"sigmoid", Activation::sigmoid}, {"hard_swish", Activation::hard_swish},
      {"quick_gelu", Activation::quick_gelu},
  };
  const auto found = names.find(name);
  if (found == names.end()) throw Error(Fault::unsupported, "unsupported: activation " + name);
  return found->second;
}

std::vector<float> column_constant(const Recipe& recipe, size_t input, int64_t n, float otherwise, const char* what) {
  std::vector<float> values(static_cast<size_t>((n + kBlockColumns - 1) / kBlockColumns * kBlockColumns), 0.0f);
  const Tensor* tensor = input < recipe.constants.size() ? &recipe.constants[input] : nullptr;
  if (!tensor || !tensor->data) {
    std::fill_n(values.begin(), n, otherwise);
    return values;
  }
  const bool fits = tensor->dtype == Dtype::f32 && tensor->elements() == n;
  if (!fits) throw Error(Fault::plan, std::string(what) + " must be float32 [" + std::to_string(n) + "]");
  if (n) std::memcpy(values.data(), tensor->data, static_cast<size_t>(n) * sizeof(float));
  return values;
}

Ending::Ending(const Recipe& recipe, int64_t n, int bias, int residual)
    : n_(n), bias_input_(bias), residual_input_(residual),
      activation_(activation_named(recipe.attributes.string("activation", "none"))) {
  if (const Json* out = recipe.attributes.find("out")) out_ = Quantization::read(*out);
  const size_t at = static_cast<size_t>(bias);
  if (at < recipe.constants.size() && recipe.constants[at].data) bias_ = column_constant(recipe, at, n, 0, "the bias");
}

void Ending::bind(Binding& binding, const Shape& rows) const {
  Shape shape = rows;
  shape.push(n_);
  require(!binding.input(bias_input_).present || !bias_.empty(), Fault::plan, "the bias must be a constant");
  binding.output(0, out_ ? Dtype::u8 : Dtype::f32, shape);
  const Known& residual = binding.input(residual_input_);
  if (!residual.present) return;
  if (residual.dtype != Dtype::f32 || residual.shape != shape)
    throw Error(Fault::input, "the residual has the shape " + residual.shape.text() + ", the product " + shape.text());
  // A tile's residual is read before the tile is written, and no other tile reads it.
  if (!out_) binding.may_overwrite(0, residual_input_);
}

Epilogue Ending::at(const Run& run, int64_t row, int64_t column) const {
  Epilogue e{};
  e.bias = bias_.empty() ? nullptr : bias_.data() + column;
  const float* residual = residual_input_ < run.inputs ? run.in[residual_input_].as<float>() : nullptr;
  e.residual = residual ? residual + row * n_ + column : nullptr;
  e.ldr = n_;
  e.activation = activation_;
  if (out_) {
    e.out_u8 = run.out[0].as<uint8_t>() + row * n_ + column;
    e.ldq = n_;
    e.inverse_scale = out_->inverse;
    e.zero = out_->zero;
    e.low = out_->low;
    e.high = out_->high;
  } else {
    e.out_float = run.out[0].as<float>() + row * n_ + column;
    e.ldo = n_;
  }
  return e;
}

}  // namespace speedwell
