// SPDX-License-Identifier: Apache-2.0
// VfioDevice: regions.
#include "udd/vfio/device.h"

#include <linux/pci_regs.h>
#include <linux/vfio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "udd/base/error.h"
#include "udd/mmio/mmio.h"
#include "udd/mmio/reg.h"

namespace udd {
namespace {

vfio_region_info region_info(int fd, unsigned index, const std::string& device) {
  vfio_region_info info{};
  info.argsz = sizeof(info);
  info.index = index;
  if (ioctl(fd, VFIO_DEVICE_GET_REGION_INFO, &info) != 0) {
    const int code = errno;
    throw Error(code, {.what = "ask for region " + std::to_string(index), .device = device, .why = {}, .advice = {}});
  }
  return info;
}

}  // namespace

VfioDevice::VfioDevice(const VfioGroup& group) : fd_(group.open_device()), name_(group.device()) {
  vfio_device_info info{};
  info.argsz = sizeof(info);
  if (ioctl(fd_.get(), VFIO_DEVICE_GET_INFO, &info) != 0) {
    const int code = errno;
    throw Error(code, {.what = "ask what VFIO knows of it", .device = name_, .why = {}, .advice = {}});
  }
  if ((info.flags & VFIO_DEVICE_FLAGS_PCI) == 0) {
    throw Error(EOPNOTSUPP, {.what = "use the device", .device = name_, .why = "it is no PCI device", .advice = {}});
  }
}

Mapping VfioDevice::map_bar(unsigned bar, std::size_t at_least) const {
  const std::string what = "BAR " + std::to_string(bar);
  const vfio_region_info info = region_info(fd_.get(), VFIO_PCI_BAR0_REGION_INDEX + bar, name_);
  constexpr std::uint32_t kWanted =
      VFIO_REGION_INFO_FLAG_MMAP | VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE;
  if ((info.flags & kWanted) != kWanted) {
    throw Error(EOPNOTSUPP, {.what = "map " + what,
                             .device = name_,
                             .why = "VFIO offers no mapping of it",
                             .advice = "its size must be a multiple of the page size"});
  }
  if (info.size < at_least) {
    throw Error(EINVAL, {.what = "map " + what,
                         .device = name_,
                         .why = "it has " + std::to_string(info.size) + " octets, the family's registers need " +
                                std::to_string(at_least),
                         .advice = {}});
  }
  Mapping mapping(fd_.get(), static_cast<off_t>(info.offset), info.size, what, name_);
  if (Mmio(mapping.memory()).read32(0) == kAllOnes) {
    throw Error(ENODEV, {.what = "read " + what,
                         .device = name_,
                         .why = "its registers read all ones: it was removed or is powered down",
                         .advice = "check that the device is still listed by lspci"});
  }
  return mapping;
}

std::uint16_t VfioDevice::read_config16(std::uint16_t offset) const {
  const vfio_region_info info = region_info(fd_.get(), VFIO_PCI_CONFIG_REGION_INDEX, name_);
  std::array<std::uint8_t, 2> octets{};
  const ssize_t got = pread(fd_.get(), octets.data(), octets.size(), static_cast<off_t>(info.offset + offset));
  const int code = errno;
  if (got != static_cast<ssize_t>(octets.size())) {
    throw Error(got < 0 ? code : EIO, {.what = "read configuration space", .device = name_, .why = {}, .advice = {}});
  }
  return static_cast<std::uint16_t>(octets[0] | octets[1] << 8);
}

PciId VfioDevice::id() const {
  return {.vendor = read_config16(PCI_VENDOR_ID), .device = read_config16(PCI_DEVICE_ID)};
}

}  // namespace udd
