// SPDX-License-Identifier: Apache-2.0
// The sum that IPv4, TCP and UDP have the complement of as their checksum (RFC 1071). For whoever has no NIC to do it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace udd {

/// One's complement sum of `octets`, taken as 16-bit numbers in network order, and of `sum`.
[[nodiscard]] inline std::uint16_t internet_sum(std::span<const std::byte> octets, std::uint32_t sum = 0) noexcept {
  constexpr unsigned kOctet = 8;
  constexpr unsigned kHalf = 16;
  constexpr std::uint64_t kLow = 0xffff;
  std::uint64_t total = sum;
  for (std::size_t i = 0; i < octets.size(); ++i) {
    total += std::to_integer<std::uint64_t>(octets[i]) << (i % 2 == 0 ? kOctet : 0);
  }
  while (total > kLow) total = (total & kLow) + (total >> kHalf);
  return static_cast<std::uint16_t>(total);
}

}  // namespace udd
