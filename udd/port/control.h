// SPDX-License-Identifier: Apache-2.0
// The port's slow side, done by whoever services it: the kernel's wishes go to the NIC, and the link, counters and
// warnings are told to those who want to know.
#pragma once

#include <cstdint>
#include <mutex>

#include "udd/base/ticks.h"
#include "udd/nic/nic.h"
#include "udd/port/events.h"
#include "udd/port/log.h"
#include "udd/steer/steering.h"
#include "udd/tunnel/ctrl.h"
#include "udd/tunnel/tunnel.h"

namespace udd {

/// What a port is at the moment.
struct PortFacts {
  MacAddress mac{};
  std::uint32_t mtu = 0;
  LinkState link;
};

/// Thread: one at a time, whoever is inside the gate, except facts().
class Control {
 public:
  /// All must outlive it.
  struct Parts {
    Tunnel& tunnel;
    CtrlArea& ctrl;
    Nic& nic;
    Steering& steering;
    Events& events;
    const Log& log;
  };

  explicit Control(const Parts& parts) noexcept : parts_(parts) {}

  /// First configuration of the NIC, before NDD_START. Throws udd::Error.
  void begin();
  /// Anything new? @return true if something the service loop keeps a copy of may have changed.
  bool look(Ticks now) noexcept;
  /// The NIC has interrupted, perhaps for its link: the next look() looks at that.
  void link_may_have_changed() noexcept { next_link_check_ = 0; }
  /// Reads the link and tells of a change.
  void check_link() noexcept;
  /// Counters to the kernel, for ethtool -S. @param own  the library's part; the NIC's is filled in.
  void publish_stats(ndd_stats own) noexcept;
  /// Sets the NIC's filters anew, after join or leave.
  void apply_groups() noexcept;

  [[nodiscard]] bool link_up() const noexcept { return link_.status != LinkState::Status::kDown; }
  [[nodiscard]] std::uint32_t mtu() const noexcept { return config_.mtu; }
  /// May the kernel's received frames be merged?
  [[nodiscard]] bool rx_merge() const noexcept { return config_.rx_merge; }
  [[nodiscard]] const NicStats& nic_stats() const noexcept { return nic_stats_; }
  /// Any thread.
  [[nodiscard]] PortFacts facts() const;

 private:
  void apply(const TunnelConfig& config);
  void configure_nic();
  void note_facts();

  Parts parts_;
  TunnelConfig config_;
  LinkState link_;
  NicStats nic_stats_;
  std::uint32_t warned_ = 0;
  bool wanted_ = false;
  Ticks next_link_check_ = 0;
  mutable std::mutex mutex_;
  PortFacts facts_;
};

}  // namespace udd
