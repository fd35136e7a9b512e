// SPDX-License-Identifier: Apache-2.0
// ndd-keeper: waits behind whatever application has a port, and services the kernel's traffic when that ends, so that
// an application's crash costs milliseconds and no link flap. It gives the port away again to the next that wants it.
#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <exception>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "udd/base/error.h"
#include "udd/standby.h"

namespace {

using std::chrono::milliseconds;

// Nobody has the port: looked at this often whether somebody has taken it. People start applications.
constexpr milliseconds kLookEvery{50};
// How soon a signal is obeyed.
constexpr milliseconds kSignalEvery{200};

std::atomic<bool> g_stop{false};

void say(const std::string& text) {
  fmt::print("ndd-keeper: {}\n", text);
  std::fflush(stdout);  // a pipe's reader wants it now
}

/// Services the kernel's traffic until somebody wants the port, or it is lost.
void keep(udd::Port port) {
  udd::Queue& queue = port.queue(0);
  while (!g_stop && port.state() == udd::PortState::kTunnel) {
    queue.wait(kSignalEvery);
    queue.poll();
    while (const auto event = port.next_event()) {
      if (event->kind != udd::PortEvent::Kind::kWanted) continue;
      port.give_back();
      say(port.netdev() + " goes to the process that wants it");
      return;
    }
  }
  if (port.state() == udd::PortState::kLost) say(port.lost_reason());
}

/// One application's time, and what comes after it.
void follow(const std::string& name, const udd::PortOptions& options) {
  udd::Standby standby = udd::Standby::join(name, options);
  say("waits behind the owner of " + standby.netdev());
  while (!g_stop) {
    if (std::optional<udd::Port> port = standby.wait(kSignalEvery)) {
      say("keeps " + port->netdev());
      return keep(std::move(*port));
    }
  }
}

int run(int argc, char** argv) {
  CLI::App app{
      "Waits behind whatever application has a port, and services the kernel's traffic on it when that ends, until the "
      "next application takes it. Ends, and gives the port to the in-kernel driver, on SIGTERM or SIGINT."};
  std::string name;
  app.add_option("PORT", name, "the stable netdev (ndd0) or its PCI address")->required();
  CLI11_PARSE(app, argc, argv);
  std::signal(SIGTERM, [](int) { g_stop = true; });
  std::signal(SIGINT, [](int) { g_stop = true; });

  udd::PortOptions options;
  options.log = [](const udd::LogRecord& record) {
    if (record.level >= udd::LogLevel::kWarning) say(std::string(record.text));
  };
  while (!g_stop) {
    try {
      follow(name, options);
    } catch (const udd::Error& error) {
      // Nobody has the port, or not any more, or it is changing hands.
      const int number = error.error_number();
      if (number != ESRCH && number != ECANCELED && number != EBUSY) throw;
      std::this_thread::sleep_for(kLookEvery);
    }
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "ndd-keeper: %s\n", error.what());
    return 1;
  }
}
