#include <algorithm>
#include <array>

#include "ops/chunks.h"
#include "ops/layer.h"
#include "ops/operand.h"
#include "ops/quantization.h"

namespace speedwell {

namespace {

// lookup: y = table[x], for bytes. `out` says what y's steps are; its `high` holds for the whole table.
class Lookup : public Operator {
 public:
  explicit Lookup(const Recipe& recipe) {
    const Tensor* given = recipe.constants.size() > 1 ? &recipe.constants[1] : nullptr;
    require(given && given->data && given->dtype == Dtype::u8 && given->shape == Shape({256}), Fault::plan,
            "the table must be a constant uint8 [256]");
    std::copy_n(given->as<uint8_t>(), table_.size(), table_.begin());
    const Json* out = recipe.attributes.find("out");
    const int32_t high = out ? Quantization::read(*out).high : 255;
    require(*std::max_element(table_.begin(), table_.end()) <= high, Fault::plan, "the table holds more than `high`");
  }

  void bind(Binding& binding) const override {
    expect_inputs(binding, 2, 2);
    binding.output(0, Dtype::u8, operand(binding, 0, only(Dtype::u8)).shape);
    binding.may_overwrite(0, 0);
  }

  void run(const Run& run) const override {
    const uint8_t* x = run.in[0].as<uint8_t>();
    uint8_t* y = run.out[0].as<uint8_t>();
    in_chunks(run.pool, run.in[0].elements(), kGrain, [&](int64_t begin, int64_t end) {
      run.kernels.lookup(x + begin, y + begin, end - begin, table_.data());
    });
  }

 private:
  std::array<uint8_t, 256> table_;
};

}  // namespace

std::vector<Row> lookup_rows() { return {{"lookup", make<Lookup>}}; }

}  // namespace speedwell
