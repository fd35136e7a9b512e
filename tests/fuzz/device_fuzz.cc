// SPDX-License-Identifier: Apache-2.0
// A hostile NIC under a whole port: it writes what it likes into its rings and the buffers, in any order, while
// application and kernel exchange frames. What the application gets must be its own and within its buffer, the kernel
// must get nothing that breaks the rules, and in the end no buffer is missing.
#include <fuzzer/FuzzedDataProvider.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "tests/fake/bare_handle.h"
#include "tests/fake/e1000_chip.h"
#include "tests/fake/kernel_end.h"
#include "tests/fuzz/fuzz.h"
#include "udd/nic/e1000/e1000.h"
#include "udd/nic/e1000/regs.h"
#include "udd/port/port_access.h"
#include "udd/port/port_impl.h"

namespace {

using namespace udd;  // NOLINT(google-build-using-namespace)
using fake::KernelEnd;
using fuzz::require;

constexpr E1000Queue::Slots kSlots{.rx = 64, .tx = 64};
constexpr std::uint16_t kAppType = 0x88b5;
constexpr std::uint32_t kKernelBuffers = 64;
constexpr std::size_t kBurst = 32;

KernelEnd::Options kernel_options(FuzzedDataProvider& data) {
  const NicNeeds needs = E1000::needs(kSlots);
  KernelEnd::Options options;
  options.nic_pages = needs.nic_pages;
  options.buffers = 384;
  options.kernel_buffers = kKernelBuffers;
  options.exchange_buffers = data.ConsumeBool() ? 64 : 0;
  options.state_size = PortImpl::state_size(needs, options.buffers);
  options.ring_size = 64;
  options.mtu = data.ConsumeBool() ? 1500 : 9000;
  options.features = data.ConsumeBool() ? NDD_F_OFFLOAD | NDD_F_TX_CSUM | NDD_F_TSO4 | NDD_F_TSO6 : 0;
  return options;
}

class Fuzzed {
 public:
  explicit Fuzzed(FuzzedDataProvider& data) : data_(data), kernel_(kernel_options(data)) {
    PortOptions options{.ethertypes = {kAppType}};
    options.backup_after.reset();
    options.spin = std::chrono::microseconds(0);
    port_.emplace(PortAccess::make(std::make_unique<PortImpl>(
        kernel_.tunnel(), std::move(options), E1000::needs(kSlots), [this](Pool& pool, std::span<std::byte> state) {
          pool_ = &pool;
          return std::make_unique<fake::BareHandle<E1000, E1000Queue>>(chip_.io(), chip_.line(), pool, state,
                                                                       "0000:00:03.0", kSlots);
        })));
    rx_ring_ = ring<e1000::Rdbal, e1000::Rdbah>(kSlots.rx);
    tx_ring_ = ring<e1000::Tdbal, e1000::Tdbah>(kSlots.tx);
  }

  void run() {
    while (data_.remaining_bytes() != 0) step();
    end();
  }

 private:
  [[nodiscard]] Queue& queue() { return port_->queue(0); }

  void step() {
    chip_.io().forget();
    switch (data_.ConsumeIntegralInRange(0, 15)) {
      case 0:
      case 1:
      case 2:
        device_receives();
        break;
      case 3:
        device_sends();
        break;
      case 4:
        device_writes(pool_->nic_memory());
        break;
      case 5:
        device_writes(pool_->memory());
        break;
      case 6:
        device_changes_register();
        break;
      case 7:
      case 8:
        application_receives();
        break;
      case 9:
        application_allocates();
        break;
      case 10:
      case 11:
        application_sends();
        break;
      case 12:
        application_looks();
        break;
      case 13:
        kernel_sends();
        break;
      case 14:
        kernel_receives();
        break;
      default:
        kernel_.configure([&](ndd_config& config) {
          config.flags = NDD_CONFIG_UP | data_.ConsumeIntegralInRange(0u, 7u);
          config.mtu = data_.ConsumeIntegralInRange(68u, 9216u);
        });
    }
  }

  // ---- the device ----

