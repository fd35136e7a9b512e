// SPDX-License-Identifier: Apache-2.0
// TcpSegment: the fields of Ethernet, IPv4 (RFC 791), IPv6 (RFC 8200) and TCP (RFC 9293) that matter to merging.
#include "udd/merge/segment.h"

#include <algorithm>
#include <cstring>

#include "udd/base/internet_sum.h"

namespace udd {
namespace {

constexpr std::size_t kMacLength = 14;
constexpr std::size_t kTagLength = 4;
constexpr std::size_t kIpv4Length = 20;
constexpr std::size_t kIpv6Length = 40;
constexpr std::size_t kTcpLength = 20;
constexpr std::uint16_t kTypeIpv4 = 0x0800;
constexpr std::uint16_t kTypeIpv6 = 0x86dd;
constexpr std::uint16_t kTypeVlan = 0x8100;
constexpr std::uint16_t kTypeServiceVlan = 0x88a8;
constexpr unsigned kProtocolTcp = 6, kProtocolUdp = 17;

// IPv4: offsets, and the flags beside the fragment's offset.
constexpr std::size_t kTotalLength = 2, kIdentification = 4, kFragment = 6, kProtocol = 9, kIpChecksum = 10,
                      kAddresses4 = 12;
constexpr std::uint16_t kDontFragment = 0x4000;
// IPv6
constexpr std::size_t kPayloadLength = 4, kNextHeader = 6, kAddresses6 = 8;
// TCP
constexpr std::size_t kSequence = 4, kAcknowledgement = 8, kDataOffset = 12, kFlags = 13, kWindow = 14,
                      kTcpChecksum = 16, kUrgent = 18;
constexpr unsigned kPush = 0x08, kAck = 0x10;

template <typename T>
T load(const std::byte* from) noexcept {
  T value;
  std::memcpy(&value, from, sizeof(value));
  return value;
}
unsigned octet(const std::byte* from) noexcept { return std::to_integer<unsigned>(*from); }
std::uint16_t load16(const std::byte* from) noexcept {
  const auto value = load<std::uint16_t>(from);
  return static_cast<std::uint16_t>(value << 8 | value >> 8);
}
std::uint32_t load32(const std::byte* from) noexcept { return __builtin_bswap32(load<std::uint32_t>(from)); }
void store16(std::byte* to, std::uint16_t value) noexcept {
  to[0] = static_cast<std::byte>(value >> 8);
  to[1] = static_cast<std::byte>(value & 0xff);
}

bool equal(const TcpSegment& a, const TcpSegment& b, std::size_t from, std::size_t length) noexcept {
  return std::memcmp(a.frame + from, b.frame + from, length) == 0;
}

/// IPv4's identification, see same_headers().
bool identification_goes_on(const std::byte* head_ip, const std::byte* next_ip, std::uint16_t nth) noexcept {
  const auto step = static_cast<std::uint16_t>(load16(next_ip + kIdentification) - load16(head_ip + kIdentification));
  return step == nth || (step == 0 && (load16(head_ip + kFragment) & kDontFragment) != 0);
}

}  // namespace

TcpSegment parse_tcp(std::span<const std::byte> head, std::size_t length) noexcept {
  using Kind = TcpSegment::Kind;
  const std::byte* const frame = head.data();
  if (head.size() < kMacLength + kTagLength) return {.kind = Kind::kOpaque};
  std::size_t network = kMacLength;
  std::uint16_t type = load16(frame + kMacLength - 2);
  if (type == kTypeVlan) {
    network += kTagLength;
    type = load16(frame + network - 2);
  }
  const bool v6 = type == kTypeIpv6;
  if (type != kTypeIpv4 && !v6) {
    return {.kind = type == kTypeVlan || type == kTypeServiceVlan ? Kind::kOpaque : Kind::kOther};
  }
  const std::size_t transport = network + (v6 ? kIpv6Length : kIpv4Length);
  if (head.size() < transport) return {.kind = Kind::kOpaque};
  const std::byte* const ip = frame + network;
  const unsigned protocol = octet(ip + (v6 ? kNextHeader : kProtocol));
  // IPv6: what follows another header can be anything.
  if (protocol != kProtocolTcp) return {.kind = v6 && protocol != kProtocolUdp ? Kind::kOpaque : Kind::kOther};
  const bool plain = v6 ? octet(ip) >> 4 == 6  //
                        : octet(ip) == 0x45 && (load16(ip + kFragment) & ~kDontFragment) == 0;
  if (!plain || head.size() < transport + kTcpLength) return {.kind = Kind::kOpaque};
  const std::size_t end = v6 ? transport + load16(ip + kPayloadLength) : network + load16(ip + kTotalLength);
  const std::byte* const tcp = frame + transport;
  const std::size_t header = std::size_t{octet(tcp + kDataOffset) >> 4} * 4;
  const std::size_t payload = transport + header;
  if (header < kTcpLength || head.size() < payload || end < payload || end > length) return {.kind = Kind::kOpaque};
  const unsigned flags = octet(tcp + kFlags);
  // What follows the IP datagram is padding: short frames have it, and those aren't worth merging.
  return {.kind = Kind::kTcp,
          .frame = frame,
          .network = static_cast<std::uint8_t>(network),
          .transport = static_cast<std::uint8_t>(transport),
          .payload = static_cast<std::uint8_t>(payload),
          .v6 = v6,
          .mergeable = head.size() > payload && end == length && (flags & ~kPush) == kAck,
          .last = (flags & kPush) != 0,
          .sequence = load32(tcp + kSequence),
          .payload_length = static_cast<std::uint32_t>(end - payload)};
}

bool same_connection(const TcpSegment& a, const TcpSegment& b) noexcept {
  if (a.network != b.network || a.v6 != b.v6) return false;
  const std::size_t addresses = a.network + (a.v6 ? kAddresses6 : kAddresses4);
  // Without options the ports follow the addresses.
  const std::size_t octets = a.transport + std::size_t{4} - addresses;
  return equal(a, b, addresses, octets) && equal(a, b, kMacLength - 2, a.network - (kMacLength - 2));
}

bool same_headers(const TcpSegment& head, const TcpSegment& next, std::uint16_t nth) noexcept {
  if (head.payload != next.payload || !equal(head, next, 0, kMacLength)) return false;
  const std::size_t ip = head.network;
  if (head.v6) {
    if (!equal(head, next, ip, kPayloadLength) || !equal(head, next, ip + kNextHeader, 2)) return false;
  } else {
    // octets 0 and 1: version, type of service; 6 to 9: fragments, time to live, protocol
    if (!equal(head, next, ip, kTotalLength) || !equal(head, next, ip + kFragment, kIpChecksum - kFragment) ||
        !identification_goes_on(head.frame + ip, next.frame + ip, nth)) {
      return false;
    }
  }
  const std::size_t tcp = head.transport;
  // acknowledgement and data offset; the window; the urgent pointer, which means nothing without URG, and options. The
  // flags are those that parse_tcp() calls mergeable.
  return equal(head, next, tcp + kAcknowledgement, kDataOffset + 1 - kAcknowledgement) &&
         equal(head, next, tcp + kWindow, 2) && equal(head, next, tcp + kUrgent, head.payload - (tcp + kUrgent));
}

bool NextSegment::expect(const TcpSegment& head, const TcpSegment& last) noexcept {
  if (last.payload > kLength) return false;
  std::copy_n(last.frame, last.payload, octets_.begin());
  mask_.fill(std::byte{0});
  const auto compare = [this](std::size_t from, std::size_t length, bool whether) noexcept {
    std::fill_n(mask_.begin() + static_cast<std::ptrdiff_t>(from), length, whether ? std::byte{0xff} : std::byte{0});
  };
  compare(0, last.payload, true);
  compare(last.transport + kTcpChecksum, 2, false);
  sequence_at_ = static_cast<std::uint16_t>(last.transport + kSequence);
  identification_at_ = static_cast<std::uint16_t>(last.network + kIdentification);
  identification_step_ = 0;
  if (!last.v6) {
    compare(last.network + kIpChecksum, 2, false);
    // As it went on from the head's to this one: by one in each segment, or not at all.
    identification_step_ = load16(head.frame + identification_at_) == load16(last.frame + identification_at_) ? 0 : 1;
  }
  advance(last.sequence + last.payload_length);
  return true;
}

void finish_head(std::byte* frame, const TcpSegment& head, std::uint32_t payload_length, bool push) noexcept {
  std::byte* const ip = frame + head.network;
  std::byte* const tcp = frame + head.transport;
  const std::uint32_t transport_length = std::uint32_t{head.payload} - head.transport + payload_length;
  std::uint32_t pseudo = transport_length + kProtocolTcp;
  if (head.v6) {
    store16(ip + kPayloadLength, static_cast<std::uint16_t>(transport_length));
    pseudo = internet_sum({ip + kAddresses6, kIpv6Length - kAddresses6}, pseudo);
  } else {
    store16(ip + kTotalLength, static_cast<std::uint16_t>(kIpv4Length + transport_length));
    store16(ip + kIpChecksum, 0);
    store16(ip + kIpChecksum, static_cast<std::uint16_t>(~internet_sum({ip, kIpv4Length})));
    pseudo = internet_sum({ip + kAddresses4, kIpv4Length - kAddresses4}, pseudo);
  }
  store16(tcp + kTcpChecksum, static_cast<std::uint16_t>(pseudo));
  if (push) tcp[kFlags] |= static_cast<std::byte>(kPush);
}

}  // namespace udd
