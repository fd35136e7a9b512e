// SPDX-License-Identifier: Apache-2.0
// The hardware half of the simulated NIC: two devices with a wire between them, which read and write descriptor rings
// and buffers in the pools as a NIC does by DMA. No thread of its own: a device works while its driver rings a
// doorbell, and while the other end sends. Faults can be injected.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <span>
#include <vector>

#include "udd/base/unique_fd.h"
#include "udd/base/units.h"
#include "udd/nic/nic.h"
#include "udd/nic/ring_queue.h"

namespace udd {

class SimWire;

/// Descriptors of the simulated NIC: length in bits 15:0, the rest single bits. A context has a TxOffload for an
/// address, and speaks of the frame behind it.
struct SimFormat {
  static constexpr NicFamily kFamily = NicFamily::kSim;
  static constexpr std::uint64_t kTxContext = 1ull << 20;
  static constexpr std::uint64_t kTxLast = 1ull << 24;
  static constexpr std::uint64_t kTxReport = 1ull << 27;
  static constexpr std::uint64_t kTxDone = 1ull << 32;
  static constexpr std::uint64_t kRxDone = 1ull << 32;
  static constexpr std::uint64_t kRxLast = 1ull << 33;
  static constexpr std::uint64_t kRxError = 1ull << 40;
  static constexpr std::uint64_t kRxChecked = 1ull << 41;
  [[nodiscard]] static constexpr std::uint32_t rx_length(std::uint64_t word) noexcept { return word & 0xffff; }
  [[nodiscard]] static constexpr bool rx_checked(std::uint64_t word) noexcept { return (word & kRxChecked) != 0; }
  [[nodiscard]] static constexpr std::uint64_t tx_word(std::uint16_t length, bool last) noexcept {
    return length | (last ? kTxLast : 0);
  }
  static constexpr std::uint32_t kTxPieceMax = 8192;  // as the e1000 family
  [[nodiscard]] static constexpr std::uint64_t tx_word(std::uint32_t length, bool last, const TxOffload&) noexcept {
    return tx_word(static_cast<std::uint16_t>(length), last);
  }
  [[nodiscard]] static RingDescriptor tx_context(const TxFrame& frame) noexcept {
    return {.address = std::bit_cast<std::uint64_t>(frame.offload), .word = kTxContext};
  }
  static void tx_prepare(const TxFrame&) noexcept {}
};

/// One device. Everything is callable from any thread; both ends share the wire's lock.
class SimDevice {
 public:
  struct Ring {
    Iova base;
    std::uint32_t slots = 0;
    std::uint32_t head = 0;  ///< slot the device uses next
    std::uint32_t tail = 0;  ///< slot behind the last one it may use
  };

  SimDevice(SimWire& wire, unsigned end);
  SimDevice(const SimDevice&) = delete;
  SimDevice& operator=(const SimDevice&) = delete;

  // What the driver does.

  /// DMA reaches `memory`, which stands at `iova`, and nothing else but a window.
  void map(std::span<std::byte> memory, Iova iova);
  /// Rings empty, DMA and interrupts off, filters closed.
  void reset();
  void enable(Iova rx_ring, std::uint32_t rx_slots, Iova tx_ring, std::uint32_t tx_slots);
  void set_rx_tail(std::uint32_t slot) noexcept;
  void set_tx_tail(std::uint32_t slot) noexcept;
  void set_filter(const NicConfig& config);
  [[nodiscard]] LinkState link() const noexcept;
  [[nodiscard]] NicStats stats() const noexcept;
  /// @param fire_now  something waits already
  void unmask(bool fire_now) noexcept;
  void mask() noexcept;
  [[nodiscard]] int interrupt_fd() const noexcept { return interrupt_.get(); }
  [[nodiscard]] bool gone() const noexcept;
  /// Which end of the wire: 0 or 1.
  [[nodiscard]] unsigned end() const noexcept { return end_; }

  // What a test does.

  /// `memory` can be read at `iova`, too.
  void map_window(std::span<const std::byte> memory, Iova iova);
  /// The next `count` frames that would be received are lost on the wire.
  void drop_next(unsigned count) noexcept;
  /// ... are received with the error bit set.
  void damage_next(unsigned count) noexcept;
  /// ... are reported with a length no buffer has.
  void corrupt_next(unsigned count) noexcept;
  /// While held, queued frames aren't fetched: the transmit ring fills up.
  void hold_transmit(bool hold) noexcept;
  /// The device answers nothing any more, and does nothing.
  void set_gone(bool gone) noexcept;
  /// A frame arrives from the wire, wherever from.
  void receive(std::span<const std::byte> frame) noexcept;
  /// Attempts at memory outside of map(); a driver's bug.
  [[nodiscard]] std::uint64_t dma_faults() const noexcept;

 private:
  friend class SimWire;

  // With the wire's lock held:
  void receive_locked(std::span<const std::byte> frame) noexcept;
  void transmit_locked() noexcept;
  void link_changed_locked() noexcept;
  void cause_locked() noexcept;
  [[nodiscard]] bool wants(std::span<const std::byte> frame) const noexcept;
  [[nodiscard]] std::byte* translate(Iova address, std::size_t length) noexcept;
  [[nodiscard]] const std::byte* translate_to_read(Iova address, std::size_t length) noexcept;
  [[nodiscard]] RingDescriptor* descriptor(const Ring& ring, std::uint32_t slot) noexcept;

  SimWire& wire_;
  const unsigned end_;
  UniqueFd interrupt_;
  std::span<std::byte> memory_;
  Iova iova_;
  std::span<const std::byte> window_;
  Iova window_iova_;
  Ring rx_;
  Ring tx_;
  bool enabled_ = false;
  bool unmasked_ = false;
  bool link_event_ = false;
  bool gone_ = false;
  bool hold_transmit_ = false;
  unsigned drop_ = 0;
  unsigned damage_ = 0;
  unsigned corrupt_ = 0;
  MacAddress mac_{};
  bool promiscuous_ = false;
  bool all_multicast_ = false;
  bool vlan_filter_ = false;
  std::uint32_t mtu_ = 0;
  std::vector<MacAddress> multicast_;
  std::array<std::uint8_t, 512> vlans_{};
  std::vector<std::byte> frame_;  ///< being put together
  TxOffload offload_;             ///< to be done to it
  NicStats stats_;
  std::uint64_t dma_faults_ = 0;
};

/// A cable with a device at either end. Outlives the drivers.
class SimWire {
 public:
  SimWire();
  SimWire(const SimWire&) = delete;
  SimWire& operator=(const SimWire&) = delete;

  [[nodiscard]] SimDevice& device(unsigned end) noexcept { return devices_[end]; }
  /// A device is at work; asked by the thread that may be amid it.
  [[nodiscard]] bool busy() const noexcept {
    if (!mutex_.try_lock()) return true;
    mutex_.unlock();
    return false;
  }
  /// Plugs or unplugs; both ends get a link event if it changes.
  void set_link(bool up) noexcept;

 private:
  friend class SimDevice;
  mutable std::mutex mutex_;
  bool up_ = true;
  std::array<SimDevice, 2> devices_;
};

}  // namespace udd
