// SPDX-License-Identifier: Apache-2.0
// Waiting behind the process that has a port, to go on where it ends: the NIC is not reset, its link stays up, and the
// kernel's traffic pauses for the time that the wake-up takes.
//
//   udd::Standby standby = udd::Standby::join("ndd0", {.ethertypes = {0x88B5}});
//   udd::Port port = *standby.wait();
//
// Everything that can be made ready is ready when join() returns: memory mapped, device open, registers in reach.
// Pool, rings and watchdog are those of the hold, whatever the options say of them. Frames that the owner's application
// had in its hands when it died are gone; those it gave back, parked, or left to the NIC are not.
//
// Errors: as Port::take(). Threads: one at a time.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "udd/port.h"

namespace udd {

/// When the port is to change hands.
enum class Wish : std::uint8_t {
  kWhenItEnds,  ///< when its owner dies, hangs (the watchdog), or gives it back
  kNow,         ///< the owner is asked for it, too (PortEvent::Kind::kWanted), and preferred to others that wait
};

class StandbyImpl;

class Standby {
 public:
  /// Waits behind the owner of the port from now on. `options.ethertypes` may be empty: then all frames are the
  /// kernel's. Throws udd::Error: ESRCH nobody has the port, take it; EOPNOTSUPP the owner can't be followed.
  static Standby join(std::string_view name, PortOptions options, Wish wish = Wish::kWhenItEnds);

  Standby(Standby&&) noexcept;
  Standby& operator=(Standby&&) noexcept;
  Standby(const Standby&) = delete;
  Standby& operator=(const Standby&) = delete;
  ~Standby();

  /// @return the port; nullopt if the time is over first (negative: never). Throws udd::Error: ECANCELED the hold has
  /// ended without us, and the in-kernel driver gets the port; EPROTO it can't be gone on with, and likewise. Not to be
  /// called after it has returned a port or thrown.
  [[nodiscard]] std::optional<Port> wait(std::chrono::milliseconds timeout = std::chrono::milliseconds{-1});
  [[nodiscard]] const std::string& name() const noexcept;    ///< PCI address
  [[nodiscard]] const std::string& netdev() const noexcept;  ///< stable netdev

 private:
  explicit Standby(std::unique_ptr<StandbyImpl> impl) noexcept;
  std::unique_ptr<StandbyImpl> impl_;
};

}  // namespace udd
