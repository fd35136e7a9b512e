// SPDX-License-Identifier: Apache-2.0
// The ctrl area as the process sees it: health, configuration, statistics and rings, found by checked offsets.
#pragma once

#include <linux/ndd.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "udd/nic/nic.h"
#include "udd/ring/ring.h"

namespace udd {

/// What the kernel wants of the NIC: a consistent, checked copy of struct ndd_config.
struct TunnelConfig {
  std::uint32_t seq = 0;
  bool up = false;
  bool promiscuous = false;
  bool all_multicast = false;
  bool vlan_filter = false;
  bool rx_merge = false;
  std::uint32_t mtu = 0;
  MacAddress mac{};
  std::array<std::uint8_t, 512> vlan{};
  std::array<MacAddress, NDD_MULTICAST_MAX> multicast{};
  std::size_t multicast_count = 0;
};

/// The four rings of a queue pair.
struct TunnelRings {
  RingMemory ktx;
  RingMemory ktx_done;
  RingMemory krx;
  RingMemory krx_free;
};

/// A view; the mapping must outlive it.
class CtrlArea {
 public:
  /// Checks everything the kernel published. Throws udd::Error (EPROTO).
  explicit CtrlArea(std::span<std::byte> ctrl);

  /// A copy, taken once.
  [[nodiscard]] const ndd_ctrl& header() const noexcept { return header_; }
  [[nodiscard]] ndd_health& health() const noexcept { return *health_; }
  [[nodiscard]] const TunnelRings& rings(unsigned queue) const { return rings_.at(queue); }

  /// Has the configuration changed since `seq`? One load.
  [[nodiscard]] bool config_changed(std::uint32_t seq) const noexcept {
    return std::atomic_ref(config_->seq).load(std::memory_order_relaxed) != seq;
  }
  /// @return nullopt if the kernel was writing all the while, or wrote nonsense: look again later.
  [[nodiscard]] std::optional<TunnelConfig> read_config() const noexcept;
  void write_stats(const ndd_stats& stats) const noexcept;

 private:
  ndd_ctrl header_;
  ndd_health* health_;
  ndd_config* config_;
  ndd_stats* stats_;
  std::array<TunnelRings, NDD_QUEUES_MAX> rings_{};
};

/// Loads of a word the kernel writes and stores of one it reads: plain moves on x86-64.
[[nodiscard]] inline std::uint32_t load_shared(const std::uint32_t& word) noexcept {
  return std::atomic_ref(const_cast<std::uint32_t&>(word)).load(std::memory_order_relaxed);
}
inline void store_shared(std::uint32_t& word, std::uint32_t value) noexcept {
  std::atomic_ref(word).store(value, std::memory_order_relaxed);
}

/// NDD_F_* that let the kernel make use of what a NIC offers.
[[nodiscard]] std::uint64_t features_of(const NicOffloads& offloads) noexcept;

/// Names for messages. Unknown numbers are "unknown".
[[nodiscard]] const char* mode_text(std::uint32_t mode) noexcept;
/// As the end of a sentence: "the watchdog found nobody servicing the port".
[[nodiscard]] const char* reason_sentence(std::uint32_t reason) noexcept;

}  // namespace udd
