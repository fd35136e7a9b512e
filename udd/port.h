// SPDX-License-Identifier: Apache-2.0
// The public interface: take an Ethernet port, exchange frames of your EtherTypes by polling, and give it
// back by ending. Everything that is not yours goes to and from the kernel through the same port meanwhile.
//
//   udd::Port port = udd::Port::take("ndd0", {.ethertypes = {0x88B5}});
//   udd::Queue& queue = port.queue(0);
//   std::array<udd::Frame, 32> frames;
//   for (;;) {
//     std::size_t n = queue.rx(frames);
//     ... read and write frames[i].data() ...
//     std::size_t sent = queue.tx({frames.data(), n});
//     queue.release({frames.data() + sent, n - sent});
//   }
//
// Contract (design D13):
// - data() starts at the destination MAC. You write the whole header; padding and FCS are the NIC's. A frame has at
//   least 14 and at most the netdev's MTU + 18 octets. If that is more than a buffer's 4096, a frame may be several
//   Frames in a row, all but the last of which say more(): rx() never hands out a part of one, tx() takes all or none.
// - You receive your EtherTypes (behind one VLAN tag, too) addressed to the port's MAC, to broadcast, and to the
//   groups you joined, whatever else the NIC lets in for the kernel. Application frames never reach local
//   sockets, kernel frames never reach you; in direct mode your EtherTypes go to the kernel.
// - Link down: tx() takes nothing, and an event tells.
// - Port lost: every call returns 0 and state() says kLost; take a new Port to go on.
// - One receive ring feeds both sides: a gap between polls that is longer than the ring drops for both, counted
//   per side.
//
// Threads: Port is thread-safe. A Queue is used by one thread at a time, checked in debug builds.
// Errors: take() and the other set-up calls throw udd::Error, which says what failed, on which device, why,
// and what to do. Queue calls are noexcept and return counts. The library never aborts and writes to no stream.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "udd/base/error.h"
#include "udd/mem/frame.h"
#include "udd/nic/nic.h"

namespace udd {

/// What happens to the port while a debugger has stopped the process beyond the watchdog's interval.
enum class OnDebugger : std::uint8_t {
  kRevoke,  ///< the kernel gets its port, the program sees kLost on continue
  kHold,    ///< the process keeps the port, the kernel's traffic waits
};

enum class LogLevel : std::uint8_t { kDebug, kInfo, kWarning, kError };

/// One log message. `id` is stable over releases and names the kind; `text` is for people.
struct LogRecord {
  LogLevel level;
  std::string_view id;
  std::string_view text;
};

struct PortOptions {
  /// EtherTypes that are yours; at least one, none below 0x0600.
  std::vector<std::uint16_t> ethertypes;
  /// Buffers in the pool, and how many of them the kernel gets for sending; 0: 4096, and a quarter of them. Up to
  /// another quarter is the kernel's stock: it gives them for received ones that its sockets keep.
  std::uint32_t buffers = 0;
  std::uint32_t kernel_buffers = 0;
  /// Entries of the tunnel's rings; 0: default.
  std::uint32_t ring_size = 0;
  /// How often the tunnel is looked at, and how long sent frames may wait for a common doorbell. 0: at once.
  std::chrono::microseconds poll_interval{0};
  std::chrono::microseconds flush_interval{0};
  /// wait() spins this long before it sleeps.
  std::chrono::microseconds spin{50};
  /// Nobody services the port for this long: the kernel takes it back. 1 ms .. 60 s.
  std::chrono::microseconds watchdog{std::chrono::seconds{1}};
  /// The application itself (rx, poll) must call in this often; 0: no deadline.
  std::chrono::microseconds app_deadline{0};
  OnDebugger on_debugger = OnDebugger::kRevoke;
  /// Unattended for this long, the backup thread services the kernel's traffic; nullopt: no such thread.
  std::optional<std::chrono::microseconds> backup_after = std::chrono::milliseconds{1};
  /// How long take() waits for a port that is on its way back to direct mode.
  std::chrono::milliseconds take_timeout{5000};
  /// Called from any of the library's threads; must not call back into the port.
  std::function<void(const LogRecord&)> log{};
};

enum class PortState : std::uint8_t {
  kTunnel,    ///< yours
  kLost,      ///< the kernel took it back; see lost_reason()
  kGivenBack  ///< you gave it back
};

struct PortEvent {
  enum class Kind : std::uint8_t {
    kLinkUp,
    kLinkDown,
    kWatchdogWarning,
    kConfigChanged,
    kLost,
    kWanted,  ///< another process waits and wants the port now (udd/standby.h): give_back() passes it on
  };
  Kind kind;
};

/// Counters since take(). Frames and octets without FCS.
struct PortStats {
  std::uint64_t app_rx_frames = 0;
  std::uint64_t app_tx_frames = 0;
  std::uint64_t kernel_rx_frames = 0;    ///< NIC to kernel (KRX)
  std::uint64_t kernel_rx_merged = 0;    ///< of these, merged from several TCP segments
  std::uint64_t kernel_rx_segments = 0;  ///< that many
  std::uint64_t kernel_tx_frames = 0;    ///< kernel to NIC (KTX)
  std::uint64_t app_rx_dropped = 0;      ///< parked ring full, or longer than all of rx()'s array
  std::uint64_t kernel_rx_dropped = 0;   ///< KRX full, or too many buffers with the kernel
  std::uint64_t rx_errors = 0;           ///< damaged pieces reported by the NIC
  std::uint64_t foreign = 0;             ///< your EtherType, but not addressed to you
  std::uint64_t tx_refused = 0;          ///< bad length, bad buffer
  std::uint64_t tx_ring_full = 0;
  std::uint64_t backup_services = 0;
  std::uint64_t wakeups = 0;    ///< returns from sleep in wait()
  std::uint64_t kicks = 0;      ///< system calls made to wake the kernel
  std::uint64_t doorbells = 0;  ///< tail writes to the NIC
  NicStats nic;
};

/// Histogram of the gaps between two services of the port, in powers of two of a microsecond:
/// gaps[i] counts gaps in [2^(i-1), 2^i) us, gaps[0] those below 1 us.
using GapHistogram = std::array<std::uint64_t, 32>;

class PortImpl;
class QueueEngine;
struct PortAccess;

/// One queue pair. Obtained from Port::queue(); lives as long as the port.
class Queue {
 public:
  explicit Queue(QueueEngine* engine) noexcept : engine_(engine) {}
  Queue(const Queue&) = delete;
  Queue& operator=(const Queue&) = delete;

