// SPDX-License-Identifier: Apache-2.0
// Signal pairs between two DPDK ports, both ends polled in one thread:  dpdk_pairs PCI_ADDRESS PCI_ADDRESS --count N …
// Both devices must be vfio-pci's, and there must be 64 MiB of huge pages.
#include <fmt/core.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include <chrono>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "examples/pingpong/measure.h"
#include "tests/bench/peers/ends.h"
#include "tests/bench/peers/link_dpdk.h"

namespace peers {
namespace {

constexpr std::uint16_t kRing = 256;
constexpr unsigned kBuffers = 4095, kBufferCache = 128;

/// The environment layer of DPDK, while it lives.
class Eal {
 public:
  explicit Eal(const Ends& ends) {
    std::vector<std::string> arguments = {"dpdk_pairs",    "-l", "0",       "-n", "1",     "-m", "64", "--no-telemetry",
                                          "--log-level=4", "-a", ends.near, "-a", ends.far};
    std::vector<char*> argv;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    if (rte_eal_init(static_cast<int>(arguments.size()), argv.data()) < 0) {
      throw std::runtime_error(fmt::format("DPDK does not start: {}", rte_strerror(rte_errno)));
    }
  }
  Eal(const Eal&) = delete;
  Eal& operator=(const Eal&) = delete;
  ~Eal() { rte_eal_cleanup(); }
};

std::uint16_t port_of(const std::string& address) {
  std::uint16_t port = 0;
  if (rte_eth_dev_get_port_by_name(address.c_str(), &port) != 0) {
    throw std::runtime_error(fmt::format("{} is no port of DPDK's: is it vfio-pci's?", address));
  }
  return port;
}

void start(std::uint16_t port, rte_mempool* pool) {
  const rte_eth_conf plain{};
  if (rte_eth_dev_configure(port, 1, 1, &plain) != 0 ||
      rte_eth_rx_queue_setup(port, 0, kRing, SOCKET_ID_ANY, nullptr, pool) != 0 ||
      rte_eth_tx_queue_setup(port, 0, kRing, SOCKET_ID_ANY, nullptr) != 0 || rte_eth_dev_start(port) != 0) {
    throw std::runtime_error(fmt::format("port {} does not start", port));
  }
}

void await_link(std::uint16_t port) {
  for (int tries = 0; tries < 100; ++tries) {
    rte_eth_link link{};
    if (rte_eth_link_get_nowait(port, &link) == 0 && link.link_status != 0) return;
    std::this_thread::sleep_for(std::chrono::milliseconds{100});
  }
  throw std::runtime_error(fmt::format("port {} has no link", port));
}

rte_ether_addr mac_of(std::uint16_t port) {
  rte_ether_addr mac{};
  rte_eth_macaddr_get(port, &mac);
  return mac;
}

int run(const Ends& ends) {
  const Eal eal{ends};
  const std::uint16_t near = port_of(ends.near), far = port_of(ends.far);
  rte_mempool* const pool =
      rte_pktmbuf_pool_create("frames", kBuffers, kBufferCache, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
  if (pool == nullptr) throw std::runtime_error("no memory for frames");
  for (const std::uint16_t port : {near, far}) start(port, pool);
  for (const std::uint16_t port : {near, far}) await_link(port);
  const pingpong::Options& options = ends.options;
  DpdkLink link{near, pool, mac_of(far), options.ethertype, options.size};
  DpdkLink other{far, pool, mac_of(near), options.ethertype, options.size};
  return pingpong::measure(link, options, pingpong::FarEnd{other, options});
}

}  // namespace
}  // namespace peers

namespace pingpong {
std::atomic<bool> stop_requested{false};
}

int main(int argc, char** argv) {
  peers::Ends ends;
  if (const auto exit_code = peers::parse(argc, argv, "dpdk", "Signal pairs between two DPDK ports.", ends)) {
    return *exit_code;
  }
  try {
    return peers::run(ends);
  } catch (const std::runtime_error& error) {
    fmt::print(stderr, "dpdk_pairs: {}\n", error.what());
    return peers::kCannotRun;
  }
}
