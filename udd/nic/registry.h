// SPDX-License-Identifier: Apache-2.0
// From a PCI id to the family that drives it: the one list of NICs the library knows, and the only place that names
// families outside of their folders.
#pragma once

#include <memory>
#include <span>
#include <string_view>
#include <variant>

#include "udd/mem/pool.h"
#include "udd/mmio/mmio.h"
#include "udd/nic/e1000/e1000.h"
#include "udd/nic/nic.h"
#include "udd/pci/bdf.h"
#include "udd/vfio/device.h"
#include "udd/vfio/irq.h"

namespace udd {

/// The burst half of any family; std::visit once at set-up to compile a service loop against each.
using NicQueueRef = std::variant<E1000Queue*>;

/// A NIC on real hardware with what it stands on, released in the right order. Device, pool and state must outlive it.
class BoundNic {
 public:
  virtual ~BoundNic() = default;
  BoundNic(const BoundNic&) = delete;
  BoundNic& operator=(const BoundNic&) = delete;

  [[nodiscard]] virtual Nic& nic() noexcept = 0;
  [[nodiscard]] virtual NicQueueRef queue() noexcept = 0;
  /// The mapped BAR; touching it raises SIGBUS once the kernel has revoked the device.
  [[nodiscard]] virtual std::span<std::byte> bar() const noexcept = 0;

 protected:
  BoundNic() = default;
};

/// What NDD_TAKE must provide for the NIC. Throws udd::Error (EOPNOTSUPP) if no family drives it.
[[nodiscard]] NicNeeds nic_needs(PciId id, std::string_view device);

/// Maps the BAR and enables the interrupt; the NIC itself is untouched until Nic::start(). `state` is the state
/// area's kNic section. Throws udd::Error.
[[nodiscard]] std::unique_ptr<BoundNic> make_nic(PciId id, const VfioDevice& device, Pool& pool,
                                                 std::span<std::byte> state);

}  // namespace udd
