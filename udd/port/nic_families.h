// SPDX-License-Identifier: Apache-2.0
// The NIC families a port can be driven by. A new one is a folder in udd/nic and an entry here.
#pragma once

#include <memory>
#include <span>
#include <string>

#include "udd/base/unique_fd.h"
#include "udd/mem/pool.h"
#include "udd/nic/nic.h"
#include "udd/pci/bdf.h"
#include "udd/port/nic_handle.h"

namespace udd {

/// What came with the take.
struct VfioFiles {
  UniqueFd group;
  UniqueFd container;
  bool in_use = false;  ///< by the process behind which this one waits: the group has joined the container
};

struct NicFamilyEntry {
  PciId id;
  const char* name;
  NicNeeds (*needs)();
  /// Opens the device through VFIO and maps its registers. Throws udd::Error.
  std::unique_ptr<NicHandle> (*open)(VfioFiles files, const std::string& device, Pool& pool,
                                     std::span<std::byte> state);
};

/// Throws udd::Error (EOPNOTSUPP), which lists the supported ones, if the device is of none of them.
[[nodiscard]] const NicFamilyEntry& nic_family(const PciId& id, const std::string& device);

}  // namespace udd
