// SPDX-License-Identifier: Apache-2.0
// The contract suite's two ports as real NICs of the e1000 family. How a port is got is the template parameter's:
// Port(bdf, needs, buffers, kernel_buffers) with device(), map(), geometry(view), sizes().
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>

#include "udd/mem/pool.h"
#include "udd/mmio/mmio.h"
#include "udd/mmio/reg.h"
#include "udd/nic/e1000/regs.h"
#include "udd/nic/registry.h"

namespace udd::contract {

template <typename Port>
class E1000Rig {
 public:
  using Queue = E1000Queue;
  static constexpr E1000Queue::Slots kSlots{};  // those that the registry gives it
  static constexpr std::uint32_t kBuffers = 2048;
  static constexpr std::uint32_t kKernelBuffers = 128;
  static constexpr bool kHasFaults = false;
  static constexpr std::uint8_t kLastFlags = 0;  // QEMU's (10.0); the 82574 keeps PSH and FIN in the last segment

  E1000Rig() {
    // The lab's NICs 0 and 1, back to back (tests/lab/README.md).
    constexpr const char* kPorts[2] = {"0000:00:03.0", "0000:00:04.0"};
    for (unsigned end = 0; end < 2; ++end) {
      ends_[end].port.emplace(kPorts[end], nic_needs(E1000::k82574L, kPorts[end]), kBuffers, kKernelBuffers);
      make_end(end, false);
    }
  }

  Nic& nic(unsigned end) { return ends_[end].bound->nic(); }
  Queue& queue(unsigned end) { return *std::get<E1000Queue*>(ends_[end].bound->queue()); }
  Pool& pool(unsigned end) { return *ends_[end].pool; }
  void replace_process(unsigned end) { make_end(end, true); }
  /// With the transmitter off, tails may be written and nothing is fetched.
  void hold_transmit(unsigned end, bool hold) {
    Mmio io(ends_[end].bound->bar());
    modify<e1000::Tctl>(io, e1000::Tctl::En::from(hold ? 0 : 1));
  }

 private:
  struct End {
    std::optional<Port> port;
    std::unique_ptr<typename Port::View> view;
    std::optional<Pool> pool;
    std::unique_ptr<BoundNic> bound;
  };

  void make_end(unsigned index, bool adopt) {
    End& end = ends_[index];
    auto view = end.port->map();
    const auto geometry = end.port->geometry(*view);
    const StateArea state =
        adopt ? StateArea::adopt(view->state()) : StateArea::format(view->state(), end.port->sizes());
    const auto pool_state = state.section(StateSection::kPool);
    end.bound.reset();
    end.pool.emplace(adopt ? Pool::adopt(geometry, pool_state) : Pool::create(geometry, pool_state));
    end.bound = make_nic(end.port->device().id(), end.port->device(), *end.pool, state.section(StateSection::kNic));
    if (adopt) end.bound->nic().adopt();
    end.view = std::move(view);
  }

  End ends_[2];
};

}  // namespace udd::contract
