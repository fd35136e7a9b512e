// SPDX-License-Identifier: Apache-2.0
// CtrlArea: offsets from the kernel become pointers here, and nowhere else.
#include "udd/tunnel/ctrl.h"

#include <cerrno>
#include <cstring>
#include <string>

#include "udd/base/error.h"
#include "udd/base/units.h"
#include "udd/mem/frame.h"
#include "udd/ring/ring_memory.h"

namespace udd {
namespace {

// A writer holds the sequence odd for a microsecond; that many tries outlast any but a stopped one.
constexpr int kConfigTries = 1000;
// IPv4's smallest MTU (RFC 791) and the largest length of a frame that struct ndd_config can mean.
constexpr std::uint32_t kMtuMin = 68;
constexpr std::uint32_t kMtuMax = 65535;

[[noreturn]] void throw_bad(const std::string& why) {
  throw Error(EPROTO, {.what = "read the port's ctrl area",
                       .device = {},
                       .why = why,
                       .advice = "the module and the library disagree: check their versions"});
}

/// The window must be something that both sides can name by slots, and none of the pool.
void check_window(const ndd_ctrl& ctrl) {
  // A slot's number has one bit less than a buffer's index.
  constexpr std::uint64_t kLongest = std::uint64_t{kWindowToken - 1} * NDD_WINDOW_SLOT;
  if (((ctrl.features & NDD_F_WINDOW) != 0) != (ctrl.window_size != 0)) {
    throw_bad("its window of " + std::to_string(ctrl.window_size) + " octets does not go with its features");
  }
  if (ctrl.window_iova % NDD_WINDOW_SLOT != 0 || ctrl.window_size % NDD_WINDOW_SLOT != 0 ||
      ctrl.window_size > kLongest || ctrl.window_iova + ctrl.window_size < ctrl.window_iova) {
    throw_bad("its window is not one of whole slots");
  }
  const std::uint64_t pool_size = (std::uint64_t{ctrl.nic_pages} + ctrl.buf_count) * NDD_BUF_SIZE;
  if (ctrl.window_iova < ctrl.pool_iova + pool_size && ctrl.pool_iova < ctrl.window_iova + ctrl.window_size) {
    throw_bad("its window overlaps the pool");
  }
}

template <typename T>
T* find(std::span<std::byte> ctrl, std::uint32_t offset, const char* what, std::size_t count = 1) {
  if (offset > ctrl.size() || sizeof(T) * count > ctrl.size() - offset || offset % alignof(T) != 0) {
    throw_bad(std::string(what) + " at " + std::to_string(offset) + " lies outside of the " +
              std::to_string(ctrl.size()) + " octets mapped");
  }
  return static_cast<T*>(static_cast<void*>(ctrl.data() + offset));
}

}  // namespace

CtrlArea::CtrlArea(std::span<std::byte> ctrl) : header_(*find<const ndd_ctrl>(ctrl, 0, "its header")) {
  if (header_.magic != NDD_CTRL_MAGIC) throw_bad("it does not start with its magic number");
  if (header_.queues == 0 || header_.queues > NDD_QUEUES_MAX) {
    throw_bad(std::to_string(header_.queues) + " queues are impossible");
  }
  if (header_.kernel_bufs > header_.buf_count || header_.exchange_bufs > header_.buf_count - header_.kernel_bufs) {
    throw_bad("the kernel has more buffers than there are");
  }
  check_window(header_);
  health_ = find<ndd_health>(ctrl, header_.health, "health");
  config_ = find<ndd_config>(ctrl, header_.config, "configuration");
  stats_ = find<ndd_stats>(ctrl, header_.stats, "statistics");
  const ndd_ring_layout* layouts =
      find<const ndd_ring_layout>(ctrl, header_.rings, "the rings' layouts", std::size_t{header_.queues} * NDD_RINGS);
  for (unsigned queue = 0; queue < header_.queues; ++queue, layouts += NDD_RINGS) {
    rings_[queue] = {.ktx = ring_memory(ctrl, layouts[NDD_RING_KTX], sizeof(ndd_desc)),
                     .ktx_done = ring_memory(ctrl, layouts[NDD_RING_KTX_DONE], sizeof(std::uint64_t)),
                     .krx = ring_memory(ctrl, layouts[NDD_RING_KRX], sizeof(ndd_desc)),
                     .krx_free = ring_memory(ctrl, layouts[NDD_RING_KRX_FREE], sizeof(std::uint64_t))};
  }
}

std::optional<TunnelConfig> CtrlArea::read_config() const noexcept {
  static_assert(sizeof(ndd_config) % sizeof(std::uint32_t) == 0);
  constexpr std::size_t kWords = sizeof(ndd_config) / sizeof(std::uint32_t);
  auto* const from = static_cast<std::uint32_t*>(static_cast<void*>(config_));
  std::array<std::uint32_t, kWords> words;
  for (int tries = 0; tries < kConfigTries; ++tries) {
    // Acquire on every load keeps them in order before the second look at seq.
    for (std::size_t i = 0; i < kWords; ++i) words[i] = std::atomic_ref(from[i]).load(std::memory_order_acquire);
    const std::uint32_t seq = words[offsetof(ndd_config, seq) / sizeof(std::uint32_t)];
    if (seq % 2 != 0 || std::atomic_ref(config_->seq).load(std::memory_order_acquire) != seq) continue;

    ndd_config raw;
    std::memcpy(&raw, words.data(), sizeof(raw));
    const bool group_address = (raw.mac[0] & 1) != 0;
    if (raw.multicast_count > NDD_MULTICAST_MAX || raw.mtu < kMtuMin || raw.mtu > kMtuMax || group_address) {
      return std::nullopt;
    }
    TunnelConfig config;
    config.seq = seq;
    config.up = (raw.flags & NDD_CONFIG_UP) != 0;
    config.promiscuous = (raw.flags & NDD_CONFIG_PROMISC) != 0;
    config.all_multicast = (raw.flags & NDD_CONFIG_ALLMULTI) != 0;
    config.vlan_filter = (raw.flags & NDD_CONFIG_VLAN_FILTER) != 0;
    config.rx_merge = (raw.flags & NDD_CONFIG_RX_MERGE) != 0;
    config.mtu = raw.mtu;
    std::memcpy(config.mac.data(), raw.mac, config.mac.size());
    std::memcpy(config.vlan.data(), raw.vlan, config.vlan.size());
    std::memcpy(config.multicast.data(), raw.multicast, sizeof(raw.multicast));
    config.multicast_count = raw.multicast_count;
    return config;
  }
  return std::nullopt;
}

void CtrlArea::write_stats(const ndd_stats& stats) const noexcept {
  constexpr std::size_t kWords = sizeof(ndd_stats) / sizeof(std::uint64_t);
  std::array<std::uint64_t, kWords> words;
  std::memcpy(words.data(), &stats, sizeof(stats));
  auto* const to = static_cast<std::uint64_t*>(static_cast<void*>(stats_));
  for (std::size_t i = 0; i < kWords; ++i) std::atomic_ref(to[i]).store(words[i], std::memory_order_relaxed);
}

std::uint64_t features_of(const NicOffloads& offloads) noexcept {
  return (offloads.window ? NDD_F_WINDOW : 0) | (offloads.tx_checksum ? NDD_F_TX_CSUM : 0) |
         (offloads.tso4 ? NDD_F_TSO4 : 0) | (offloads.tso6 ? NDD_F_TSO6 : 0) |
         (offloads.rx_checksum ? NDD_F_OFFLOAD : 0);
}

const char* mode_text(std::uint32_t mode) noexcept {
  switch (mode) {
    case NDD_MODE_NONE:
      return "none";
    case NDD_MODE_DIRECT:
      return "direct";
    case NDD_MODE_TAKING:
      return "taking";
    case NDD_MODE_TUNNEL:
      return "tunnel";
    case NDD_MODE_RESTORING:
      return "restoring";
    case NDD_MODE_LOST:
      return "lost";
    case NDD_MODE_HELD:
      return "held";
    case NDD_MODE_UNBOUND:
      return "unbound";
    default:
      return "unknown";
  }
}

const char* reason_sentence(std::uint32_t reason) noexcept {
  switch (reason) {
    case NDD_REASON_NONE:
      return "the kernel gave no reason";
    case NDD_REASON_CREATED:
      return "the stable netdev was linked to its lower";
    case NDD_REASON_TAKEN:
      return "a process asked for the port";
    case NDD_REASON_STARTED:
      return "the process services the tunnel";
    case NDD_REASON_GIVEN_BACK:
      return "the process gave the port back";
    case NDD_REASON_DIED:
      return "the process ended without giving the port back";
    case NDD_REASON_TAKE_FAILED:
      return "a step of the take failed";
    case NDD_REASON_TAKE_TIMEOUT:
      return "the take was not finished in time";
    case NDD_REASON_WATCHDOG:
      return "the watchdog found nobody servicing the port";
    case NDD_REASON_APP_DEADLINE:
      return "the application missed its own deadline";
    case NDD_REASON_STOPPED:
      return "the process was stopped by a signal";
    case NDD_REASON_DEBUGGER:
      return "a debugger stopped the process";
    case NDD_REASON_PROTOCOL:
      return "the process broke the rules of the shared rings";
    case NDD_REASON_RESTORED:
      return "the in-kernel driver serves the port again";
    case NDD_REASON_RESTORE_FAILED:
      return "the in-kernel driver could not be brought back yet, see the kernel log";
    case NDD_REASON_DEVICE_GONE:
      return "the PCI device was removed";
    case NDD_REASON_LINK_DELETED:
      return "the stable netdev was deleted";
    case NDD_REASON_ADMIN:
      return "an administrator wanted it (driver change, module unload or suspend)";
    case NDD_REASON_PASSED:
      return "a process that waited goes on with the port";
    default:
      return "the reason is unknown to this version of the library";
  }
}

}  // namespace udd
