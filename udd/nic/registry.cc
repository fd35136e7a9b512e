// SPDX-License-Identifier: Apache-2.0
// The list of families.
#include "udd/nic/registry.h"

#include <cerrno>
#include <string>
#include <utility>

#include "udd/base/error.h"
#include "udd/nic/e1000/regs.h"

namespace udd {
namespace {

class BoundE1000 final : public BoundNic {
 public:
  BoundE1000(const VfioDevice& device, Pool& pool, std::span<std::byte> state)
      : bar_(device.map_bar(0, e1000::kBarSize)),
        io_(bar_.memory()),
        // MSI before MSI-X: its causes and masks work alike on all e1000s, and QEMU (up to 10.0) sends every MSI-X a
        // second time when its throttling timer ends.
        irq_(device, {IrqKind::kMsi, IrqKind::kIntx}),
        nic_(io_, irq_, pool, state, device.name()) {
    irq_.enable();
  }

  [[nodiscard]] Nic& nic() noexcept override { return nic_; }
  [[nodiscard]] NicQueueRef queue() noexcept override { return &nic_.queue(); }
  [[nodiscard]] std::span<std::byte> bar() const noexcept override { return bar_.memory(); }

 private:
  Mapping bar_;
  Mmio io_;
  VfioIrq irq_;
  E1000 nic_;
};

struct Family {
  PciId id;
  NicNeeds (*needs)();
  std::unique_ptr<BoundNic> (*make)(const VfioDevice&, Pool&, std::span<std::byte>);
};

template <typename Driver, typename Bound>
constexpr Family family(PciId id) {
  return {.id = id,
          .needs = [] { return Driver::needs(); },
          .make = [](const VfioDevice& device, Pool& pool, std::span<std::byte> state) -> std::unique_ptr<BoundNic> {
            return std::make_unique<Bound>(device, pool, state);
          }};
}

constexpr Family kFamilies[] = {
    family<E1000, BoundE1000>(E1000::k82574L),
};

const Family& find(PciId id, std::string_view device) {
  for (const Family& candidate : kFamilies) {
    if (candidate.id == id) return candidate;
  }
  std::string known;
  for (const Family& candidate : kFamilies) known += (known.empty() ? "" : ", ") + candidate.id.to_string();
  throw Error(EOPNOTSUPP, {.what = "drive the NIC",
                           .device = std::string(device),
                           .why = "the library has no driver for " + id.to_string(),
                           .advice = "it knows " + known});
}

}  // namespace

NicNeeds nic_needs(PciId id, std::string_view device) { return find(id, device).needs(); }

std::unique_ptr<BoundNic> make_nic(PciId id, const VfioDevice& device, Pool& pool, std::span<std::byte> state) {
  return find(id, device.name()).make(device, pool, state);
}

}  // namespace udd
