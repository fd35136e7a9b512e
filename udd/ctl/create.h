// SPDX-License-Identifier: Apache-2.0
// Makes ndd links, with the attributes that `ip link add` can't say.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace udd {

/// What `ip link add link LOWER name NAME type ndd` says, and two attributes.
struct LinkRequest {
  std::string lower;                      ///< the in-kernel driver's netdev
  std::string name;                       ///< of the new netdev, e.g. "ndd0"
  bool force = false;                     ///< even if the lower carries addresses or the default route
  std::optional<std::uint32_t> pool_max;  ///< buffers (pages) that a take may ask for; empty: kagent's default
};

/// Needs CAP_NET_ADMIN. Throws Error, with the kernel's own sentence.
void create_link(const LinkRequest& request);

}  // namespace udd
