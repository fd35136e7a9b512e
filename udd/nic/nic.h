// SPDX-License-Identifier: Apache-2.0
// The narrow interface every NIC family implements, between the port's service loop and the hardware.
//
// Two halves. `Nic` is the control half: virtual, cold. `NicQueue` is the burst half: a concept, so that
// the service loop is compiled against the family's own class and pays no call per frame. Every operation
// means the same in every family; tests/contract holds each one to the Guarantees below, the in-process
// simulated NIC included.
#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>

#include "udd/mem/frame.h"
#include "udd/mem/pool.h"

namespace udd {

using MacAddress = std::array<std::uint8_t, 6>;

struct LinkState {
  enum class Status : std::uint8_t { kUnknown, kDown, kUp };
  enum class Duplex : std::uint8_t { kUnknown, kHalf, kFull };
  Status status = Status::kUnknown;
  Duplex duplex = Duplex::kUnknown;
  std::uint32_t speed_mbps = 0;  ///< 0: unknown

  bool operator==(const LinkState&) const = default;
};

/// What the NIC shall let in, and how long frames may be.
struct NicConfig {
  MacAddress mac{};
  bool promiscuous = false;
  bool all_multicast = false;
  std::span<const MacAddress> multicast{};      ///< groups of kernel and application together
  bool vlan_filter = false;                     ///< pass tagged frames of vlan_bitmap only
  std::span<const std::uint8_t> vlan_bitmap{};  ///< 512 octets, bit (id % 8) of octet (id / 8)
  std::uint32_t mtu = 1500;                     ///< octets of L3
};

/// The NIC's own counters since start(), summed over the hardware's clear-on-read registers.
struct NicStats {
  std::uint64_t rx_frames = 0;
  std::uint64_t rx_octets = 0;
  std::uint64_t tx_frames = 0;
  std::uint64_t tx_octets = 0;
  std::uint64_t rx_missed = 0;  ///< no descriptor was free
  std::uint64_t rx_errors = 0;
};

/// What a NIC does for the kernel, which does by itself what none is told of here. Of frames to send all headers
/// concerned lie in the first 255 octets, and segments have 17 octets at least.
struct NicOffloads {
  bool window = false;       ///< sends from anywhere it can read: a piece need not be in the pool, nor in one page
  bool tx_checksum = false;  ///< TxOffload::Kind::kChecksum, whatever the protocol
  bool tso4 = false;         ///< kTcp4
  bool tso6 = false;         ///< kTcp6
  bool rx_checksum =
      false;  ///< tells of Piece::kChecksumOk: of unfragmented TCP and UDP over IPv4 and IPv6, never wrongly

  bool operator==(const NicOffloads&) const = default;
};

/// What a family needs of NDD_TAKE, and what it has to offer.
struct NicNeeds {
  std::uint32_t nic_pages = 0;  ///< pages for descriptor rings
  std::size_t state_size = 0;   ///< octets of the state area's kNic section
  NicOffloads offloads{};
};

/// Control half. Thread: one at a time, and not while its queue runs on another thread unless said so.
/// Errors: udd::Error; a register that reads all ones means the device is gone (ENODEV).
class Nic {
 public:
  virtual ~Nic() = default;
  Nic(const Nic&) = delete;
  Nic& operator=(const Nic&) = delete;

  /// Guarantees: from any state, ends with DMA and interrupts off, PHY and autonegotiation untouched,
  /// then rings empty and the queue ready. The pool supplies ring memory and receive buffers.
  virtual void start() = 0;
  /// Instead of start(), in another process: goes on from the queue state and rings that the previous owner left, at
  /// whatever point it ended, without a change to the NIC but that it is told the rings' tails once more. Its receive
  /// filters are as they were; configure() sets them anew. Throws udd::Error (EPROTO), too, if the NIC was being
  /// stopped.
  virtual void adopt() = 0;
  /// Guarantees: when it returns, the NIC does no DMA. Receive buffers go back to the pool; pieces not yet sent count
  /// as sent, so that tx_reclaim() returns their buffers to whoever they belong to. noexcept since it runs on the way
  /// out.
  virtual void stop() noexcept = 0;
  /// Guarantees: takes effect while running, no frame for an unchanged filter is lost.
  virtual void configure(const NicConfig& config) = 0;
  [[nodiscard]] virtual MacAddress permanent_mac() const = 0;
  [[nodiscard]] virtual LinkState link() noexcept = 0;
  [[nodiscard]] virtual NicStats stats() noexcept = 0;
  /// Guarantees: an interrupt fires after the next receive or link event once unmasked, also if frames already wait,
  /// and none for frames that rx_burst has reported. More may follow until mask_interrupt(), which whoever wakes calls
  /// first (an MSI has no automatic mask). Callable from any thread.
  virtual void unmask_interrupt() noexcept = 0;
  virtual void mask_interrupt() noexcept = 0;
  /// The eventfd (non-blocking) that an interrupt makes readable; whoever waits on it reads it. Valid as long as the
  /// Nic.
  [[nodiscard]] virtual int interrupt_fd() const noexcept = 0;
  /// Octets of L3 the family can carry.
  [[nodiscard]] virtual std::uint32_t max_mtu() const noexcept = 0;
  /// The same as in NicNeeds.
  [[nodiscard]] virtual NicOffloads offloads() const noexcept = 0;

