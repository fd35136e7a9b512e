// SPDX-License-Identifier: Apache-2.0
// The burst half of every NIC that has rings of 16-octet descriptors: receive, refill, transmit and reclaim on a
// QueueState in the port's state area. What differs between NICs is their descriptors (Format) and how a tail is told
// (Doorbell); both are resolved at compile time.
//
// Who owns what: receive slots [rx_head, rx_tail) and transmit slots [tx_head, tx_tail) are the NIC's, with the
// buffers in them; all other slots are ours, and empty. The NIC hands a slot over by setting the "done" bit of its
// descriptor's second word.
#pragma once

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <span>

#include "udd/base/error.h"
#include "udd/mem/frame.h"
#include "udd/mem/mapped.h"
#include "udd/mem/pool.h"
#include "udd/mem/state_layout.h"

namespace udd {

/// One descriptor as the NIC reads and writes it.
struct RingDescriptor {
  std::uint64_t address;  ///< IOVA of the data
  std::uint64_t word;     ///< length, command, status: by Format

  [[nodiscard]] std::uint64_t load() const noexcept {
    // atomic_ref of a const object needs C++26; nothing is written through it here.
    return std::atomic_ref(const_cast<std::uint64_t&>(word)).load(std::memory_order_acquire);
  }
  void store(std::uint64_t value) noexcept { std::atomic_ref(word).store(value, std::memory_order_relaxed); }
};
static_assert(sizeof(RingDescriptor) == 16);

/// Format   kFamily; of a receive word: kRxDone, kRxLast, kRxError (any of these bits: damaged), rx_length();
///          of a transmit word: kTxDone, kTxReport, tx_word(length, last).
/// Doorbell rx_tail(slot) and tx_tail(slot): orders all earlier stores before telling the NIC.
template <typename Format, typename Doorbell>
class RingQueue {
 public:
  struct Slots {
    std::uint32_t rx = 512;  ///< powers of two
    std::uint32_t tx = 512;
  };

  /// Octets of descriptor memory: the receive ring, then the transmit ring.
  [[nodiscard]] static constexpr std::size_t ring_memory(Slots slots) noexcept {
    return (std::size_t{slots.rx} + slots.tx) * sizeof(RingDescriptor);
  }
  [[nodiscard]] static constexpr std::size_t state_size(Slots slots) noexcept {
    return QueueState::size(slots.rx, slots.tx);
  }

  /// A view; pool, state and doorbell's target must outlive it. Throws udd::Error if memory or state is too small.
  RingQueue(Pool& pool, std::span<std::byte> state, Slots slots, Doorbell doorbell)
      : pool_(&pool), doorbell_(doorbell), slots_(slots) {
    if (pool.nic_memory().size() < ring_memory(slots) || state.size() < state_size(slots)) {
      throw Error(ENOSPC, {.what = "set up descriptor rings",
                           .device = {},
                           .why = "the port's descriptor pages or state area are too small",
                           .advice = "ask NDD_TAKE for the nic_pages and state_pages that NicNeeds tells"});
    }
    state_ = mapped_at<QueueState>(state, 0, 1);
    rx_ring_ = mapped_at<RingDescriptor>(pool.nic_memory(), 0, slots.rx);
    tx_ring_ = mapped_at<RingDescriptor>(pool.nic_memory(), slots.rx * sizeof(RingDescriptor), slots.tx);
    rx_buffers_ = mapped_behind<BufferIndex>(state_, kCacheLineSize);
    tx_buffers_ = rx_buffers_ + slots.rx;
    tx_batch_ends_ = tx_buffers_ + slots.tx;
    buffers_iova_ = pool.iova(0).value;
    // The ring may hold half of the process's buffers at most: sending and the kernel's exchange need the others.
    rx_fill_ = std::min(slots.rx - 1, pool.first_kernel_buffer() / 2);
    rx_refill_below_ = refill_level();
  }

  // Control half's side. The NIC must not run.

  /// Empties both rings and forgets what the state said. Pair with fill() once the NIC knows the rings.
  void format() noexcept {
    *state_ = {.family = Format::kFamily,
               .rx_size = slots_.rx,
               .tx_size = slots_.tx,
               .rx_in_frame = 0,
               .rx_head = 0,
               .rx_tail = 0,
               .tx_head = 0,
               .tx_tail = 0,
               .family_word = 0};
    stopped_ = false;
    rx_refill_below_ = refill_level();
    std::fill_n(rx_ring_, slots_.rx, RingDescriptor{});
    std::fill_n(tx_ring_, slots_.tx, RingDescriptor{});
  }
  /// Gives the NIC its receive buffers.
  void fill() noexcept { refill(state_->rx_tail - state_->rx_head); }

