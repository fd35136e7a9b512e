// SPDX-License-Identifier: Apache-2.0
// BackupThread: watching, attending, parked.
#include "udd/port/backup.h"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <ctime>

#include "udd/base/error.h"
#include "udd/base/scope_exit.h"

namespace udd {

BackupThread::BackupThread(QueueEngine& engine, std::chrono::nanoseconds after)
    : engine_(engine), after_(after), wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (!wake_) {
    const int error = errno;
    throw Error(error, {.what = "make an eventfd", .device = {}, .why = {}, .advice = {}});
  }
  // The application's signals are for the application's threads. Faults are not maskable in effect, and stay.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  for (const int fault : {SIGBUS, SIGSEGV, SIGFPE, SIGILL, SIGTRAP}) sigdelset(&all, fault);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  const ScopeExit restore([&before] { ::pthread_sigmask(SIG_SETMASK, &before, nullptr); });
  try {
    thread_ = std::thread([this] { run(); });
  } catch (const std::system_error& error) {
    throw Error(error.code().value(), {.what = "start the backup thread",
                                       .device = {},
                                       .why = {},
                                       .advice = "raise the limit on threads, or set backup_after to nullopt"});
  }
  ::pthread_setname_np(thread_.native_handle(), "udd-backup");
}

void BackupThread::stop() noexcept {
  stop_.store(true, std::memory_order_seq_cst);
  wake();
  if (thread_.joinable()) thread_.join();
}

void BackupThread::wake() noexcept {
  constexpr std::uint64_t kOne = 1;
  static_cast<void>(::write(wake_.get(), &kOne, sizeof(kOne)) == sizeof(kOne));  // full: signalled already
}

void BackupThread::nap(std::chrono::nanoseconds time) noexcept {
  constexpr std::int64_t kNanoPerSecond = 1'000'000'000;
  const timespec limit{.tv_sec = time.count() / kNanoPerSecond, .tv_nsec = time.count() % kNanoPerSecond};
  pollfd fd{.fd = wake_.get(), .events = POLLIN, .revents = 0};
  if (::ppoll(&fd, 1, time.count() < 0 ? nullptr : &limit, nullptr) <= 0) return;
  std::uint64_t count = 0;
  static_cast<void>(::read(wake_.get(), &count, sizeof(count)) == sizeof(count));
}

void BackupThread::run() noexcept {
  std::uint32_t seen = engine_.app_calls();
  bool was_waiting = false;
  while (!stop_.load(std::memory_order_seq_cst) && !engine_.gate().is_shut()) {
    nap(after_);
    const bool waiting = engine_.waiting();
    const std::uint32_t calls = engine_.app_calls();
    if (waiting) {
      // Only a wait() that outlasted a tick is worth the system call by which its end wakes us.
      if (was_waiting && calls == seen) park();
    } else if (calls == seen) {
      attend(seen);
    }
    was_waiting = waiting;
    seen = engine_.app_calls();
  }
}

void BackupThread::park() noexcept {
  resting_.store(true, std::memory_order_seq_cst);
  if (engine_.waiting() && !stop_.load(std::memory_order_seq_cst) && !engine_.gate().is_shut()) {
    nap(std::chrono::nanoseconds{-1});
  }
  resting_.store(false, std::memory_order_seq_cst);
}

void BackupThread::attend(std::uint32_t seen) noexcept {
  Gate& gate = engine_.gate();
  bool slept = false;
  QueueEngine::Woken woken;
  // Set before the application is looked at: a wait() that ends after that will wake us.
  resting_.store(true, std::memory_order_seq_cst);
  for (;;) {
    gate.lock();
    const bool waiting = engine_.waiting();
    const bool over = gate.is_shut() || stop_.load(std::memory_order_seq_cst) || waiting || gate.wanted() ||
                      engine_.app_calls() != seen;
    // What a waiting application has armed, or said of itself, is not ours to undo.
    if (slept && !waiting && !gate.is_shut()) {
      engine_.set_asleep(false);
      engine_.disarm(woken);
    }
    if (over) {
      gate.unlock();
      // What we have read away was meant for the application, too: its wait() sleeps on the same descriptors.
      if (waiting && (woken.by_nic || woken.by_other)) engine_.signal();
      break;
    }
    slept = !engine_.serve_unattended() && !gate.is_shut() && engine_.arm();
    if (slept) engine_.set_asleep(true);
    const Ticks most = slept ? engine_.nap() : 0;
    gate.unlock();
    if (slept) woken = engine_.sleep(most, wake_.get());
  }
  resting_.store(false, std::memory_order_seq_cst);
}

}  // namespace udd
