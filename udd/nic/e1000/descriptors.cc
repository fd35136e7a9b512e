// SPDX-License-Identifier: Apache-2.0
// E1000Format: a header is made ready for the NIC's segmentation.
#include "udd/nic/e1000/descriptors.h"

#include <bit>
#include <cstring>

namespace udd {
namespace {

constexpr unsigned kIpv4Length = 2;  // RFC 791: total length
constexpr unsigned kIpv6Length = 4;  // RFC 8200: payload length
constexpr unsigned kHalf = 16;
constexpr std::uint32_t kLow = 0xffff;

void clear(std::byte* field) noexcept { std::memset(field, 0, sizeof(std::uint16_t)); }

}  // namespace

void E1000Format::tx_prepare(const TxFrame& frame) noexcept {
  const TxOffload& offload = frame.offload;
  if (!offload.segments()) return;
  std::byte* const ip = frame.header + offload.ip;
  if (offload.kind == TxOffload::Kind::kTcp4) {
    clear(ip + kIpv4Length);
    clear(ip + kIpv4Checksum);
  } else {
    clear(ip + kIpv6Length);
  }
  // The kernel has summed the pseudo header with the whole frame's length in it. In one's complement, adding the
  // complement takes it out again, in either order of octets (RFC 1071).
  static_assert(std::endian::native == std::endian::little);
  const auto length = static_cast<std::uint16_t>(frame.length - offload.sum_from);
  std::byte* const field = frame.header + offload.sum_to;
  std::uint16_t sum = 0;
  std::memcpy(&sum, field, sizeof(sum));
  const std::uint32_t without = sum + (__builtin_bswap16(length) ^ kLow);
  sum = static_cast<std::uint16_t>((without & kLow) + (without >> kHalf));
  std::memcpy(field, &sum, sizeof(sum));
}

}  // namespace udd
