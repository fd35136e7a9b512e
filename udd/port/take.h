// SPDX-License-Identifier: Apache-2.0
// Port::take() on real hardware: from a name to a port in tunnel mode.
#pragma once

#include <memory>
#include <string_view>

#include "udd/port/port_impl.h"

namespace udd {

/// Throws udd::Error, after which nothing is taken.
[[nodiscard]] std::unique_ptr<PortImpl> take_port(std::string_view name, PortOptions options);

}  // namespace udd
