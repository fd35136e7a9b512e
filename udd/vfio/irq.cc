// SPDX-License-Identifier: Apache-2.0
// VfioIrq: VFIO_DEVICE_SET_IRQS.
#include "udd/vfio/irq.h"

#include <linux/vfio.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "udd/base/error.h"

namespace udd {
namespace {

std::uint32_t vfio_index(IrqKind kind) noexcept {
  switch (kind) {
    case IrqKind::kMsix:
      return VFIO_PCI_MSIX_IRQ_INDEX;
    case IrqKind::kMsi:
      return VFIO_PCI_MSI_IRQ_INDEX;
    case IrqKind::kIntx:
      break;
  }
  return VFIO_PCI_INTX_IRQ_INDEX;
}

bool device_has(int fd, IrqKind kind) noexcept {
  vfio_irq_info info{};
  info.argsz = sizeof(info);
  info.index = vfio_index(kind);
  return ioctl(fd, VFIO_DEVICE_GET_IRQ_INFO, &info) == 0 && (info.flags & VFIO_IRQ_INFO_EVENTFD) != 0 &&
         info.count >= 1;
}

/// VFIO_DEVICE_SET_IRQS on vector 0, with one descriptor as data or none.
int set_irq(int device, IrqKind kind, std::uint32_t flags, std::uint32_t count, const int* event) noexcept {
  // The ioctl's structure ends in an array of unknown size; here it is of one descriptor.
  alignas(vfio_irq_set) std::array<std::byte, sizeof(vfio_irq_set) + sizeof(int)> storage{};
  vfio_irq_set set{};
  set.argsz = static_cast<std::uint32_t>(event == nullptr ? sizeof(vfio_irq_set) : storage.size());
  set.flags = flags;
  set.index = vfio_index(kind);
  set.start = 0;
  set.count = count;
  std::memcpy(storage.data(), &set, sizeof(set));
  if (event != nullptr) std::memcpy(storage.data() + sizeof(set), event, sizeof(*event));
  return ioctl(device, VFIO_DEVICE_SET_IRQS, storage.data());
}

}  // namespace

VfioIrq::VfioIrq(const VfioDevice& device, const IrqKind* preferred, std::size_t count)
    : event_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)), device_fd_(device.fd()), device_(device.name()) {
  if (!event_) {
    const int code = errno;
    throw Error(code, {.what = "make an eventfd", .device = device.name(), .why = {}, .advice = {}});
  }
  const IrqKind* const end = preferred + count;
  const IrqKind* const found =
      std::find_if(preferred, end, [this](IrqKind kind) { return device_has(device_fd_, kind); });
  if (found == end) {
    throw Error(EOPNOTSUPP, {.what = "enable its interrupt",
                             .device = device_,
                             .why = "VFIO offers none that the NIC's family can use",
                             .advice = {}});
  }
  kind_ = *found;
}

void VfioIrq::enable() {
  const int event = event_.get();
  if (set_irq(device_fd_, kind_, VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER, 1, &event) != 0) {
    const int code = errno;
    throw Error(code, {.what = "enable its interrupt",
                       .device = device_,
                       .why = {},
                       .advice = "see the kernel log; the machine may be out of interrupt vectors"});
  }
  enabled_ = true;
}

VfioIrq::~VfioIrq() {
  // A count of 0 disables the kind.
  if (enabled_) set_irq(device_fd_, kind_, VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_TRIGGER, 0, nullptr);
}

void VfioIrq::unmask() const noexcept {
  if (kind_ != IrqKind::kIntx) return;
  set_irq(device_fd_, kind_, VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_UNMASK, 1, nullptr);
}

}  // namespace udd
