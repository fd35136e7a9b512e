// SPDX-License-Identifier: Apache-2.0
// pingpong: an ordinary application of the library, and the program that its figures are measured with.
#include <fmt/core.h>

#include <csignal>
#include <cstdio>
#include <initializer_list>
#include <vector>

#include "examples/pingpong/link_socket.h"
#include "examples/pingpong/link_udd.h"
#include "examples/pingpong/measure.h"
#include "examples/pingpong/options.h"
#include "examples/pingpong/run.h"

namespace pingpong {

std::atomic<bool> stop_requested{false};

namespace {

void print_progress(std::uint64_t pairs, std::chrono::nanoseconds interval) {
  fmt::print("pingpong: {:.0f} pairs/s\n",
             static_cast<double>(pairs) / std::chrono::duration<double>(interval).count());
  std::fflush(stdout);
}

void log_to_stderr(const udd::LogRecord& record) {
  if (record.level >= udd::LogLevel::kInfo) fmt::print(stderr, "pingpong: {} [{}]\n", record.text, record.id);
}

udd::Port take(const std::string& name, const Options& options) {
  udd::Port port = udd::Port::take(name, options.port_options);
  fmt::print("pingpong: took {} ({})\n", port.netdev(), port.name());
  std::fflush(stdout);
  return port;
}

using Ports = std::initializer_list<const udd::Port*>;

/// What they have cost since they were taken.
Costs costs_of(Ports ports) {
  return [ports = std::vector<const udd::Port*>(ports)] {
    PortCosts costs;
    for (const udd::Port* port : ports) {
      const udd::PortStats stats = port->stats();
      costs.doorbells += stats.doorbells;
      costs.kicks += stats.kicks;
      costs.wakeups += stats.wakeups;
    }
    return costs;
  };
}

template <typename Link>
int run(Link& link, const Options& options, const Costs& costs = {}) {
  if (options.role == Role::kClient) return measure(link, options, Elsewhere{}, print_progress, costs);
  fmt::print("pingpong: serving\n");
  std::fflush(stdout);
  const std::uint64_t echoed = run_server(link, options);
  fmt::print("pingpong: sent {} messages back\n", echoed);
  if (link.alive()) return 0;
  fmt::print(stderr, "pingpong: the port is lost: {}\n", link.why_dead());
  return 2;
}

int run_port(const Options& options) {
  udd::Port port = take(options.port, options);
  if (options.both.empty()) {
    UddLink link{port, options.ethertype, options.peer, options.size};
    return run(link, options, costs_of({&port}));
  }
  udd::Port other = take(options.both, options);
  UddLink link{port, options.ethertype, other.mac(), options.size};
  UddLink far{other, options.ethertype, port.mac(), options.size};
  return measure(link, options, FarEnd{far, options}, print_progress, costs_of({&port, &other}));
}

int measure_sockets(SocketLink& link, SocketLink& far, const Options& options) {
  link.share_thread(far);
  far.share_thread(link);
  return measure(link, options, FarEnd{far, options}, print_progress);
}

int run_both_sockets(const Options& options) {
  if (!options.raw.empty()) {
    SocketLink link = SocketLink::raw(options.raw, options.ethertype, mac_of(options.both), options.size);
    SocketLink far = SocketLink::raw(options.both, options.ethertype, mac_of(options.raw), options.size);
    return measure_sockets(link, far, options);
  }
  SocketLink far = SocketLink::udp_server(options.udp, options.udp_port, options.size, options.both);
  SocketLink link = SocketLink::udp_client(options.udp, options.udp_port, options.size);
  far.serve_only(link);
  return measure_sockets(link, far, options);
}

int run_any(const Options& options) {
  if (!options.port.empty()) return run_port(options);
  if (!options.both.empty()) return run_both_sockets(options);
  SocketLink link = !options.raw.empty() ? SocketLink::raw(options.raw, options.ethertype, options.peer, options.size)
                    : options.role == Role::kClient
                        ? SocketLink::udp_client(options.udp, options.udp_port, options.size)
                        : SocketLink::udp_server(options.udp, options.udp_port, options.size);
  return run(link, options);
}

void request_stop(int) { stop_requested.store(true, std::memory_order_relaxed); }

}  // namespace
}  // namespace pingpong

/// Exit code: 0 every message came back; 1 an error; 2 the port was lost; 3 messages were lost or damaged.
int main(int argc, char** argv) {
  pingpong::Options options;
  if (const auto exit_code = pingpong::parse(argc, argv, options)) return *exit_code;
  options.port_options.log = pingpong::log_to_stderr;
  std::signal(SIGINT, pingpong::request_stop);
  std::signal(SIGTERM, pingpong::request_stop);
  try {
    return pingpong::run_any(options);
  } catch (const udd::Error& error) {
    fmt::print(stderr, "pingpong: {}\n", error.what());
    return 1;
  }
}
