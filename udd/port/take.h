// SPDX-License-Identifier: Apache-2.0
// Port::take() and Standby::join() on real hardware: from a name to a port in tunnel mode.
#pragma once

#include <memory>
#include <string_view>

#include "udd/port/port_impl.h"
#include "udd/tunnel/device_tunnel.h"

namespace udd {

/// Throws udd::Error, after which nothing is taken.
[[nodiscard]] std::unique_ptr<PortImpl> take_port(std::string_view name, PortOptions options);

/// A port that is another process's yet.
struct Waiting {
  DeviceTunnel* tunnel;            ///< the port's; where to wait
  std::unique_ptr<PortImpl> port;  ///< go_on() once it is ours
};

/// Throws udd::Error, after which nobody waits.
[[nodiscard]] Waiting stand_by(std::string_view name, PortOptions options, Behind behind);

}  // namespace udd
