// SPDX-License-Identifier: Apache-2.0
// The contract suite's two ports as simulated NICs; every fault can be made.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "tests/fake/ip_frame.h"
#include "tests/fake/port_memory.h"
#include "udd/mem/pool.h"
#include "udd/nic/sim/sim_nic.h"

namespace udd::contract {

class SimRig {
 public:
  using Queue = SimQueue;
  static constexpr SimQueue::Slots kSlots{.rx = 128, .tx = 128};
  static constexpr std::uint32_t kBuffers = 512;
  static constexpr std::uint32_t kKernelBuffers = 32;
  static constexpr bool kHasFaults = true;
  static constexpr std::uint8_t kLastFlags = fake::IpFrame::kPushAndFin;

  SimRig() {
    for (unsigned end = 0; end < 2; ++end) make_end(end, false);
  }

  Nic& nic(unsigned end) { return *ends_[end].nic; }
  Queue& queue(unsigned end) { return ends_[end].nic->queue(); }
  Pool& pool(unsigned end) { return *ends_[end].pool; }
  /// The driver's process dies, and another one goes on.
  void replace_process(unsigned end) {
    ends_[end].nic->abandon();
    make_end(end, true);
  }
  void hold_transmit(unsigned end, bool hold) { wire_.device(end).hold_transmit(hold); }
  SimDevice& device(unsigned end) { return wire_.device(end); }
  SimWire& wire() { return wire_; }

 private:
  struct End {
    explicit End(const NicNeeds& needs) : memory(needs.nic_pages, kBuffers, kKernelBuffers, needs.state_size) {}
    fake::PortMemory memory;
    std::unique_ptr<fake::PortView> view;
    std::optional<Pool> pool;
    std::unique_ptr<SimNic> nic;
  };

  void make_end(unsigned index, bool adopt) {
    End& end = ends_[index];
    std::unique_ptr<fake::PortView> view = end.memory.map();
    const auto geometry = end.memory.geometry(*view);
    const StateArea state =
        adopt ? StateArea::adopt(view->state()) : StateArea::format(view->state(), end.memory.sizes());
    const auto pool_state = state.section(StateSection::kPool);
    end.nic.reset();
    end.pool.emplace(adopt ? Pool::adopt(geometry, pool_state) : Pool::create(geometry, pool_state));
    end.nic = std::make_unique<SimNic>(wire_.device(index), *end.pool, state.section(StateSection::kNic), kSlots);
    if (adopt) end.nic->adopt();
    end.view = std::move(view);  // the old mapping goes only now
  }

  SimWire wire_;
  End ends_[2]{End(SimNic::needs(kSlots)), End(SimNic::needs(kSlots))};
};

}  // namespace udd::contract
