// SPDX-License-Identifier: Apache-2.0
// The driver of the simulated NIC: a family like any other, for tests of everything above nic.h without hardware.
//
//   SimWire wire;
//   SimNic left(wire.device(0), pool, state.section(StateSection::kNic));
//   left.start();
//   left.configure({.mac = left.permanent_mac()});
//   left.queue().tx_burst(pieces);
#pragma once

#include <cstddef>
#include <span>

#include "udd/mem/pool.h"
#include "udd/nic/nic.h"
#include "udd/nic/ring_queue.h"
#include "udd/nic/sim/sim_device.h"

namespace udd {

class SimDoorbell {
 public:
  explicit SimDoorbell(SimDevice& device) noexcept : device_(&device) {}
  void rx_tail(std::uint32_t slot) const noexcept { device_->set_rx_tail(slot); }
  void tx_tail(std::uint32_t slot) const noexcept { device_->set_tx_tail(slot); }

 private:
  SimDevice* device_;
};

using SimQueue = RingQueue<SimFormat, SimDoorbell>;
static_assert(NicQueue<SimQueue>);

class SimNic final : public Nic {
 public:
  static constexpr NicOffloads kOffloads{
      .window = true, .tx_checksum = true, .tso4 = true, .tso6 = true, .rx_checksum = true};

  [[nodiscard]] static NicNeeds needs(SimQueue::Slots slots = {}) noexcept;

  /// Device, pool and state must outlive it.
  SimNic(SimDevice& device, Pool& pool, std::span<std::byte> state, SimQueue::Slots slots = {});
  /// Stops the device, unless abandoned.
  ~SimNic() override;

  [[nodiscard]] SimQueue& queue() noexcept { return queue_; }
  /// The destructor leaves the NIC running, as a process that is killed does.
  void abandon() noexcept { abandoned_ = true; }

  void start() override;
  void adopt() override;
  void stop() noexcept override;
  void configure(const NicConfig& config) override;
  [[nodiscard]] MacAddress permanent_mac() const override;
  [[nodiscard]] LinkState link() noexcept override { return device_.link(); }
  [[nodiscard]] NicStats stats() noexcept override { return device_.stats(); }
  void unmask_interrupt() noexcept override { device_.unmask(queue_.pending()); }
  void mask_interrupt() noexcept override { device_.mask(); }
  [[nodiscard]] int interrupt_fd() const noexcept override { return device_.interrupt_fd(); }
  [[nodiscard]] std::uint32_t max_mtu() const noexcept override;
  [[nodiscard]] NicOffloads offloads() const noexcept override { return kOffloads; }

 private:
  void require_present() const;

  SimDevice& device_;
  SimQueue queue_;
  bool running_ = false;
  bool abandoned_ = false;
};

}  // namespace udd
