// SPDX-License-Identifier: Apache-2.0
// The families by PCI id, and how each one is put together over VFIO.
#include "udd/port/nic_families.h"

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <utility>
#include <vector>

#include "udd/base/error.h"
#include "udd/mmio/mmio.h"
#include "udd/nic/e1000/e1000.h"
#include "udd/port/engine.h"
#include "udd/vfio/container.h"
#include "udd/vfio/device.h"
#include "udd/vfio/group.h"
#include "udd/vfio/irq.h"
#include "udd/vfio/mapping.h"

namespace udd {
namespace {

constexpr IrqKind kE1000Irqs[] = {IrqKind::kMsi, IrqKind::kIntx};
constexpr unsigned kE1000Bar = 0;
constexpr std::size_t kE1000BarSize = std::size_t{128} * 1024;  // 82574 datasheet 9.2.11: memory register base address

class E1000Handle final : public NicHandle {
 public:
  E1000Handle(VfioFiles files, const std::string& device, Pool& pool, std::span<std::byte> state)
      : plain_files_{files.group.get(), files.container.get()},
        container_(std::move(files.container)),
        group_(std::move(files.group), device),
        device_(open(group_, container_, files.in_use)),
        bar_(device_.map_bar(kE1000Bar, kE1000BarSize)),
        io_(bar_.memory()),
        irq_(device_, kE1000Irqs),
        nic_(io_, irq_, pool, state, device) {}

  [[nodiscard]] Nic& nic() noexcept override { return nic_; }
  void enable_interrupt() override { irq_.enable(); }
  void leave() noexcept override { irq_.leave(); }
  [[nodiscard]] std::unique_ptr<QueueEngine> make_engine(const QueueEngine::Parts& parts) override {
    return std::make_unique<Engine<E1000Queue>>(parts, nic_.queue());
  }
  [[nodiscard]] std::span<std::byte> registers() const noexcept override { return bar_.memory(); }
  [[nodiscard]] std::vector<int> descriptors() const override {
    return {plain_files_[0], plain_files_[1], device_.fd(), irq_.fd()};
  }

 private:
  /// The order that VFIO asks for: the group joins, the container gets its type, the device can be opened. Whoever has
  /// them in use has done the first two.
  static VfioDevice open(VfioGroup& group, VfioContainer& container, bool in_use) {
    if (!in_use) {
      group.join(container);
      container.set_type1();
    }
    return VfioDevice(group);
  }

  int plain_files_[2];
  // Closed from the end: interrupt, registers, device, group, container.
  VfioContainer container_;
  VfioGroup group_;
  VfioDevice device_;
  Mapping bar_;
  Mmio io_;
  VfioIrq irq_;
  E1000 nic_;
};

template <typename Handle>
std::unique_ptr<NicHandle> open_handle(VfioFiles files, const std::string& device, Pool& pool,
                                       std::span<std::byte> state) {
  return std::make_unique<Handle>(std::move(files), device, pool, state);
}

constexpr NicFamilyEntry kFamilies[] = {
    {.id = E1000::k82574L,
     .name = "Intel 82574L",
     .needs = [] { return E1000::needs(); },
     .open = open_handle<E1000Handle>},
};

}  // namespace

const NicFamilyEntry& nic_family(const PciId& id, const std::string& device) {
  const auto* const found = std::ranges::find(kFamilies, id, &NicFamilyEntry::id);
  if (found != std::end(kFamilies)) return *found;
  std::string known;
  for (const NicFamilyEntry& family : kFamilies) {
    known += (known.empty() ? "" : ", ") + std::string(family.name) + " (" + family.id.to_string() + ")";
  }
  throw Error(EOPNOTSUPP, {.what = "take the port",
                           .device = device,
                           .why = "this library has no driver for a NIC of kind " + id.to_string(),
                           .advice = "use one of: " + known});
}

}  // namespace udd
