#include "plan/bound.h"

#include <algorithm>

#include "plan/arena.h"

namespace speedwell {

namespace {

// An operator may look at this many inputs and outputs, whether the plan names them or not: the rest have no data.
constexpr size_t kOperands = 8;

void pad(std::vector<Tensor>& operands) {
  if (operands.size() < kOperands) operands.resize(kOperands);
}

// A computed value of at most this many bytes may be kept with a binding.
constexpr size_t kMaxFolded = size_t{1} << 24;

}  // namespace

// Works through the operators in order, then lays out memory.
class Binder {
 public:
  Binder(Bound& bound, const Plan& plan, Pool& pool, const Kernels& kernels)
      : bound_(bound), plan_(plan), pool_(pool), kernels_(kernels), values_(static_cast<size_t>(plan.values)) {}

  void bind(const std::vector<std::unique_ptr<Operator>>& operators) {
    for (const PlanConstant& constant : plan_.constants) {
      Value& value = values_[static_cast<size_t>(constant.value)];
      value.tensor = constant.tensor;
      value.known = true;
      value.place.home = Bound::Home::fixed;
    }
    for (size_t i = 0; i < plan_.inputs.size(); ++i) {
      Value& value = values_[static_cast<size_t>(plan_.inputs[i].value)];
      value.tensor = {plan_.inputs[i].dtype, bound_.input_shapes_[i], nullptr};
      value.place = {Bound::Home::input, i};
    }
    for (size_t i = 0; i < operators.size(); ++i) step(static_cast<int>(i), *operators[i]);
    for (const PlanOutput& output : plan_.outputs) use(output.value, static_cast<int>(drafts_.size()));
    lay_out_memory();
    look_ahead(operators);
  }

 private:
  struct Value {
    Tensor tensor;
    bool known = false;  // tensor.data holds its elements already
    Bound::Place place;  // arena: `at` is the buffer's number until memory is laid out
  };

  struct Draft {
    int op;
    size_t scratch;  // bytes
  };

  // What one operator sees and says.
  class View : public Binding {
   public:
    View(Binder& binder, const PlanOperator& op) : binder_(binder), out_(op.outputs.size()) {
      for (const int value : op.inputs) {
        Known known;
        if (value >= 0) {
          const Value& from = binder.values_[static_cast<size_t>(value)];
          known = {true, from.tensor.dtype, from.tensor.shape, from.known ? from.tensor.data : nullptr};
        }
        in_.push_back(known);
      }
    }

    struct Out {
      bool said = false;
      Dtype dtype = Dtype::f32;
      Shape shape;
      int alias = -1, overwrite = -1;
    };

    int inputs() const override { return static_cast<int>(in_.size()); }
    int outputs() const override { return static_cast<int>(out_.size()); }
    const Known& input(int i) const override {
      static const Known missing;
      return i < static_cast<int>(in_.size()) ? in_[static_cast<size_t>(i)] : missing;
    }
    void output(int i, Dtype dtype, const Shape& shape) override {
      if (i >= static_cast<int>(out_.size())) return;
      shape.elements();
      out_[static_cast<size_t>(i)] = {true, dtype, shape, -1, -1};
    }
    void alias(int i, int j, const Shape& shape) override {
      const Known& from = input(j);
      require(from.present && from.shape.elements() == shape.elements(), Fault::input, "a reshape changes the number of elements");
      output(i, from.dtype, shape);
      if (i < static_cast<int>(out_.size())) out_[static_cast<size_t>(i)].alias = j;
    }
    void may_overwrite(int i, int j) override {
      if (i < static_cast<int>(out_.size())) out_[static_cast<size_t>(i)].overwrite = j;
    }
    void scratch(size_t bytes) override { scratch_ = bytes; }
    int threads() const override { return binder_.pool_.threads(); }

    bool all_known() const {
      return std::all_of(in_.begin(), in_.end(), [](const Known& known) { return !known.present || known.value; });
    }
    size_t out_bytes() const {
      size_t bytes = 0;
      for (const Out& out : out_) bytes += out.said ? Tensor{out.dtype, out.shape, nullptr}.bytes() : 0;
      return bytes;
    }
    const std::vector<Out>& outs() const { return out_; }
    size_t scratch_bytes() const { return scratch_; }

   private:
    Binder& binder_;
    std::vector<Known> in_;
    std::vector<Out> out_;
    size_t scratch_ = 0;
  };

