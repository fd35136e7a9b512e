// SPDX-License-Identifier: Apache-2.0
// The backup thread (design D7a): while the application computes and does not poll, it services the kernel's traffic,
// and steps back as soon as the application polls again.
//
//   watching   every `after`, has the application called since? No: attending
//   attending  rounds of service, asleep on the port's own events in between
//   parked     the application sleeps in wait(), which services by itself: no tick, no CPU
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <thread>

#include "udd/base/ticks.h"
#include "udd/base/unique_fd.h"
#include "udd/port/queue_engine.h"

namespace udd {

class BackupThread {
 public:
  /// Starts it. `engine` must outlive it. Throws udd::Error.
  BackupThread(QueueEngine& engine, std::chrono::nanoseconds after);
  BackupThread(const BackupThread&) = delete;
  BackupThread& operator=(const BackupThread&) = delete;
  ~BackupThread() { stop(); }

  /// For good; not from its own thread. Idempotent; the object stays, as resume() may still be called.
  void stop() noexcept;

  /// The application's wait() has ended: watch again. A plain load unless the thread sleeps without a tick.
  void resume() noexcept {
    if (resting_.load(std::memory_order_seq_cst)) wake();
  }
  /// In a forked child, where the thread does not exist.
  void abandon() noexcept { wake_.reset(); }

 private:
  void run() noexcept;
  void attend(std::uint32_t seen) noexcept;
  void park() noexcept;
  void wake() noexcept;
  void nap(std::chrono::nanoseconds time) noexcept;

  QueueEngine& engine_;
  std::chrono::nanoseconds after_;
  UniqueFd wake_;  ///< eventfd
  std::atomic<bool> stop_{false};
  std::atomic<bool> resting_{false};  ///< sleeps until wake()
  std::thread thread_;
};

}  // namespace udd
