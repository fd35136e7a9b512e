// SPDX-License-Identifier: Apache-2.0
// Events: a bounded queue.
#include "udd/port/events.h"

namespace udd {

void Events::push(PortEvent::Kind kind) noexcept {
  const std::lock_guard lock(mutex_);
  if (events_.size() == kMost) events_.pop_front();
  events_.push_back({.kind = kind});
  pushed_.fetch_add(1, std::memory_order_release);
}

std::optional<PortEvent> Events::pop() noexcept {
  const std::lock_guard lock(mutex_);
  if (events_.empty()) return std::nullopt;
  const PortEvent event = events_.front();
  events_.pop_front();
  return event;
}

}  // namespace udd
