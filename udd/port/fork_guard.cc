// SPDX-License-Identifier: Apache-2.0
// ForkGuard: one pthread_atfork registration for all ports of the process.
#include "udd/port/fork_guard.h"

#include <pthread.h>

#include <algorithm>
#include <mutex>
#include <vector>

namespace udd {

struct ForkGuards {
  std::mutex mutex;
  std::vector<ForkGuard*> all;

  /// Never destroyed: a fork may come as late as in a destructor of static duration.
  static ForkGuards& instance() {
    static auto* const guards = new ForkGuards;
    return *guards;
  }
  ForkGuards() { ::pthread_atfork(prepare, parent, child); }

  // The list is held over the fork, so that the child finds it whole and its lock free.
  static void prepare() { instance().mutex.lock(); }
  static void parent() { instance().mutex.unlock(); }
  static void child() {
    for (ForkGuard* guard : instance().all) guard->in_child();
    instance().all.clear();
    instance().mutex.unlock();
  }
};

void ForkGuard::enlist() {
  ForkGuards& guards = ForkGuards::instance();
  const std::lock_guard lock(guards.mutex);
  guards.all.push_back(this);
}

void ForkGuard::withdraw() noexcept {
  ForkGuards& guards = ForkGuards::instance();
  const std::lock_guard lock(guards.mutex);
  std::erase(guards.all, this);
}

}  // namespace udd