  /// The ring that these registers tell of.
  template <typename Low, typename High>
  [[nodiscard]] std::span<RingDescriptor> ring(std::size_t slots) {
    const std::uint64_t iova = std::uint64_t{chip_.io().word(High::kOffset)} << 32 | chip_.io().word(Low::kOffset);
    RingDescriptor* const first = reach<RingDescriptor>(iova);
    require(first != nullptr, "a ring outside the pool");
    return {first, slots};
  }
  /// What the IOMMU lets the device reach: the pool, aligned.
  template <typename T>
  [[nodiscard]] T* reach(std::uint64_t iova) {
    const std::span<std::byte> memory = pool_->memory();
    const std::uint64_t at = iova - KernelEnd::kPoolIova;
    if (at % alignof(T) != 0 || at > memory.size() - sizeof(T)) return nullptr;
    return static_cast<T*>(static_cast<void*>(memory.data() + at));
  }

  void device_receives() {
    for (auto count = data_.ConsumeIntegralInRange(1u, 20u); count != 0; --count) {
      RingDescriptor& descriptor = rx_ring_[rx_at_++ % kSlots.rx];
      // mostly a frame for one of us, in one buffer
      std::uint16_t length = data_.ConsumeIntegralInRange<std::uint16_t>(14, 1600);
      std::uint64_t word = length | E1000Format::kRxDone | E1000Format::kRxLast;
      write_header(descriptor.address, length);
      if (data_.ConsumeIntegralInRange(0, 3) == 0) word ^= data_.ConsumeIntegral<std::uint64_t>();
      if (data_.ConsumeBool()) word |= E1000Format::kRxTcpcs;
      descriptor.store(word);
    }
  }

  void write_header(std::uint64_t iova, std::uint16_t length) {
    using Header = std::array<std::byte, 64>;
    Header* const to = reach<Header>(iova);
    if (to == nullptr) return;
    Header header{};
    const MacAddress mac = port_->mac();
    std::memcpy(header.data(), mac.data(), mac.size());
    const bool app = data_.ConsumeBool();
    header[12] = static_cast<std::byte>(app ? kAppType >> 8 : 0x08);
    header[13] = static_cast<std::byte>(app ? kAppType & 0xff : 0x00);
    header[14] = std::byte{0x45};
    header[16] = static_cast<std::byte>((length - 14) >> 8);
    header[17] = static_cast<std::byte>(length - 14);
    header[23] = std::byte{6};
    header[46] = std::byte{0x50};
    header[47] = std::byte{0x10};
    if (data_.ConsumeIntegralInRange(0, 3) == 0) {
      header[data_.ConsumeIntegralInRange<std::size_t>(0, header.size() - 1)] =
          static_cast<std::byte>(data_.ConsumeIntegral<std::uint8_t>());
    }
    *to = header;
  }

  void device_sends() {
    for (auto count = data_.ConsumeIntegralInRange(1u, kSlots.tx); count != 0; --count) {
      RingDescriptor& descriptor = tx_ring_[tx_at_++ % kSlots.tx];
      descriptor.store(descriptor.load() | E1000Format::kTxDone);
    }
  }

  void device_writes(std::span<std::byte> area) {
    const auto at = data_.ConsumeIntegralInRange<std::size_t>(0, area.size() / sizeof(std::uint64_t) - 1);
    const auto value = data_.ConsumeIntegral<std::uint64_t>();
    std::memcpy(area.data() + at * sizeof(value), &value, sizeof(value));
  }

  void device_changes_register() {
    const auto at = data_.ConsumeIntegralInRange<std::uint32_t>(0, e1000::kBarSize / 4 - 1);
    const std::uint32_t usual[] = {e1000::Status::kOffset, e1000::Icr::kOffset, e1000::Ctrl::kOffset};
    const std::uint32_t offset = data_.ConsumeBool() ? data_.PickValueInArray(usual) : at * 4;
    chip_.io().word(offset) = data_.ConsumeIntegral<std::uint32_t>();
  }

  // ---- the application ----

  void take_over(std::span<const Frame> frames, bool received) {
    for (const Frame& frame : frames) {
      const BufferIndex buffer = frame.buffer();
      require(buffer < pool_->first_kernel_buffer(), "a frame in a buffer of the kernel's");
      require(!with_application_[buffer], "a buffer that the application has already");
      require(frame.data().data() >= pool_->data(buffer) &&
                  frame.data().data() + frame.size() <= pool_->data(buffer) + kBufferSize,
              "a frame over its buffer's end");
      require(!received || frame.size() != 0, "an empty frame");
      with_application_[buffer] = true;
      held_.push_back(frame);
    }
  }
  void let_go(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) with_application_[held_[i].buffer()] = false;
    held_.erase(held_.begin(), held_.begin() + static_cast<std::ptrdiff_t>(count));
  }

