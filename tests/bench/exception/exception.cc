// SPDX-License-Identifier: Apache-2.0
// exception plain|merge PCI_ADDRESS MAC: what DPDK calls the exception path, as the benches' measure for the tunnel. It
// forwards between a polled e1000e (bound to vfio-pci) and the kernel's netdev tap0, made by virtio_user over
// /dev/vhost-net. Checksums are left to either side. `merge` passes large segments: merged here on their way into the
// kernel, and cut here on their way out (the PMD has no TSO). There must be 64 MiB of huge pages.
#include <fmt/core.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_gso.h>
#include <sched.h>

#include <array>
#include <csignal>
#include <cstdio>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "tests/bench/exception/segment.h"
#include "tests/lab/plugin/mark.h"

namespace exception_path {
namespace {

constexpr int kCannotRun = 77;  // the case is skipped
constexpr std::uint16_t kNic = 0, kTap = 1;
constexpr std::uint16_t kBurst = 64;
constexpr std::uint16_t kNicRing = 512, kTapRing = 1024;
constexpr unsigned kBuffers = 8191, kPieces = 4095, kCache = 128;
constexpr std::uint16_t kFrame = 1514;
constexpr int kPatience = 1000;  // attempts to send before frames are dropped

volatile std::sig_atomic_t stop_requested = 0;

[[noreturn]] void fail(std::string_view what) {
  throw std::runtime_error(fmt::format("{}: {}", what, rte_strerror(rte_errno)));
}

rte_mempool* make_pool(const char* name, unsigned count, std::uint16_t room) {
  rte_mempool* const pool = rte_pktmbuf_pool_create(name, count, kCache, 0, room, SOCKET_ID_ANY);
  if (pool == nullptr) fail("no memory for frames");
  return pool;
}

void start(std::uint16_t port, std::uint16_t ring, std::uint64_t rx_offloads, std::uint64_t tx_offloads,
           rte_mempool* pool) {
  rte_eth_conf conf{};
  conf.rxmode.offloads = rx_offloads;
  conf.txmode.offloads = tx_offloads;
  if (rte_eth_dev_configure(port, 1, 1, &conf) != 0 ||
      rte_eth_rx_queue_setup(port, 0, ring, SOCKET_ID_ANY, nullptr, pool) != 0 ||
      rte_eth_tx_queue_setup(port, 0, ring, SOCKET_ID_ANY, nullptr) != 0 || rte_eth_dev_start(port) != 0) {
    fail(fmt::format("port {} does not start", port));
  }
}

class Forwarder {
 public:
  explicit Forwarder(bool merging)
      : merging_(merging), pool_(make_pool("frames", kBuffers, RTE_MBUF_DEFAULT_BUF_SIZE)) {
    cutting_.direct_pool = pool_;
    cutting_.indirect_pool = make_pool("pieces", kPieces, 0);
    cutting_.gso_types = RTE_ETH_TX_OFFLOAD_TCP_TSO;
    cutting_.gso_size = kFrame;
    start(kNic, kNicRing, RTE_ETH_RX_OFFLOAD_TCP_CKSUM | RTE_ETH_RX_OFFLOAD_IPV4_CKSUM,
          RTE_ETH_TX_OFFLOAD_TCP_CKSUM | RTE_ETH_TX_OFFLOAD_IPV4_CKSUM | RTE_ETH_TX_OFFLOAD_MULTI_SEGS, pool_);
    start(kTap, kTapRing, RTE_ETH_RX_OFFLOAD_TCP_CKSUM | (merging ? RTE_ETH_RX_OFFLOAD_TCP_LRO : 0),
          RTE_ETH_TX_OFFLOAD_TCP_CKSUM | RTE_ETH_TX_OFFLOAD_MULTI_SEGS | (merging ? RTE_ETH_TX_OFFLOAD_TCP_TSO : 0),
          pool_);
  }

  /// @return true if anything moved.
  bool round() noexcept {
    const bool in = into_the_kernel();
    const bool out = out_of_the_kernel();
    return in || out;
  }

  [[nodiscard]] std::string told() const {
    return fmt::format("into the kernel {}, as {}; out of it {}, as {}; dropped {}", in_, in_merged_, out_, out_cut_,
                       dropped_);
  }

 private:
  bool into_the_kernel() noexcept {
    std::array<rte_mbuf*, kBurst> frames;
    const std::uint16_t got = rte_eth_rx_burst(kNic, 0, frames.data(), kBurst);
    if (got == 0) return false;
    std::size_t left = got;
    std::array<bool, kBurst> good;
    for (std::uint16_t i = 0; i < got; ++i) {
      good[i] = (frames[i]->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK) != RTE_MBUF_F_RX_L4_CKSUM_BAD;
      frames[i]->ol_flags = 0;
      // What the NIC has found right goes on as "still to be summed", which the kernel takes without looking.
      if (good[i] && Segment::in(frames[i])) frames[i]->ol_flags = RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_TCP_CKSUM;
    }
    if (merging_) {
      left = merge({frames.data(), got});
      for (rte_mbuf* const frame : std::span(frames.data(), left)) {
        if (frame->nb_segs > 1) frame->ol_flags |= RTE_MBUF_F_TX_TCP_SEG;
      }
    }
    in_ += got;
    in_merged_ += left;
    send(kTap, {frames.data(), left});
    return true;
  }

