// SPDX-License-Identifier: Apache-2.0
// One queue pair as udd::Queue calls it and as the port's other threads see it. What is the same for every NIC family
// is here: the gate, signs of life, sleeping. The service loop itself is Engine (engine.h), compiled per family.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>

#include "udd/base/ticks.h"
#include "udd/base/unique_fd.h"
#include "udd/mem/frame.h"
#include "udd/mem/pool.h"
#include "udd/port.h"
#include "udd/port/control.h"
#include "udd/port/gate.h"
#include "udd/port/thread_check.h"
#include "udd/port/tunnel_state.h"
#include "udd/tunnel/tunnel_queue.h"

namespace udd {

class QueueEngine {
 public:
  /// What a queue works on. All must outlive it.
  struct Parts {
    Tunnel& tunnel;
    CtrlArea& ctrl;
    Pool& pool;
    Nic& nic;
    Steering& steering;
    Control& control;
    Events& events;
    const Log& log;
    std::span<std::byte> state;  ///< section kTunnel
    const PortOptions& options;
    bool adopting = false;  ///< goes on from `state`, where another process ended
    unsigned queue = 0;
    /// Called once, inside the gate, when the port turns out to be lost.
    std::function<void()> on_lost;
    /// Called when wait() ends, for the backup thread.
    std::function<void()> on_wait_over;
  };

  /// What ended a sleep.
  struct Woken {
    bool by_nic = false;
    bool by_other = false;
  };

  virtual ~QueueEngine() = default;
  QueueEngine(const QueueEngine&) = delete;
  QueueEngine& operator=(const QueueEngine&) = delete;

  // The application's thread; see udd::Queue.

  virtual std::size_t rx(std::span<Frame> out) noexcept = 0;
  virtual bool poll() noexcept = 0;
  virtual std::size_t alloc(std::span<Frame> out) noexcept = 0;
  virtual std::size_t tx(std::span<const Frame> frames) noexcept = 0;
  virtual void release(std::span<const Frame> frames) noexcept = 0;
  virtual void flush() noexcept = 0;
  bool wait(std::chrono::nanoseconds timeout) noexcept;

  // Any thread.

  [[nodiscard]] Gate& gate() noexcept { return gate_; }
  /// Is the application in wait()?
  [[nodiscard]] bool waiting() const noexcept { return waiting_.load(std::memory_order_seq_cst); }
  /// Changes with every rx() and poll().
  [[nodiscard]] std::uint32_t app_calls() const noexcept { return load_shared(health_->app_progress); }
  [[nodiscard]] ThreadCheck& thread_check() noexcept { return thread_check_; }
  void tell_misuse() noexcept;

  // Inside the gate.

  /// One round: the NIC and both directions of the tunnel; frames of the application's are parked.
  /// @return true if anything moved.
  virtual bool serve() noexcept = 0;
  /// As serve(), by the backup thread.
  bool serve_unattended() noexcept;
  /// Asks NIC and kernel to signal what comes next. @return false if something is there already: serve it.
  [[nodiscard]] bool arm() noexcept;
  void disarm(Woken by) noexcept;
  void set_asleep(bool asleep) noexcept;
  /// Adds this queue's counters.
  virtual void add_stats(PortStats& stats) const noexcept = 0;
  [[nodiscard]] GapHistogram gaps() const noexcept;
  /// After the NIC was stopped: every sent buffer back to whose it is.
  virtual void reclaim_all() noexcept = 0;
  /// While the NIC goes on: leaves everything for the next process, which adopts it.
  virtual void leave_behind() noexcept = 0;
  /// Applies what Control::look() or a join changed.
  void refresh() noexcept;

  // Outside of it.

  /// Sleeps until armed events, `extra_fd` (-1: none), or the time is over.
  Woken sleep(Ticks most, int extra_fd) noexcept;
  /// Wakes whoever sleeps.
  void signal() noexcept;
  /// In a forked child: closes descriptors.
  void abandon() noexcept;
  /// How long a sleeper may leave sent buffers unreclaimed; no interrupt tells of them.
  [[nodiscard]] Ticks nap() noexcept;

 protected:
  explicit QueueEngine(const Parts& parts);

