// SPDX-License-Identifier: Apache-2.0
// Control: configuration, link, counters.
#include "udd/port/control.h"

#include <fmt/format.h>

#include <cerrno>
#include <vector>

#include "udd/base/error.h"

namespace udd {
namespace {

// A link change is told by an interrupt when the port sleeps; a poller looks this often, since a look is a register
// read of about a microsecond. People notice a link's loss after some hundred milliseconds.
constexpr std::chrono::milliseconds kLinkCheckEvery{100};

std::string link_text(const LinkState& link) {
  switch (link.status) {
    case LinkState::Status::kUnknown:
      return "the link's state is unknown";
    case LinkState::Status::kDown:
      return "the link is down";
    case LinkState::Status::kUp:
      break;
  }
  if (link.speed_mbps == 0) return "the link is up";
  return fmt::format("the link is up, {} Mbit/s{}", link.speed_mbps,
                     link.duplex == LinkState::Duplex::kHalf ? ", half duplex" : "");
}

}  // namespace

void Control::begin() {
  const std::optional<TunnelConfig> config = parts_.ctrl.read_config();
  if (!config) {
    throw Error(EPROTO, {.what = "read what the kernel wants of the NIC",
                         .device = parts_.tunnel.port(),
                         .why = "its configuration makes no sense",
                         .advice = "the module and the library disagree: check their versions"});
  }
  if (config->mtu > parts_.nic.max_mtu()) {
    throw Error(ERANGE, {.what = "set up the NIC",
                         .device = parts_.tunnel.port(),
                         .why = fmt::format("{} has an MTU of {}, the NIC's driver can do {}", parts_.tunnel.netdev(),
                                            config->mtu, parts_.nic.max_mtu()),
                         .advice = fmt::format("ip link set {} mtu {}", parts_.tunnel.netdev(), parts_.nic.max_mtu())});
  }
  apply(*config);
  link_ = parts_.nic.link();
  note_facts();
  parts_.tunnel.set_link(link_);
  warned_ = load_shared(parts_.ctrl.health().warned);
}

bool Control::look(Ticks now) noexcept {
  bool changed = false;
  if (parts_.ctrl.config_changed(config_.seq)) {
    try {
      if (const std::optional<TunnelConfig> config = parts_.ctrl.read_config()) {
        changed = true;  // in part, if the NIC refuses
        apply(*config);
        note_facts();
        parts_.events.push(PortEvent::Kind::kConfigChanged);
      }
    } catch (const std::exception& error) {
      parts_.log.write(LogLevel::kError, "config-refused", error.what());
    }
  }
  const std::uint32_t warned = load_shared(parts_.ctrl.health().warned);
  if (warned != warned_) {
    warned_ = warned;
    parts_.events.push(PortEvent::Kind::kWatchdogWarning);
    parts_.log.write(LogLevel::kWarning, "watchdog-warning", "the kernel's watchdog is about to take the port back");
  }
  const bool wanted = load_shared(parts_.ctrl.health().wanted) != 0;
  if (wanted && !wanted_) parts_.events.push(PortEvent::Kind::kWanted);
  wanted_ = wanted;
  if (now >= next_link_check_) {
    next_link_check_ = now + to_ticks(kLinkCheckEvery);
    check_link();
    changed = true;
  }
  return changed;
}

void Control::check_link() noexcept {
  const LinkState link = parts_.nic.link();
  if (link == link_) return;
  const bool was_up = link_up();
  link_ = link;
  note_facts();
  parts_.tunnel.set_link(link);
  if (link_up() != was_up) {
    parts_.events.push(link_up() ? PortEvent::Kind::kLinkUp : PortEvent::Kind::kLinkDown);
  }
  parts_.log.write(LogLevel::kInfo, "link-changed", link_text(link));
}

void Control::publish_stats(ndd_stats own) noexcept {
  nic_stats_ = parts_.nic.stats();
  own.rx_frames = nic_stats_.rx_frames;
  own.rx_octets = nic_stats_.rx_octets;
  own.tx_frames = nic_stats_.tx_frames;
  own.tx_octets = nic_stats_.tx_octets;
  own.rx_missed = nic_stats_.rx_missed;
  own.rx_errors = nic_stats_.rx_errors;
  parts_.ctrl.write_stats(own);
}

void Control::apply_groups() noexcept {
  try {
    configure_nic();
  } catch (const std::exception& error) {
    parts_.log.write(LogLevel::kError, "config-refused", error.what());
  }
}

PortFacts Control::facts() const {
  const std::lock_guard lock(mutex_);
  return facts_;
}

void Control::apply(const TunnelConfig& config) {
  config_ = config;
  parts_.steering.set_mac(config_.mac);
  configure_nic();
  store_shared(parts_.ctrl.health().config_applied, config_.seq);
}

void Control::configure_nic() {
  std::vector<MacAddress> groups(config_.multicast.begin(),
                                 config_.multicast.begin() + static_cast<std::ptrdiff_t>(config_.multicast_count));
  groups.insert(groups.end(), parts_.steering.groups().begin(), parts_.steering.groups().end());
  parts_.nic.configure({.mac = config_.mac,
                        .promiscuous = config_.promiscuous,
                        .all_multicast = config_.all_multicast,
                        .multicast = groups,
                        .vlan_filter = config_.vlan_filter,
                        .vlan_bitmap = config_.vlan,
                        .mtu = config_.mtu});
}

void Control::note_facts() {
  const std::lock_guard lock(mutex_);
  facts_ = {.mac = config_.mac, .mtu = config_.mtu, .link = link_};
}

}  // namespace udd
