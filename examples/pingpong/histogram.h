// SPDX-License-Identifier: Apache-2.0
// Latencies of pingpong: counts in buckets of at most 1/32 relative width, so percentiles are exact to 3 %.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace pingpong {

class Histogram {
 public:
  void add(std::uint64_t value) noexcept {
    ++counts_[index(value)];
    ++total_;
    max_ = std::max(max_, value);
  }

  [[nodiscard]] std::uint64_t count() const noexcept { return total_; }
  [[nodiscard]] std::uint64_t max() const noexcept { return max_; }

  /// The smallest bucket's upper end below which at least `fraction` of all values lie; 0 if there are none.
  [[nodiscard]] std::uint64_t percentile(double fraction) const noexcept {
    const double wanted = fraction * static_cast<double>(total_);
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < counts_.size(); ++i) {
      seen += counts_[i];
      if (seen > 0 && static_cast<double>(seen) >= wanted) return std::min(upper(i), max_);
    }
    return max_;
  }

 private:
  static constexpr unsigned kSubBits = 5;
  static constexpr std::uint64_t kSub = 1u << kSubBits;

  // Values below kSub have a bucket each; above, a power of two is cut into kSub of them.
  static std::size_t index(std::uint64_t value) noexcept {
    if (value < kSub) return static_cast<std::size_t>(value);
    const auto shift = static_cast<unsigned>(std::bit_width(value)) - kSubBits - 1;
    return static_cast<std::size_t>(shift * kSub + (value >> shift));
  }
  static std::uint64_t upper(std::size_t index) noexcept {
    if (index < kSub) return index;
    const std::uint64_t shift = index / kSub - 1;
    return ((index % kSub + kSub + 1) << shift) - 1;
  }

  std::array<std::uint64_t, (64 - kSubBits + 1) * kSub> counts_{};
  std::uint64_t total_ = 0;
  std::uint64_t max_ = 0;
};

}  // namespace pingpong
