// SPDX-License-Identifier: Apache-2.0
// check_offload(): a frame that is only summed may be of any protocol; one to be cut must be TCP as the facts say.
#include "udd/tunnel/offload_check.h"

#include <limits>

namespace udd {
namespace {

constexpr std::size_t kLastPlace = std::numeric_limits<std::uint8_t>::max();  // see TxOffload, NicOffloads
constexpr std::size_t kSumSize = 2;
/// 82574 datasheet §7.2.10: no less; the kernel's own least is 48 (TCP_MIN_MSS).
constexpr std::uint16_t kSegmentMin = 17;

constexpr std::size_t kTypeAt = 12;
constexpr std::size_t kTypeSize = 2;
constexpr std::size_t kTagSize = 4;
constexpr unsigned kTagsMax = 2;  // IEEE 802.1ad
constexpr std::uint32_t kTypeIpv4 = 0x0800;
constexpr std::uint32_t kTypeIpv6 = 0x86dd;
constexpr std::uint32_t kTypeTag = 0x8100;
constexpr std::uint32_t kTypeServiceTag = 0x88a8;

// RFC 791, RFC 8200, RFC 9293.
constexpr std::size_t kWord = 4;  ///< lengths of headers are in units of this
constexpr std::size_t kIpv4Header = 20;
constexpr std::size_t kIpv4FragmentAt = 6;
constexpr std::uint32_t kMoreOrOffset = 0x3fff;
constexpr std::size_t kIpv4ProtocolAt = 9;
constexpr std::size_t kIpv6Header = 40;
constexpr std::size_t kIpv6NextAt = 6;
constexpr unsigned kTcp = 6;
constexpr std::size_t kTcpHeader = 20;
constexpr std::size_t kTcpLengthAt = 12;
constexpr std::size_t kTcpSumAt = 16;

unsigned octet(std::span<const std::byte> octets, std::size_t at) noexcept {
  return std::to_integer<unsigned>(octets[at]);
}
std::uint32_t be16(std::span<const std::byte> octets, std::size_t at) noexcept {
  return octet(octets, at) << 8 | octet(octets, at + 1);
}

/// Where the EtherType behind all tags is; head.size() if there is none.
std::size_t find_type(std::span<const std::byte> head) noexcept {
  std::size_t at = kTypeAt;
  for (unsigned tags = 0; at + kTypeSize <= head.size(); ++tags, at += kTagSize) {
    const std::uint32_t type = be16(head, at);
    if (type != kTypeTag && type != kTypeServiceTag) return at;
    if (tags == kTagsMax) break;
  }
  return head.size();
}

/// Is this the header of an IP packet in which TCP begins at `tcp`?
bool good_ip(std::span<const std::byte> ip, std::size_t tcp, bool v4) noexcept {
  constexpr unsigned kVersionShift = 4;
  constexpr unsigned kLengthMask = 0xf;
  if (tcp < (v4 ? kIpv4Header : kIpv6Header) || tcp > ip.size()) return false;
  const unsigned version = octet(ip, 0) >> kVersionShift;
  if (v4) {
    return version == 4 && (octet(ip, 0) & kLengthMask) * kWord == tcp && octet(ip, kIpv4ProtocolAt) == kTcp &&
           (be16(ip, kIpv4FragmentAt) & kMoreOrOffset) == 0;
  }
  // Extension headers are the kernel's to know.
  return version == 6 && (tcp != kIpv6Header || octet(ip, kIpv6NextAt) == kTcp);
}

bool good_segments(const ndd_desc& first, std::span<const std::byte> head, std::uint32_t length, bool v4,
                   TxOffload& offload) noexcept {
  const std::size_t tcp = first.csum_start;
  const std::size_t type = find_type(head);
  const std::size_t ip = type + kTypeSize;
  if (type == head.size() || be16(head, type) != (v4 ? kTypeIpv4 : kTypeIpv6) || tcp < ip ||
      !good_ip(head.subspan(ip), tcp - ip, v4) || first.csum_offset != kTcpSumAt || tcp + kTcpHeader > head.size()) {
    return false;
  }
  constexpr unsigned kLengthShift = 4;
  const std::size_t tcp_header = (octet(head, tcp + kTcpLengthAt) >> kLengthShift) * kWord;
  if (tcp_header < kTcpHeader || first.hdr_len != tcp + tcp_header || first.hdr_len > head.size() ||
      first.hdr_len > kLastPlace || first.hdr_len >= length || first.gso_size < kSegmentMin) {
    return false;
  }
  offload.kind = v4 ? TxOffload::Kind::kTcp4 : TxOffload::Kind::kTcp6;
  offload.ip = static_cast<std::uint8_t>(ip);
  offload.header_length = static_cast<std::uint8_t>(first.hdr_len);
  offload.segment_size = first.gso_size;
  return true;
}

}  // namespace

std::optional<TxOffload> check_offload(const ndd_desc& first, std::span<const std::byte> head, std::uint32_t length,
                                       std::uint64_t features) noexcept {
  if ((first.flags & NDD_DESC_NEEDS_CSUM) == 0) {
    if (first.gso_type != NDD_GSO_NONE) return std::nullopt;
    return TxOffload{};
  }
  const std::size_t sum_to = std::size_t{first.csum_start} + first.csum_offset;
  if ((features & NDD_F_TX_CSUM) == 0 || first.csum_start < NDD_FRAME_MIN || sum_to + kSumSize > head.size() ||
      sum_to > kLastPlace) {
    return std::nullopt;
  }
  TxOffload offload{.kind = TxOffload::Kind::kChecksum,
                    .tcp = first.csum_offset == kTcpSumAt,
                    .sum_from = static_cast<std::uint8_t>(first.csum_start),
                    .sum_to = static_cast<std::uint8_t>(sum_to)};
  switch (first.gso_type) {
    case NDD_GSO_NONE:
      return offload;
    case NDD_GSO_TCPV4:
      if ((features & NDD_F_TSO4) == 0 || !good_segments(first, head, length, true, offload)) return std::nullopt;
      return offload;
    case NDD_GSO_TCPV6:
      if ((features & NDD_F_TSO6) == 0 || !good_segments(first, head, length, false, offload)) return std::nullopt;
      return offload;
    default:  // NDD_GSO_ECN among them: the first segment's flags would be every segment's
      return std::nullopt;
  }
}

}  // namespace udd
