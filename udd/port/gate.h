// SPDX-License-Identifier: Apache-2.0
// Who may service a queue: the application's poller, for next to nothing, or any other thread, which pays for both.
//
// An asymmetric form of Dekker's algorithm. Each side stores its own word, then loads the other's:
//
//   poller, on every call                   another thread
//     busy_ = 1                               claimed_ = 1
//     (compiler barrier only)                 membarrier(2): a full barrier on every CPU that runs us  (A)
//     load claimed_: 0 -> serve               wait until busy_ == 0, serve
//     busy_ = 0                               claimed_ = 0, wake whoever waits
//
// Without (A) the poller's load could overtake its store. With it, either the poller's store is seen by the other
// thread, or the other's store is seen by the poller; never neither. The poller pays two plain stores and a load.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>

#include "udd/base/units.h"

namespace udd {

class Gate {
 public:
  /// Throws udd::Error if membarrier(2) is not to be had.
  Gate();
  Gate(const Gate&) = delete;
  Gate& operator=(const Gate&) = delete;

  // The poller's side: one thread at a time.

  /// @return false once the gate is shut; then there is no leave(). Waits while another thread serves, which takes one
  /// round of service.
  [[nodiscard]] bool enter() noexcept {
    busy_.store(1, std::memory_order_relaxed);
    std::atomic_signal_fence(std::memory_order_seq_cst);
    if (claimed_.load(std::memory_order_acquire) == 0) [[likely]]
      return true;
    return enter_slowly();
  }
  /// As enter(), but false as well while another thread serves: then call enter(), which undoes what this did.
  [[nodiscard]] bool enter_at_once() noexcept {
    busy_.store(1, std::memory_order_relaxed);
    std::atomic_signal_fence(std::memory_order_seq_cst);
    return claimed_.load(std::memory_order_acquire) == 0;
  }
  void leave() noexcept { busy_.store(0, std::memory_order_release); }

  // Any other thread's side.

  /// Keeps the poller and all others out. For short work only: the poller waits.
  void lock() noexcept;
  void unlock() noexcept;
  /// For good: from now on enter() says false. Returns when the poller is outside. Idempotent.
  void shut() noexcept;
  /// The same by whoever is inside already; takes effect when that one has left.
  void shut_from_inside() noexcept { claimed_.fetch_or(kShut, std::memory_order_acq_rel); }
  /// The poller stands outside: whoever serves round after round steps back now, or it would never get in.
  [[nodiscard]] bool wanted() const noexcept { return wanted_.load(std::memory_order_relaxed); }
  [[nodiscard]] bool is_shut() const noexcept { return (claimed_.load(std::memory_order_acquire) & kShut) != 0; }

 private:
  static constexpr std::uint32_t kHeld = 1u << 0;
  static constexpr std::uint32_t kShut = 1u << 1;

  [[nodiscard]] bool enter_slowly() noexcept;

  alignas(kCacheLineSize) std::atomic<std::uint32_t> busy_{0};     ///< written by the poller
  alignas(kCacheLineSize) std::atomic<std::uint32_t> claimed_{0};  ///< kHeld, kShut; written by the others, rarely
  std::atomic<bool> wanted_{false};                                ///< written by the poller, when it has to wait
  std::mutex others_;                                              ///< one of them at a time
};

}  // namespace udd
