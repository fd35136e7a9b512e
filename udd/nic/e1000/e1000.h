// SPDX-License-Identifier: Apache-2.0
// The driver of Intel's e1000 NICs; today the 82574L. Chips differ in what reset() and initialise() do, not in the
// rings.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>

#include "udd/mem/pool.h"
#include "udd/mmio/mmio.h"
#include "udd/nic/e1000/descriptors.h"
#include "udd/nic/nic.h"
#include "udd/nic/ring_queue.h"
#include "udd/pci/bdf.h"
#include "udd/vfio/irq.h"

namespace udd {

class E1000Doorbell {
 public:
  explicit E1000Doorbell(RegisterIo& io);
  void rx_tail(std::uint32_t slot) const noexcept { rx_.ring(slot); }
  void tx_tail(std::uint32_t slot) const noexcept { tx_.ring(slot); }

 private:
  Doorbell32 rx_;
  Doorbell32 tx_;
};

using E1000Queue = RingQueue<E1000Format, E1000Doorbell>;
static_assert(NicQueue<E1000Queue>);

class E1000 final : public Nic {
 public:
  static constexpr PciId k82574L{.vendor = 0x8086, .device = 0x10d3};

  static constexpr NicOffloads kOffloads{
      .window = true, .tx_checksum = true, .tso4 = true, .tso6 = true, .rx_checksum = true};

  [[nodiscard]] static NicNeeds needs(E1000Queue::Slots slots = {}) noexcept;

  /// Everything passed in must outlive it. `device` is the PCI address, for messages. Touches nothing yet.
  E1000(RegisterIo& io, const InterruptLine& irq, Pool& pool, std::span<std::byte> state, std::string device,
        E1000Queue::Slots slots = {});
  /// Leaves the NIC as it is: the end of a process is the kernel's to clean up, a regular one calls stop().
  ~E1000() override = default;

  [[nodiscard]] E1000Queue& queue() noexcept { return queue_; }

  void start() override;
  void adopt() override;
  void stop() noexcept override;
  void configure(const NicConfig& config) override;
  [[nodiscard]] MacAddress permanent_mac() const override;
  [[nodiscard]] LinkState link() noexcept override;
  [[nodiscard]] NicStats stats() noexcept override;
  void unmask_interrupt() noexcept override;
  void mask_interrupt() noexcept override;
  [[nodiscard]] int interrupt_fd() const noexcept override { return irq_.fd(); }
  [[nodiscard]] std::uint32_t max_mtu() const noexcept override;
  [[nodiscard]] NicOffloads offloads() const noexcept override { return kOffloads; }

 private:
  static constexpr std::size_t kTableSize = 128;  ///< registers of 32 bits: 4096 hash values, 4096 VLAN ids
  using Table = std::array<std::uint32_t, kTableSize>;

  void require_present() const;
  void quiesce();
  void reset();
  void initialise();
  void start_receive();
  void start_transmit();
  void set_mac(const MacAddress& mac);
  template <typename R>
  void set_table(Table& current, const Table& wanted);

  RegisterIo& io_;
  const InterruptLine& irq_;
  std::string device_;
  E1000Queue queue_;
  Table multicast_{};  ///< what MTA holds
  Table vlans_{};      ///< what VFTA holds
  NicStats stats_;
};

}  // namespace udd