  void application_receives() {
    std::array<Frame, kBurst> frames;
    const auto wanted = data_.ConsumeIntegralInRange<std::size_t>(1, kBurst);
    const std::size_t count = queue().rx({frames.data(), wanted});
    require(count <= wanted, "more frames than were asked for");
    take_over({frames.data(), count}, true);
  }

  void application_allocates() {
    std::array<Frame, kBurst> frames;
    const auto wanted = data_.ConsumeIntegralInRange<std::size_t>(1, kBurst);
    if (held_.size() + wanted > pool_->own_buffers() / 2) return;
    take_over({frames.data(), queue().alloc({frames.data(), wanted})}, false);
  }

  void application_sends() {
    const auto count = std::min(held_.size(), data_.ConsumeIntegralInRange<std::size_t>(1, kBurst));
    if (count == 0) return;
    if (data_.ConsumeBool()) {
      queue().release({held_.data(), count});
      return let_go(count);
    }
    for (std::size_t i = 0; i < count; ++i) {
      if (data_.ConsumeBool()) held_[i].resize(data_.ConsumeIntegral<std::uint16_t>());
    }
    const std::size_t sent = queue().tx({held_.data(), count});
    require(sent <= count, "more was sent than there was");
    let_go(sent);
  }

  void application_looks() {
    static_cast<void>(queue().poll());
    queue().flush();
    static_cast<void>(port_->next_event());
    static_cast<void>(port_->stats());
    static_cast<void>(port_->link());
  }

  // ---- the kernel ----

  void kernel_sends() {
    std::vector<std::byte> frame(data_.ConsumeIntegralInRange<std::size_t>(14, 3000));
    static_cast<void>(kernel_.send(frame));
  }
  void kernel_receives() {
    for (auto count = data_.ConsumeIntegralInRange(1, 40); count != 0 && kernel_.receive(); --count) {
    }
    static_cast<void>(kernel_.reap());
    require(kernel_.violations() == 0, "the kernel got what breaks the rules");
  }

  /// Both sides take what there is. @return something moved.
  bool moves() {
    std::array<Frame, kBurst> frames;
    const std::size_t count = queue().rx(frames);
    take_over({frames.data(), count}, true);
    if (count != 0) queue().release({frames.data(), count});
    let_go(count);
    bool moved = count != 0;
    for (; kernel_.receive(); moved = true) {
    }
    for (RingDescriptor& each : tx_ring_) each.store(each.load() | E1000Format::kTxDone);
    return kernel_.reap() != 0 || moved;
  }

  void end() {
    if (!held_.empty()) queue().release(held_);
    let_go(held_.size());
    // What is under way comes to its end: what the kernel has and sends, and a frame that is still open, for which the
    // NIC may have to get buffers first.
    for (int round = 0; round < 2; ++round) {
      for (RingDescriptor& each : rx_ring_) each.store(60 | E1000Format::kRxDone | E1000Format::kRxLast);
      while (moves()) {
      }
    }
    port_->give_back();
    static_cast<void>(kernel_.reap());
    require(kernel_.violations() == 0, "the kernel got what breaks the rules");
    require(kernel_.given_back(), "the port was not given back");
    require(kernel_.free_buffers() == kKernelBuffers, "a buffer of the kernel's is missing");
    require(pool_->free_count() == kernel_.process_buffers(), "a buffer of the process's is missing");
  }

  FuzzedDataProvider& data_;
  fake::E1000Chip chip_;
  KernelEnd kernel_;
  Pool* pool_ = nullptr;
  std::optional<Port> port_;
  std::span<RingDescriptor> rx_ring_, tx_ring_;
  std::vector<Frame> held_;
  std::array<bool, 512> with_application_{};
  std::uint32_t rx_at_ = 0;
  std::uint32_t tx_at_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* octets, std::size_t size) {
  FuzzedDataProvider data(octets, size);
  Fuzzed(data).run();
  return 0;
}