  /// Goes on from another process's state. Throws udd::Error if it isn't ours or is impossible.
  void adopt() {
    const QueueState state = *state_;
    bool good = state.family == Format::kFamily && state.rx_size == slots_.rx && state.tx_size == slots_.tx &&
                state.rx_tail - state.rx_head < slots_.rx && state.tx_tail - state.tx_head < slots_.tx;
    for (std::uint32_t i = state.rx_head; good && i != state.rx_tail; ++i) {
      good = rx_buffers_[i & (slots_.rx - 1)] < pool_->buffer_count();
    }
    for (std::uint32_t i = state.tx_head, end = i; good && i != state.tx_tail; ++i) {
      if (i == end) {
        end = tx_batch_ends_[i & (slots_.tx - 1)];
        good = end - i - 1 < state.tx_tail - i;
      }
      good = good && tx_buffers_[i & (slots_.tx - 1)] < pool_->buffer_count();
    }
    if (!good) {
      throw Error(EPROTO, {.what = "go on from the NIC queue's state",
                           .device = {},
                           .why = "it is of another NIC family or ring size, or damaged",
                           .advice = "take the port afresh"});
    }
  }

  /// After the NIC's DMA has ended: receive buffers to the pool, queued pieces to tx_reclaim().
  void drain() noexcept {
    for (std::uint32_t i = state_->rx_head; i != state_->rx_tail; ++i) {
      pool_->give({&rx_buffers_[i & (slots_.rx - 1)], 1});
    }
    state_->rx_head = state_->rx_tail;
    state_->rx_in_frame = 0;
    rx_refill_below_ = 0;
    for (std::uint32_t i = state_->tx_head; i != state_->tx_tail; ++i) {
      tx_ring_[i & (slots_.tx - 1)].store(Format::kTxDone);
    }
    stopped_ = true;
  }

  /// 64 bits of the queue state for the family's own use; format() clears them.
  void set_family_word(std::uint64_t word) noexcept { state_->family_word = word; }
  [[nodiscard]] std::uint64_t family_word() const noexcept { return state_->family_word; }
  [[nodiscard]] Slots slots() const noexcept { return slots_; }
  [[nodiscard]] std::uint32_t rx_tail_slot() const noexcept { return state_->rx_tail & (slots_.rx - 1); }
  /// Where the NIC finds the rings.
  [[nodiscard]] Iova rx_ring_iova() const noexcept { return pool_->nic_iova(); }
  [[nodiscard]] Iova tx_ring_iova() const noexcept {
    return pool_->nic_iova() + Bytes{slots_.rx * sizeof(RingDescriptor)};
  }

  // Burst half: see NicQueue.

  std::size_t rx_burst(std::span<Piece> out) noexcept {
    const std::uint32_t head = state_->rx_head;
    const std::uint32_t mask = slots_.rx - 1;
    const std::uint32_t held = state_->rx_tail - head;
    const std::uint32_t limit = static_cast<std::uint32_t>(std::min<std::size_t>(out.size(), held));
    const RingDescriptor* const ring = rx_ring_;
    const BufferIndex* const buffers = rx_buffers_;
    Piece* to = out.data();
    std::uint32_t in_frame = state_->rx_in_frame;
    std::uint32_t count = 0;
    for (; count < limit; ++count, ++to) {
      const std::uint32_t slot = (head + count) & mask;
      const std::uint64_t word = ring[slot].load();
      std::uint32_t length = Format::rx_length(word);
      std::uint16_t flags = Piece::kFirst | Piece::kLast;
      // One test for the common case: done, whole frame in one buffer, undamaged.
      if ((word & (Format::kRxDone | Format::kRxLast | Format::kRxError)) != (Format::kRxDone | Format::kRxLast) ||
          in_frame != 0 || length - 1 >= kBufferSize) [[unlikely]] {
        if ((word & Format::kRxDone) == 0) break;
        flags = uncommon(word, length, in_frame);
        if (length > kBufferSize) length = 0;
      }
      *to = {.buffer = buffers[slot],
             .offset = 0,
             .length = static_cast<std::uint16_t>(length),
             .flags = flags,
             .vlan_tci = 0};
    }
    if (count != 0) {
      state_->rx_in_frame = in_frame;
      publish(state_->rx_head, head + count);
    }
    if (held - count < rx_refill_below_) refill(held - count);
    return count;
  }

  std::size_t tx_burst(std::span<const Piece> pieces) noexcept {
    const std::uint32_t tail = state_->tx_tail;
    const std::uint32_t mask = slots_.tx - 1;
    std::size_t count = std::min<std::size_t>(pieces.size(), mask - (tail - state_->tx_head));
    while (count != 0 && (pieces[count - 1].flags & Piece::kLast) == 0) --count;
    if (count == 0 || stopped_) return 0;
    RingDescriptor* const ring = tx_ring_;
    BufferIndex* const buffers = tx_buffers_;
    const std::uint64_t base = buffers_iova_;
    std::uint32_t at = tail;
    for (const Piece& piece : pieces.first(count)) {
      const std::uint32_t slot = at++ & mask;
      buffers[slot] = piece.buffer;
      ring[slot].address = base + std::uint64_t{piece.buffer} * kBufferSize + piece.offset;
      ring[slot].store(Format::tx_word(piece.length, (piece.flags & Piece::kLast) != 0));
    }
    // The NIC reports the batch's last piece only; what came before it is done then, too.
    RingDescriptor& last = ring[(at - 1) & mask];
    last.store(last.word | Format::kTxReport);
    tx_batch_ends_[tail & mask] = at;
    publish(state_->tx_tail, at);
    doorbell_.tx_tail(at & mask);
    return count;
  }

