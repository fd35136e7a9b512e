// SPDX-License-Identifier: Apache-2.0
// One interrupt of a VFIO device, as an eventfd.
#pragma once

#include <cstdint>
#include <string>

#include "udd/base/unique_fd.h"
#include "udd/vfio/device.h"

namespace udd {

enum class IrqKind : std::uint8_t { kMsix, kMsi, kIntx };

/// What a NIC's driver needs of its interrupt.
class InterruptLine {
 public:
  virtual ~InterruptLine() = default;
  /// Non-blocking, close-on-exec; readable after an interrupt.
  [[nodiscard]] virtual int fd() const noexcept = 0;
  /// Lets the next one through, where delivery masks the line.
  virtual void unmask() const noexcept = 0;

 protected:
  InterruptLine() = default;
  InterruptLine(const InterruptLine&) = default;
  InterruptLine& operator=(const InterruptLine&) = default;
};

/// Vector 0 of one kind. The device must outlive it.
class VfioIrq final : public InterruptLine {
 public:
  /// Enables the first kind of `preferred` that the device has. Throws udd::Error (EOPNOTSUPP) if it has none.
  template <std::size_t N>
  VfioIrq(const VfioDevice& device, const IrqKind (&preferred)[N]) : VfioIrq(device, preferred, N) {}
  VfioIrq(VfioIrq&& other) noexcept = default;
  VfioIrq& operator=(VfioIrq&& other) = delete;
  VfioIrq(const VfioIrq&) = delete;
  VfioIrq& operator=(const VfioIrq&) = delete;
  /// Disables the interrupt.
  ~VfioIrq() override;

  [[nodiscard]] int fd() const noexcept override { return event_.get(); }
  [[nodiscard]] IrqKind kind() const noexcept { return kind_; }
  /// INTx only, a no-op for the others: VFIO masks the line at each interrupt, and this undoes it.
  void unmask() const noexcept override;

 private:
  VfioIrq(const VfioDevice& device, const IrqKind* preferred, std::size_t count);

  UniqueFd event_;
  int device_fd_ = -1;
  IrqKind kind_ = IrqKind::kIntx;
};

}  // namespace udd
