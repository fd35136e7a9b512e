// SPDX-License-Identifier: Apache-2.0
// VfioContainer: version check and IOMMU type.
#include "udd/vfio/container.h"

#include <linux/vfio.h>
#include <sys/ioctl.h>

#include <cerrno>
#include <string>
#include <utility>

#include "udd/base/error.h"

namespace udd {

VfioContainer::VfioContainer(UniqueFd fd) : fd_(std::move(fd)) {
  const int version = ioctl(fd_.get(), VFIO_GET_API_VERSION);
  const int code = errno;
  if (version != VFIO_API_VERSION) {
    throw Error(version < 0 ? code : EPROTO,
                {.what = "use the VFIO container",
                 .device = {},
                 .why = version < 0 ? std::string() : "the kernel's VFIO is version " + std::to_string(version),
                 .advice = "check that the module vfio is loaded"});
  }
  if (ioctl(fd_.get(), VFIO_CHECK_EXTENSION, VFIO_TYPE1v2_IOMMU) != 1) {
    throw Error(EOPNOTSUPP, {.what = "use the VFIO container",
                             .device = {},
                             .why = "the kernel offers no type 1 IOMMU",
                             .advice = "load vfio_iommu_type1, and boot with the IOMMU on"});
  }
}

void VfioContainer::set_type1() {
  if (ioctl(fd_.get(), VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU) != 0) {
    const int code = errno;
    throw Error(code, {.what = "make the VFIO container a type 1 one",
                       .device = {},
                       .why = {},
                       .advice = "see the kernel log; VFIO asks for isolated interrupts"});
  }
}

}  // namespace udd
