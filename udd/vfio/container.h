// SPDX-License-Identifier: Apache-2.0
// A VFIO container: what a group must sit in before its device can be opened. Nothing is mapped through it: the
// pool is mapped by the kernel into the device's own domain (design D3a).
#pragma once

#include "udd/base/unique_fd.h"

namespace udd {

class VfioContainer {
 public:
  /// Takes over an open /dev/vfio/vfio. Throws udd::Error (EPROTO) if the kernel speaks another VFIO version, or has no
  /// type 1 IOMMU.
  explicit VfioContainer(UniqueFd fd);

  /// Makes it a type 1 container. After the first group has joined, before a device is opened.
  void set_type1();
  [[nodiscard]] int fd() const noexcept { return fd_.get(); }

 private:
  UniqueFd fd_;
};

}  // namespace udd
