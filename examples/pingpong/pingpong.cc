// SPDX-License-Identifier: Apache-2.0
// pingpong: an ordinary application of the library, and the program that its figures are measured with.
#include <fmt/core.h>

#include <csignal>
#include <cstdio>
#include <initializer_list>

#include "examples/pingpong/link_socket.h"
#include "examples/pingpong/link_udd.h"
#include "examples/pingpong/options.h"
#include "examples/pingpong/report.h"
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

/// Since they were taken.
PortCosts costs_of(Ports ports) {
  PortCosts costs;
  for (const udd::Port* port : ports) {
    const udd::PortStats stats = port->stats();
    costs.doorbells += stats.doorbells;
    costs.kicks += stats.kicks;
    costs.wakeups += stats.wakeups;
  }
  return costs;
}

template <typename Link, typename OtherEnd>
int measure(Link& link, const Options& options, OtherEnd other_end, Ports ports = {}) {
  Client client{link, options, other_end, print_progress};
  if (options.warm_up != 0) client.run(options.warm_up);
  const PortCosts before = costs_of(ports);
  MARK_START();
  Result result = client.run(options.count);
  MARK_STOP();
  mark_figure(fmt::format("signal_pairs_{}_w{}", path_name(options), options.window).c_str(), "pair",
              static_cast<long>(result.received));
  if (ports.size() != 0) {
    const PortCosts after = costs_of(ports);
    result.costs = {.doorbells = after.doorbells - before.doorbells,
                    .kicks = after.kicks - before.kicks,
                    .wakeups = after.wakeups - before.wakeups};
  }
  fmt::print("{}\n", options.json ? to_json(result, options) : to_text(result));
  if (!link.alive()) {
    fmt::print(stderr, "pingpong: the port is lost: {}\n", link.why_dead());
    return 2;
  }
  return result.lost + result.out_of_order + result.damaged == 0 ? 0 : 3;
}

template <typename Link>
int run(Link& link, const Options& options, Ports ports = {}) {
  if (options.role == Role::kClient)
    return measure(
        link, options, [] {}, ports);
  fmt::print("pingpong: serving\n");
  std::fflush(stdout);
  const std::uint64_t echoed = run_server(link, options);
  fmt::print("pingpong: sent {} messages back\n", echoed);
  if (link.alive()) return 0;
  fmt::print(stderr, "pingpong: the port is lost: {}\n", link.why_dead());
  return 2;
}

/// The other end in the client's thread: one round of a server.
template <typename Link>
auto echo_of(Link& far) {
  return [&far] { far.echo([](std::span<std::byte>) {}); };
}

int run_port(const Options& options) {
  udd::Port port = take(options.port, options);
  if (options.both.empty()) {
    UddLink link{port, options.ethertype, options.peer, options.size};
    return run(link, options, {&port});
  }
  udd::Port other = take(options.both, options);
  UddLink link{port, options.ethertype, other.mac(), options.size};
  UddLink far{other, options.ethertype, port.mac(), options.size};
  return measure(link, options, echo_of(far), {&port, &other});
}

int run_both_udp(const Options& options) {
  SocketLink far = SocketLink::udp_server(options.udp, options.udp_port, options.size, options.both);
  SocketLink link = SocketLink::udp_client(options.udp, options.udp_port, options.size);
  return measure(link, options, echo_of(far));
}

int run_any(const Options& options) {
  if (!options.port.empty()) return run_port(options);
  if (!options.both.empty() && !options.udp.empty()) return run_both_udp(options);
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
