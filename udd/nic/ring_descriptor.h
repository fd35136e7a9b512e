// SPDX-License-Identifier: Apache-2.0
// One slot of a NIC's ring, what RingQueue and the families' formats have in common.
#pragma once

#include <atomic>
#include <cstdint>

namespace udd {

/// One descriptor as the NIC reads and writes it.
struct RingDescriptor {
  std::uint64_t address;  ///< IOVA of the data
  std::uint64_t word;     ///< length, command, status: by Format

  [[nodiscard]] std::uint64_t load() const noexcept {
    // atomic_ref of a const object needs C++26; nothing is written through it here.
    return std::atomic_ref(const_cast<std::uint64_t&>(word)).load(std::memory_order_acquire);
  }
  /// Empty, for the NIC to fill.
  void give(std::uint64_t to) noexcept {
    address = to;
    store(0);
  }
  void store(std::uint64_t value) noexcept { std::atomic_ref(word).store(value, std::memory_order_relaxed); }
};
static_assert(sizeof(RingDescriptor) == 16);

}  // namespace udd
