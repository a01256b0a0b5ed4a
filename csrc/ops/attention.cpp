#include <cmath>
#include <cstring>
#include <optional>

#include "ops/attention_layout.h"
#include "ops/layer.h"
#include "ops/operand.h"
#include "ops/quantization.h"
#include "ops/rows.h"

namespace speedwell {

namespace {

constexpr int64_t kMaxHeadDim = 256;  // what the kernel takes
constexpr int64_t kMaxHeads = 65536;
constexpr int64_t kMinRows = 64;      // of a head in one call: fewer would not pay for packing its keys again

constexpr double kNanoseconds = 0.07; // of a product of q and k, with what follows it

// From how many rows and keys on int8 is faster than float32, by benchmarks/native_attention.py at heads of 32 and 64 (a
// Xeon of the Sapphire Rapids kind): with VNNI or AVX2 it breaks even at about 48 positions and takes 1 / 1.1 to 1 / 1.4 of
// the time at 64; with AVX-512 and no VNNI, whose float32 products are half as dear, it breaks even at 96 to 128. Below
// that, bringing q, k and v to bytes costs what the products save. The scalar kernels are there to compare with.
int64_t positions_worth_int8(const char* isa) {
  if (!std::strcmp(isa, "scalar")) return kAttentionInt8Keys + 1;
  return std::strcmp(isa, "avx512") ? 64 : 160;
}

enum class Precision { float32, int8, fastest };

Precision precision_named(const std::string& name) {
  if (name == "float32") return Precision::float32;
  if (name == "int8") return Precision::int8;
  if (name == "fastest") return Precision::fastest;
  throw Error(Fault::plan, "the precision \"" + name + "\" is none of float32, int8, fastest");
}

enum Input { kQ, kK, kV, kMask };

// A mask that broadcasts to [batch, heads, rows, keys]: how far apart neighbours lie, 0 where it repeats.
struct MaskSteps {
  int64_t step[4] = {};
  bool spread = false;  // one number stands for all keys of a row

  MaskSteps(const Shape& shape, int64_t keys) {
    int64_t product = 1;
    for (int i = shape.rank() - 1, to = 3; i >= 0; --i, --to) {
      step[to] = shape[i] == 1 ? 0 : product;
      product *= shape[i];
    }
    spread = keys > 1 && (shape.rank() == 0 || shape.back() == 1);
  }
};

// Pieces that each head's rows are cut into. One where there are heads enough for all threads, because each piece packs
// all of its head's keys again; else so many that each thread has pieces of as many rows.
int64_t cuts_of(int64_t batch, int64_t heads, int64_t rows, int64_t threads) {
  const int64_t all = batch * heads, most = std::max<int64_t>(1, rows / kMinRows);
  if (threads == 1 || all >= 4 * threads) return 1;
  const int64_t cuts = std::min((8 * threads + all - 1) / all, most);
  return batch % threads && most >= threads ? std::max(threads, cuts / threads * threads) : cuts;
}

class Attention : public Operator {
 public:
  explicit Attention(const Recipe& recipe) {
    const Json& said = recipe.attributes;
    heads_ = said["heads"].integer();
    d_ = said["head_dim"].integer();
    require(heads_ >= 1 && heads_ <= kMaxHeads, Fault::plan, "heads must be 1 to 65536");
    require(d_ >= 1, Fault::plan, "head_dim must be positive");
    require(d_ <= kMaxHeadDim, Fault::unsupported, "a head_dim of more than 256");
    scale_ = static_cast<float>(said["scale"].real());
    require(std::isfinite(scale_), Fault::plan, "scale must be finite");
    static constexpr const char* kOffsets[3] = {"q_offset", "k_offset", "v_offset"};
    for (int i = 0; i < 3; ++i) {
      offset_[i] = said.integer(kOffsets[i], 0);
      require(offset_[i] >= 0 && offset_[i] <= kMaxElements, Fault::plan, "an offset must not be negative");
    }
    nan_to_zero_ = said.boolean("nan_to_zero", false);
    precision_ = precision_named(said.string("precision", "float32"));
    worth_int8_ = positions_worth_int8(recipe.kernels.isa);
    if (const Json* out = said.find("out")) out_ = Quantization::read(*out);
  }

  void bind(Binding& binding) const override {
    expect_inputs(binding, 3, 4);
    for (int i = kQ; i <= kV; ++i) {
      const Shape& shape = operand(binding, i, kFloat).shape;
      require(shape.rank() == 3, Fault::plan, "q, k and v must have three dimensions");
      require(offset_[i] + heads_ * d_ <= shape.back(), Fault::plan, "heads lie past the last axis of q, k or v");
    }
    const Shape &q = binding.input(kQ).shape, &k = binding.input(kK).shape, &v = binding.input(kV).shape;
    require(q[0] == k[0] && k[0] == v[0], Fault::input, "q, k and v are not of one batch size");
    require(k[1] == v[1], Fault::input, "not as many values as keys");
    require(precision_ != Precision::int8 || k[1] <= kAttentionInt8Keys, Fault::unsupported,
            "attention in int8 over more than 65,536 keys");
    int64_t floats = packed_floats(q[1], k[1]);
    if (binding.input(kMask).present) {
      const Shape& mask = operand(binding, kMask, kFloat).shape;
      const Shape full{q[0], heads_, q[1], k[1]};
      bool fits = mask.rank() <= 4;
      for (int i = 0; fits && i < mask.rank(); ++i) {
        const int64_t size = full[4 - mask.rank() + i];
        fits = mask[i] == 1 || mask[i] == size;
      }
      if (!fits) throw Error(Fault::input, "a mask of shape " + mask.text() + " for scores of shape " + full.text());
      if (MaskSteps(mask, k[1]).spread) floats = plus(floats, times(q[1], k[1]));
    }
    if (out_) floats = plus(floats, times(q[1], d_));
    binding.output(0, out_ ? Dtype::u8 : Dtype::f32, {q[0], q[1], heads_ * d_});
    binding.scratch(static_cast<size_t>(times(in_lines(floats), binding.threads())) * sizeof(float));
  }

