// One operator of a plan: what it makes of shapes when a plan is bound to them, and of tensors when it runs.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "core/json.h"
#include "core/kernels.h"
#include "core/memory.h"
#include "core/pool.h"
#include "core/tensor.h"

namespace speedwell {

// What is known of an input at binding. `value` points at its elements where they are known by then: a constant, or
// something computed from shapes and constants alone. A missing optional input has `present` false.
struct Known {
  bool present = false;
  Dtype dtype = Dtype::f32;
  Shape shape;
  const void* value = nullptr;

  // Elements of a known integer tensor (s64 or s32). Throws Fault::unsupported where the value is not known:
  // the shape would depend on data.
  std::vector<int64_t> integers() const;
};

// What an operator says at binding.
class Binding {
 public:
  virtual ~Binding() = default;
  virtual int inputs() const = 0;
  virtual int outputs() const = 0;  // that the plan names; more may be said, nobody reads them
  virtual const Known& input(int i) const = 0;  // present == false where i is past the end
  virtual void output(int i, Dtype dtype, const Shape& shape) = 0;
  // Output i is input j's memory under another shape (same number of bytes): no copy is made, run does nothing for it.
  virtual void alias(int i, int j, const Shape& shape) = 0;
  // Output i may lie in input j's memory where nothing else needs that afterwards (same bytes): run must allow both.
  virtual void may_overwrite(int i, int j) = 0;
  // Memory that this operator needs while it runs, 64-byte aligned.
  virtual void scratch(size_t bytes) = 0;
  virtual int threads() const = 0;
};

struct Run {
  const Tensor* in;  // `inputs` of them, at least 8 to look at; one that is missing has data null
  Tensor* out;       // `outputs` of them, at least 8; one that nobody reads has data null
  char* scratch;
  Pool& pool;
  const Kernels& kernels;
  int inputs, outputs;
  const Lines* upcoming;  // [threads] the weights that each thread will read first behind this operator; may be null
};

class Operator {
 public:
  virtual ~Operator() = default;
  virtual void bind(Binding& binding) const = 0;
  // Called by one thread at a time for one binding, but two bindings may run at once: no mutable members.
  // Allocates nothing. May throw Error on the calling thread (an index out of range), never inside pool.parallel.
  virtual void run(const Run& run) const = 0;
  // The weights that a thread reads first in a run on these inputs; none where there are none to fetch early.
  virtual Lines first_weights(const Tensor*, int /*threads*/, int /*thread*/) const { return {}; }
};

// What an operator is made from. `constants[i]` is input i where it is a constant of the plan (data null otherwise).
struct Recipe {
  std::string kind;
  const Json& attributes;
  std::vector<Tensor> constants;
  const Kernels& kernels;
  Slab& slab;  // for weights
};

using Factory = std::unique_ptr<Operator> (*)(const Recipe&);

// Kind to factory; null where there is none. Each ops/<family>.cpp adds its rows by a function that
// ops/registry.cpp calls (no static constructors: a linker may drop them).
Factory find_operator(const std::string& kind);
std::vector<std::string> operator_kinds();  // sorted

struct Row {
  const char* kind;
  Factory make;
};

template <typename T>
std::unique_ptr<Operator> make(const Recipe& recipe) {
  return std::make_unique<T>(recipe);
}

}  // namespace speedwell