 protected:
  Nic() = default;
};

/// Burst half. Thread: one at a time (the port's servicing thread).
///
/// rx_burst  Fills up to out.size() pieces in receive order and refills the ring from the pool, one doorbell
///           per burst at most. Never splits the report of what the hardware finished: a frame's pieces may
///           straddle two calls. The buffers become the caller's.
/// tx_burst  Queues whole frames only: takes the longest prefix of `pieces` that ends with a kLast piece and
///           fits, rings the doorbell once if anything was queued, returns the number of pieces. Those buffers are
///           the NIC's until reclaim.
/// tx_frames Queues frames of the kernel's, whole ones, with what is left to the NIC of them, and rings the doorbell
///           once. At least one, and the slots that tx_slots() tells of each must fit tx_room() together. The kinds of
///           TxOffload are those that Nic::offloads() tells of.
/// tx_slots  Slots that a frame takes: one for what is left to the NIC, if anything is, and one for each kTxPieceMax
///           octets of each of its pieces.
/// tx_reclaim Buffers of finished pieces in queueing order, tokens of tx_frames' pieces likewise, up to out.size().
///           Lazy: touches descriptors only.
/// rx_each, tx_each, tx_reclaim_each  The same for a loop that has no use for an array in between. rx_each calls
///           whole(buffer, length, word) for an undamaged frame at the start of its only buffer, other(piece) for any
///           other piece; what else the NIC told of the frame is in the word, for rx_flags(). tx_each queues exactly
///           `count` pieces, 1 .. tx_room(), that source() yields, the last one a frame's last. tx_reclaim_each calls
///           sink(span of buffers and tokens), good until the next tx; of the slots that carry nothing to return,
///           kNoBuffer. It counts slots.
/// rx_quick, tx_quick  What most frames of an application need and no more, compiled into the fewest instructions.
///           rx_quick(wanted, accept) stops at anything else, and says so by `more`; rx_go_on() tells then whether
///           another rx_quick may help before rx_each must. tx_quick(frames, good) sends all of 1 .. tx_quick_room()
///           frames, or none if one is not good.
/// tx_room   Slots that are free, each good for a piece of tx_burst, without touching the hardware.
/// pending   True if rx_burst would return something.
///
/// A descriptor the device wrote is data from outside: lengths above the buffer and indices are checked, a
/// damaged or impossible one is reported as kError, never trusted.
template <typename Q>
concept NicQueue =
    requires(Q queue, const Q const_queue, std::span<Piece> out, std::span<const Piece> in, std::span<BufferIndex> done,
             std::size_t count, void (*whole)(BufferIndex, std::uint16_t, std::uint64_t) noexcept,
             void (*other)(const Piece&) noexcept, std::uint64_t word, Piece (*source)() noexcept,
             std::span<const TxFrame> kernel_frames, const TxFrame& frame, const TxPiece* pieces,
             std::span<const Frame> frames, bool (*accept)(BufferIndex, std::uint16_t) noexcept,
             bool (*good)(const Frame&) noexcept, void (*sink)(std::span<const BufferIndex>) noexcept) {
      { queue.rx_burst(out) } noexcept -> std::same_as<std::size_t>;
      { queue.tx_burst(in) } noexcept -> std::same_as<std::size_t>;
      { queue.tx_reclaim(done) } noexcept -> std::same_as<std::size_t>;
      { queue.rx_each(count, whole, other) } noexcept -> std::same_as<std::size_t>;
      { Q::rx_flags(word) } noexcept -> std::same_as<std::uint16_t>;
      { queue.tx_each(count, source) } noexcept -> std::same_as<void>;
      { queue.tx_frames(kernel_frames, pieces) } noexcept -> std::same_as<void>;
      { Q::kTxPieceMax } -> std::convertible_to<std::uint32_t>;
      { Q::tx_slots(frame, pieces) } noexcept -> std::same_as<std::uint32_t>;
      { queue.rx_go_on() } noexcept -> std::same_as<bool>;
      { queue.rx_quick(count, accept).more } noexcept -> std::convertible_to<bool>;
      { queue.rx_quick(count, accept).count } noexcept -> std::convertible_to<std::size_t>;
      { queue.tx_quick(frames, good) } noexcept -> std::same_as<bool>;
      { const_queue.tx_quick_room() } noexcept -> std::same_as<std::size_t>;
      { queue.tx_reclaim_each(count, sink) } noexcept -> std::same_as<std::size_t>;
      { const_queue.tx_room() } noexcept -> std::same_as<std::size_t>;
      { const_queue.pending() } noexcept -> std::same_as<bool>;
    };

}  // namespace udd