  void step(int index, const Operator& op) {
    const PlanOperator& planned = plan_.operators[static_cast<size_t>(index)];
    try {
      View view(*this, planned);
      op.bind(view);
      for (size_t i = 0; i < planned.outputs.size(); ++i)
        require(planned.outputs[i] < 0 || view.outs()[i].said, Fault::plan, "the operator has fewer outputs than the plan reads");
      // Shape says what it knows of an input's shape alone, so its elements need not be known.
      if (planned.kind == "Shape" || planned.kind == "Size" || (view.all_known() && view.out_bytes() <= kMaxFolded)) {
        fold(planned, op, view);
      } else {
        draft(index, planned, view);
      }
    } catch (const Error& error) {
      throw Error(error.fault(), planned.kind + " " + planned.name + ": " + error.what());
    }
  }

  // Computes the outputs now and keeps them.
  void fold(const PlanOperator& planned, const Operator& op, const View& view) {
    std::vector<Tensor> in, out;
    for (const int value : planned.inputs) in.push_back(value < 0 ? Tensor{} : values_[static_cast<size_t>(value)].tensor);
    bool only_aliases = true;
    for (const View::Out& said : view.outs()) {
      Tensor tensor{said.dtype, said.shape, nullptr};
      if (said.alias >= 0 && in[static_cast<size_t>(said.alias)].data) {
        tensor.data = in[static_cast<size_t>(said.alias)].data;
      } else {
        bound_.folded_.push_back(allocate(tensor.bytes()));
        tensor.data = bound_.folded_.back().get();
        only_aliases = false;
      }
      out.push_back(tensor);
    }
    if (!only_aliases) {
      const int inputs = static_cast<int>(in.size()), outputs = static_cast<int>(out.size());
      pad(in);
      pad(out);
      const Block scratch = allocate(view.scratch_bytes());
      pool_.begin();
      try {
        op.run({in.data(), out.data(), scratch.get(), pool_, kernels_, inputs, outputs, nullptr});
      } catch (...) {
        pool_.end();
        throw;
      }
      pool_.end();
    }
    for (size_t i = 0; i < planned.outputs.size(); ++i)
      if (planned.outputs[i] >= 0) values_[static_cast<size_t>(planned.outputs[i])] = {out[i], true, {Bound::Home::fixed, 0}};
  }

  void draft(int index, const PlanOperator& planned, const View& view) {
    const int now = static_cast<int>(drafts_.size());
    for (const int value : planned.inputs)
      if (value >= 0) use(value, now);
    for (size_t i = 0; i < planned.outputs.size(); ++i) {
      if (planned.outputs[i] < 0) continue;
      const View::Out& said = view.outs()[i];
      Value& value = values_[static_cast<size_t>(planned.outputs[i])];
      value.tensor = {said.dtype, said.shape, nullptr};
      if (said.alias >= 0) {
        const Value& from = values_[static_cast<size_t>(planned.inputs[static_cast<size_t>(said.alias)])];
        value.place = from.place;
        if (from.known) value.tensor.data = from.tensor.data, value.known = true;
      } else {
        value.place = {Bound::Home::arena, buffers_.size()};
        buffers_.push_back({value.tensor.bytes(), now, now});
        wishes_.push_back(said.overwrite < 0 ? -1 : planned.inputs[static_cast<size_t>(said.overwrite)]);
      }
    }
    const bool only_aliases = std::all_of(view.outs().begin(), view.outs().end(), [](const View::Out& o) { return o.alias >= 0; });
    if (!only_aliases) drafts_.push_back({index, view.scratch_bytes()});
  }

  void use(int value, int step) {
    const Bound::Place& place = values_[static_cast<size_t>(value)].place;
    if (place.home == Bound::Home::arena) buffers_[place.at].last = std::max(buffers_[place.at].last, step);
  }

