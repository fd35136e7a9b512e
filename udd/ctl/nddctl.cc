// SPDX-License-Identifier: Apache-2.0
// nddctl: makes ports, and tells what ports there are, who has them, and what happens to them.
#include <fmt/core.h>
#include <linux/ndd.h>
#include <net/if.h>

#include <CLI/CLI.hpp>
#include <array>
#include <cstdio>
#include <exception>
#include <map>
#include <string>

#include "udd/ctl/link.h"
#include "udd/ctl/monitor.h"
#include "udd/ctl/names.h"

namespace {

std::string netdev_name(std::uint32_t ifindex) {
  std::array<char, IF_NAMESIZE> name{};
  return if_indextoname(ifindex, name.data()) != nullptr ? name.data() : "-";
}

void print_port(const udd::PortStatus& port) {
  fmt::print("{:<14} {:<10} {:<10}", port.port, netdev_name(port.ifindex), udd::mode_name(port.mode));
  if (port.pid != 0) fmt::print(" pid {}", port.pid);
  fmt::print("  {}", udd::reason_text(port.reason));
  if (port.on_hang != NDD_ON_HANG_KILL) fmt::print("; on hang: {}", udd::on_hang_name(port.on_hang));
  fmt::print("\n");
}

void print_event(const udd::PortStatus& event) {
  constexpr std::uint64_t kNsPerMs = 1'000'000;
  fmt::print("{:>12.3f} ms  {}", static_cast<double>(event.time_ns) / kNsPerMs, event.port);
  if (event.hang != 0) {
    fmt::print("  {}: hangs: {}; {}", udd::mode_name(event.mode), udd::reason_text(event.hang),
               event.on_hang == NDD_ON_HANG_SIGNAL ? "signalled" : "only reported");
  } else if (event.warned != 0) {
    fmt::print("  {}: warning {} of the watchdog", udd::mode_name(event.mode), event.warned);
  } else {
    fmt::print("  {} -> {}: {}", udd::mode_name(event.old_mode), udd::mode_name(event.mode),
               udd::reason_text(event.reason));
  }
  if (event.pid != 0) fmt::print(" (pid {})", event.pid);
  fmt::print("\n");
  std::fflush(stdout);  // a pipe's reader wants it now
}

void add_settings(CLI::App& command, udd::LinkSettings& settings) {
  std::map<std::string, std::uint32_t> policies;
  for (const std::uint32_t policy : {NDD_ON_HANG_KILL, NDD_ON_HANG_SIGNAL, NDD_ON_HANG_REPORT}) {
    policies.emplace(udd::on_hang_name(policy), policy);
  }
  command.add_option("--pool-max", settings.pool_max, "buffers of a page each that a process may ask for");
  command
      .add_option(
          "--on-hang", settings.on_hang,
          "who hangs and has the port: kill it, signal it (SIGABRT) and kill it unless it goes on, or only report")
      ->transform(CLI::CheckedTransformer(policies));
  command.add_option("--hang-grace", settings.hang_grace, "ms from the signal to the end, 1000 unless set");
}

int run(int argc, char** argv) {
  CLI::App app{"Makes ports, and tells what ports there are, who has them, and what happens to them."};
  app.require_subcommand(1);
  auto* list = app.add_subcommand("list", "each port: PCI address, netdev, mode, owner, why");
  auto* watch = app.add_subcommand("watch", "print each change of mode and each warning as it happens");
  unsigned count = 0;
  auto* create = app.add_subcommand("create", "as ip link add link LOWER name NAME type ndd, with options of its own");
  udd::LinkRequest request;
  create->add_option("LOWER", request.lower, "the in-kernel driver's netdev, e.g. eth0")->required();
  create->add_option("NAME", request.name, "the new netdev, e.g. ndd0")->required();
  create->add_flag("--force", request.force, "even if LOWER carries addresses or the default route: they stop working");
  add_settings(*create, request.settings);
  auto* set = app.add_subcommand("set", "change what was said, or not said, when the netdev was created");
  set->add_option("NAME", request.name, "the netdev, e.g. ndd0")->required();
  add_settings(*set, request.settings);
  watch->add_option("-n,--count", count, "end after this many events; 0: never")->capture_default_str();
  CLI11_PARSE(app, argc, argv);

  if (create->parsed()) {
    udd::create_link(request);
    return 0;
  }
  if (set->parsed()) {
    udd::change_link(request.name, request.settings);
    return 0;
  }
  udd::PortMonitor monitor;
  if (list->parsed()) {
    for (const auto& port : monitor.list()) print_port(port);
    return 0;
  }
  unsigned seen = 0;
  monitor.watch([&](const udd::PortStatus& event) {
    print_event(event);
    return count == 0 || ++seen < count;
  });
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "nddctl: %s\n", error.what());
    return 1;
  }
}
