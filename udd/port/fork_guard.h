// SPDX-License-Identifier: Apache-2.0
// A forked child must not hold the port: while it lived, the NIC could not go back to the kernel (lab: a child that
// kept the descriptors delayed the restore until its own end). exec is covered by O_CLOEXEC; this is for children that
// go on.
#pragma once

namespace udd {

/// Derive, and be told. Thread-safe; the object must not move.
class ForkGuard {
 public:
  ForkGuard(const ForkGuard&) = delete;
  ForkGuard& operator=(const ForkGuard&) = delete;

 protected:
  ForkGuard() = default;
  virtual ~ForkGuard() { withdraw(); }

  /// From now on forks are told of; once the derived object is whole enough for in_child().
  void enlist();
  /// No more; before the derived object's parts go. Idempotent.
  void withdraw() noexcept;

  /// In the child, whose only thread this is: close descriptors, free nothing.
  virtual void in_child() noexcept {}

 private:
  friend struct ForkGuards;
};

}  // namespace udd