  /// One poll: the NIC, steering, and both directions of the tunnel, each within its budget. Never blocks.
  /// @return Frames written to the front of `out`; they are yours until tx() or release(). With an MTU above 4078 give
  /// it room for as many as the longest frame has: what is longer than all of `out` is dropped.
  std::size_t rx(std::span<Frame> out) noexcept;
  /// rx() with no frames wanted: yours are parked in receive order, one ring of them at most.
  /// @return true if anything moved, in whatever direction; if not, the CPU may be somebody else's.
  bool poll() noexcept;
  /// Empty frames to write (size 0, capacity() a buffer). @return how many.
  std::size_t alloc(std::span<Frame> out) noexcept;
  /// Sends. Never blocks, at most one doorbell. @return n: the first n are the NIC's, the rest stay yours.
  std::size_t tx(std::span<const Frame> frames) noexcept;
  /// Gives frames back unsent.
  void release(std::span<const Frame> frames) noexcept;
  /// Sends what a flush_interval holds back.
  void flush() noexcept;
  /// Sleeps until there is something to rx(), an event, or the time is over; spins first (PortOptions::spin).
  /// The kernel's traffic is serviced meanwhile. A negative timeout waits for ever.
  /// @return false if the time was over.
  bool wait(std::chrono::nanoseconds timeout = std::chrono::nanoseconds{-1}) noexcept;

 private:
  QueueEngine* engine_;
};

/// A taken port. Move-only; its destructor gives the port back.
class Port {
 public:
  /// Takes the port by the stable netdev's name ("ndd0") or by PCI address ("0000:00:03.0"). If a process has it, that
  /// is asked for it; ndd-keeper gives it away at once.
  static Port take(std::string_view name, PortOptions options);

  Port(Port&&) noexcept;
  Port& operator=(Port&&) noexcept;
  Port(const Port&) = delete;
  Port& operator=(const Port&) = delete;
  ~Port();

  /// Gives the port away now: to a process that waits behind this one (udd/standby.h), with the NIC as it is and no
  /// frame lost; if none does, to the in-kernel driver. Idempotent. All frames must be back or are forgotten.
  void give_back() noexcept;

  [[nodiscard]] PortState state() const noexcept;
  /// Why the port was lost, as text; empty unless state() is kLost.
  [[nodiscard]] std::string lost_reason() const;
  [[nodiscard]] Queue& queue(unsigned index);
  [[nodiscard]] const std::string& name() const noexcept;    ///< PCI address
  [[nodiscard]] const std::string& netdev() const noexcept;  ///< stable netdev
  [[nodiscard]] MacAddress mac() const noexcept;
  [[nodiscard]] std::uint32_t mtu() const noexcept;
  [[nodiscard]] LinkState link() const noexcept;
  /// The oldest event not yet asked for, if any.
  [[nodiscard]] std::optional<PortEvent> next_event() noexcept;
  /// Receive your EtherTypes sent to this group too.
  void join(const MacAddress& group);
  void leave(const MacAddress& group);
  [[nodiscard]] PortStats stats() const noexcept;
  [[nodiscard]] GapHistogram gaps() const noexcept;

 private:
  friend struct PortAccess;  // makes ports over simulated NICs
  explicit Port(std::unique_ptr<PortImpl> impl) noexcept;
  std::unique_ptr<PortImpl> impl_;
};

}  // namespace udd
