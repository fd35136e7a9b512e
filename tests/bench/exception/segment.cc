// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/exception/segment.h"

#include <rte_ether.h>

#include <cstring>

namespace exception_path {
namespace {

constexpr std::uint32_t kEthernet = sizeof(rte_ether_hdr);
constexpr std::uint32_t kLongest = 65000;  // of a merged frame: below what IPv4 can say

/// A frame that grows.
class Growing {
 public:
  explicit Growing(const Segment& first) noexcept
      : head_(first), last_(first.frame), size_(first.payload), next_(first.sequence() + first.payload) {
    first.frame->tso_segsz = static_cast<std::uint16_t>(first.payload);
  }

  [[nodiscard]] bool takes(const Segment& segment) const noexcept {
    return segment.is_plain_data() && segment.sequence() == next_ && segment.headers == head_.headers &&
           segment.payload <= size_ && head_.frame->pkt_len + segment.payload < kLongest &&
           segment.ip->src_addr == head_.ip->src_addr && segment.ip->dst_addr == head_.ip->dst_addr &&
           segment.tcp->src_port == head_.tcp->src_port && segment.tcp->dst_port == head_.tcp->dst_port &&
           segment.tcp->recv_ack == head_.tcp->recv_ack && segment.tcp->rx_win == head_.tcp->rx_win &&
           std::memcmp(segment.tcp + 1, head_.tcp + 1, head_.frame->l4_len - sizeof(rte_tcp_hdr)) == 0;
  }

  /// @return false if nothing may follow.
  bool take(const Segment& segment) noexcept {
    rte_pktmbuf_adj(segment.frame, static_cast<std::uint16_t>(segment.headers));
    segment.frame->data_len = static_cast<std::uint16_t>(segment.payload);  // without Ethernet's padding
    last_->next = segment.frame;
    last_ = segment.frame;
    head_.frame->nb_segs++;
    head_.frame->pkt_len += segment.payload;
    head_.tcp->tcp_flags |= segment.tcp->tcp_flags;
    next_ += segment.payload;
    head_.ip->total_length = rte_cpu_to_be_16(static_cast<std::uint16_t>(head_.frame->pkt_len - head_.frame->l2_len));
    return segment.payload == size_ && !segment.pushes();
  }

 private:
  Segment head_;
  rte_mbuf* last_;
  std::uint32_t size_;
  std::uint32_t next_;
};

void renew_checksum(rte_mbuf* frame) noexcept {
  auto* const ip = rte_pktmbuf_mtod_offset(frame, rte_ipv4_hdr*, frame->l2_len);
  ip->hdr_checksum = 0;
  ip->hdr_checksum = rte_ipv4_cksum(ip);
}

}  // namespace

std::optional<Segment> Segment::in(rte_mbuf* frame) noexcept {
  auto* const ethernet = rte_pktmbuf_mtod(frame, rte_ether_hdr*);
  if (frame->data_len < sizeof(rte_ether_hdr) + sizeof(rte_ipv4_hdr) + sizeof(rte_tcp_hdr) ||
      ethernet->ether_type != rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4)) {
    return std::nullopt;
  }
  auto* const ip = rte_pktmbuf_mtod_offset(frame, rte_ipv4_hdr*, sizeof(rte_ether_hdr));
  const std::uint32_t ip_header = rte_ipv4_hdr_len(ip);
  const std::uint16_t fragment = rte_cpu_to_be_16(RTE_IPV4_HDR_MF_FLAG | RTE_IPV4_HDR_OFFSET_MASK);
  if (ip->next_proto_id != IPPROTO_TCP || (ip->fragment_offset & fragment) != 0) return std::nullopt;
  auto* const tcp = rte_pktmbuf_mtod_offset(frame, rte_tcp_hdr*, sizeof(rte_ether_hdr) + ip_header);
  const std::uint32_t tcp_header = static_cast<std::uint32_t>(tcp->data_off >> 4) * 4;
  const std::uint32_t headers = kEthernet + ip_header + tcp_header;
  const std::uint32_t length = kEthernet + rte_be_to_cpu_16(ip->total_length);
  if (headers > frame->data_len || headers > length || length > frame->pkt_len) return std::nullopt;
  frame->l2_len = kEthernet;
  frame->l3_len = ip_header & 0x1ff;  // as wide as the fields are
  frame->l4_len = tcp_header & 0xff;
  return Segment{.frame = frame, .ip = ip, .tcp = tcp, .headers = headers, .payload = length - headers};
}

std::size_t merge(std::span<rte_mbuf*> frames) noexcept {
  std::size_t left = 0;
  std::optional<Growing> growing;
  for (rte_mbuf* const frame : frames) {
    const std::optional<Segment> segment = Segment::in(frame);
    if (growing && segment && growing->takes(*segment)) {
      if (!growing->take(*segment)) growing.reset();
      continue;
    }
    frames[left++] = frame;
    growing.reset();
    if (segment && segment->is_plain_data() && !segment->pushes()) growing.emplace(*segment);
  }
  for (rte_mbuf* const frame : frames.first(left)) {
    if (frame->nb_segs > 1) renew_checksum(frame);
  }
  return left;
}

}  // namespace exception_path
