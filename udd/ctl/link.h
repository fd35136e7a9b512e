// SPDX-License-Identifier: Apache-2.0
// Makes and changes ndd links, with the attributes that `ip link` can't say.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace udd {

/// Attributes of a link; empty: kagent's default, or as it is.
struct LinkSettings {
  std::optional<std::uint32_t> pool_max;    ///< buffers (pages) that a take may ask for
  std::optional<std::uint32_t> on_hang;     ///< enum ndd_on_hang
  std::optional<std::uint32_t> hang_grace;  ///< ms from the signal to the end
};

/// What `ip link add link LOWER name NAME type ndd` says, and attributes.
struct LinkRequest {
  std::string lower;   ///< the in-kernel driver's netdev
  std::string name;    ///< of the new netdev, e.g. "ndd0"
  bool force = false;  ///< even if the lower carries addresses or the default route
  LinkSettings settings;
};

/// Needs CAP_NET_ADMIN. Throws Error, with the kernel's own sentence.
void create_link(const LinkRequest& request);

/// Changes the link `name`, as create_link().
void change_link(const std::string& name, const LinkSettings& settings);

}  // namespace udd
