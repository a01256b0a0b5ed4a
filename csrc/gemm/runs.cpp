#include "gemm/runs.h"

#include <algorithm>
#include <array>

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

// One panel's runs, as they are packed.
class Packer {
 public:
  // start: [16], the panel's first sums.
  Packer(const PackedInt8& weight, int64_t panel, int high, const int32_t* start)
      : weights_(weight.panel(panel)), high_(high) {
    std::copy_n(start, kPanel, start_);
  }

  // The quads quads[0..length), at most kLongestRun.
  void add(const int32_t* quads, int32_t length) {
    Reach reach;
    for (int32_t i = 0; i < length; ++i) reach.add(weights_ + int64_t{quads[i]} * 64);
    Lanes constants;
    const bool centred = centre(reach, high_, constants);
    stream_.push_back(length + (centred ? kCentredRun : 0));
    if (centred) {
      int16_t lanes[kLanes];
      for (size_t lane = 0; lane < kLanes; ++lane) {
        lanes[lane] = static_cast<int16_t>(constants[lane]);
        start_[lane / 2] -= constants[lane];
      }
      append(bytes_, lanes, sizeof lanes);
    }
    for (int32_t i = 0; i < length; ++i) {
      stream_.push_back(quads[i] * 4);
      append(bytes_, weights_ + int64_t{quads[i]} * 64, 64);
    }
    ++runs_;
  }

  struct Place {  // offsets in `whole`
    size_t start, stream, bytes, end;
    int64_t runs;
  };

  // Appends the panel.
  Place close(std::vector<char>& whole) {
    stream_.push_back(0);  // read for nothing
    while (stream_.size() % kPanel) stream_.push_back(0);
    Place place{};
    place.runs = runs_;
    place.start = append(whole, start_, sizeof start_);
    place.stream = append(whole, stream_.data(), stream_.size() * sizeof(int32_t));
    place.bytes = append(whole, bytes_.data(), bytes_.size());
    place.end = whole.size();
    return place;
  }

 private:
  static size_t append(std::vector<char>& to, const void* from, size_t bytes) {
    const char* begin = static_cast<const char*>(from);
    to.insert(to.end(), begin, begin + bytes);
    return to.size() - bytes;
  }

  const int8_t* const weights_;
  const int high_;
  int32_t start_[kPanel];
  std::vector<int32_t> stream_;
  std::vector<char> bytes_;
  int64_t runs_ = 0;
};

}  // namespace

RunPlan::RunPlan(const PackedInt8& weight, const Tensor& order, const Tensor& lengths, int high,
                 const std::vector<int32_t>& start, Slab& slab) {
  const int64_t panels = weight.panels, quads = weight.quads;
  require(order.dtype == Dtype::s32 && order.shape == Shape({panels, quads}), Fault::plan,
          "the order must be int32 [panels, quads]");
  require(lengths.dtype == Dtype::s32 && lengths.shape.rank() == 2 && lengths.shape[0] == panels, Fault::plan,
          "the lengths must be int32 [panels, runs]");
  require(weight.pairs_fit, Fault::plan, "runs of weights whose pairs saturate");
  require(quads > 0, Fault::plan, "runs of a weight without depth");
  std::vector<int32_t> first(static_cast<size_t>(panels * kPanel), 0);
  std::copy_n(start.begin(), std::min(start.size(), first.size()), first.begin());
  std::vector<char> whole;
  std::vector<Packer::Place> places;
  std::vector<bool> seen(static_cast<size_t>(quads));
  for (int64_t p = 0; p < panels; ++p) {
    const int32_t* wanted = order.as<int32_t>() + p * quads;
    const int32_t* length = lengths.as<int32_t>() + p * lengths.shape[1];
    std::fill(seen.begin(), seen.end(), false);
    for (int64_t i = 0; i < quads; ++i) {
      require(wanted[i] >= 0 && wanted[i] < quads && !seen[static_cast<size_t>(wanted[i])], Fault::plan,
              "the order is not a permutation");
      seen[static_cast<size_t>(wanted[i])] = true;
    }
    Packer packer(weight, p, high, first.data() + p * kPanel);
    int64_t at = 0;
    for (int64_t r = 0; r < lengths.shape[1] && length[r]; ++r) {
      require(length[r] >= 1 && length[r] <= kMaxLength && length[r] <= quads - at, Fault::plan,
              "a run of an impossible length");
      for (int32_t left = length[r]; left > 0;) {
        const int32_t piece = std::min(left, kLongestRun);
        packer.add(wanted + at, piece);
        at += piece;
        left -= piece;
      }
    }
    require(at == quads, Fault::plan, "the runs do not cover the panel");
    places.push_back(packer.close(whole));
  }
  const char* const base = slab.hold(whole.data(), whole.size());
  for (const Packer::Place& place : places)
    panels_.push_back({reinterpret_cast<const int8_t*>(base + place.bytes),
                       reinterpret_cast<const int32_t*>(base + place.stream), place.runs,
                       reinterpret_cast<const int32_t*>(base + place.start),
                       static_cast<int64_t>((place.end - place.start) / kLine)});
}

}  // namespace speedwell
