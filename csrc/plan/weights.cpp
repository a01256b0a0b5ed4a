#include "plan/weights.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string_view>

#include "core/json.h"

namespace speedwell {

namespace {

constexpr uint64_t kMaxHeader = 64 << 20;

Dtype dtype_of(const std::string& name) {
  static const std::map<std::string, Dtype> names = {{"F32", Dtype::f32}, {"U8", Dtype::u8},   {"I8", Dtype::s8},
                                                     {"I32", Dtype::s32}, {"I64", Dtype::s64}, {"BOOL", Dtype::boolean}};
  const auto found = names.find(name);
  if (found == names.end()) throw Error(Fault::plan, "the weights have a tensor of element type " + name);
  return found->second;
}

}  // namespace

Weights::Weights(const std::string& path) {
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) throw Error(Fault::plan, "cannot open " + path + ": " + std::strerror(errno));
  struct stat facts;
  if (fstat(file, &facts) != 0 || !S_ISREG(facts.st_mode) || facts.st_size < 8) {
    close(file);
    throw Error(Fault::plan, path + " is not a safetensors file");
  }
  size_ = static_cast<size_t>(facts.st_size);
  data_ = mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, file, 0);
  close(file);
  if (data_ == MAP_FAILED) throw Error(Fault::memory, "cannot map " + path + ": " + std::strerror(errno));
  try {
    read_header();
  } catch (...) {
    munmap(data_, size_);
    throw;
  }
}

void Weights::release() const { madvise(data_, size_, MADV_DONTNEED); }

Weights::~Weights() { munmap(data_, size_); }

void Weights::read_header() {
  char* const bytes = static_cast<char*>(data_);
  uint64_t header = 0;
  for (int i = 7; i >= 0; --i) header = header << 8 | static_cast<unsigned char>(bytes[i]);
  require(header <= kMaxHeader && header <= size_ - 8, Fault::plan, "the weights' header is longer than the file");
  const uint64_t room = size_ - 8 - header;
  const Json json = Json::parse(std::string_view(bytes + 8, header));
  for (const auto& [name, entry] : json.object()) {
    if (name == "__metadata__") continue;
    Tensor tensor;
    tensor.dtype = dtype_of(entry["dtype"].string());
    for (const int64_t size : entry.integers("shape")) {
      require(size >= 0, Fault::plan, "the weights have a negative size");
      tensor.shape.push(size);
    }
    const std::vector<int64_t> at = entry.integers("data_offsets");
    const bool fits = at.size() == 2 && at[0] >= 0 && at[0] <= at[1] && static_cast<uint64_t>(at[1]) <= room &&
                      static_cast<size_t>(at[1] - at[0]) == tensor.bytes();
    if (!fits) throw Error(Fault::plan, "the weights' tensor " + name + " does not lie in the file as its shape says");
    tensor.data = bytes + 8 + header + at[0];
    // A misaligned tensor would be undefined behaviour; writers pad the header so that this does not happen.
    require(reinterpret_cast<uintptr_t>(tensor.data) % bytes_of(tensor.dtype) == 0, Fault::plan,
            "the weights are not aligned to their elements");
    tensors_.emplace(name, tensor);
  }
}

const Tensor& Weights::operator[](const std::string& name) const {
  const auto found = tensors_.find(name);
  if (found == tensors_.end()) throw Error(Fault::plan, "the weights lack the tensor " + name);
  return found->second;
}

}  // namespace speedwell
