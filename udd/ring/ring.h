// SPDX-License-Identifier: Apache-2.0
// One side of a single producer, single consumer ring in the ctrl area, between the service loop and kagent.
//
// Ownership: entries in [consumer, producer) are the consumer's to read, all others are the producer's to write.
// Indices run freely over 32 bits; entry = index % size. Each side keeps its own index privately and only stores
// it; the other side's is read, checked against what is possible, and cached until the cache says "none".
// The letters of the barriers are those of the diagram in linux/ndd.h.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace udd {

/// Where a ring is in this process. A view: the mapping must outlive it.
struct RingMemory {
  std::uint32_t* producer = nullptr;
  std::uint32_t* consumer = nullptr;
  std::uint32_t* flags = nullptr;  ///< the consumer's, NDD_RING_NEED_WAKEUP
  std::byte* entries = nullptr;
  std::uint32_t size = 0;  ///< entries, a power of two
};

inline constexpr std::uint32_t kRingNeedWakeup = 1u << 0;  // NDD_RING_NEED_WAKEUP, asserted in ring_memory.cc

/// Entries are moved as 64-bit words, each exactly once: the other side may rewrite them meanwhile, and the copy
/// that is checked must be the copy that is used.
template <typename Entry>
class RingEntries {
 public:
  static_assert(std::is_trivially_copyable_v<Entry> && sizeof(Entry) % sizeof(std::uint64_t) == 0);

  RingEntries(std::byte* entries, std::uint32_t size) noexcept
      : words_(static_cast<std::uint64_t*>(static_cast<void*>(entries))), mask_(size - 1) {}

  [[nodiscard]] Entry load(std::uint32_t index) const noexcept {
    std::uint64_t* const from = at(index);
    Words copy;
#pragma GCC unroll 4
    for (std::size_t i = 0; i < kWords; ++i) copy[i] = std::atomic_ref(from[i]).load(std::memory_order_relaxed);
    return std::bit_cast<Entry>(copy);
  }
  void store(std::uint32_t index, const Entry& entry) const noexcept {
    std::uint64_t* const to = at(index);
    const auto copy = std::bit_cast<Words>(entry);
#pragma GCC unroll 4
    for (std::size_t i = 0; i < kWords; ++i) std::atomic_ref(to[i]).store(copy[i], std::memory_order_relaxed);
  }

 private:
  static constexpr std::size_t kWordSize = sizeof(std::uint64_t);
  static constexpr std::size_t kWords = sizeof(Entry) / kWordSize;
  using Words = std::array<std::uint64_t, kWords>;

  [[nodiscard]] std::uint64_t* at(std::uint32_t index) const noexcept {
    return words_ + std::size_t{index & mask_} * kWords;
  }

  std::uint64_t* words_;
  std::uint32_t mask_;
};

/// The writing side. Thread: one at a time.
template <typename Entry>
class Producer {
 public:
  /// Goes on from the index that is stored, so that a second process can take over (design D4a).
  explicit Producer(const RingMemory& memory) noexcept
      : own_(memory.producer),
        peer_(memory.consumer),
        flags_(memory.flags),
        entries_(memory.entries, memory.size),
        size_(memory.size),
        head_(std::atomic_ref(*own_).load(std::memory_order_relaxed)),
        known_tail_(head_ - size_) {}

  /// How many of `wanted` entries may be written now.
  [[nodiscard]] std::uint32_t reserve(std::uint32_t wanted) noexcept {
    if (size_ - (head_ - known_tail_) < wanted) look();
    return std::min(wanted, size_ - (head_ - known_tail_));
  }
  /// Writes the `i`-th reserved entry.
  void write(std::uint32_t i, const Entry& entry) noexcept { entries_.store(head_ + i, entry); }
  /// The `i`-th reserved entry as it was written, perhaps by another process.
  [[nodiscard]] Entry written(std::uint32_t i) const noexcept { return entries_.load(head_ + i); }
  /// Hands the first `count` reserved entries to the consumer.
  void submit(std::uint32_t count) noexcept {
    head_ += count;
    std::atomic_ref(*own_).store(head_, std::memory_order_release);  // (A)
  }
  /// After the submits of a batch: must the consumer be woken? Costs a full barrier.
  [[nodiscard]] bool must_wake() noexcept {
    std::atomic_ref(*own_).store(head_, std::memory_order_seq_cst);  // (C)
    return (std::atomic_ref(*flags_).load(std::memory_order_seq_cst) & kRingNeedWakeup) != 0;
  }
  /// Index behind the last entry that the consumer was handed.
  [[nodiscard]] std::uint32_t index() const noexcept { return head_; }
  /// The consumer's index was impossible; the ring takes nothing any more.
  [[nodiscard]] bool broken() const noexcept { return broken_; }
  [[nodiscard]] std::uint32_t size() const noexcept { return size_; }