  // Buffers that may lie over a dead input's become one buffer with it; then all of them get their offsets.
  void lay_out_memory() {
    std::vector<size_t> root(buffers_.size());
    for (size_t i = 0; i < root.size(); ++i) {
      root[i] = i;
      if (wishes_[i] < 0) continue;
      const Bound::Place& place = values_[static_cast<size_t>(wishes_[i])].place;
      if (place.home != Bound::Home::arena) continue;
      const size_t base = root[place.at];
      if (buffers_[base].last != buffers_[i].first || buffers_[base].bytes < buffers_[i].bytes) continue;
      root[i] = base;
      buffers_[base].last = std::max(buffers_[base].last, buffers_[i].last);
    }
    std::vector<Buffer> merged;
    std::vector<size_t> number(buffers_.size());
    for (size_t i = 0; i < buffers_.size(); ++i) {
      if (root[i] != i) continue;
      number[i] = merged.size();
      merged.push_back(buffers_[i]);
    }
    const size_t scratches = merged.size();
    for (size_t i = 0; i < drafts_.size(); ++i)
      merged.push_back({drafts_[i].scratch, static_cast<int>(i), static_cast<int>(i)});
    bound_.arena_bytes_ = lay_out(merged);
    for (Value& value : values_)
      if (value.place.home == Bound::Home::arena) value.place.at = merged[number[root[value.place.at]]].offset;

    for (size_t i = 0; i < drafts_.size(); ++i) {
      const PlanOperator& planned = plan_.operators[static_cast<size_t>(drafts_[i].op)];
      Bound::Step step{drafts_[i].op, static_cast<int>(planned.inputs.size()), static_cast<int>(planned.outputs.size()), {}, {},
                       merged[scratches + i].offset, drafts_[i].scratch, {}};
      for (const int value : planned.inputs) step.in.push_back(tensor(value));
      for (const int value : planned.outputs) step.out.push_back(tensor(value));
      pad(step.in);
      pad(step.out);
      bound_.steps_.push_back(std::move(step));
    }
    for (const PlanOutput& output : plan_.outputs) bound_.outputs_.push_back(tensor(output.value));
    for (size_t i = 0; i < drafts_.size(); ++i) {
      const PlanOperator& planned = plan_.operators[static_cast<size_t>(drafts_[i].op)];
      Bound::Step& step = bound_.steps_[i];
      for (size_t j = 0; j < planned.inputs.size(); ++j) fix(step.in[j], planned.inputs[j]);
      for (size_t j = 0; j < planned.outputs.size(); ++j) fix(step.out[j], planned.outputs[j]);
    }
    for (size_t i = 0; i < bound_.outputs_.size(); ++i) fix(bound_.outputs_[i], plan_.outputs[i].value);
  }

  // What each step may fetch early: the weights of the step behind it that has some, behind the last those of the first,
  // for the next run.
  void look_ahead(const std::vector<std::unique_ptr<Operator>>& operators) {
    const int threads = pool_.threads();
    std::vector<Lines> next(static_cast<size_t>(threads));
    for (int round = 0; round < 2; ++round)
      for (auto step = bound_.steps_.rbegin(); step != bound_.steps_.rend(); ++step) {
        step->upcoming = next;
        const Operator& op = *operators[static_cast<size_t>(step->op)];
        if (!op.first_weights(step->in.data(), threads, 0).begin) continue;
        for (int thread = 0; thread < threads; ++thread)
          next[static_cast<size_t>(thread)] = op.first_weights(step->in.data(), threads, thread);
      }
  }

  Tensor tensor(int value) const { return value < 0 ? Tensor{} : values_[static_cast<size_t>(value)].tensor; }

  void fix(Tensor& tensor, int value) {
    if (value < 0) return;
    const Bound::Place& place = values_[static_cast<size_t>(value)].place;
    if (place.home == Bound::Home::input) bound_.inputs_.push_back({&tensor, place});
    if (place.home == Bound::Home::arena) bound_.arena_.push_back({&tensor, place});
  }

  Bound& bound_;
  const Plan& plan_;
  Pool& pool_;
  const Kernels& kernels_;
  std::vector<Value> values_;
  std::vector<Draft> drafts_;
  std::vector<Buffer> buffers_;
  std::vector<int> wishes_;  // by buffer: the value it may overwrite, or -1
};

Bound::Bound(const Plan& plan, const std::vector<std::unique_ptr<Operator>>& operators, const std::vector<Shape>& inputs,
             Pool& pool, const Kernels& kernels)
    : input_shapes_(inputs) {
  Binder(*this, plan, pool, kernels).bind(operators);
}

Bound::Place Bound::place(const Tensor& operand) const {
  for (const std::vector<Fixup>* fixups : {&inputs_, &arena_})
    for (const Fixup& fixup : *fixups)
      if (fixup.tensor == &operand) return fixup.place;
  return {operand.data ? Home::fixed : Home::none, 0};
}

void Bound::point(char* arena, const std::vector<Tensor>& inputs) {
  for (const Fixup& fixup : inputs_) fixup.tensor->data = inputs[fixup.place.at].data;
  if (arena == arena_base_) return;
  for (const Fixup& fixup : arena_) fixup.tensor->data = arena + fixup.place.at;
  arena_base_ = arena;
}

}  // namespace speedwell