  /// The gate and the port's health, on every call of the application's. @return false: not ours any more.
  [[nodiscard]] bool enter() noexcept {
    if (!gate_.enter()) [[unlikely]]
      return false;
    if (load_shared(health_->mode) == NDD_MODE_TUNNEL) [[likely]]
      return true;
    if (still_ours()) return true;
    gate_.leave();
    return false;
  }
  /// As enter(), if that takes no call: what comes behind it needs no register saved. False says nothing: enter().
  [[nodiscard]] bool enter_at_once() noexcept {
    return gate_.enter_at_once() && load_shared(health_->mode) == NDD_MODE_TUNNEL;
  }
  void leave() noexcept { gate_.leave(); }

  enum class By : std::uint8_t { kAnyone, kApplication };

  /// What every round of service starts with: a sign of life.
  /// @return false if anything needs more than a quick round: then look_around().
  template <By kBy>
  bool count_round() noexcept {
    const Ticks now = ticks_now();
    const Ticks gap = now - now_;
    now_ = now;
    const std::uint64_t rounds = rounds_ + 1;
    rounds_ = rounds;
    ndd_health* const health = health_;
    store_shared(health->progress, static_cast<std::uint32_t>(rounds));
    if constexpr (kBy == By::kApplication) store_shared(health->app_progress, static_cast<std::uint32_t>(rounds));
    const bool same_gap = gap - gap_low_ < gap_span_;
    if (!same_gap) [[unlikely]]
      odd_gap_ = gap;
    return same_gap && now < quick_until_;
  }
  /// Notes the gap, and looks at what changes rarely.
  void look_around() noexcept {
    if (odd_gap_ != kNoGap) note_gap();
    if (now_ - looked_at_ >= look_every_) look();
  }

  /// After anything that they consist of has changed.
  void settle_tx() noexcept { tx_plain_ = link_up_ && flush_interval_ == 0 && !kernel_waits_; }
  void settle_rx(bool plain) noexcept { quick_until_ = plain ? looked_at_ + look_every_ : 0; }

  [[nodiscard]] virtual bool pending() const noexcept = 0;
  virtual void add_ndd_stats(ndd_stats& stats) const noexcept = 0;

  static constexpr Ticks kNoGap = ~Ticks{0};

  // Every round.
  Gate gate_;
  ndd_health* health_;
  Ticks now_ = 0;
  std::uint64_t rounds_ = 0;
  Ticks gap_low_ = 0;  ///< a gap in this bucket of the histogram is the usual: see note_gap()
  Ticks gap_span_;
  Ticks odd_gap_ = kNoGap;  ///< one that is not
  Ticks quick_until_ = 0;   ///< nothing is parked, held or under way: until then a round is nothing but receiving
  bool tx_plain_ = false;   ///< what is sent goes straight to the NIC
  Ticks microsecond_;
  Ticks looked_at_ = 0;
  Ticks look_every_;
  bool has_parked_ = false;
  bool holding_ = false;
  bool link_up_ = true;
  bool merging_ = false;  ///< received frames of the kernel's
  bool kernel_waits_ = false;
  std::uint32_t max_frame_ = 0;       ///< octets, from the netdev's MTU
  std::uint32_t longest_single_ = 0;  ///< the longest frame in one buffer, in octets above the shortest
  Ticks poll_interval_;
  Ticks flush_interval_;
  Ticks next_tunnel_ = 0;
  Ticks hold_until_ = 0;
  Pool* pool_;
  Steering* steering_;
  Steering::Commonest commonest_;  ///< of steering_
  TunnelState* state_;
  TunnelQueue tunnel_;

 private:
  [[nodiscard]] bool still_ours() noexcept;
  void note_gap() noexcept;
  void look() noexcept;
  [[nodiscard]] bool wait_until(Ticks deadline) noexcept;
  [[nodiscard]] bool something_for_the_application() noexcept;

  // Rarely.
  GapHistogram gaps_{};      ///< up to round noted_
  std::uint64_t noted_ = 0;  ///< all rounds since then came after a gap in gap_bucket_
  std::size_t gap_bucket_ = 0;
  Parts parts_;
  UniqueFd interrupt_;  ///< duplicates: whoever sleeps on them must not care when the port goes
  UniqueFd event_;
  Ticks spin_;
  Ticks next_stats_ = 0;
  Ticks nap_ = 0;
  std::uint32_t napped_for_ = 0;  ///< what was in flight at the last nap
  std::uint32_t events_seen_ = 0;
  bool told_broken_ = false;
  std::atomic<bool> waiting_{false};
  ThreadCheck thread_check_;

 protected:
  std::uint64_t wakeups_ = 0;
  std::uint64_t backup_services_ = 0;
};

}  // namespace udd
