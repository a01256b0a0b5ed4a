#include "gemm/runs.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace speedwell {

namespace {

constexpr int kLanes = 2 * kPanel;
constexpr int32_t kMaxLength = 64;

using Lanes = std::array<int32_t, kLanes>;

// Sums of the positive and of the negative weights that one run adds to each lane.
struct Reach {
  Lanes up{}, down{};

  void add(const int8_t* quad) {
    for (int lane = 0; lane < kLanes; ++lane)
      for (int i = 0; i < 2; ++i) {
        const int32_t w = quad[lane * 2 + i];
        up[static_cast<size_t>(lane)] += std::max(w, 0);
        down[static_cast<size_t>(lane)] += std::max(-w, 0);
      }
  }
};

}  // namespace

RunPlan::RunPlan(const PackedInt8& weight, const Tensor& order, const Tensor& lengths, int high,
                 const std::vector<int32_t>& start) {
  const int64_t panels = weight.panels, quads = weight.quads;
  require(order.dtype == Dtype::s32 && order.shape == Shape({panels, quads}), Fault::plan, "the order must be int32 [panels, quads]");
  require(lengths.dtype == Dtype::s32 && lengths.shape.rank() == 2 && lengths.shape[0] == panels, Fault::plan,
          "the lengths must be int32 [panels, runs]");
  require(weight.pairs_fit, Fault::plan, "runs of weights whose pairs saturate");
  start_.assign(static_cast<size_t>(panels * kPanel), 0);
  std::copy_n(start.begin(), std::min(start.size(), start_.size()), start_.begin());
  std::vector<Draft> drafts;
  std::vector<bool> seen(static_cast<size_t>(quads));
  for (int64_t p = 0; p < panels; ++p) {
    const int32_t* wanted = order.as<int32_t>() + p * quads;
    const int32_t* length = lengths.as<int32_t>() + p * lengths.shape[1];
    Draft draft{bytes_.size(), offsets_.size(), segments_.size(), 0};
    std::fill(seen.begin(), seen.end(), false);
    int64_t at = 0;
    for (int64_t r = 0; r < lengths.shape[1] && length[r]; ++r) {
      require(length[r] >= 1 && length[r] <= kMaxLength && length[r] <= quads - at, Fault::plan, "a run of an impossible length");
      Reach reach;
      const size_t head = bytes_.size();
      bytes_.resize(head + static_cast<size_t>(length[r]) * 64);
      for (int32_t i = 0; i < length[r]; ++i, ++at) {
        const int32_t quad = wanted[at];
        require(quad >= 0 && quad < quads && !seen[static_cast<size_t>(quad)], Fault::plan, "the order is not a permutation");
        seen[static_cast<size_t>(quad)] = true;
        const int8_t* from = weight.panel(p) + quad * 64;
        std::memcpy(bytes_.data() + head + static_cast<size_t>(i) * 64, from, 64);
        reach.add(from);
        offsets_.push_back(quad * 4);
      }
      bool plain = true, centred = true;
      for (size_t lane = 0; lane < kLanes; ++lane) {
        plain = plain && high * std::max(reach.up[lane], reach.down[lane]) <= 32767;
        centred = centred && high * (reach.up[lane] + reach.down[lane]) <= 65535;
      }
      require(plain || centred, Fault::plan, "a run could overflow 16 bits");
      if (!plain) {
        int16_t constants[kLanes];
        for (size_t lane = 0; lane < kLanes; ++lane) {
          // Moves [-high * down, high * up] so that its middle is near 0 and both ends lie in [-32768, 32767].
          const int32_t constant = high * reach.down[lane] - 32768 + (65535 - high * (reach.up[lane] + reach.down[lane])) / 2;
          constants[lane] = static_cast<int16_t>(constant);
          start_[static_cast<size_t>(p) * kPanel + lane / 2] -= constant;
        }
        bytes_.insert(bytes_.begin() + static_cast<std::ptrdiff_t>(head), reinterpret_cast<const int8_t*>(constants),
                      reinterpret_cast<const int8_t*>(constants) + sizeof(constants));
      }
      if (draft.count && segments_.back().length == length[r] && segments_.back().centred == !plain) {
        ++segments_.back().runs;
      } else {
        segments_.push_back({length[r], 1, !plain});
        ++draft.count;
      }
    }
    require(at == quads, Fault::plan, "the runs do not cover the panel");
    drafts.push_back(draft);
  }
  for (int64_t p = 0; p < panels; ++p) {
    const Draft& draft = drafts[static_cast<size_t>(p)];
    panels_.push_back({bytes_.data() + draft.bytes, offsets_.data() + draft.offsets, segments_.data() + draft.segments,
                       draft.count, start_.data() + p * kPanel});
  }
}

}  // namespace speedwell
