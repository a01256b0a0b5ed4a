// Transpose, DepthToSpace, SpaceToDepth: axes in another order.
#include <algorithm>

#include "ops/copy.h"
#include "ops/shape.h"

namespace speedwell {

namespace {

// out = in with its axes in the order `axes`; `sizes` are the input's.
void permute(const Run& run, const Shape& sizes, const int* axes) {
  const Tensor &in = run.in[0], &out = run.out[0];
  if (out.elements() == 0) return;
  const auto from = dense_strides(sizes);
  Shape turned;
  for (int i = 0; i < sizes.rank(); ++i) turned.push(sizes[axes[i]]);
  const auto to = dense_strides(turned);
  Loops<2> loops;
  for (int i = 0; i < sizes.rank(); ++i)
    loops.inside(turned[i], {to[static_cast<size_t>(i)], from[static_cast<size_t>(axes[i])]});
  copy(run.pool, loops, out.data, in.data, bytes_of(in.dtype));
}

class Transpose : public Operator {
 public:
  explicit Transpose(const Recipe& recipe) {
    if (!recipe.attributes.find("perm")) return;
    given_ = true;
    const std::vector<int64_t> axes = recipe.attributes.integers("perm");
    rank_ = static_cast<int>(std::min<size_t>(axes.size(), kMaxRank + 1));
    require(rank_ <= kMaxRank, Fault::unsupported, "a tensor of more than 8 dimensions");
    unsigned seen = 0;
    for (int i = 0; i < rank_; ++i) {
      axes_[i] = wrap_axis(axes[static_cast<size_t>(i)], rank_);
      require(!(seen >> axes_[i] & 1), Fault::plan, "perm names an axis twice");
      seen |= 1u << axes_[i];
    }
  }

  void bind(Binding& binding) const override {
    expect_inputs(binding, 1, 1);
    const Known& x = operand(binding, 0, kEvery);
    const int rank = x.shape.rank();
    require(!given_ || rank == rank_, Fault::plan, "perm has another number of axes than its input");
    Shape out;
    int last = -1;
    bool kept = true;  // axes of one element may go anywhere
    for (int i = 0; i < rank; ++i) {
      const int axis = given_ ? axes_[i] : rank - 1 - i;
      out.push(x.shape[axis]);
      if (x.shape[axis] == 1) continue;
      kept = kept && axis > last;
      last = axis;
    }
    if (kept) return binding.alias(0, 0, out);
    binding.output(0, x.dtype, out);
  }

  void run(const Run& run) const override {
    if (run.in[0].data == run.out[0].data) return;
    int reversed[kMaxRank];
    const int rank = run.in[0].shape.rank();
    for (int i = 0; i < rank; ++i) reversed[i] = rank - 1 - i;
    permute(run, run.in[0].shape, given_ ? axes_ : reversed);
  }

 private:
  bool given_ = false;
  int rank_ = 0, axes_[kMaxRank] = {};
};

int64_t block_size(const Json& attributes) {
  const int64_t block = attributes["blocksize"].integer();
  require(block >= 1 && block <= 1 << 15, Fault::plan, "blocksize must be 1 to 32768");
  return block;
}

class DepthToSpace : public Operator {
 public:
  explicit DepthToSpace(const Recipe& recipe) : block_(block_size(recipe.attributes)) {
    const std::string mode = recipe.attributes.string("mode", "DCR");
    if (mode != "DCR" && mode != "CRD") throw Error(Fault::plan, "mode is \"" + mode + "\", not DCR or CRD");
    depth_first_ = mode == "DCR";
  }

  void bind(Binding& binding) const override {
    expect_inputs(binding, 1, 1);
    const Known& x = operand(binding, 0, kEvery);
    require(x.shape.rank() == 4, Fault::input, "DepthToSpace needs a tensor of rank 4");
    require(x.shape[1] % (block_ * block_) == 0, Fault::input, "the channels are no multiple of blocksize * blocksize");
    binding.output(0, x.dtype, {x.shape[0], x.shape[1] / (block_ * block_), times(x.shape[2], block_),
                                times(x.shape[3], block_)});
  }

  void run(const Run& run) const override {
    const Shape& x = run.in[0].shape;
    const int64_t channels = x[1] / (block_ * block_);
    static constexpr int kDepthFirst[] = {0, 3, 4, 1, 5, 2}, kColumnFirst[] = {0, 1, 4, 2, 5, 3};
    if (depth_first_) {
      permute(run, {x[0], block_, block_, channels, x[2], x[3]}, kDepthFirst);
    } else {
      permute(run, {x[0], channels, block_, block_, x[2], x[3]}, kColumnFirst);
    }
  }

 private:
  int64_t block_;
  bool depth_first_;
};

class SpaceToDepth : public Operator {
 public:
  explicit SpaceToDepth(const Recipe& recipe) : block_(block_size(recipe.attributes)) {}

  void bind(Binding& binding) const override {
    expect_inputs(binding, 1, 1);
    const Known& x = operand(binding, 0, kEvery);
    require(x.shape.rank() == 4, Fault::input, "SpaceToDepth needs a tensor of rank 4");
    require(x.shape[2] % block_ == 0 && x.shape[3] % block_ == 0, Fault::input,
            "height and width are no multiples of blocksize");
    binding.output(0, x.dtype, {x.shape[0], times(x.shape[1], block_ * block_), x.shape[2] / block_,
                                x.shape[3] / block_});
  }

  void run(const Run& run) const override {
    const Shape& x = run.in[0].shape;
    static constexpr int kAxes[] = {0, 3, 5, 1, 2, 4};
    permute(run, {x[0], x[1], x[2] / block_, block_, x[3] / block_, block_}, kAxes);
  }

 private:
  int64_t block_;
};

}  // namespace

std::vector<Row> permute_rows() {
  return {{"Transpose", make<Transpose>}, {"DepthToSpace", make<DepthToSpace>}, {"SpaceToDepth", make<SpaceToDepth>}};
}

}  // namespace speedwell
