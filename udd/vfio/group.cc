// SPDX-License-Identifier: Apache-2.0
// VfioGroup: viability, joining, opening the device.
#include "udd/vfio/group.h"

#include <fcntl.h>
#include <linux/vfio.h>
#include <sys/ioctl.h>

#include <cerrno>
#include <utility>

#include "udd/base/error.h"

namespace udd {

VfioGroup::VfioGroup(UniqueFd fd, std::string device) : fd_(std::move(fd)), device_(std::move(device)) {
  vfio_group_status status{};
  status.argsz = sizeof(status);
  if (ioctl(fd_.get(), VFIO_GROUP_GET_STATUS, &status) != 0) {
    const int code = errno;
    throw Error(code, {.what = "ask for the VFIO group's status", .device = device_, .why = {}, .advice = {}});
  }
  if ((status.flags & VFIO_GROUP_FLAGS_VIABLE) == 0) {
    throw Error(EADDRINUSE, {.what = "use the VFIO group",
                             .device = device_,
                             .why = "another device of its IOMMU group has a kernel driver",
                             .advice = "put the NIC into a slot with a group of its own"});
  }
}

void VfioGroup::join(const VfioContainer& container) {
  const int fd = container.fd();
  if (ioctl(fd_.get(), VFIO_GROUP_SET_CONTAINER, &fd) != 0) {
    const int code = errno;
    throw Error(code, {.what = "put the VFIO group into a container", .device = device_, .why = {}, .advice = {}});
  }
}

UniqueFd VfioGroup::open_device() const {
  UniqueFd fd(ioctl(fd_.get(), VFIO_GROUP_GET_DEVICE_FD, device_.c_str()));
  if (!fd) {
    const int code = errno;
    throw Error(code, {.what = "open the device through VFIO",
                       .device = device_,
                       .why = {},
                       .advice = "see the kernel log for nddcore's reason"});
  }
  // The kernel makes it close-on-exec already; a child must not hold a NIC whatever the kernel does.
  if (fcntl(fd.get(), F_SETFD, FD_CLOEXEC) != 0) {
    const int code = errno;
    throw Error(code, {.what = "make the device close-on-exec", .device = device_, .why = {}, .advice = {}});
  }
  return fd;
}

}  // namespace udd
