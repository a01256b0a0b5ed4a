#include "gemm/runs.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

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

// Finds the constant of each lane that moves [-high * down, high * up] so that its middle is near 0 and both ends lie
// in [-32768, 32767]. False where the run fits as it is, and all are zero.
bool centre(const Reach& reach, int high, Lanes& constants) {
  bool plain = true, centred = true;
  for (size_t lane = 0; lane < kLanes; ++lane) {
    const int32_t up = high * reach.up[lane], down = high * reach.down[lane];
    plain = plain && std::max(up, down) <= 32767;
    centred = centred && up + down <= 65535;
    constants[lane] = down - 32768 + (65535 - up - down) / 2;
  }
  require(plain || centred, Fault::plan, "a run could overflow 16 bits");
  if (plain) constants.fill(0);
  return !plain;
}

// The runs of one panel, as they are packed.
class Packer {
 public:
  Packer(const PackedInt8& weight, int high) : weight_(weight), high_(high) {}

  std::vector<int8_t> bytes;
  std::vector<int32_t> stream;

  // Quads quads[0..length) of panel p. start: [16], the panel's first sums.
  void add(int64_t p, const int32_t* quads, int32_t length, int32_t* start) {
    Reach reach;
    for (int32_t i = 0; i < length; ++i) reach.add(weight_.panel(p) + int64_t{quads[i]} * 64);
    Lanes constants;
    const bool centred = centre(reach, high_, constants);
    stream.push_back(length + (centred ? kCentredRun : 0));
    if (centred) {
      int16_t lanes[kLanes];
      for (size_t lane = 0; lane < kLanes; ++lane) {
        lanes[lane] = static_cast<int16_t>(constants[lane]);
        start[lane / 2] -= constants[lane];
      }
      append(lanes);
    }
    for (int32_t i = 0; i < length; ++i) {
      stream.push_back(quads[i] * 4);
      append(weight_.panel(p) + int64_t{quads[i]} * 64);
    }
  }

 private:
  void append(const void* from) {
    const int8_t* begin = static_cast<const int8_t*>(from);
    bytes.insert(bytes.end(), begin, begin + 64);
  }

  const PackedInt8& weight_;
  const int high_;
};

}  // namespace

RunPlan::RunPlan(const PackedInt8& weight, const Tensor& order, const Tensor& lengths, int high,
                 const std::vector<int32_t>& start) {
  const int64_t panels = weight.panels, quads = weight.quads;
  require(order.dtype == Dtype::s32 && order.shape == Shape({panels, quads}), Fault::plan,
          "the order must be int32 [panels, quads]");
  require(lengths.dtype == Dtype::s32 && lengths.shape.rank() == 2 && lengths.shape[0] == panels, Fault::plan,
          "the lengths must be int32 [panels, runs]");
  require(weight.pairs_fit, Fault::plan, "runs of weights whose pairs saturate");
  require(quads > 0, Fault::plan, "runs of a weight without depth");
  start_.assign(static_cast<size_t>(panels * kPanel), 0);
  std::copy_n(start.begin(), std::min(start.size(), start_.size()), start_.begin());
  Packer packer(weight, high);
  std::vector<bool> seen(static_cast<size_t>(quads));
  std::vector<std::pair<size_t, size_t>> begins;  // of each panel in bytes and stream
  for (int64_t p = 0; p < panels; ++p) {
    const int32_t* wanted = order.as<int32_t>() + p * quads;
    const int32_t* length = lengths.as<int32_t>() + p * lengths.shape[1];
    std::fill(seen.begin(), seen.end(), false);
    for (int64_t i = 0; i < quads; ++i) {
      require(wanted[i] >= 0 && wanted[i] < quads && !seen[static_cast<size_t>(wanted[i])], Fault::plan,
              "the order is not a permutation");
      seen[static_cast<size_t>(wanted[i])] = true;
    }
    begins.emplace_back(packer.bytes.size(), packer.stream.size());
    PanelRuns runs{};
    int64_t at = 0;
    for (int64_t r = 0; r < lengths.shape[1] && length[r]; ++r) {
      require(length[r] >= 1 && length[r] <= kMaxLength && length[r] <= quads - at, Fault::plan,
              "a run of an impossible length");
      for (int32_t left = length[r]; left > 0; ++runs.runs) {
        const int32_t piece = std::min(left, kLongestRun);
        packer.add(p, wanted + at, piece, start_.data() + p * kPanel);
        at += piece;
        left -= piece;
      }
    }
    require(at == quads, Fault::plan, "the runs do not cover the panel");
    panels_.push_back(runs);
  }
  packer.stream.push_back(0);  // read for nothing
  stream_ = std::move(packer.stream);
  bytes_ = allocate(packer.bytes.size());
  if (!packer.bytes.empty()) std::memcpy(bytes_.get(), packer.bytes.data(), packer.bytes.size());
  for (size_t p = 0; p < panels_.size(); ++p) {
    panels_[p].bytes = reinterpret_cast<const int8_t*>(bytes_.get()) + begins[p].first;
    panels_[p].stream = stream_.data() + begins[p].second;
    panels_[p].start = start_.data() + p * kPanel;
  }
}

}  // namespace speedwell