  std::size_t tx_reclaim(std::span<BufferIndex> done) noexcept {
    const std::uint32_t mask = slots_.tx - 1;
    const std::uint32_t tail = state_->tx_tail;
    std::uint32_t head = state_->tx_head;
    BufferIndex* to = done.data();
    std::size_t room = done.size();
    while (head != tail && room != 0) {
      const std::uint32_t end = tx_batch_ends_[head & mask];
      if ((tx_ring_[(end - 1) & mask].load() & Format::kTxDone) == 0) break;
      const std::uint32_t count = static_cast<std::uint32_t>(std::min<std::size_t>(end - head, room));
      room -= count;
      for (std::uint32_t i = 0; i < count; ++i) *to++ = tx_buffers_[(head + i) & mask];
      head += count;
      // What didn't fit becomes a batch of its own.
      if (head != end) tx_batch_ends_[head & mask] = end;
    }
    publish(state_->tx_head, head);
    return done.size() - room;
  }

  [[nodiscard]] std::size_t tx_room() const noexcept {
    return stopped_ ? 0 : slots_.tx - 1 - (state_->tx_tail - state_->tx_head);
  }

  /// Any thread.
  [[nodiscard]] bool pending() const noexcept {
    const std::uint32_t head = std::atomic_ref(state_->rx_head).load(std::memory_order_relaxed);
    if (head == std::atomic_ref(state_->rx_tail).load(std::memory_order_relaxed)) return false;
    return (rx_ring_[head & (slots_.rx - 1)].load() & Format::kRxDone) != 0;
  }

 private:
  /// Refilling waits for this many empty slots, so that its doorbell is shared by as many frames.
  static constexpr std::uint32_t kRefillBatch = 32;

  [[nodiscard]] std::uint32_t refill_level() const noexcept {
    return rx_fill_ > kRefillBatch ? rx_fill_ - kRefillBatch : rx_fill_;
  }

  /// Stores an index for the next owner; not before the stores it refers to, whatever the compiler would like.
  static void publish(std::uint32_t& index, std::uint32_t value) noexcept {
    std::atomic_ref(index).store(value, std::memory_order_release);
  }

  /// Flags of a piece that is damaged, or one of several of its frame. The NIC reports errors with the last one only.
  [[gnu::noinline]] static std::uint16_t uncommon(std::uint64_t word, std::uint32_t length,
                                                  std::uint32_t& in_frame) noexcept {
    std::uint16_t flags = in_frame != 0 ? 0 : Piece::kFirst;
    const bool last = (word & Format::kRxLast) != 0;
    if (last) flags |= Piece::kLast;
    if (length == 0 || length > kBufferSize || (last && (word & Format::kRxError) != 0)) flags |= Piece::kError;
    in_frame = last ? 0 : 1;
    return flags;
  }

  void refill(std::uint32_t held) noexcept {
    const std::uint32_t mask = slots_.rx - 1;
    const std::uint64_t base = buffers_iova_;
    RingDescriptor* const ring = rx_ring_;
    BufferIndex* const buffers = rx_buffers_;
    std::uint32_t tail = state_->rx_tail;
    const std::size_t got = pool_->take_each(rx_fill_ - held, [&](BufferIndex buffer) noexcept {
      const std::uint32_t slot = tail++ & mask;
      buffers[slot] = buffer;
      ring[slot].address = base + std::uint64_t{buffer} * kBufferSize;
      ring[slot].store(0);
    });
    if (got == 0) return;
    publish(state_->rx_tail, tail);
    doorbell_.rx_tail(tail & mask);
  }

  // Used by every burst.
  QueueState* state_ = nullptr;
  RingDescriptor* rx_ring_ = nullptr;
  RingDescriptor* tx_ring_ = nullptr;
  BufferIndex* rx_buffers_ = nullptr;
  BufferIndex* tx_buffers_ = nullptr;
  std::uint32_t* tx_batch_ends_ = nullptr;
  std::uint64_t buffers_iova_ = 0;
  Pool* pool_;
  Doorbell doorbell_;
  Slots slots_;
  std::uint32_t rx_fill_ = 0;          ///< buffers the ring holds when full
  std::uint32_t rx_refill_below_ = 0;  ///< fewer than this: refill; 0: stopped
  bool stopped_ = false;
};

}  // namespace udd
