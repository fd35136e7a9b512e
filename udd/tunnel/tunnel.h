// SPDX-License-Identifier: Apache-2.0
// What the kernel's end of a taken port offers the port: three areas, an eventfd, and a few calls. DeviceTunnel is the
// real one; tests/fake/kernel_end plays kagent over plain memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "udd/nic/nic.h"

namespace udd {

class Tunnel {
 public:
  /// The mapped areas; gone with the tunnel.
  struct Areas {
    std::span<std::byte> ctrl;
    std::span<std::byte> state;
    std::span<std::byte> pool;
  };

  virtual ~Tunnel() = default;
  Tunnel(const Tunnel&) = delete;
  Tunnel& operator=(const Tunnel&) = delete;

  [[nodiscard]] virtual const Areas& areas() const noexcept = 0;
  /// Non-blocking eventfd that the kernel signals for queue 0, and the library for its own threads.
  [[nodiscard]] virtual int event_fd() const noexcept = 0;
  /// The NIC is set up, or was adopted: the rings are served from now on. Throws udd::Error.
  virtual void start() = 0;
  /// Makes the kernel look at the queue's rings. One system call. Callable from any thread.
  virtual void kick(unsigned queue) noexcept = 0;
  /// Tells what the link is. Callable from any thread.
  virtual void set_link(const LinkState& link) noexcept = 0;
  /// Says that the coming end is meant. The NIC must do no DMA any more, unless it is left to a process that waits.
  /// Idempotent.
  virtual void give_back() noexcept = 0;
  /// enum ndd_reason of the port's last change of mode, asked anew.
  [[nodiscard]] virtual std::uint32_t last_reason() noexcept = 0;
  /// In a forked child: lets go of every descriptor without a word to the kernel.
  virtual void abandon() noexcept = 0;

  [[nodiscard]] virtual const std::string& port() const noexcept = 0;    ///< PCI address
  [[nodiscard]] virtual const std::string& netdev() const noexcept = 0;  ///< stable netdev

 protected:
  Tunnel() = default;
};

}  // namespace udd
