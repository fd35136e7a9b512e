// SPDX-License-Identifier: Apache-2.0
#include "examples/pingpong/options.h"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <map>
#include <string>

#include "examples/pingpong/message.h"

namespace pingpong {
namespace {

constexpr const char* kAbout =
    R"(Messages to and fro: a client sends, a server sends them back, and the client measures.

Either end takes a port (--port, the udd library), or uses the kernel to be compared with (--raw, --udp).
  pingpong server --raw eth1                              the far side, by AF_PACKET
  pingpong client --port ndd0 --peer 52:54:00:00:00:01    take ndd0's port and exchange messages
  pingpong client --udp 10.0.0.2                          the same over UDP sockets
Ending it, however rudely, gives the port back to the in-kernel driver.)";

bool parse_mac(const std::string& text, udd::MacAddress& mac) {
  int used = 0;
  const int fields = std::sscanf(text.c_str(), "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx%n", &mac[0], &mac[1], &mac[2],
                                 &mac[3], &mac[4], &mac[5], &used);
  return fields == 6 && static_cast<std::size_t>(used) == text.size();
}

/// `value`: microseconds, or an optional of them.
template <typename Value>
void add_time(CLI::App& app, const char* name, Value& value, const char* text) {
  static const std::map<std::string, std::int64_t> units = {{"us", 1}, {"ms", 1'000}, {"s", 1'000'000}};
  app.add_option_function<std::int64_t>(
         name, [&value](const std::int64_t& us) { value = std::chrono::microseconds{us}; }, text)
      ->transform(CLI::AsNumberWithUnit(units, CLI::AsNumberWithUnit::UNIT_REQUIRED, "us, ms or s"));
}

void add_common(CLI::App& app, Options& options) {
  auto* how = app.add_option_group("peer", "how to reach the peer");
  how->add_option("--port", options.port, "take this port: netdev (ndd0) or PCI address");
  how->add_option("--raw", options.raw, "AF_PACKET socket on this netdev");
  how->add_option("--udp", options.udp, "UDP: the server's IPv4 address, or the one to bind");
  how->require_option(1);
  app.add_option("--ethertype", options.ethertype, "of the frames (--port, --raw)")->capture_default_str();
  app.add_option("--udp-port", options.udp_port, "of the server (--udp)")->capture_default_str();
  app.add_option("--size", options.size, "octets of a message, without Ethernet header")
      ->check(CLI::Range(kMessageMin, std::size_t{1500}))
      ->capture_default_str();
  app.add_flag("--blocking", options.blocking, "sleep in wait() instead of polling");
  app.add_flag("--check-all", options.check_all, "check every octet, not just counters");

  auto& port = options.port_options;
  add_time(app, "--watchdog", port.watchdog, "the kernel takes the port back after so long without service (1s)");
  add_time(app, "--app-deadline", port.app_deadline, "... or without a call of the application's (none)");
  app.add_flag_callback(
      "--no-backup", [&port] { port.backup_after.reset(); }, "no backup thread");
  add_time(app, "--backup-after", port.backup_after, "the backup thread steps in after so long without service (1ms)");
  add_time(app, "--poll-interval", port.poll_interval, "look at the tunnel this often (at each poll)");
  add_time(app, "--flush-interval", port.flush_interval, "gather sent frames for so long (send at once)");
  app.add_flag_callback(
      "--hold-on-debugger", [&port] { port.on_debugger = udd::OnDebugger::kHold; },
      "keep the port while a debugger has stopped the program");

  add_time(app, "--hang-after", options.hang_after, "then spin for ever without polling");
  add_time(app, "--compute-after", options.compute_after, "then compute without polling, once");
  add_time(app, "--compute-for", options.compute_for, "for so long (1s)");
}

}  // namespace

std::optional<int> parse(int argc, char** argv, Options& options) {
  CLI::App app{kAbout};
  app.require_subcommand(1);
  auto* server = app.add_subcommand("server", "send every message back");
  add_common(*server, options);
  server->add_flag("--yield", options.yield,
                   "end when another process wants the port, which goes on with it: an upgrade without a gap");

  auto* client = app.add_subcommand("client", "send, receive, measure");
  add_common(*client, options);
  std::string peer;
  client->add_option("--peer", peer, "the server's MAC address (--port, --raw)");
  client->add_option(
      "--both", options.both,
      "serve the other end too, in the same thread: this port, netdev (--raw) or network namespace (--udp)");
  client->add_option("--window", options.window, "messages outstanding")
      ->check(CLI::Range(std::size_t{1}, std::size_t{4096}))
      ->capture_default_str();
  client->add_option("--count", options.count, "end after so many pairs (0: by time)");
  client->add_option("--warm-up", options.warm_up, "pairs before the measured part");
  add_time(*client, "--duration", options.duration, "end after this time (at a signal)");
  client->add_option("--rate", options.rate, "pairs a second (0: as fast as it goes)");
  add_time(*client, "--loss-timeout", options.loss_timeout, "give messages up as lost after so long (500ms)");
  client->add_flag_callback(
      "--no-latency", [&options] { options.latency = false; }, "leave the clock alone");
  add_time(*client, "--progress", options.progress, "print the rate this often");
  client->add_flag("--json", options.json, "print one line of JSON at the end");

  try {
    app.parse(argc, argv);
    options.role = server->parsed() ? Role::kServer : Role::kClient;
    if (!peer.empty()) {
      options.has_peer = parse_mac(peer, options.peer);
      if (!options.has_peer)
        throw CLI::ValidationError("--peer", "'" + peer + "' is no MAC address like 52:54:00:00:00:01");
    }
    options.path = !options.udp.empty()                ? "udp"
                   : !options.raw.empty()              ? "raw"
                   : options.port_options.backup_after ? "udd"
                                                       : "udd_alone";
    const bool frames = options.udp.empty();
    if (options.role == Role::kClient && frames && options.both.empty() && !options.has_peer) {
      throw CLI::RequiredError("--peer");
    }
  } catch (const CLI::ParseError& error) {
    return app.exit(error);
  }
  options.port_options.ethertypes = {options.ethertype};
  return std::nullopt;
}

}  // namespace pingpong
