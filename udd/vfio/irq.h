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
  /// The first kind of `preferred` that the device has; nothing is changed yet. Throws udd::Error (EOPNOTSUPP) if it
  /// has none.
  template <std::size_t N>
  VfioIrq(const VfioDevice& device, const IrqKind (&preferred)[N]) : VfioIrq(device, preferred, N) {}
  VfioIrq(const VfioIrq&) = delete;
  VfioIrq& operator=(const VfioIrq&) = delete;
  /// Disables the interrupt if it was enabled here.
  ~VfioIrq() override;

  /// From now on interrupts come here, and to nobody who had them before. Throws udd::Error.
  void enable();
  /// They go on after the destructor, for whoever enables them next.
  void leave() noexcept { enabled_ = false; }

  [[nodiscard]] int fd() const noexcept override { return event_.get(); }
  [[nodiscard]] IrqKind kind() const noexcept { return kind_; }
  /// INTx only, a no-op for the others: VFIO masks the line at each interrupt, and this undoes it.
  void unmask() const noexcept override;

 private:
  VfioIrq(const VfioDevice& device, const IrqKind* preferred, std::size_t count);

  UniqueFd event_;
  int device_fd_;
  std::string device_;
  IrqKind kind_ = IrqKind::kIntx;
  bool enabled_ = false;
};

}  // namespace udd
