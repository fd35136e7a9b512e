// SPDX-License-Identifier: Apache-2.0
// Makes a udd::Port of parts: for tests and benches over simulated NICs. Applications use Port::take().
#pragma once

#include <memory>
#include <utility>

#include "udd/port.h"
#include "udd/port/port_impl.h"

namespace udd {

struct PortAccess {
  [[nodiscard]] static Port make(std::unique_ptr<PortImpl> impl) noexcept { return Port(std::move(impl)); }
  [[nodiscard]] static PortImpl& impl(Port& port) noexcept { return *port.impl_; }
  /// As if the process had been killed: NIC and shared memory stay as they are.
  static void vanish(Port& port) noexcept {
    const std::unique_ptr<PortImpl> impl = std::move(port.impl_);
    impl->abandoned_ = true;
    impl->nic_->leave();
  }
};

}  // namespace udd
