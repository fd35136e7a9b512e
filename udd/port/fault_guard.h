// SPDX-License-Identifier: Apache-2.0
// Survives the loss of a port in mid-instruction. When the kernel revokes a port it zaps the process's mappings, and
// the next touch raises SIGBUS. A guarded range is then replaced by ordinary memory, and the instruction goes on.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace udd {

/// Guards one mapping of the library's own while it lives. Faults elsewhere go to whoever handled SIGBUS before.
/// An application that installs a handler of its own after the first take must call the earlier one for what it
/// doesn't know, as any handler should.
class FaultGuard {
 public:
  enum class Fill : std::uint8_t {
    kZeros,  ///< memory: what a fresh page holds
    kOnes,   ///< registers: what a device that is gone reads as
  };

  /// @param range  whole pages, of the library's own mapping. Throws udd::Error if there are too many of them.
  FaultGuard(std::span<std::byte> range, Fill fill);
  FaultGuard(FaultGuard&& other) noexcept;
  FaultGuard& operator=(FaultGuard&&) = delete;
  FaultGuard(const FaultGuard&) = delete;
  FaultGuard& operator=(const FaultGuard&) = delete;
  ~FaultGuard();

 private:
  int slot_;
};

}  // namespace udd