  void run(const Run& run) const override {
    if (run.out[0].elements() == 0) return;
    const Tensor &q = run.in[kQ], &k = run.in[kK];
    const int64_t batch = q.shape[0], rows = q.shape[1], keys = k.shape[1];
    const float* mask = optional_input(run, kMask);
    const MaskSteps steps(mask ? run.in[kMask].shape : Shape(), keys);

    const int64_t all = batch * heads_, cuts = cuts_of(batch, heads_, rows, run.pool.threads());
    const double products = static_cast<double>(rows / cuts) * static_cast<double>(keys * d_);
    const RowChunks chunks(all * cuts, products * kNanoseconds + 100.0, run.pool.threads());
    const int64_t spread = mask && steps.spread ? rows * keys : 0;
    const bool int8 = in_int8(rows, keys);
    const AttentionInt8Layout layout = int8 ? attention_int8_layout(keys, d_) : AttentionInt8Layout{};
    const int64_t packed = packed_floats(rows, keys), own = in_lines(packed + spread + (out_ ? rows * d_ : 0));
    run.pool.parallel(chunks.count(), [&](int64_t chunk, int thread) {
      float* scratch = reinterpret_cast<float*>(run.scratch) + thread * own;
      for (int64_t piece = chunks.begin(chunk); piece < chunks.end(chunk); ++piece) {
        // Rows before heads, so that a thread keeps the rows that it has in the products around (core/pool.h).
        const int64_t head = piece % heads_, cut = piece / heads_ % cuts, sample = piece / heads_ / cuts;
        const int64_t first = rows * cut / cuts, last = rows * (cut + 1) / cuts;
        const float* added = mask;
        int64_t mask_step = steps.step[2];
        if (mask) added += sample * steps.step[0] + head * steps.step[1] + first * mask_step;
        if (spread) {
          float* to = scratch + packed;
          for (int64_t i = 0; i < last - first; ++i) std::fill_n(to + i * keys, keys, added[i * mask_step]);
          added = to;
          mask_step = keys;
        }
        AttentionHead work{};
        work.mask = added;
        work.mask_step = mask_step;
        work.rows = last - first;
        work.scratch = scratch;
        work.layout = int8 ? &layout : nullptr;
        some_rows(run, {sample, head, first}, work, scratch + packed + spread);
      }
    });
  }

 private:
  struct Piece {
    int64_t sample, head, first;
  };

  bool in_int8(int64_t rows, int64_t keys) const {
    if (precision_ != Precision::fastest) return precision_ == Precision::int8;
    return std::min(rows, keys) >= worth_int8_ && keys <= kAttentionInt8Keys;
  }

  int64_t packed_floats(int64_t rows, int64_t keys) const {
    return in_int8(rows, keys) ? attention_int8_layout(keys, d_).whole : attention_scratch(keys, d_);
  }

  void some_rows(const Run& run, const Piece& piece, AttentionHead& work, float* results) const {
    const float* from[3];
    int64_t step[3];
    for (int i = 0; i < 3; ++i) {
      const Shape& shape = run.in[i].shape;
      step[i] = shape[2];
      const int64_t row = piece.sample * shape[1] + (i == kQ ? piece.first : 0);
      from[i] = run.in[i].as<float>() + row * step[i] + offset_[i] + piece.head * d_;
    }
    const int64_t wide = heads_ * d_;
    const int64_t at = (piece.sample * run.in[kQ].shape[1] + piece.first) * wide + piece.head * d_;
    work.q = from[kQ], work.q_step = step[kQ];
    work.k = from[kK], work.k_step = step[kK];
    work.v = from[kV], work.v_step = step[kV];
    work.out = out_ ? results : run.out[0].as<float>() + at;
    work.out_step = out_ ? d_ : wide;
    work.keys = run.in[kK].shape[1];
    work.d = d_;
    work.scale = scale_;
    work.nan_to_zero = nan_to_zero_;
    if (work.layout) {
      run.kernels.attention_head_int8(work);
    } else {
      run.kernels.attention_head(work);
    }
    if (!out_) return;
    uint8_t* bytes = run.out[0].as<uint8_t>() + at;
    for (int64_t i = 0; i < work.rows; ++i)
      run.kernels.quantize(results + i * d_, bytes + i * wide, d_, out_->inverse, out_->zero, out_->low, out_->high);
  }

  int64_t heads_, d_, offset_[3];
  float scale_;
  bool nan_to_zero_;
  Precision precision_;
  int64_t worth_int8_;
  std::optional<Quantization> out_;
};

}  // namespace

std::vector<Row> attention_rows() { return {{"attention", make<Attention>}}; }

}  // namespace speedwell
