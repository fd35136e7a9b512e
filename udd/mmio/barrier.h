// SPDX-License-Identifier: Apache-2.0
// Ordering between memory that the NIC reads by DMA and its registers. (Rings shared with the kernel use acquire and
// release atomics instead: see udd/ring.)
#pragma once

#include <atomic>

namespace udd {

/// All stores to DMA memory before it are visible to the device before a register write after it.
///
/// x86-64: stores to write-back memory and to uncached registers are seen in program order (Intel SDM vol. 3A §9.2.2,
/// "Memory Ordering"), so only the compiler has to be held back. Elsewhere a real fence.
inline void dma_write_barrier() noexcept {
#if defined(__x86_64__)
  std::atomic_signal_fence(std::memory_order_release);
#else
  std::atomic_thread_fence(std::memory_order_seq_cst);
#endif
}

}  // namespace udd
