// SPDX-License-Identifier: Apache-2.0
// TCP segments in DPDK's frames, and merging those that continue each other: what the exception path of the benches
// does so that the kernel behind it has fewer to handle.
#pragma once

#include <rte_ip.h>
#include <rte_mbuf.h>
#include <rte_tcp.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace exception_path {

/// A whole TCP/IPv4 frame, its headers in the frame's first buffer.
struct Segment {
  rte_mbuf* frame;
  rte_ipv4_hdr* ip;
  rte_tcp_hdr* tcp;
  std::uint32_t headers;  ///< octets before the payload, Ethernet's included
  std::uint32_t payload;

  /// Notes the lengths that offloads need in the frame. Nothing for what is not TCP over IPv4, or a fragment.
  static std::optional<Segment> in(rte_mbuf* frame) noexcept;
  [[nodiscard]] std::uint32_t sequence() const noexcept { return rte_be_to_cpu_32(tcp->sent_seq); }
  /// Data and nothing but data: what may be merged. PSH ends a merged segment.
  [[nodiscard]] bool is_plain_data() const noexcept {
    return (tcp->tcp_flags & ~RTE_TCP_PSH_FLAG) == RTE_TCP_ACK_FLAG && payload != 0;
  }
  [[nodiscard]] bool pushes() const noexcept { return (tcp->tcp_flags & RTE_TCP_PSH_FLAG) != 0; }
};

/// Merges, in order and in place, the frames of one burst of which each continues the one before it: same connection,
/// acknowledgement, window and options. A merged frame has its pieces chained, and their size in tso_segsz.
/// @return how many frames are left, at the front of `frames`.
std::size_t merge(std::span<rte_mbuf*> frames) noexcept;

}  // namespace exception_path
