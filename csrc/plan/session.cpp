#include "plan/session.h"

#include <algorithm>
#include <chrono>

namespace speedwell {

namespace {

constexpr size_t kMaxBound = 64;  // bindings kept: more lengths than most texts have, some 50 KB each
constexpr int kMaxThreads = 64;
constexpr size_t kReadAtOnce = size_t{16} << 20;  // bytes of the weights' file that may lie in memory beside the packed ones

int checked(int threads) {
  require(threads >= 1 && threads <= kMaxThreads, Fault::input, "threads must be 1 to 64");
  return threads;
}

// The pool is awake while this lives, also when an operator throws.
class Awake {
 public:
  explicit Awake(Pool& pool) : pool_(pool) { pool_.begin(); }
  ~Awake() { pool_.end(); }
  Awake(const Awake&) = delete;
  Awake& operator=(const Awake&) = delete;

 private:
  Pool& pool_;
};

}  // namespace

Session::Session(const std::string& plan, const std::string& weights, int threads, const std::string& isa)
    : plan_(plan, std::make_shared<const Weights>(weights)), kernels_(kernels_for(isa.c_str())), pool_(checked(threads)),
      slab_(plan_.weights->bytes()) {
  std::vector<Tensor> constants(static_cast<size_t>(plan_.values));
  for (const PlanConstant& constant : plan_.constants) constants[static_cast<size_t>(constant.value)] = constant.tensor;
  size_t read = 0;
  for (const PlanOperator& op : plan_.operators) {
    Recipe recipe{op.kind, op.attributes, {}, kernels_, slab_};
    for (const int value : op.inputs) recipe.constants.push_back(value < 0 ? Tensor{} : constants[static_cast<size_t>(value)]);
    for (const Tensor& constant : recipe.constants) read += constant.data ? constant.bytes() : 0;
    try {
      operators_.push_back(find_operator(op.kind)(recipe));
    } catch (const Error& error) {
      throw Error(error.fault(), op.kind + " " + op.name + ": " + error.what());
    }
    // What was read lies packed in the slab now: kept as well, it would double the memory of a large network.
    if (read < kReadAtOnce) continue;
    plan_.weights->release();
    read = 0;
  }
  plan_.weights->release();
}

Bound& Session::bind(const std::vector<Tensor>& inputs) {
  require(inputs.size() == plan_.inputs.size(), Fault::input, "another number of inputs than the plan takes");
  const auto fits = [&](const std::unique_ptr<Bound>& bound) {
    for (size_t i = 0; i < inputs.size(); ++i)
      if (inputs[i].shape != bound->input_shapes()[i]) return false;
    return true;
  };
  for (size_t i = 0; i < inputs.size(); ++i)
    if (inputs[i].dtype != plan_.inputs[i].dtype)
      throw Error(Fault::input, "input " + plan_.inputs[i].name + " is " + name_of(inputs[i].dtype) + ", the plan takes " +
                                    name_of(plan_.inputs[i].dtype));
  const auto found = std::find_if(bound_.begin(), bound_.end(), fits);
  if (found != bound_.end()) {
    std::rotate(bound_.begin(), found, found + 1);
  } else {
    std::vector<Shape> shapes;
    for (size_t i = 0; i < inputs.size(); ++i) {
      const PlanInput& wanted = plan_.inputs[i];
      bool agrees = wanted.sizes.size() == static_cast<size_t>(inputs[i].shape.rank());
      for (size_t d = 0; agrees && d < wanted.sizes.size(); ++d)
        agrees = wanted.sizes[d] < 0 || wanted.sizes[d] == inputs[i].shape[static_cast<int>(d)];
      if (!agrees) throw Error(Fault::input, "input " + wanted.name + " has the shape " + inputs[i].shape.text());
      shapes.push_back(inputs[i].shape);
    }
    bound_.insert(bound_.begin(), std::make_unique<Bound>(plan_, operators_, shapes, pool_, kernels_));
    if (bound_.size() > kMaxBound) bound_.pop_back();
  }
  Bound& bound = *bound_.front();
  if (!arena_ || bound.arena_bytes() > arena_bytes_) {
    arena_.reset();
    arena_bytes_ = 0;
    arena_ = allocate(bound.arena_bytes());
    arena_bytes_ = bound.arena_bytes();
    for (const std::unique_ptr<Bound>& other : bound_) other->forget_arena();
  }
  bound.point(arena_.get(), inputs);
  return bound;
}

void Session::run_step(Bound::Step& step) {
  const size_t op = static_cast<size_t>(step.op);
  try {
    operators_[op]->run({step.in.data(), step.out.data(), arena_.get() + step.scratch, pool_, kernels_, step.inputs,
                         step.outputs, step.upcoming.data()});
  } catch (const Error& error) {
    throw Error(error.fault(), plan_.operators[op].kind + " " + plan_.operators[op].name + ": " + error.what());
  }
}

void Session::execute(Bound& bound) {
  const Awake awake(pool_);
  for (Bound::Step& step : bound.steps()) run_step(step);
}

std::vector<Timing> Session::profile(const std::vector<Tensor>& inputs, int runs) {
  require(runs >= 1, Fault::input, "runs must be at least 1");
  const std::lock_guard<std::mutex> alone(busy_);
  Bound& bound = bind(inputs);
  std::vector<Timing> times;
  for (const Bound::Step& step : bound.steps()) {
    const PlanOperator& op = plan_.operators[static_cast<size_t>(step.op)];
    times.push_back({op.name, op.kind, 0.0});
  }
  execute(bound);
  for (int run = 0; run < runs; ++run) {
    const Awake awake(pool_);
    for (size_t i = 0; i < times.size(); ++i) {
      const auto began = std::chrono::steady_clock::now();
      run_step(bound.steps()[i]);
      times[i].seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count() / runs;
    }
  }
  return times;
}

}  // namespace speedwell
