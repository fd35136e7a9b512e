// SPDX-License-Identifier: Apache-2.0
// A received TCP segment as merging sees it: where its headers are, and what two of them must have in common.
// Between the NIC's receive ring and TcpMerge; nothing here changes a frame but finish_head().
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
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

/// The next of a large frame's segments as it is foreseen, octet by octet but for the checksums: one comparison says of
/// the commonest kind of frame what parse_tcp(), same_connection() and same_headers() find out field by field.
class NextSegment {
 public:
  /// Octets of a frame that are looked at. Behind a VLAN tag they hold IPv6 and TCP with 18 octets of options: more
  /// than the time-stamp takes that every segment has.
  static constexpr std::size_t kLength = 96;

  /// Foresees what follows `last`, which is mergeable, has no PSH, and went on with `head`. @return false: its headers
  /// are longer than what is looked at.
  [[nodiscard]] bool expect(const TcpSegment& head, const TcpSegment& last) noexcept;

  /// @param frame  of kLength octets at least, in all as long as the last. False says nothing: parse it.
  [[nodiscard, gnu::always_inline]] bool is(const std::byte* frame) const noexcept {
    Vector differing{};
#pragma GCC unroll 8
    for (std::size_t i = 0; i < kLength; i += sizeof(Vector)) {
      differing |= (at(octets_.data() + i) ^ at(frame + i)) & at(mask_.data() + i);
    }
    return (differing[0] | differing[1]) == 0;
  }

  /// It has come: foresees the one behind it, which begins with `sequence`.
  void advance(std::uint32_t sequence) noexcept {
    const std::uint32_t wire = __builtin_bswap32(sequence);
    std::memcpy(octets_.data() + sequence_at_, &wire, sizeof wire);
    std::uint16_t identification;
    std::memcpy(&identification, octets_.data() + identification_at_, sizeof identification);
    identification = __builtin_bswap16(identification);
    identification = __builtin_bswap16(static_cast<std::uint16_t>(identification + identification_step_));
    std::memcpy(octets_.data() + identification_at_, &identification, sizeof identification);
  }

 private:
  using Vector [[gnu::vector_size(16)]] = std::uint64_t;
  static_assert(kLength % sizeof(Vector) == 0);

  [[nodiscard]] static Vector at(const std::byte* from) noexcept {
    Vector vector;
    std::memcpy(&vector, from, sizeof vector);
    return vector;
  }

  alignas(Vector) std::array<std::byte, kLength> octets_;
  alignas(Vector) std::array<std::byte, kLength> mask_;  ///< bits are 1 where they must be the same
  std::uint16_t sequence_at_;                            ///< where it stands in octets_
  std::uint16_t identification_at_;                      ///< IPv4's; IPv6 has none: an octet pair that stays
  std::uint16_t identification_step_;                    ///< 0 if it stays
};

/// Makes the first frame's headers those of the merged one: IP's length and checksum, PSH, and in place of TCP's
/// checksum the sum over the pseudo-header, as a frame has it whose checksum is left to be filled in.
void finish_head(std::byte* frame, const TcpSegment& head, std::uint32_t payload_length, bool push) noexcept;

}  // namespace udd
