// SPDX-License-Identifier: Apache-2.0
// A VFIO group: the devices the IOMMU can't tell apart; here always one NIC.
#pragma once

#include <string>

#include "udd/base/unique_fd.h"
#include "udd/vfio/container.h"

namespace udd {

class VfioGroup {
 public:
  /// Takes over an open /dev/vfio/N. `device` is the PCI address, for opening it and for messages.
  /// Throws udd::Error (EADDRINUSE) if the group is not viable.
  VfioGroup(UniqueFd fd, std::string device);

  void join(const VfioContainer& container);
  /// The device's descriptor, close-on-exec. The container must be typed.
  [[nodiscard]] UniqueFd open_device() const;
  [[nodiscard]] const std::string& device() const noexcept { return device_; }

 private:
  UniqueFd fd_;
  std::string device_;
};

}  // namespace udd
