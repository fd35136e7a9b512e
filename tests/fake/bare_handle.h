// SPDX-License-Identifier: Apache-2.0
// A NIC behind a port without VFIO: what PortImpl needs of one that has neither registers to be zapped nor descriptors.
#pragma once

#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "udd/port/engine.h"
#include "udd/port/nic_handle.h"

namespace udd::fake {

/// N's queue() is a Q.
template <typename N, typename Q>
class BareHandle final : public NicHandle {
 public:
  /// Of the NIC.
  template <typename... Arguments>
  explicit BareHandle(Arguments&&... arguments) : nic_(std::forward<Arguments>(arguments)...) {}
  [[nodiscard]] Nic& nic() noexcept override { return nic_; }
  void enable_interrupt() override {}
  void leave() noexcept override {
    if constexpr (requires { nic_.abandon(); }) nic_.abandon();
  }
  [[nodiscard]] std::unique_ptr<QueueEngine> make_engine(const QueueEngine::Parts& parts) override {
    return std::make_unique<Engine<Q>>(parts, nic_.queue());
  }
  [[nodiscard]] std::span<std::byte> registers() const noexcept override { return {}; }
  [[nodiscard]] std::vector<int> descriptors() const override { return {}; }

 private:
  N nic_;
};

}  // namespace udd::fake
