// SPDX-License-Identifier: Apache-2.0
// Port events on their way to the application: few, kept until asked for, the oldest first.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>

#include "udd/port.h"

namespace udd {

/// Thread-safe.
class Events {
 public:
  /// An application that never asks keeps no more than this; the oldest are forgotten.
  static constexpr std::size_t kMost = 64;

  void push(PortEvent::Kind kind) noexcept;
  [[nodiscard]] std::optional<PortEvent> pop() noexcept;
  /// Counts pushes: wait() returns when it has changed, once for each.
  [[nodiscard]] std::uint32_t pushed() const noexcept { return pushed_.load(std::memory_order_acquire); }

 private:
  std::mutex mutex_;
  std::deque<PortEvent> events_;
  std::atomic<std::uint32_t> pushed_{0};
};

}  // namespace udd
