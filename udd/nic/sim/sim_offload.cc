// SPDX-License-Identifier: Apache-2.0
// sim_send() and sim_checked(): octet by octet, from the RFCs.
#include "udd/nic/sim/sim_offload.h"

#include <algorithm>
#include <cstdint>

#include "udd/base/internet_sum.h"

namespace udd {
namespace {

using Octets = std::span<std::byte>;
using ConstOctets = std::span<const std::byte>;

constexpr std::uint16_t kRight = 0xffff;  ///< what octets sum up to with their checksum among them
constexpr std::uint8_t kTcp = 6;
constexpr std::uint8_t kUdp = 17;

// RFC 791, RFC 8200: places in the header.
constexpr std::size_t kIpv4Length = 2;
constexpr std::size_t kIpv4Id = 4;
constexpr std::size_t kIpv4Fragment = 6;
constexpr std::size_t kIpv4Protocol = 9;
constexpr std::size_t kIpv4Sum = 10;
constexpr std::size_t kIpv4Addresses = 12;
constexpr std::size_t kIpv4AddressesSize = 8;
constexpr std::size_t kIpv4Header = 20;
constexpr std::size_t kIpv6Length = 4;
constexpr std::size_t kIpv6Next = 6;
constexpr std::size_t kIpv6Addresses = 8;
constexpr std::size_t kIpv6AddressesSize = 32;
constexpr std::size_t kIpv6Header = 40;
// RFC 9293.
constexpr std::size_t kTcpSequence = 4;
constexpr std::size_t kTcpFlags = 13;
constexpr std::byte kFinAndPush{0x09};
constexpr std::byte kCwr{0x80};

std::uint32_t get(ConstOctets octets, std::size_t at, std::size_t size = 2) noexcept {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < size; ++i) value = value << 8 | std::to_integer<std::uint32_t>(octets[at + i]);
  return value;
}

void put(Octets octets, std::size_t at, std::size_t value, std::size_t size = 2) noexcept {
  for (std::size_t i = 0; i < size; ++i) octets[at + i] = static_cast<std::byte>(value >> (8 * (size - 1 - i)));
}

/// Of what stands before TCP or UDP in their sum: addresses, protocol, length.
std::uint16_t pseudo_header(ConstOctets ip, bool v4, std::uint8_t protocol, std::size_t length) noexcept {
  const ConstOctets addresses =
      v4 ? ip.subspan(kIpv4Addresses, kIpv4AddressesSize) : ip.subspan(kIpv6Addresses, kIpv6AddressesSize);
  return internet_sum(addresses, protocol + static_cast<std::uint32_t>(length));
}

/// Puts the complement of what the octets from `from` on and `sum` come to at `to`.
void put_checksum(Octets frame, std::size_t from, std::size_t to, std::uint32_t sum) noexcept {
  const std::uint16_t checksum = static_cast<std::uint16_t>(~internet_sum(frame.subspan(from), sum));
  put(frame, to, checksum == 0 ? kRight : checksum);  // the same number, and UDP's 0 means none
}

void complete_segment(Octets segment, const TxOffload& offload, std::size_t number, std::size_t sent,
                      bool last) noexcept {
  const bool v4 = offload.kind == TxOffload::Kind::kTcp4;
  const Octets ip = segment.subspan(offload.ip);
  if (v4) {
    put(ip, kIpv4Length, ip.size());
    put(ip, kIpv4Id, get(ip, kIpv4Id) + number);
    put(ip, kIpv4Sum, 0);
    put(ip, kIpv4Sum, static_cast<std::uint16_t>(~internet_sum(ip.first(offload.sum_from - offload.ip))));
  } else {
    put(ip, kIpv6Length, ip.size() - kIpv6Header);
  }
  const Octets tcp = segment.subspan(offload.sum_from);
  put(tcp, kTcpSequence, get(tcp, kTcpSequence, sizeof(std::uint32_t)) + sent, sizeof(std::uint32_t));
  if (!last) tcp[kTcpFlags] &= ~kFinAndPush;
  if (number != 0) tcp[kTcpFlags] &= ~kCwr;
  put(segment, offload.sum_to, 0);
  put_checksum(segment, offload.sum_from, offload.sum_to, pseudo_header(ip, v4, kTcp, tcp.size()));
}

}  // namespace

void sim_send(std::vector<std::byte>& frame, const TxOffload& offload,
              const std::function<void(std::span<const std::byte>)>& wire) {
  if (offload.segments()) {
    const ConstOctets header = ConstOctets(frame).first(offload.header_length);
    const ConstOctets payload = ConstOctets(frame).subspan(offload.header_length);
    std::size_t number = 0;
    for (std::size_t at = 0; at < payload.size(); at += offload.segment_size, ++number) {
      const ConstOctets part = payload.subspan(at, std::min<std::size_t>(offload.segment_size, payload.size() - at));
      std::vector<std::byte> segment(header.begin(), header.end());
      segment.insert(segment.end(), part.begin(), part.end());
      complete_segment(segment, offload, number, at, at + part.size() == payload.size());
      wire(segment);
    }
    return;
  }
  // The field itself is among what is summed: it holds the pseudo header's sum.
  if (offload.kind == TxOffload::Kind::kChecksum) put_checksum(frame, offload.sum_from, offload.sum_to, 0);
  wire(frame);
}

bool sim_checked(std::span<const std::byte> frame) noexcept {
  constexpr std::size_t kType = 12;
  constexpr std::size_t kTag = 4;
  constexpr std::uint32_t kTagged = 0x8100;
  constexpr std::uint32_t kIpv4 = 0x0800;
  constexpr std::uint32_t kIpv6 = 0x86dd;
  constexpr std::uint32_t kMoreOrOffset = 0x3fff;
  std::size_t type = kType;
  if (get(frame, type) == kTagged && frame.size() >= kType + kTag + 2) type += kTag;
  const bool v4 = get(frame, type) == kIpv4;
  if (!v4 && get(frame, type) != kIpv6) return false;
  ConstOctets ip = frame.subspan(type + 2);
  if (ip.size() < (v4 ? kIpv4Header : kIpv6Header)) return false;
  const std::size_t header = v4 ? (std::to_integer<std::size_t>(ip[0]) & 0xf) * 4 : kIpv6Header;
  const std::size_t length = v4 ? get(ip, kIpv4Length) : kIpv6Header + get(ip, kIpv6Length);
  if (header < kIpv4Header || length < header || length > ip.size()) return false;
  ip = ip.first(length);  // what is behind it is padding
  if (v4 && (internet_sum(ip.first(header)) != kRight || (get(ip, kIpv4Fragment) & kMoreOrOffset) != 0)) return false;
  const auto protocol = std::to_integer<std::uint8_t>(ip[v4 ? kIpv4Protocol : kIpv6Next]);
  if (protocol != kTcp && protocol != kUdp) return false;
  const ConstOctets above = ip.subspan(header);
  return internet_sum(above, pseudo_header(ip, v4, protocol, above.size())) == kRight;
}

}  // namespace udd
