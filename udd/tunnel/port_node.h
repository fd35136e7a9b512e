// SPDX-License-Identifier: Apache-2.0
// Finds a port by name and opens its character device; taking it is the next step (device_tunnel.h).
#pragma once

#include <linux/ndd.h>

#include <string>
#include <string_view>

#include "udd/base/unique_fd.h"

namespace udd {

inline constexpr const char* kPortNodes = "/dev/ndd";

/// An open port that is nobody's yet.
struct PortNode {
  UniqueFd fd;
  std::string path;
  ndd_info info;  ///< as of the opening

  [[nodiscard]] std::string port() const;    ///< PCI address
  [[nodiscard]] std::string netdev() const;  ///< stable netdev
};

/// @param name   the stable netdev's name, or the PCI address
/// @param nodes  directory of the port nodes; other than kPortNodes in tests
/// Throws udd::Error, which tells modules that are not loaded (ENODEV), an unknown name and the known ones (ENODEV), a
/// node that may not be opened (EACCES), and another major version (EPROTO) apart.
[[nodiscard]] PortNode open_port(std::string_view name, const std::string& nodes = kPortNodes);

/// NDD_GET_INFO. Throws udd::Error.
[[nodiscard]] ndd_info port_info(int fd, const std::string& path);

/// Text of a fixed-size field that may lack its end mark.
template <std::size_t N>
[[nodiscard]] std::string field_text(const unsigned char (&field)[N]) {
  std::string text(field, field + N);
  return text.substr(0, text.find('\0'));
}

}  // namespace udd
