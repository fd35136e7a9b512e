// SPDX-License-Identifier: Apache-2.0
// tunnel_server poll|wait PORT...: an application that wants no frames of its own, so that all it costs is the kernel's
// traffic. It polls, or sleeps in wait(), until a signal comes or the port is lost. With one CPU a poller has to step
// aside when nothing moved; the lab's plugin counts such rounds apart. At SIGUSR1 it prints what its ports have
// counted, and at the end.
// tunnel_server NAME SEGMENTS PORT...: polls for as many segments to the kernel, and again: those make the figure NAME.
#include <sched.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "tests/bench/kernel_segments.h"
#include "tests/lab/plugin/mark.h"
#include "udd/port.h"

namespace {

volatile std::sig_atomic_t stop_requested = 0;
volatile std::sig_atomic_t counters_requested = 0;

bool all_taken(const std::vector<udd::Port>& ports) {
  for (const udd::Port& port : ports) {
    if (port.state() != udd::PortState::kTunnel) return false;
  }
  return true;
}

void poll(std::vector<udd::Port>& ports) {
  bool moved = false;
  for (udd::Port& port : ports) moved = port.queue(0).poll() || moved;
  if (moved) {
    MARK_BUSY();
  } else {
    MARK_IDLE();
    sched_yield();
  }
}

/// One thread sleeps on one port.
void wait(udd::Port& port) { port.queue(0).wait(std::chrono::milliseconds{100}); }

void print_counters(const std::vector<udd::Port>& ports) {
  for (const udd::Port& port : ports) {
    const udd::PortStats stats = port.stats();
    std::printf(
        "%s: frames out %lu, in %lu, merged %lu, of segments %lu, dropped %lu, missed by the NIC %lu; doorbells %lu, "
        "kicks %lu, wake-ups %lu\n",
        port.netdev().c_str(), stats.kernel_tx_frames, stats.kernel_rx_frames, stats.kernel_rx_merged,
        stats.kernel_rx_segments, stats.kernel_rx_dropped, stats.nic.rx_missed, stats.doorbells, stats.kicks,
        stats.wakeups);
  }
  std::fflush(stdout);
}

std::uint64_t segments_of(const std::vector<udd::Port>& ports) {
  std::uint64_t sum = 0;
  for (const udd::Port& port : ports) sum += kernel_segments(port.stats());
  return sum;
}

/// Until the kernel has got so many segments more.
std::uint64_t poll_for(std::vector<udd::Port>& ports, std::uint64_t segments) {
  const std::uint64_t before = segments_of(ports);
  std::uint64_t got = 0;
  while (got < segments && stop_requested == 0 && all_taken(ports)) {
    for (int i = 0; i < 64; ++i) poll(ports);  // asking costs as much as a segment
    got = segments_of(ports) - before;
  }
  return got;
}

int usage() {
  std::fprintf(stderr, "usage: tunnel_server poll PORT... | wait PORT | NAME SEGMENTS PORT...\n");
  return 2;
}

}  // namespace

int main(int argc, char** argv) try {
  const std::string_view how = argc > 2 ? argv[1] : "";
  const bool waits = how == "wait";
  const bool counts = how != "poll" && !waits;
  const long segments = counts && argc > 3 ? std::atol(argv[2]) : 0;
  if (argc < 3 || (waits && argc != 3) || (counts && segments <= 0)) return usage();
  std::vector<udd::Port> ports;
  for (int i = counts ? 3 : 2; i < argc; ++i) ports.push_back(udd::Port::take(argv[i], {.ethertypes = {0x88B5}}));
  std::signal(SIGTERM, [](int) { stop_requested = 1; });
  std::signal(SIGUSR1, [](int) { counters_requested = 1; });
  std::puts("tunnel_server: ready");
  std::fflush(stdout);
  if (counts) {
    poll_for(ports, static_cast<std::uint64_t>(segments));
    MARK_START();
    const std::uint64_t got = poll_for(ports, static_cast<std::uint64_t>(segments));
    MARK_STOP();
    mark_figure(argv[1], "segment", static_cast<long>(got));
  }
  while (!counts && stop_requested == 0 && all_taken(ports)) {
    if (waits) {
      wait(ports[0]);
    } else {
      poll(ports);
    }
    if (counters_requested != 0) {
      counters_requested = 0;
      print_counters(ports);
    }
  }
  print_counters(ports);
  return all_taken(ports) ? 0 : 1;
} catch (const udd::Error& error) {
  std::fprintf(stderr, "tunnel_server: %s\n", error.what());
  return 1;
}
