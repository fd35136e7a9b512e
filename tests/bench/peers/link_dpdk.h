// SPDX-License-Identifier: Apache-2.0
// pingpong's link over DPDK: one port, one queue pair, messages behind an Ethernet header in mbufs.
// As over a taken port (examples/pingpong/link_udd.h), messages go out in the frames that were received last.
#pragma once

#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>

#include "examples/pingpong/message.h"

namespace peers {

class DpdkLink {
 public:
  static constexpr std::size_t kBurst = 32;

  DpdkLink(std::uint16_t port, rte_mempool* pool, const rte_ether_addr& peer, std::uint16_t ethertype,
           std::size_t message_size)
      : port_(port), pool_(pool), frame_size_(static_cast<std::uint16_t>(sizeof header_ + message_size)) {
    header_.dst_addr = peer;
    rte_eth_macaddr_get(port, &header_.src_addr);
    header_.ether_type = rte_cpu_to_be_16(ethertype);
  }

  template <typename Fill>
  std::size_t send(std::size_t count, Fill fill) noexcept {
    count = std::min(count, kBurst);
    if (spare_ < count) [[unlikely]]
      add_spare(count);
    count = std::min(count, spare_);
    const rte_ether_hdr header = header_;  // a local: a store to a frame could be one to a member
    const std::uint16_t size = frame_size_;
    for (std::size_t i = 0; i < count; ++i) {
      rte_mbuf* const frame = frames_[i];
      if (frame->data_len != size) frame->pkt_len = frame->data_len = size;
      std::memcpy(rte_pktmbuf_mtod(frame, void*), &header, sizeof header);
      fill(message_of(frame, size), i);
    }
    const std::size_t sent = rte_eth_tx_burst(port_, 0, frames_.data(), static_cast<std::uint16_t>(count));
    if (sent != spare_) [[unlikely]]
      std::copy(frames_.data() + sent, frames_.data() + spare_, frames_.data());
    spare_ -= sent;
    return sent;
  }

  template <typename Use>
  std::size_t receive(Use use) noexcept {
    if (spare_ != 0) [[unlikely]]
      rte_pktmbuf_free_bulk(frames_.data(), static_cast<unsigned>(spare_));
    spare_ = rte_eth_rx_burst(port_, 0, frames_.data(), kBurst);
    for (rte_mbuf* frame : std::span(frames_.data(), spare_)) {
      if (is_ours(frame)) use(message_of(frame, frame_size_));
    }
    return spare_;
  }

  template <typename Use>
  std::size_t echo(Use use) noexcept {
    std::array<rte_mbuf*, kBurst> frames;
    const std::uint16_t got = rte_eth_rx_burst(port_, 0, frames.data(), kBurst);
    const rte_ether_hdr header = header_;
    const std::uint16_t size = frame_size_;
    std::uint16_t answers = 0;
    for (rte_mbuf* frame : std::span(frames.data(), got)) {
      if (!is_ours(frame)) [[unlikely]] {
        rte_pktmbuf_free_bulk(&frame, 1);
        continue;
      }
      use(message_of(frame, size));
      std::memcpy(rte_pktmbuf_mtod(frame, void*), &header, sizeof header);
      frames[answers++] = frame;
    }
    return hand_over({frames.data(), answers});
  }

  void wait(std::chrono::milliseconds) noexcept {}
  [[nodiscard]] bool alive() const noexcept { return true; }
  [[nodiscard]] std::string why_dead() const { return {}; }

 private:
  bool is_ours(const rte_mbuf* frame) const noexcept {
    return frame->data_len >= frame_size_ &&
           rte_pktmbuf_mtod(frame, const rte_ether_hdr*)->ether_type == header_.ether_type;
  }

  static std::span<std::byte> message_of(rte_mbuf* frame, std::size_t size) noexcept {
    return {rte_pktmbuf_mtod_offset(frame, std::byte*, sizeof header_), size - sizeof header_};
  }

  void add_spare(std::size_t wanted) noexcept {
    for (; spare_ < wanted; ++spare_) {
      frames_[spare_] = rte_pktmbuf_alloc(pool_);
      if (frames_[spare_] == nullptr) break;
    }
  }

  std::size_t hand_over(std::span<rte_mbuf*> frames) noexcept {
    const std::uint16_t sent = rte_eth_tx_burst(port_, 0, frames.data(), static_cast<std::uint16_t>(frames.size()));
    if (sent < frames.size()) [[unlikely]]
      rte_pktmbuf_free_bulk(frames.data() + sent, static_cast<unsigned>(frames.size() - sent));
    return sent;
  }

  std::uint16_t port_;
  rte_mempool* pool_;
  std::uint16_t frame_size_;
  rte_ether_hdr header_{};
  std::size_t spare_ = 0;                   ///< frames received and done with: the next messages go out in them
  std::array<rte_mbuf*, kBurst> frames_{};  ///< the first spare_ of them
};

}  // namespace peers
