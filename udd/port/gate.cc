// SPDX-License-Identifier: Apache-2.0
// Gate: the sides that may take their time.
#include "udd/port/gate.h"

#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <x86intrin.h>

#include <cerrno>
#include <chrono>
#include <thread>

#include "udd/base/error.h"
#include "udd/base/scope_exit.h"

namespace udd {
namespace {

// A poll takes a few microseconds: so many looks before the poller is taken for preempted, and the CPU left to it.
constexpr int kSpins = 200;
constexpr std::chrono::microseconds kNap{20};

long membarrier(int command) noexcept { return ::syscall(SYS_membarrier, command, 0, 0); }

}  // namespace

Gate::Gate() {
  if (membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED) != 0) {
    const int error = errno;
    throw Error(error, {.what = "register for membarrier(2)",
                        .device = {},
                        .why = "the application's threads and the library's exclude each other by it",
                        .advice = "allow this system call in the process's seccomp filter"});
  }
}

bool Gate::enter_slowly() noexcept {
  wanted_.store(true, std::memory_order_relaxed);
  const ScopeExit inside([this] { wanted_.store(false, std::memory_order_relaxed); });
  for (;;) {
    busy_.store(0, std::memory_order_release);
    const std::uint32_t claimed = claimed_.load(std::memory_order_acquire);
    if ((claimed & kShut) != 0) return false;
    if (claimed != 0) {
      claimed_.wait(claimed, std::memory_order_acquire);
      continue;
    }
    busy_.store(1, std::memory_order_relaxed);
    std::atomic_signal_fence(std::memory_order_seq_cst);
    if (claimed_.load(std::memory_order_acquire) == 0) return true;
  }
}

void Gate::lock() noexcept {
  others_.lock();
  claimed_.fetch_or(kHeld, std::memory_order_seq_cst);
  static_cast<void>(membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED));  // (A); cannot fail once registered
  for (int spins = 0; busy_.load(std::memory_order_acquire) != 0; ++spins) {
    if (spins < kSpins) {
      _mm_pause();
    } else {
      std::this_thread::sleep_for(kNap);
    }
  }
}

void Gate::unlock() noexcept {
  claimed_.fetch_and(~kHeld, std::memory_order_release);
  claimed_.notify_all();
  others_.unlock();
}

void Gate::shut() noexcept {
  lock();
  claimed_.fetch_or(kShut, std::memory_order_acq_rel);
  unlock();
}

}  // namespace udd
