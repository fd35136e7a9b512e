// SPDX-License-Identifier: Apache-2.0
// A received TCP segment as merging sees it: where its headers are, and what two of them must have in common.
// Between the NIC's receive ring and TcpMerge; nothing here changes a frame but finish_head().
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace udd {

/// Offsets count from the frame's first octet.
struct TcpSegment {
  enum class Kind : std::uint8_t {
    kOther,   ///< no TCP
    kOpaque,  ///< perhaps TCP, but behind options, extension headers, or in fragments: of whatever connection
    kTcp,
  };
  Kind kind = Kind::kOther;  ///< the other members are valid with kTcp
  const std::byte* frame = nullptr;
  std::uint8_t network = 0;    ///< offset of the IP header: 14, or 18 behind one VLAN tag
  std::uint8_t transport = 0;  ///< offset of the TCP header
  std::uint8_t payload = 0;    ///< offset of the payload
  bool v6 = false;
  bool mergeable = false;            ///< payload and no more than ACK and PSH: others end what came before
  bool last = false;                 ///< PSH: nothing is merged behind it
  std::uint32_t sequence = 0;        ///< of its first octet
  std::uint32_t payload_length = 0;  ///< octets, without the padding of a short frame
};

/// @param head    the frame's first piece, which must hold all headers
/// @param length  octets of the whole frame
[[nodiscard]] TcpSegment parse_tcp(std::span<const std::byte> head, std::size_t length) noexcept;

/// Are both of one connection, on one VLAN? Compares addresses and ports.
[[nodiscard]] bool same_connection(const TcpSegment& a, const TcpSegment& b) noexcept;

/// Could `next`, of the same connection, have been cut from the same large frame as `head`? All header fields are the
/// same but lengths, checksums, sequence, PSH and IPv4's identification. That must go on as a segmenting sender lets
/// it, `nth` after the head's; with DF, where it means nothing (RFC 6864 section 4.1), it may also stay.
[[nodiscard]] bool same_headers(const TcpSegment& head, const TcpSegment& next, std::uint16_t nth) noexcept;

/// What the headers of a large frame's segments have in common: all octets but the sequence, IPv4's identification and
/// the checksums. The last segment differs in its length, too, and in PSH.
struct HeaderMask {
  static constexpr std::size_t kStep = 16;      ///< octets that are compared at once
  static constexpr std::size_t kLongest = 128;  ///< holds, behind a VLAN tag, IPv6 and TCP with all its options

  std::array<std::byte, kLongest> octets;  ///< bits are 1 where they must be the same
  std::size_t length = 0;                  ///< of the headers, in whole steps; 0: not known
};

/// @param head  mergeable
[[nodiscard]] HeaderMask mask_of(const TcpSegment& head) noexcept;

/// In one comparison what parse_tcp(), same_connection() and same_headers() say of the commonest kind of frame: it is
/// mergeable, in all as long as `head`, of its connection, goes on with `sequence`, and could be its `nth`. False says
/// nothing. There must be no less of `frame` than of the head's.
[[nodiscard]] bool goes_on(const TcpSegment& head, const HeaderMask& mask, const std::byte* frame,
                           std::uint32_t sequence, std::uint16_t nth) noexcept;

/// Makes the first frame's headers those of the merged one: IP's length and checksum, PSH, and in place of TCP's
/// checksum the sum over the pseudo-header, as a frame has it whose checksum is left to be filled in.
void finish_head(std::byte* frame, const TcpSegment& head, std::uint32_t payload_length, bool push) noexcept;

}  // namespace udd
