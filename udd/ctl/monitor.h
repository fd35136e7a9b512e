// SPDX-License-Identifier: Apache-2.0
// What kagent tells over generic netlink (family "ndd"): every port and its mode, and each change as it
// happens. Beside the data path: for tools and supervisors, never needed by an application.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

struct nl_msg;
struct nl_sock;

namespace udd {

/// One port's state, from a dump or from an event. Fields the kernel left out are 0 or empty.
struct PortStatus {
  std::string port;  ///< PCI address
  std::uint32_t ifindex = 0;
  std::uint32_t mode = 0;      ///< enum ndd_mode
  std::uint32_t old_mode = 0;  ///< before the change; equal to mode where nothing but a warning happened
  std::uint32_t reason = 0;    ///< enum ndd_reason
  std::uint32_t pid = 0;       ///< owner or holder
  std::uint64_t time_ns = 0;   ///< CLOCK_MONOTONIC of the event
  std::uint32_t warned = 0;    ///< watchdog warnings so far
  std::uint32_t hang = 0;      ///< enum ndd_reason: why the owner, which was spared, counts as hanging; 0: not the news
  std::uint32_t on_hang = 0;   ///< enum ndd_on_hang
};

/// The attributes of one message of the family; nullopt if it is not one, or is malformed.
[[nodiscard]] std::optional<PortStatus> parse_port_status(nl_msg* message);

/// A connection to the family. Needs no privilege. Thread: one at a time.
class PortMonitor {
 public:
  /// Throws udd::Error: ENOENT, kagent is not loaded.
  PortMonitor();

  /// Every port there is.
  [[nodiscard]] std::vector<PortStatus> list();
  /// Calls `on_event` for each event until it returns false.
  void watch(const std::function<bool(const PortStatus&)>& on_event);

 private:
  struct SocketDeleter {
    void operator()(nl_sock* socket) const noexcept;
  };
  using Socket = std::unique_ptr<nl_sock, SocketDeleter>;

  static Socket connect();

  Socket requests_;
  Socket events_;
  int family_ = 0;
};

}  // namespace udd
