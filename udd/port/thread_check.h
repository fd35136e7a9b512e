// SPDX-License-Identifier: Apache-2.0
// "A Queue is used by one thread at a time", checked in debug builds. In release builds nothing of it is left.
#pragma once

#include <atomic>

namespace udd {

class ThreadCheck {
 public:
#ifdef NDEBUG
  static constexpr bool begin() noexcept { return true; }
  static constexpr void end() noexcept {}
#else
  /// @return false if another thread is inside.
  bool begin() noexcept { return !inside_.exchange(true, std::memory_order_relaxed); }
  void end() noexcept { inside_.store(false, std::memory_order_relaxed); }

 private:
  std::atomic<bool> inside_{false};
#endif
};

}  // namespace udd
