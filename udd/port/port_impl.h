// SPDX-License-Identifier: Apache-2.0
// A taken port: puts tunnel, pool, NIC and service loop together, and takes them apart again in the one right order.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "udd/mem/pool.h"
#include "udd/mem/state_layout.h"
#include "udd/port.h"
#include "udd/port/backup.h"
#include "udd/port/control.h"
#include "udd/port/events.h"
#include "udd/port/fault_guard.h"
#include "udd/port/fork_guard.h"
#include "udd/port/log.h"
#include "udd/port/nic_handle.h"
#include "udd/port/queue_engine.h"
#include "udd/steer/steering.h"
#include "udd/tunnel/ctrl.h"
#include "udd/tunnel/tunnel.h"

namespace udd {

class PortImpl final : private ForkGuard {
 public:
  /// Opens the NIC over the port's pool; `state` is section kNic.
  using OpenNic = std::function<std::unique_ptr<NicHandle>(Pool& pool, std::span<std::byte> state)>;

  /// Octets of state area that a port needs.
  [[nodiscard]] static std::size_t state_size(const NicNeeds& needs, std::uint32_t buffers) noexcept;
  /// How many of a pool's buffers go into the kernel's stock for exchange: a quarter, unless the process needs them.
  [[nodiscard]] static std::uint32_t exchange_buffers(std::uint32_t buffers, std::uint32_t kernel_buffers) noexcept;
  /// Throws udd::Error (EINVAL) for options that make no sense.
  static void check(const PortOptions& options);
  /// Likewise of a port that may have no EtherTypes.
  static void check_times(const PortOptions& options);

  /// What a port starts from.
  enum class From : std::uint8_t {
    kNothing,  ///< a take: the NIC is set up, the tunnel started
    kAnother   ///< the process behind which this one waits: only made ready, and nothing changed, until go_on()
  };
  /// Throws udd::Error, after which everything is as before.
  PortImpl(std::unique_ptr<Tunnel> tunnel, PortOptions options, const NicNeeds& needs, const OpenNic& open_nic,
           From from = From::kNothing);
  ~PortImpl() override;

  /// The port is this process's now: goes on with NIC and tunnel where the last owner ended. Throws udd::Error.
  void go_on();

  void give_back() noexcept;
  /// In a forked child: not this process's port.
  [[nodiscard]] bool abandoned() const noexcept { return abandoned_; }
  [[nodiscard]] PortState state() const noexcept { return state_.load(std::memory_order_acquire); }
  [[nodiscard]] std::string lost_reason() const;
  [[nodiscard]] Queue& queue(unsigned index);
  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  [[nodiscard]] const std::string& netdev() const noexcept { return netdev_; }
  [[nodiscard]] PortFacts facts() const { return control_->facts(); }
  [[nodiscard]] std::optional<PortEvent> next_event() noexcept { return events_.pop(); }
  void join(const MacAddress& group);
  void leave(const MacAddress& group);
  [[nodiscard]] PortStats stats() noexcept;
  [[nodiscard]] GapHistogram gaps() noexcept;

 private:
  friend struct PortAccess;
  void in_child() noexcept override;
  void prepare(From from, const NicNeeds& needs, const OpenNic& open_nic);
  void begin(From from);
  void on_lost() noexcept;
  void let_nic_go() noexcept;

  const PortOptions options_;
  const Log log_;
  Events events_;
  std::unique_ptr<Tunnel> tunnel_;
  const std::string name_;
  const std::string netdev_;
  std::vector<FaultGuard> area_guards_;
  std::optional<CtrlArea> ctrl_;
  std::optional<StateArea> area_;  ///< sections of the state area
  std::optional<Pool> pool_;
  Steering steering_;
  std::unique_ptr<NicHandle> nic_;  ///< null once let go
  std::optional<FaultGuard> register_guard_;
  std::optional<Control> control_;
  std::unique_ptr<QueueEngine> engine_;
  std::unique_ptr<Queue> queue_;
  std::unique_ptr<BackupThread> backup_;

  std::mutex ending_;  ///< give_back() against the rest
  std::atomic<PortState> state_{PortState::kTunnel};
  mutable std::mutex reason_mutex_;
  std::string lost_reason_;
  bool abandoned_ = false;
};

}  // namespace udd
