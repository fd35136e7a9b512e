// SPDX-License-Identifier: Apache-2.0
// What moves along the data path: a frame as the application sees it, and a piece of one as NIC rings
// and tunnel rings see it. Both are plain values that name a pool buffer; neither owns it by itself.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>

#include "udd/base/units.h"

namespace udd {

/// Index of a buffer in the port's pool; a buffer is kBufferSize octets.
using BufferIndex = std::uint32_t;
inline constexpr BufferIndex kNoBuffer = ~BufferIndex{0};
inline constexpr std::size_t kBufferSize = 4096;  // NDD_BUF_SIZE, asserted in pool.cc
/// Marks what stands for a slot of the kernel's window where a sent buffer's index is expected; the other bits are the
/// slot's number. kNoBuffer there: nothing comes back.
inline constexpr BufferIndex kWindowToken = BufferIndex{1} << 31;

/// Where a frame's time-stamp comes from. e1000e has none.
enum class TimestampSource : std::uint8_t { kNone, kNicReceive };

/// A frame in one buffer, starting at the destination MAC address, without FCS. One that is longer than a buffer is
/// several of them in a row, all but the last of which say more().
///
/// From Queue::rx() or Queue::alloc() until Queue::tx() or Queue::release() it is yours; in between read
/// and write data() freely, and set the length you want to send. Copying a Frame copies the name, not
/// the buffer: hand each buffer back exactly once.
class Frame {
 public:
  Frame() = default;
  Frame(std::byte* data, BufferIndex buffer, std::uint16_t length, bool more = false) noexcept
      : data_(data), tag_(buffer | (more ? kMore : 0)), length_(length) {}

  /// The octets from the destination MAC address on; size() of them.
  [[nodiscard]] std::span<std::byte> data() const noexcept { return {data_, size()}; }
  [[nodiscard]] std::uint16_t size() const noexcept { return length_; }
  /// Octets that fit behind data().data(); at least the port's MTU + 18 if the MTU fits one buffer.
  [[nodiscard]] std::uint16_t capacity() const noexcept {
    return data_ == nullptr ? 0 : static_cast<std::uint16_t>(kBufferSize - offset());
  }
  /// Sets the length to send; above capacity() it is cut to it. The frame ends here then, unless set_more() is called.
  void resize(std::uint16_t length) noexcept {
    length_ = std::min(length, capacity());
    tag_ = buffer();
  }
  /// The frame goes on in the next Frame of the array.
  [[nodiscard]] bool more() const noexcept { return (tag_ & kMore) != 0; }
  void set_more(bool more) noexcept { tag_ = buffer() | (more ? kMore : 0); }

  [[nodiscard]] BufferIndex buffer() const noexcept { return tag_ & ~kMore; }
  /// Of data() in its buffer: buffers lie at multiples of their size.
  [[nodiscard]] std::uint16_t offset() const noexcept {
    return static_cast<std::uint16_t>(std::bit_cast<std::uintptr_t>(data_) % kBufferSize);
  }
  /// buffer() and more() in one number: above every buffer if the frame goes on.
  [[nodiscard]] std::uint32_t tag() const noexcept { return tag_; }
  /// Nanoseconds, meaning by timestamp_source(); 0 with kNone. No family has one yet, so that a Frame has no room for
  /// it: 16 octets are written for every frame of a burst, and read again.
  [[nodiscard]] static constexpr std::uint64_t timestamp() noexcept { return 0; }
  [[nodiscard]] static constexpr TimestampSource timestamp_source() noexcept { return TimestampSource::kNone; }

 private:
  static constexpr std::uint32_t kMore = 1u << 31;

  std::byte* data_ = nullptr;
  std::uint32_t tag_ = kNoBuffer & ~kMore;  ///< buffer, and kMore
  std::uint16_t length_ = 0;
};
static_assert(sizeof(Frame) == 16);

/// What a received frame was merged from, and what it lacks since: the facts of struct ndd_desc. Offsets count from the
/// frame's first octet.
struct RxOffload {
  enum class Segments : std::uint8_t { kNone, kTcp4, kTcp6 };
  Segments segments = Segments::kNone;
  std::uint16_t segment_size = 0;     ///< octets of payload in each segment but the last
  std::uint16_t header_length = 0;    ///< octets before the payload
  std::uint16_t checksum_start = 0;   ///< first octet of TCP, whose checksum is the pseudo-header's sum only
  std::uint16_t checksum_offset = 0;  ///< where it stands, from there on
};

/// One descriptor's worth of a frame between the NIC's rings and the port.
struct Piece {
  static constexpr std::uint16_t kFirst = 1u << 0;
  static constexpr std::uint16_t kLast = 1u << 1;
  static constexpr std::uint16_t kVlan = 1u << 2;        ///< vlan_tci is valid, the tag is not in the data
  static constexpr std::uint16_t kChecksumOk = 1u << 3;  ///< the NIC verified the L4 checksum (receive)
  static constexpr std::uint16_t kError = 1u << 4;       ///< received damaged; drop the whole frame

  BufferIndex buffer = kNoBuffer;
  std::uint16_t offset = 0;  ///< first octet within the buffer
  std::uint16_t length = 0;  ///< octets
  std::uint16_t flags = 0;
  std::uint16_t vlan_tci = 0;
};

/// A run of octets of a frame of the kernel's to send, in the pool or in the window.
struct TxPiece {
  Iova address{};
  std::uint32_t length = 0;       ///< octets
  BufferIndex token = kNoBuffer;  ///< comes back once they are sent: a buffer, or kWindowToken and a slot
};

/// What is left to the NIC of a frame to send. Places are octets from the frame's start, all within its first piece.
struct TxOffload {
  enum class Kind : std::uint8_t {
    kNone,
    kChecksum,  ///< the sum from sum_from to the end goes to sum_to, where that of the pseudo header is
    kTcp4,      ///< likewise, for each of the TCP/IPv4 segments that the frame is to be cut into
    kTcp6,      ///< of the TCP/IPv6 segments
  };
  Kind kind = Kind::kNone;
  bool tcp = false;  ///< it is TCP's checksum
  std::uint8_t sum_from = 0;
  std::uint8_t sum_to = 0;
  std::uint8_t ip = 0;             ///< of segments: the IP header
  std::uint8_t header_length = 0;  ///< of segments: up to the end of TCP's header
  std::uint16_t segment_size = 0;  ///< of segments: octets behind the header

  [[nodiscard]] constexpr bool segments() const noexcept { return kind >= Kind::kTcp4; }
};

/// A frame of the kernel's to send, next to an array of pieces in which those of each frame lie behind those of the one
/// before.
struct TxFrame {
  std::uint32_t pieces = 0;
  std::uint32_t length = 0;     ///< octets
  std::byte* header = nullptr;  ///< what `offload` speaks of; in the pool
  TxOffload offload{};
};

}  // namespace udd
