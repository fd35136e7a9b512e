// SPDX-License-Identifier: Apache-2.0
// Roll-back of a set-up of several steps: undone unless released.
#pragma once

#include <type_traits>
#include <utility>

namespace udd {

/// Calls `undo` at the end of the scope unless release() came first.
template <typename Undo>
class [[nodiscard]] ScopeExit {
 public:
  explicit ScopeExit(Undo undo) noexcept(std::is_nothrow_move_constructible_v<Undo>) : undo_(std::move(undo)) {}
  ScopeExit(const ScopeExit&) = delete;
  ScopeExit& operator=(const ScopeExit&) = delete;
  ~ScopeExit() {
    if (armed_) undo_();
  }
  void release() noexcept { armed_ = false; }

 private:
  Undo undo_;
  bool armed_ = true;
};

}  // namespace udd
