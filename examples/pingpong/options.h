// SPDX-License-Identifier: Apache-2.0
// pingpong's command line.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "udd/port.h"

namespace pingpong {

enum class Role : std::uint8_t { kClient, kServer };

struct Options {
  Role role = Role::kClient;

  // how to reach the peer: exactly one of them
  std::string port;  ///< take this port
  std::string raw;   ///< AF_PACKET on this netdev
  std::string udp;   ///< UDP: the server's address, or what to bind
  std::string both;  ///< client: the other end, served by the same thread: its port, netdev or network namespace
  std::string path;  ///< what that is called in figures: udd, udd_alone (no backup thread), raw, udp

  udd::MacAddress peer{};
  bool has_peer = false;
  std::uint16_t ethertype = 0x88B5;
  std::uint16_t udp_port = 9000;

  std::size_t size = 50;      ///< octets of a message
  std::size_t window = 32;    ///< messages outstanding
  std::uint64_t count = 0;    ///< pairs; 0: until the time is over
  std::uint64_t warm_up = 0;  ///< pairs before the measured part
  std::chrono::microseconds duration{0};
  std::uint64_t rate = 0;  ///< pairs/s; 0: as fast as it goes
  std::chrono::microseconds loss_timeout{std::chrono::milliseconds{500}};
  bool blocking = false;
  bool latency = true;
  bool yield = false;      ///< server: end when another process wants the port
  bool check_all = false;  ///< every octet, not just the counter
  std::chrono::microseconds progress{0};
  bool json = false;

  udd::PortOptions port_options;

  // for trying out the watchdog
  std::optional<std::chrono::microseconds> hang_after;
  std::optional<std::chrono::microseconds> compute_after;
  std::chrono::microseconds compute_for{1'000'000};
};

/// Parses argv; prints help or what is wrong and returns the exit code instead.
std::optional<int> parse(int argc, char** argv, Options& options);

}  // namespace pingpong
