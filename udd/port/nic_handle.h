// SPDX-License-Identifier: Apache-2.0
// A port's NIC with everything it stands on, behind one type: what a family adds so that a port can drive it.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "udd/nic/nic.h"
#include "udd/port/queue_engine.h"

namespace udd {

/// Its destruction lets go of the device; stop the NIC before that.
class NicHandle {
 public:
  virtual ~NicHandle() = default;
  NicHandle(const NicHandle&) = delete;
  NicHandle& operator=(const NicHandle&) = delete;

  [[nodiscard]] virtual Nic& nic() noexcept = 0;
  /// Before Nic::start() or adopt(): interrupts come to this process from now on. Throws udd::Error.
  virtual void enable_interrupt() = 0;
  /// Instead of Nic::stop(): the NIC goes on without this process, whose last touch this is.
  virtual void leave() noexcept = 0;
  /// The service loop over the family's own queue class. After Nic::start().
  [[nodiscard]] virtual std::unique_ptr<QueueEngine> make_engine(const QueueEngine::Parts& parts) = 0;
  /// Mapped registers, which the kernel takes away when the port is lost. May be empty.
  [[nodiscard]] virtual std::span<std::byte> registers() const noexcept = 0;
  /// What a forked child must close.
  [[nodiscard]] virtual std::vector<int> descriptors() const = 0;

 protected:
  NicHandle() = default;
};

}  // namespace udd
