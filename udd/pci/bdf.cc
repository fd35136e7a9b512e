// SPDX-License-Identifier: Apache-2.0
// Bdf and PciId as text.
#include "udd/pci/bdf.h"

#include <fmt/format.h>

#include <charconv>

namespace udd {
namespace {

/// Exactly all of `text` as a hexadecimal number up to `max`.
std::optional<unsigned> hex(std::string_view text, unsigned max) noexcept {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  if (error != std::errc() || end != text.data() + text.size() || value > max) return std::nullopt;
  return value;
}

}  // namespace

std::optional<Bdf> Bdf::parse(std::string_view text) noexcept {
  constexpr std::string_view kForm = "dddd:bb:dd.f";
  if (text.size() != kForm.size() || text[4] != ':' || text[7] != ':' || text[10] != '.') return std::nullopt;
  const auto domain = hex(text.substr(0, 4), 0xffff);
  const auto bus = hex(text.substr(5, 2), 0xff);
  const auto device = hex(text.substr(8, 2), 31);
  const auto function = hex(text.substr(11, 1), 7);
  if (!domain || !bus || !device || !function) return std::nullopt;
  return Bdf{.domain = static_cast<std::uint16_t>(*domain),
             .bus = static_cast<std::uint8_t>(*bus),
             .device = static_cast<std::uint8_t>(*device),
             .function = static_cast<std::uint8_t>(*function)};
}

std::string Bdf::to_string() const { return fmt::format("{:04x}:{:02x}:{:02x}.{:x}", domain, bus, device, function); }

std::string PciId::to_string() const { return fmt::format("{:04x}:{:04x}", vendor, device); }

}  // namespace udd
