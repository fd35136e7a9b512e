// SPDX-License-Identifier: Apache-2.0
// Two whole ports back to back in one process: udd::Port over the simulated NIC and the fake kernel end.
#pragma once

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
#include "tests/fake/kernel_end.h"
#include "udd/nic/sim/sim_nic.h"
#include "udd/port/port_access.h"
#include "udd/port/port_impl.h"

namespace udd::fake {

inline constexpr std::uint16_t kAppType = 0x88b5;
inline constexpr std::uint16_t kIpType = 0x0800;

[[nodiscard]] inline MacAddress mac_of(unsigned end) { return {0x52, 0x54, 0, 0, 0, static_cast<std::uint8_t>(end)}; }

/// A frame with a header, then `mark`, then octets that follow from it.
[[nodiscard]] inline std::vector<std::byte> make_frame(const MacAddress& to, const MacAddress& from, std::uint16_t type,
                                                       std::uint32_t mark, std::size_t size = 60) {
  std::vector<std::byte> frame(size);
  std::memcpy(frame.data(), to.data(), to.size());
  std::memcpy(frame.data() + 6, from.data(), from.size());
  frame[12] = static_cast<std::byte>(type >> 8);
  frame[13] = static_cast<std::byte>(type);
  for (std::size_t i = 14; i < size; ++i) frame[i] = static_cast<std::byte>(mark + i * 7);
  std::memcpy(frame.data() + 14, &mark, std::min(sizeof(mark), size - 14));
  return frame;
}

[[nodiscard]] inline std::uint32_t mark_of(std::span<const std::byte> frame) {
  std::uint32_t mark = 0;
  std::memcpy(&mark, frame.data() + 14, sizeof(mark));
  return mark;
}

/// Ports 0 and 1 on one wire, each with its kernel.
class SimPair {
 public:
  static constexpr SimQueue::Slots kSlots{.rx = 128, .tx = 128};

  explicit SimPair(PortOptions options = {}, KernelEnd::Options kernel = {}) {
    options.ethertypes = {kAppType};
    for (unsigned end = 0; end < 2; ++end) take(end, options, kernel);
  }

  void take(unsigned end, const PortOptions& options, KernelEnd::Options kernel) {
    const NicNeeds needs = SimNic::needs(kSlots);
    kernel.nic_pages = needs.nic_pages;
    kernel.state_size = PortImpl::state_size(needs, kernel.buffers);
    kernel.mac = mac_of(end);
    ports_[end].reset();
    kernels_[end] = std::make_unique<KernelEnd>(kernel);
    wire_.device(end).map_window(kernels_[end]->window(), Iova{KernelEnd::kWindowIova});
    ports_[end].emplace(PortAccess::make(open(end, options, PortImpl::From::kNothing)));
  }

  /// How the owner of a port ends, whose NIC goes on.
  enum class End : std::uint8_t {
    kLeft,    ///< it gives the port back while another process waits
    kCutOff,  ///< nothing of it runs any more; what its object holds is given up
  };
  /// Another process goes on with the port of `end`. Throws what that does.
  void succeed(unsigned end, const PortOptions& options, End how) {
    kernels_[end]->set_waiting(1);
    if (how == End::kLeft) {
      ports_[end]->give_back();
    } else {
      PortAccess::vanish(*ports_[end]);
    }
    ports_[end].reset();
    kernels_[end]->set_waiting(0);
    auto impl = open(end, options, PortImpl::From::kAnother);
    impl->go_on();
    ports_[end].emplace(PortAccess::make(std::move(impl)));
  }

  [[nodiscard]] SimWire& wire() { return wire_; }
  [[nodiscard]] Port& port(unsigned end) { return *ports_[end]; }
  [[nodiscard]] Queue& queue(unsigned end) { return ports_[end]->queue(0); }
  [[nodiscard]] KernelEnd& kernel(unsigned end) { return *kernels_[end]; }
  [[nodiscard]] Pool& pool(unsigned end) { return *pools_[end]; }
  void drop_port(unsigned end) { ports_[end].reset(); }

  /// Writes and sends one frame as the application of `end`. @return false if it was not taken.
  bool app_send(unsigned end, std::span<const std::byte> octets) {
    std::array<Frame, 1> frame;
    if (queue(end).alloc(frame) != 1) return false;
    frame[0].resize(static_cast<std::uint16_t>(octets.size()));
    std::memcpy(frame[0].data().data(), octets.data(), octets.size());
    if (queue(end).tx(frame) == 1) return true;
    queue(end).release(frame);
    return false;
  }
  /// One poll; copies of what it brought.
  std::vector<std::vector<std::byte>> app_receive(unsigned end) {
    std::array<Frame, 64> frames;
    const std::size_t count = queue(end).rx(frames);
    std::vector<std::vector<std::byte>> copies;
    for (const Frame& frame : std::span(frames.data(), count)) {
      copies.emplace_back(frame.data().begin(), frame.data().end());
    }
    queue(end).release({frames.data(), count});
    return copies;
  }

  struct Received {
    std::size_t app = 0;
    std::size_t kernel = 0;
  };
  /// Polls until neither side of `end` gets anything more. @return frames of each.
  Received receive_all(unsigned end) {
    Received all;
    for (bool more = true; more;) {
      const std::size_t got = app_receive(end).size();
      all.app += got;
      more = got != 0;
      for (; kernel(end).receive(); more = true) ++all.kernel;
    }
    return all;
  }

 private:
  std::unique_ptr<PortImpl> open(unsigned end, const PortOptions& options, PortImpl::From from) {
    return std::make_unique<PortImpl>(
        kernels_[end]->tunnel(), options, SimNic::needs(kSlots),
        [this, end](Pool& pool, std::span<std::byte> state) {
          pools_[end] = &pool;
          return std::make_unique<BareHandle<SimNic, SimQueue>>(wire_.device(end), pool, state, kSlots);
        },
        from);
  }

  SimWire wire_;
  std::array<std::unique_ptr<KernelEnd>, 2> kernels_;
  std::array<Pool*, 2> pools_{};
  std::array<std::optional<Port>, 2> ports_;
};

}  // namespace udd::fake
