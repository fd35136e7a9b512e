// SPDX-License-Identifier: Apache-2.0
// A PCI address, and what kind of device stands there.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace udd {

/// domain:bus:device.function
struct Bdf {
  std::uint16_t domain = 0;
  std::uint8_t bus = 0;
  std::uint8_t device = 0;    ///< 0..31
  std::uint8_t function = 0;  ///< 0..7

  auto operator<=>(const Bdf&) const = default;

  /// "0000:00:03.0" only; nullopt for everything else, "00:03.0" included.
  [[nodiscard]] static std::optional<Bdf> parse(std::string_view text) noexcept;
  [[nodiscard]] std::string to_string() const;
};

struct PciId {
  std::uint16_t vendor = 0;
  std::uint16_t device = 0;

  auto operator<=>(const PciId&) const = default;
  /// "8086:10d3"
  [[nodiscard]] std::string to_string() const;
};

}  // namespace udd
