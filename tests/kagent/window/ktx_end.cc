// SPDX-License-Identifier: Apache-2.0
#include "tests/kagent/window/ktx_end.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>

#include "tests/tools/held_rings.h"

namespace window {
namespace {

using std::chrono::steady_clock;

constexpr std::chrono::seconds kPatience{5};
constexpr useconds_t kNap = 200;
constexpr std::size_t kMac = 6;

constexpr std::size_t kTcpHeader = 20, kUdpHeader = 8;
constexpr std::size_t kIpHeader = 20, kIpv6Header = 40;
constexpr std::uint16_t kTcpSum = 16, kUdpSum = 6;  // offset in the header

void put16(Octets& frame, std::size_t at, std::size_t value) {
  frame[at] = static_cast<std::uint8_t>(value >> 8);
  frame[at + 1] = static_cast<std::uint8_t>(value);
}

}  // namespace

std::vector<ndd_desc> Frame::mapped() const {
  std::vector<ndd_desc> found;
  std::ranges::copy_if(pieces, std::back_inserter(found), [](const ndd_desc& d) { return d.flags & NDD_DESC_WINDOW; });
  return found;
}

KtxEnd::KtxEnd(const held::Held& held)
    : held_(held),
      done_memory_(held::ring(held, NDD_RING_KTX_DONE)),
      ktx_(held::ring(held, NDD_RING_KTX)),
      done_(done_memory_) {}

std::optional<Frame> KtxEnd::poll() {
  std::atomic_ref(held_.health()->progress).fetch_add(1, std::memory_order_relaxed);
  while (ktx_.peek(1) != 0) {
    open_.pieces.push_back(ktx_.read(0));
    ktx_.release(1);
    if (!(open_.pieces.back().flags & NDD_DESC_LAST)) continue;
    Frame frame = std::move(open_);
    open_ = {};
    if (std::ranges::equal(octets(frame.first()).first(kMac), kTo)) return frame;
    give_back(frame);
  }
  return std::nullopt;
}

std::optional<Frame> KtxEnd::next(std::chrono::milliseconds patience) {
  for (const auto until = steady_clock::now() + patience; steady_clock::now() < until; usleep(kNap)) {
    if (auto frame = poll()) return frame;
  }
  return std::nullopt;
}

void KtxEnd::give_back(std::span<const std::uint64_t> entries) {
  if (done_.reserve(static_cast<std::uint32_t>(entries.size())) != entries.size()) held::die("no room in KTX_DONE");
  for (std::uint32_t i = 0; i < entries.size(); ++i) done_.write(i, entries[i]);
  done_.submit(static_cast<std::uint32_t>(entries.size()));
  held::check(ioctl(held_.node, NDD_KICK, 0), "NDD_KICK");
  for (const auto until = steady_clock::now() + kPatience; steady_clock::now() < until; usleep(kNap)) {
    if (std::atomic_ref(*done_memory_.producer).load() == std::atomic_ref(*done_memory_.consumer).load()) return;
  }
  held::expect(false, "entries of KTX_DONE are consumed");
}

void KtxEnd::give_back(const Frame& frame) {
  std::vector<std::uint64_t> entries;
  std::ranges::transform(frame.pieces, std::back_inserter(entries), entry);
  give_back(entries);
}

std::uint64_t KtxEnd::entry(const ndd_desc& piece) {
  return piece.flags & NDD_DESC_WINDOW ? piece.addr | NDD_DONE_WINDOW : piece.addr;
}

std::span<const std::uint8_t> KtxEnd::octets(const ndd_desc& piece) const {
  return {held_.pool + (iova(piece) - held_.take.pool_iova), piece.len};
}

std::uint64_t KtxEnd::iova(const ndd_desc& piece) const {
  if (piece.flags & NDD_DESC_WINDOW) return piece.addr;
  return held_.take.pool_iova + (held_.take.nic_pages + (piece.addr & NDD_ADDR_INDEX_MASK)) * NDD_BUF_SIZE +
         (piece.addr >> NDD_ADDR_OFFSET_SHIFT);
}

Sender::Sender(const std::string& device) : socket_(socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0)) {
  held::check(socket_, "packet socket");
  const int on = 1, room = 1 << 28;
  held::check(setsockopt(socket_, SOL_PACKET, PACKET_VNET_HDR, &on, sizeof(on)), "PACKET_VNET_HDR");
  held::check(setsockopt(socket_, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room)), "SO_SNDBUFFORCE");
  sockaddr_ll to{};
  to.sll_family = AF_PACKET;
  to.sll_ifindex = static_cast<int>(if_nametoindex(device.c_str()));
  held::check(bind(socket_, reinterpret_cast<sockaddr*>(&to), sizeof(to)), "bind to " + device);
}

bool Sender::send(std::span<const std::uint8_t> frame, const Facts& facts) {
  Facts header = facts;
  if (header.hdr_len == 0) header.hdr_len = 64;  // the rest goes into pages
  const iovec parts[] = {{&header, sizeof(header)}, {const_cast<std::uint8_t*>(frame.data()), frame.size()}};
  return writev(socket_, parts, 2) >= 0;
}

Octets make_frame(std::uint16_t ethertype, std::size_t length, std::uint8_t seed) {
  Octets frame(length);
  for (std::size_t i = 0; i < length; ++i) frame[i] = static_cast<std::uint8_t>((i * 31 + (i >> 8) * 7 + seed) ^ seed);
  std::ranges::copy(kTo, frame.begin());
  const std::uint8_t from[kMac] = {0x52, 0x54, 0, 0, 0, 0};
  std::ranges::copy(from, frame.begin() + kMac);
  put16(frame, 2 * kMac, ethertype);
  return frame;
}

Offloaded make_offloaded(bool ipv6, std::size_t length, std::uint16_t mss, std::uint8_t seed) {
  const std::size_t ip = ETH_HLEN, ip_header = ipv6 ? kIpv6Header : kIpHeader, l4 = ip + ip_header;
  const std::uint8_t protocol = mss ? IPPROTO_TCP : IPPROTO_UDP;
  Octets frame = make_frame(ipv6 ? ETH_P_IPV6 : ETH_P_IP, length, seed);
  std::fill_n(frame.begin() + static_cast<std::ptrdiff_t>(ip), ip_header + (mss ? kTcpHeader : kUdpHeader), 0);
  if (ipv6) {
    frame[ip] = 0x60;
    put16(frame, ip + 4, length - l4);
    frame[ip + 6] = protocol;
    frame[ip + 7] = 64;
  } else {
    frame[ip] = 0x45;
    put16(frame, ip + 2, length - ip);
    frame[ip + 8] = 64;
    frame[ip + 9] = protocol;
  }
  if (mss) {
    frame[l4 + 12] = 0x50;
    frame[l4 + 13] = 0x10;
  } else {
    put16(frame, l4 + 4, length - l4);
  }
  Facts facts;
  facts.flags = Facts::kNeedsCsum;
  facts.csum_start = static_cast<std::uint16_t>(l4);
  facts.csum_offset = mss ? kTcpSum : kUdpSum;
  facts.hdr_len = static_cast<std::uint16_t>(l4 + (mss ? kTcpHeader : kUdpHeader));
  if (mss) {
    facts.gso_type = ipv6 ? NDD_GSO_TCPV6 : NDD_GSO_TCPV4;
    facts.gso_size = mss;
  }
  return {std::move(frame), facts};
}

}  // namespace window
