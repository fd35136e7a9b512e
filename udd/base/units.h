// SPDX-License-Identifier: Apache-2.0
// Strong types for numbers that must not be mixed up: octet counts, and addresses as the device sees them.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>

namespace udd {

/// A count of octets.
struct Bytes {
  std::uint64_t value = 0;

  constexpr Bytes() = default;
  explicit constexpr Bytes(std::uint64_t octets) noexcept : value(octets) {}
  auto operator<=>(const Bytes&) const = default;
  friend constexpr Bytes operator+(Bytes a, Bytes b) noexcept { return Bytes{a.value + b.value}; }
  friend constexpr Bytes operator-(Bytes a, Bytes b) noexcept { return Bytes{a.value - b.value}; }
  friend constexpr Bytes operator*(Bytes a, std::uint64_t n) noexcept { return Bytes{a.value * n}; }
};

/// An address on the device's side of the IOMMU. Never a pointer.
struct Iova {
  std::uint64_t value = 0;

  constexpr Iova() = default;
  explicit constexpr Iova(std::uint64_t address) noexcept : value(address) {}
  auto operator<=>(const Iova&) const = default;
  friend constexpr Iova operator+(Iova a, Bytes b) noexcept { return Iova{a.value + b.value}; }
  friend constexpr Bytes operator-(Iova a, Iova b) noexcept { return Bytes{a.value - b.value}; }
};

inline constexpr std::size_t kPageSize = 4096;     ///< of the CPU and of the IOMMU, x86-64
inline constexpr std::size_t kCacheLineSize = 64;  ///< writers of different lines don't disturb each other

}  // namespace udd
