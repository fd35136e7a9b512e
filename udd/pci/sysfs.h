// SPDX-License-Identifier: Apache-2.0
// What sysfs tells of a PCI device; reading only, needs no rights.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "udd/pci/bdf.h"

namespace udd {

/// Views on /sys. `root` is there for tests.
class Sysfs {
 public:
  explicit Sysfs(std::filesystem::path root = "/sys") : root_(std::move(root)) {}

  /// PCI address behind a netdev: its own device, or that of the device it is stacked on (ndd0 over eth0). nullopt if
  /// there is no such netdev, or no PCI device behind it.
  [[nodiscard]] std::optional<Bdf> pci_of_netdev(std::string_view netdev) const;
  /// Throws udd::Error (ENODEV) if no such device is there.
  [[nodiscard]] PciId id(const Bdf& bdf) const;
  /// Name of the driver bound to it; empty if none.
  [[nodiscard]] std::string driver(const Bdf& bdf) const;

 private:
  [[nodiscard]] std::filesystem::path device(const Bdf& bdf) const;
  std::filesystem::path root_;
};

}  // namespace udd