 private:
  void look() noexcept {
    if (broken_) return;
    const std::uint32_t tail = std::atomic_ref(*peer_).load(std::memory_order_acquire);
    if (head_ - tail > size_) {
      broken_ = true;
      known_tail_ = head_ - size_;
    } else {
      known_tail_ = tail;
    }
  }

  std::uint32_t* own_;
  std::uint32_t* peer_;
  std::uint32_t* flags_;
  RingEntries<Entry> entries_;
  std::uint32_t size_;
  std::uint32_t head_;
  std::uint32_t known_tail_;  ///< the consumer's index when last looked at; "full" until the first look
  bool broken_ = false;
};

/// The reading side. Thread: one at a time.
template <typename Entry>
class Consumer {
 public:
  /// Goes on from the index that is stored, so that a second process can take over (design D4a).
  explicit Consumer(const RingMemory& memory) noexcept
      : own_(memory.consumer),
        peer_(memory.producer),
        flags_(memory.flags),
        entries_(memory.entries, memory.size),
        size_(memory.size),
        tail_(std::atomic_ref(*own_).load(std::memory_order_relaxed)),
        known_head_(tail_) {}

  /// How many of `wanted` entries may be read now. One load if the ring is empty.
  [[nodiscard]] std::uint32_t peek(std::uint32_t wanted) noexcept {
    if (known_head_ - tail_ < wanted) look();
    return std::min(wanted, known_head_ - tail_);
  }
  /// True if there was nothing to read. One load and one comparison.
  [[nodiscard]] bool empty() const noexcept { return std::atomic_ref(*peer_).load(std::memory_order_relaxed) == tail_; }
  /// Reads the `i`-th entry in view.
  [[nodiscard]] Entry read(std::uint32_t i) const noexcept { return entries_.load(tail_ + i); }
  /// Gives the first `count` entries in view back to the producer.
  void release(std::uint32_t count) noexcept {
    tail_ += count;
    std::atomic_ref(*own_).store(tail_, std::memory_order_release);
  }
  /// Asks to be woken at the next submit. Costs a full barrier.
  /// @return true if the ring is still empty: only then may the caller sleep.
  [[nodiscard]] bool arm() noexcept {
    std::atomic_ref(*flags_).store(kRingNeedWakeup, std::memory_order_seq_cst);  // (D)
    return std::atomic_ref(*peer_).load(std::memory_order_seq_cst) == tail_;
  }
  void disarm() noexcept { std::atomic_ref(*flags_).store(0, std::memory_order_relaxed); }
  /// Index of the next entry to read.
  [[nodiscard]] std::uint32_t index() const noexcept { return tail_; }
  /// The producer's index was impossible; nothing is read any more.
  [[nodiscard]] bool broken() const noexcept { return broken_; }
  [[nodiscard]] std::uint32_t size() const noexcept { return size_; }

 private:
  void look() noexcept {
    if (broken_) return;
    const std::uint32_t head = std::atomic_ref(*peer_).load(std::memory_order_acquire);  // (B)
    if (head - tail_ > size_) {
      broken_ = true;
      known_head_ = tail_;
    } else {
      known_head_ = head;
    }
  }

  std::uint32_t* own_;
  std::uint32_t* peer_;
  std::uint32_t* flags_;
  RingEntries<Entry> entries_;
  std::uint32_t size_;
  std::uint32_t tail_;
  std::uint32_t known_head_;  ///< the producer's index when last looked at
  bool broken_ = false;
};

}  // namespace udd
