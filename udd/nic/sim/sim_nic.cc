// SPDX-License-Identifier: Apache-2.0
// SimNic: the control half of the simulated NIC.
#include "udd/nic/sim/sim_nic.h"

#include <cerrno>
#include <string>

#include "udd/base/error.h"
#include "udd/base/units.h"

namespace udd {
namespace {

constexpr std::uint32_t kMaxMtu = 9216;  // as the e1000 family

}  // namespace

NicNeeds SimNic::needs(SimQueue::Slots slots) noexcept {
  return {.nic_pages = static_cast<std::uint32_t>((SimQueue::ring_memory(slots) + kPageSize - 1) / kPageSize),
          .state_size = SimQueue::state_size(slots),
          .offloads = kOffloads};
}

SimNic::SimNic(SimDevice& device, Pool& pool, std::span<std::byte> state, SimQueue::Slots slots)
    : device_(device), queue_(pool, state, slots, SimDoorbell(device)) {
  device_.map(pool.memory(), pool.nic_iova());
}

SimNic::~SimNic() {
  if (running_ && !abandoned_) stop();
}

void SimNic::require_present() const {
  if (!device_.gone()) return;
  throw Error(ENODEV, {.what = "talk to the NIC",
                       .device = "simulated NIC",
                       .why = "it doesn't answer any more",
                       .advice = "check that it is still there"});
}

void SimNic::start() {
  require_present();
  if (running_) stop();
  device_.reset();
  queue_.format();
  const auto slots = queue_.slots();
  device_.enable(queue_.rx_ring_iova(), slots.rx, queue_.tx_ring_iova(), slots.tx);
  queue_.fill();
  running_ = true;
}

void SimNic::adopt() {
  require_present();
  queue_.adopt();
  running_ = true;
}

void SimNic::stop() noexcept {
  device_.reset();
  queue_.drain();
  running_ = false;
}

void SimNic::configure(const NicConfig& config) {
  require_present();
  if (config.mtu > kMaxMtu) {
    throw Error(EINVAL, {.what = "set the MTU to " + std::to_string(config.mtu),
                         .device = "simulated NIC",
                         .why = "it carries " + std::to_string(kMaxMtu) + " octets at most",
                         .advice = {}});
  }
  device_.set_filter(config);
}

MacAddress SimNic::permanent_mac() const {
  // Locally administered; the last octet tells the end.
  return {0x02, 0x00, 0x00, 0x00, 0x00, static_cast<std::uint8_t>(device_.end() + 1)};
}

std::uint32_t SimNic::max_mtu() const noexcept { return kMaxMtu; }

}  // namespace udd
