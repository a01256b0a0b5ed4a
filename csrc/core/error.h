// What goes wrong, by kind: Python turns each kind into an exception type of its own.
#pragma once

#include <stdexcept>
#include <string>

namespace speedwell {

enum class Fault {
  plan,         // the plan or its weights are not well formed
  unsupported,  // an operator, shape or type that this engine lacks
  input,        // what a run was given does not fit
  memory,       // not enough of it
};

class Error : public std::runtime_error {
 public:
  Error(Fault fault, const std::string& what) : std::runtime_error(what), fault_(fault) {}
  Fault fault() const { return fault_; }

 private:
  Fault fault_;
};

// Throws an Error unless `held`.
inline void require(bool held, Fault fault, const char* what) {
  if (!held) throw Error(fault, what);
}

}  // namespace speedwell
