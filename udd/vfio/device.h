// SPDX-License-Identifier: Apache-2.0
// A PCI device opened through VFIO: its BARs and configuration space. Bus mastering, power and resets are the
// kernel's; the process may only read the configuration space (design D3).
#pragma once

#include <cstdint>
#include <string>

#include "udd/base/unique_fd.h"
#include "udd/pci/bdf.h"
#include "udd/vfio/group.h"
#include "udd/vfio/mapping.h"

namespace udd {

class VfioDevice {
 public:
  /// Opens the group's device. Throws udd::Error.
  explicit VfioDevice(const VfioGroup& group);

  /// Maps a memory BAR whole and reads its first register back. Throws udd::Error: ENODEV if it reads all ones,
  /// EOPNOTSUPP if it isn't a mappable BAR, EINVAL if it is smaller than `at_least` octets.
  [[nodiscard]] Mapping map_bar(unsigned bar, std::size_t at_least) const;
  [[nodiscard]] std::uint16_t read_config16(std::uint16_t offset) const;
  [[nodiscard]] PciId id() const;
  [[nodiscard]] int fd() const noexcept { return fd_.get(); }
  [[nodiscard]] const std::string& name() const noexcept { return name_; }  ///< PCI address

 private:
  UniqueFd fd_;
  std::string name_;
};

}  // namespace udd
