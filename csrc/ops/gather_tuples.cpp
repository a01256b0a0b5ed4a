// GatherND and ScatterND: the last axis of the indices holds tuples, each the place of one block of data.
#include "ops/chunks.h"
#include "ops/copy.h"
#include "ops/gather.h"

namespace speedwell {

namespace {

// Where the tuples point. `data` must not be empty.
class Places {
 public:
  // The first `batch` axes of data and tuples go together.
  Places(const Tensor& data, const Tensor& tuples, int batch) : indices_(tuples) {
    width_ = static_cast<int>(tuples.shape.back());
    tuples_ = tuples.elements() / width_;
    int64_t batches = 1;
    for (int i = 0; i < batch; ++i) batches *= data.shape[i];
    per_batch_ = tuples_ / batches;
    for (int i = batch + width_; i < data.shape.rank(); ++i) block_ *= data.shape[i];
    batch_blocks_ = 1;
    for (int i = 0; i < width_; ++i) {
      size_[i] = data.shape[batch + i];
      batch_blocks_ *= size_[i];
    }
  }

  int64_t tuples() const { return tuples_; }
  int64_t block() const { return block_; }  // elements

  void check() const {
    for (int64_t i = 0; i < tuples_; ++i)
      for (int k = 0; k < width_; ++k) {
        const int64_t index = indices_[i * width_ + k];
        if (index < -size_[k] || index >= size_[k]) bad_index(index, size_[k]);
      }
  }

  // The number of the block that tuple i points at.
  int64_t operator[](int64_t i) const {
    int64_t place = 0;
    for (int k = 0; k < width_; ++k) place = place * size_[k] + from_front(indices_[i * width_ + k], size_[k]);
    return i / per_batch_ * batch_blocks_ + place;
  }

 private:
  Integers indices_;
  int width_ = 0;
  int64_t tuples_ = 0, per_batch_ = 0, block_ = 1, batch_blocks_ = 1, size_[kMaxRank] = {};
};

// The axes in front of the tuples, and those of data's blocks: what GatherND makes and ScatterND takes.
Shape gathered(const Shape& data, const Shape& tuples, int batch) {
  require(tuples.rank() >= 1, Fault::input, "the indices are a scalar");
  require(batch < tuples.rank() && batch < data.rank(), Fault::plan, "batch_dims leaves no axis");
  require(tuples.back() >= 1 && tuples.back() <= data.rank() - batch, Fault::input,
          "the tuples of the indices are longer than data has axes, or empty");
  Shape out;
  for (int i = 0; i < tuples.rank() - 1; ++i) {
    require(i >= batch || tuples[i] == data[i], Fault::input, "data and indices differ in a batch axis");
    out.push(tuples[i]);
  }
  for (int i = batch + static_cast<int>(tuples.back()); i < data.rank(); ++i) out.push(data[i]);
  return out;
}

class GatherND : public Operator {
 public:
  explicit GatherND(const Recipe& recipe) {
    const int64_t batch = recipe.attributes.integer("batch_dims", 0);
    require(batch >= 0 && batch < kMaxRank, Fault::plan, "batch_dims must be 0 to 7");
    batch_ = static_cast<int>(batch);
  }

  void bind(Binding& binding) const override {
    expect_inputs(binding, 2, 2);
    const Known &data = operand(binding, 0, kEvery), &tuples = operand(binding, 1, kIntegers);
    binding.output(0, data.dtype, gathered(data.shape, tuples.shape, batch_));
  }

  void run(const Run& run) const override {
    const Tensor &data = run.in[0], &out = run.out[0];
    if (out.elements() == 0) return;
    const Places places(data, run.in[1], batch_);
    places.check();
    const size_t block = static_cast<size_t>(places.block()) * bytes_of(data.dtype);
    char* to = out.as<char>();
    const char* from = data.as<const char>();
    in_chunks(run.pool, places.tuples(), kGrain / places.block(), [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i)
        copy_block(to + static_cast<size_t>(i) * block, from + static_cast<size_t>(places[i]) * block, block);
    });
  }

 private:
  int batch_ = 0;
};

class ScatterND : public Operator {
 public:
  explicit ScatterND(const Recipe& recipe) {
    const std::string reduction = recipe.attributes.string("reduction", "none");
    if (reduction != "none") throw Error(Fault::unsupported, "reduction \"" + reduction + "\"");
  }

  void bind(Binding& binding) const override {
    expect_inputs(binding, 3, 3);
    const Known &data = operand(binding, 0, kEvery), &tuples = operand(binding, 1, kIntegers);
    const Known& updates = operand(binding, 2, kEvery);
    expect_same_type(data, updates);
    const Shape expected = gathered(data.shape, tuples.shape, 0);
    if (updates.shape != expected)
      throw Error(Fault::input, "updates of sizes " + updates.shape.text() + " where " + expected.text() + " must be");
    binding.output(0, data.dtype, data.shape);
    // Tensors of as many bytes could be data's own memory under another shape, and would be read while it changes.
    const auto bytes = [](const Known& x) { return static_cast<size_t>(x.shape.elements()) * bytes_of(x.dtype); };
    if (bytes(updates) != bytes(data) && bytes(tuples) != bytes(data)) binding.may_overwrite(0, 0);
  }

  void run(const Run& run) const override {
    const Tensor &data = run.in[0], &updates = run.in[2], &out = run.out[0];
    if (data.elements() == 0) {
      // No index fits into an axis of size 0. Blocks of size 0 have nothing to write, wherever they lie.
      require(updates.elements() == 0, Fault::input, "an index into an empty tensor");
      return;
    }
    const Places places(data, run.in[1], 0);
    places.check();
    copy_bytes(run.pool, out.data, data.data, data.bytes());
    const size_t block = static_cast<size_t>(places.block()) * bytes_of(data.dtype);
    char* to = out.as<char>();
    const char* from = updates.as<const char>();
    // In the order of the tuples, so that of two that are equal the last wins.
    for (int64_t i = 0; i < places.tuples(); ++i)
      copy_block(to + static_cast<size_t>(places[i]) * block, from + static_cast<size_t>(i) * block, block);
  }
};

}  // namespace

std::vector<Row> tuple_rows() { return {{"GatherND", make<GatherND>}, {"ScatterND", make<ScatterND>}}; }

}  // namespace speedwell
