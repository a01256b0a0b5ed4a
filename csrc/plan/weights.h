// A safetensors file, mapped read-only: an 8-byte header length, JSON, then the tensors' bytes.
#pragma once

#include <cstddef>
#include <map>
#include <string>

#include "core/tensor.h"

namespace speedwell {

class Weights {
 public:
  // Throws Fault::plan where the file is not well formed or a tensor lies outside of it.
  explicit Weights(const std::string& path);
  ~Weights();
  Weights(const Weights&) = delete;
  Weights& operator=(const Weights&) = delete;

  const Tensor& operator[](const std::string& name) const;  // throws Fault::plan where it is missing
  size_t bytes() const { return size_; }

  // Lets go of the pages read so far (operators have packed what they need); what is read again comes from the file.
  void release() const;

 private:
  void read_header();

  void* data_ = nullptr;
  size_t size_ = 0;
  std::map<std::string, Tensor> tensors_;
};

}  // namespace speedwell