  bool out_of_the_kernel() noexcept {
    std::array<rte_mbuf*, kBurst> frames;
    const std::uint16_t got = rte_eth_rx_burst(kTap, 0, frames.data(), kBurst);
    out_ += got;
    std::size_t first = 0;  // of those not sent yet
    for (std::size_t i = 0; i < got; ++i) {
      const std::uint64_t received = frames[i]->ol_flags;
      frames[i]->ol_flags = 0;
      const bool unsummed = (received & RTE_MBUF_F_RX_L4_CKSUM_MASK) == RTE_MBUF_F_RX_L4_CKSUM_NONE;
      if (!unsummed || !Segment::in(frames[i])) continue;
      frames[i]->ol_flags = RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_TCP_CKSUM;
      if (frames[i]->pkt_len <= kFrame) continue;
      send(kNic, {&frames[first], i - first});
      send_cut(frames[i]);
      first = i + 1;
    }
    send(kNic, {&frames[first], got - first});
    return got != 0;
  }

  void send_cut(rte_mbuf* large) noexcept {
    std::array<rte_mbuf*, kBurst> pieces;
    large->ol_flags |= RTE_MBUF_F_TX_TCP_SEG | RTE_MBUF_F_TX_IP_CKSUM;
    const int count = rte_gso_segment(large, &cutting_, pieces.data(), kBurst);
    if (count > 0) {
      send(kNic, {pieces.data(), static_cast<std::size_t>(count)});
    } else {
      ++dropped_;
    }
    rte_pktmbuf_free(large);  // the pieces hold what they need of it
  }

  void send(std::uint16_t port, std::span<rte_mbuf*> frames) noexcept {
    const std::uint16_t ready = rte_eth_tx_prepare(port, 0, frames.data(), static_cast<std::uint16_t>(frames.size()));
    std::uint16_t sent = 0;
    for (int tries = 0; sent < ready && tries < kPatience; ++tries) {
      const std::uint16_t more =
          rte_eth_tx_burst(port, 0, frames.data() + sent, static_cast<std::uint16_t>(ready - sent));
      if (more == 0) sched_yield();
      sent = static_cast<std::uint16_t>(sent + more);
    }
    if (port == kNic) out_cut_ += sent;
    dropped_ += frames.size() - sent;
    for (rte_mbuf* const frame : frames.subspan(sent)) rte_pktmbuf_free(frame);
  }

  bool merging_;
  rte_mempool* pool_;
  rte_gso_ctx cutting_{};
  std::uint64_t in_ = 0, in_merged_ = 0, out_ = 0, out_cut_ = 0, dropped_ = 0;
};

void start_eal(const std::string& nic, const std::string& mac) {
  std::vector<std::string> arguments = {
      "exception",
      "-l",
      "0",
      "-n",
      "1",
      "-m",
      "64",
      "--no-telemetry",
      "--log-level=3",
      "-a",
      nic,
      fmt::format("--vdev=virtio_user0,path=/dev/vhost-net,queue_size={},iface=tap0,mac={}", kTapRing, mac)};
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  if (rte_eal_init(static_cast<int>(argv.size()), argv.data()) < 0) fail("DPDK does not start");
  if (rte_eth_dev_count_avail() != 2) fail("DPDK does not find both the NIC and the tap");
}

}  // namespace
}  // namespace exception_path

int main(int argc, char** argv) try {
  const std::string_view how = argc == 4 ? argv[1] : "";
  if (how != "plain" && how != "merge") {
    fmt::print(stderr, "usage: exception plain|merge PCI_ADDRESS MAC\n");
    return 2;
  }
  exception_path::start_eal(argv[2], argv[3]);
  exception_path::Forwarder forwarder{how == "merge"};
  std::signal(SIGTERM, [](int) { exception_path::stop_requested = 1; });
  fmt::print("exception: ready\n");
  std::fflush(stdout);
  while (exception_path::stop_requested == 0) {
    if (forwarder.round()) {
      MARK_BUSY();
    } else {
      MARK_IDLE();
      sched_yield();
    }
  }
  fmt::print("exception: frames {}\n", forwarder.told());
  rte_eal_cleanup();
  return 0;
} catch (const std::exception& error) {
  fmt::print(stderr, "exception: {}\n", error.what());
  return exception_path::kCannotRun;
}
