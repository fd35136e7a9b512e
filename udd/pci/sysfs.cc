// SPDX-License-Identifier: Apache-2.0
// Sysfs: symbolic links and one-line files.
#include "udd/pci/sysfs.h"

#include <cerrno>
#include <charconv>
#include <fstream>
#include <system_error>

#include "udd/base/error.h"

namespace udd {
namespace {

namespace fs = std::filesystem;

/// Last component of what a link points to; empty if there is none.
std::string link_name(const fs::path& link) {
  std::error_code error;
  const fs::path target = fs::read_symlink(link, error);
  return error ? std::string() : target.filename().string();
}

/// "0x8086\n"
std::optional<std::uint16_t> hex_file(const fs::path& path) {
  std::ifstream file(path);
  std::string text;
  if (!std::getline(file, text) || !text.starts_with("0x")) return std::nullopt;
  std::uint16_t value = 0;
  const auto [end, error] = std::from_chars(text.data() + 2, text.data() + text.size(), value, 16);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

std::optional<Bdf> Sysfs::pci_of_netdev(std::string_view netdev) const {
  // A name is one path component: no way out of the directory.
  if (netdev.empty() || netdev.find('/') != std::string_view::npos || netdev == "." || netdev == "..") {
    return std::nullopt;
  }
  const fs::path dir = root_ / "class/net" / netdev;
  if (auto bdf = Bdf::parse(link_name(dir / "device"))) return bdf;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(dir, error)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with("lower_")) continue;
    if (auto bdf = Bdf::parse(link_name(entry.path() / "device"))) return bdf;
  }
  return std::nullopt;
}

fs::path Sysfs::device(const Bdf& bdf) const { return root_ / "bus/pci/devices" / bdf.to_string(); }

PciId Sysfs::id(const Bdf& bdf) const {
  const auto vendor = hex_file(device(bdf) / "vendor");
  const auto dev = hex_file(device(bdf) / "device");
  if (!vendor || !dev) {
    throw Error(ENODEV, {.what = "read the device's PCI id",
                         .device = bdf.to_string(),
                         .why = "there is no such PCI device",
                         .advice = "lspci -D lists those that are there"});
  }
  return {.vendor = *vendor, .device = *dev};
}

std::string Sysfs::driver(const Bdf& bdf) const { return link_name(device(bdf) / "driver"); }

}  // namespace udd
