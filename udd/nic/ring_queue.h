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
#include <bit>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

#include "udd/base/error.h"
#include "udd/mem/frame.h"
#include "udd/mem/mapped.h"
#include "udd/mem/pool.h"
#include "udd/mem/state_layout.h"
#include "udd/nic/ring_descriptor.h"

namespace udd {

/// Format   kFamily; of a receive word: kRxDone, kRxLast, kRxError (any of these bits: damaged), rx_length(),
///          rx_checked() (the NIC found the checksum above IP right; told with a frame's last piece);
///          of a transmit word: kTxDone, kTxReport, tx_word(length, last);
///          of the kernel's frames: kTxPieceMax, the most octets a descriptor carries; for frames with an offload
///          tx_context(frame), the descriptor before them, tx_word(length, last, offload), and tx_prepare(frame), which
///          may change the frame's header to what the NIC wants to find.
/// Doorbell rx_tail(slot) and tx_tail(slot): orders all earlier stores before telling the NIC.
template <typename Format, typename Doorbell>
class RingQueue {
 public:
  /// The most octets of the kernel's that one slot carries.
  static constexpr std::uint32_t kTxPieceMax = Format::kTxPieceMax;

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
      : pool_(&pool), doorbell_(doorbell), slots_(slots), rx_mask_(slots.rx - 1), tx_mask_(slots.tx - 1) {
    if (pool.nic_memory().size() < ring_memory(slots) || state.size() < state_size(slots)) {
      throw Error(ENOSPC, {.what = "set up descriptor rings",
                           .device = {},
                           .why = "the port's descriptor pages or state area are too small",
                           .advice = "ask NDD_TAKE for the nic_pages and state_pages that NicNeeds tells"});
    }
    state_ = mapped_at<QueueState>(state, 0, 1);
    rx_ring_ = mapped_at<RingDescriptor>(pool.nic_memory(), 0, slots.rx);
    tx_ring_ = mapped_at<RingDescriptor>(pool.nic_memory(), slots.rx * sizeof(RingDescriptor), slots.tx);
    rx_ring_end_ = rx_ring_ + slots.rx;
    tx_ring_end_ = tx_ring_ + slots.tx;
    rx_buffers_ = mapped_behind<BufferIndex>(state_, kCacheLineSize);
    tx_buffers_ = rx_buffers_ + slots.rx;
    tx_batch_ends_ = tx_buffers_ + slots.tx;
    buffers_iova_ = pool.iova(0).value;
    data_to_iova_ = buffers_iova_ - std::bit_cast<std::uint64_t>(pool.data(0));
    // The ring may hold half of the process's buffers at most: sending and the kernel's exchange need the others.
    rx_fill_ = std::min(slots.rx - 1, pool.own_buffers() / 2);
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
    rx_quick_end_ = tx_quick_end_ = 0;
    rx_plain_ = kRxPlain;
    rx_refill_from_ = refill_from(0);
    std::fill_n(rx_ring_, slots_.rx, RingDescriptor{});
    std::fill_n(tx_ring_, slots_.tx, RingDescriptor{});
  }
  /// Gives the NIC its receive buffers.
  void fill() noexcept { refill(); }

  /// Goes on from another process's state, wherever that process was when it ended. Throws udd::Error if the state
  /// isn't ours or is impossible. Rings both doorbells: the other may not have come to that.
  void adopt() {
    const QueueState state = *state_;
    bool good = state.family == Format::kFamily && state.rx_size == slots_.rx && state.tx_size == slots_.tx &&
                state.rx_tail - state.rx_head < slots_.rx && state.tx_tail - state.tx_head < slots_.tx;
    for (std::uint32_t i = state.rx_head; good && i != state.rx_tail; ++i) {
      good = rx_buffers_[i & rx_mask_] < pool_->buffer_count();
    }
    for (std::uint32_t i = state.tx_head, end = i; good && i != state.tx_tail; ++i) {
      if (i == end) {
        end = tx_batch_ends_[i & tx_mask_];
        good = end - i - 1 < state.tx_tail - i;
      }
      const BufferIndex token = tx_buffers_[i & tx_mask_];
      good = good && (token < pool_->buffer_count() || token >= kWindowToken);
    }
    if (good) {
      // It may have ended after it took the last piece and before it noted whose that was; unless the slot has been
      // given to the NIC again since, the piece still says so.
      const std::uint64_t last = rx_ring_[(state.rx_head - 1) & rx_mask_].load();
      if ((last & Format::kRxDone) != 0) state_->rx_in_frame = (last & Format::kRxLast) == 0 ? 1 : 0;
      expect_plain();
      rx_refill_from_ = refill_from(state.rx_tail);
      rx_quick_end_ = state.rx_head;
      tx_quick_end_ = state.tx_tail;
      doorbell_.rx_tail(state.rx_tail & rx_mask_);
      doorbell_.tx_tail(state.tx_tail & tx_mask_);
    } else {
      throw Error(EPROTO, {.what = "go on from the NIC queue's state",
                           .device = {},
                           .why = "it is of another NIC family or ring size, or damaged",
                           .advice = "take the port afresh"});
    }
  }

  /// Calls sink(BufferIndex) for each buffer that the NIC has to receive into.
  template <typename Sink>
  void each_receiving(Sink&& sink) const {
    for (std::uint32_t i = state_->rx_head; i != state_->rx_tail; ++i) sink(rx_buffers_[i & rx_mask_]);
  }
  /// Likewise the buffer or token of each slot that it has to send, kNoBuffer for slots that carry none.
  template <typename Sink>
  void each_sending(Sink&& sink) const {
    for (std::uint32_t i = state_->tx_head; i != state_->tx_tail; ++i) sink(tx_buffers_[i & tx_mask_]);
  }
  /// The next piece received is not a frame's first.
  [[nodiscard]] bool amid_frame() const noexcept { return state_->rx_in_frame != 0; }

  /// After the NIC's DMA has ended: receive buffers to the pool, queued pieces to tx_reclaim().
  void drain() noexcept {
    for (std::uint32_t i = state_->rx_head; i != state_->rx_tail; ++i) {
      pool_->give({&rx_buffers_[i & rx_mask_], 1});
    }
    state_->rx_head = state_->rx_tail;
    state_->rx_in_frame = 0;
    rx_plain_ = kRxPlain;
    for (std::uint32_t i = state_->tx_head; i != state_->tx_tail; ++i) {
      tx_ring_[i & tx_mask_].store(Format::kTxDone);
    }
    stopped_ = true;
    rx_quick_end_ = state_->rx_head;
    tx_quick_end_ = state_->tx_tail;
  }

  /// 64 bits of the queue state for the family's own use; format() clears them.
  void set_family_word(std::uint64_t word) noexcept { state_->family_word = word; }
  [[nodiscard]] std::uint64_t family_word() const noexcept { return state_->family_word; }
  [[nodiscard]] Slots slots() const noexcept { return slots_; }
  [[nodiscard]] std::uint32_t rx_tail_slot() const noexcept { return state_->rx_tail & rx_mask_; }
  /// Where the NIC finds the rings.
  [[nodiscard]] Iova rx_ring_iova() const noexcept { return pool_->nic_iova(); }
  [[nodiscard]] Iova tx_ring_iova() const noexcept {
    return pool_->nic_iova() + Bytes{slots_.rx * sizeof(RingDescriptor)};
  }

  // Burst half: see NicQueue. The two below each are what the bursts are made of, for a loop that has no use for
  // an array of pieces in between.

  /// Flags of the piece that is a whole frame, of which rx_each told this word.
  [[nodiscard]] static std::uint16_t rx_flags(std::uint64_t word) noexcept {
    constexpr std::uint16_t kWhole = Piece::kFirst | Piece::kLast;
    return Format::rx_checked(word) ? kWhole | Piece::kChecksumOk : kWhole;
  }

  /// What a quick burst came to.
  struct Quick {
    std::size_t count;
    bool more;  ///< there is, or may be, something that it could not do: to be done by the full burst
  };

  /// The quick half of rx_each: up to `wanted` undamaged frames that fit one buffer, as long as accept(buffer, length)
  /// takes them. It ends before a frame that is refused, any other piece, and where a refill is due or the ring ends.
  /// The buffers are the caller's when it returns: accept() must not hand them on.
  /// Members are read where they are needed, by the instruction that needs them: in registers, others had to be saved.
  template <typename Accept>
  [[gnu::always_inline]] Quick rx_quick(std::size_t wanted, Accept&& accept) noexcept {
    const std::uint32_t slot = state_->rx_head & rx_mask_;
    const std::size_t run = std::min<std::size_t>(wanted, rx_quick_end_ - state_->rx_head);
    const RingDescriptor* descriptor = rx_ring_ + slot;
    const BufferIndex* const buffers = rx_buffers_ + slot;
    std::size_t count = 0;
    const auto ended = [&](bool more) noexcept {
      publish(state_->rx_head, state_->rx_head + static_cast<std::uint32_t>(count));
      return Quick{count, more};
    };
    if (run == 0) [[unlikely]]
      return {0, true};
    for (; count != run; ++count, ++descriptor) {
      const std::uint64_t word = descriptor->load();
      if ((word & kRxPlainMask) != rx_plain_) {
        if ((word & Format::kRxDone) != 0) [[unlikely]]
          return ended(true);
        return ended(false);
      }
      if (!accept(buffers[count], static_cast<std::uint16_t>(Format::rx_length(word)))) [[unlikely]]
        return ended(true);
    }
    return ended(count < wanted);
  }

  /// Where the last quick burst has ended at the ring's end, or for a refill: does that. @return true if another may
  /// follow.
  [[nodiscard]] bool rx_go_on() noexcept {
    const std::uint32_t head = state_->rx_head;
    if (head != rx_quick_end_) return false;
    top_up(head);
    return head != rx_quick_end_;
  }

  /// As rx_burst, but calls whole(buffer, length, word) for an undamaged frame that fits one buffer, and other(piece)
  /// for any other piece. The buffer is the caller's from that moment on.
  template <typename Whole, typename Other>
  std::size_t rx_each(std::size_t wanted, Whole&& whole, Other&& other) noexcept {
    QueueState& state = *state_;
    const std::uint32_t head = state.rx_head;
    const std::uint32_t held = state.rx_tail - head;
    const std::uint32_t end = head + static_cast<std::uint32_t>(std::min<std::size_t>(wanted, held));
    std::uint64_t plain = rx_plain_;
    std::uint32_t at = head;
    const RingDescriptor* descriptor = rx_ring_ + (head & rx_mask_);
    const BufferIndex* buffer = rx_buffers_ + (head & rx_mask_);
    while (at != end) {
      const std::uint64_t word = descriptor->load();
      if ((word & kRxPlainMask) == plain) [[likely]] {
        publish(state.rx_head, ++at);
        whole(*buffer, static_cast<std::uint16_t>(Format::rx_length(word)), word);
      } else {
        if ((word & Format::kRxDone) == 0) break;
        publish(state.rx_head, ++at);
        const Piece piece = describe(word, *buffer, state.rx_in_frame);
        plain = expect_plain();
        other(piece);
      }
      ++buffer;
      if (++descriptor == rx_ring_end_) [[unlikely]] {
        descriptor = rx_ring_;
        buffer = rx_buffers_;
      }
    }
    top_up(at);
    return at - head;
  }

  /// As tx_burst, of the pieces source() yields: exactly `count`, which must be 1..tx_room(), the last one a frame's
  /// last.
  template <typename Source>
  void tx_each(std::size_t count, Source&& source) noexcept {
    QueueState& state = *state_;
    const std::uint32_t tail = state.tx_tail;
    const std::uint32_t end = tail + static_cast<std::uint32_t>(count);
    const std::uint64_t base = buffers_iova_;
    RingDescriptor* descriptor = tx_ring_ + (tail & tx_mask_);
    BufferIndex* buffer = tx_buffers_ + (tail & tx_mask_);
    for (std::uint32_t at = tail;;) {
      auto&& piece = source();  // no copy where it is there already
      *buffer = piece.buffer;
      descriptor->address = base + std::uint64_t{piece.buffer} * kBufferSize + piece.offset;
      descriptor->store(Format::tx_word(piece.length, (piece.flags & Piece::kLast) != 0));
      if (++at == end) break;
      ++buffer;
      if (++descriptor == tx_ring_end_) [[unlikely]] {
        descriptor = tx_ring_;
        buffer = tx_buffers_;
      }
    }
    descriptor->store(descriptor->word | Format::kTxReport);
    hand_over(state, tail, end);
    allow_tx_quick();
  }

  /// Up to so many frames may go to tx_quick(): fewer than there are slots, as its burst must lie in a row in the ring,
  /// and not so many be in use that it is time to reclaim.
  [[nodiscard]] std::size_t tx_quick_room() const noexcept { return tx_quick_end_ - state_->tx_tail; }
  /// The quick half of tx_each, for frames of one buffer each: sends all of 1..tx_quick_room() frames if good(frame) is
  /// true of each, which it must not be of one that says more(); or none. Members are read where they are needed, as in
  /// rx_quick().
  template <typename Good>
  [[nodiscard, gnu::always_inline]] bool tx_quick(std::span<const Frame> frames, Good&& good) noexcept {
    const std::uint32_t tail = state_->tx_tail;
    const std::uint32_t slot = tail & tx_mask_;
    const std::uint64_t to_iova = data_to_iova_;
    RingDescriptor* descriptor = tx_ring_ + slot;
    BufferIndex* buffer = tx_buffers_ + slot;
    const Frame* frame = frames.data();
    const Frame* const end = frame + frames.size();
    do {
      if (!good(*frame)) [[unlikely]]
        return false;
      *buffer++ = frame->tag();
      descriptor->address = to_iova + std::bit_cast<std::uint64_t>(frame->data().data());
      descriptor->store(Format::tx_word(frame->size(), true));
      ++descriptor;
    } while (++frame != end);
    tx_ring_[slot + frames.size() - 1].store(Format::tx_word(end[-1].size(), true) | Format::kTxReport);
    hand_over(*state_, tail, tail + static_cast<std::uint32_t>(frames.size()));
    return true;
  }

  /// Slots that a frame of the kernel's takes: its pieces in runs that a descriptor carries, and what is to be done
  /// with them before.
  [[nodiscard]] static std::uint32_t tx_slots(const TxFrame& frame, const TxPiece* pieces) noexcept {
    std::uint32_t slots = frame.offload.kind == TxOffload::Kind::kNone ? 0 : 1;
    for (const TxPiece& piece : std::span(pieces, frame.pieces)) {
      slots += (piece.length + kTxPieceMax - 1) / kTxPieceMax;
    }
    return slots;
  }

  /// Whole frames of the kernel's, at least one; their tx_slots() must fit tx_room() together.
  void tx_frames(std::span<const TxFrame> frames, const TxPiece* pieces) noexcept {
    QueueState& state = *state_;
    const std::uint32_t tail = state.tx_tail;
    std::uint32_t end = tail;
    const auto put = [&](const RingDescriptor& descriptor, BufferIndex token) noexcept {
      const std::uint32_t slot = end++ & tx_mask_;
      tx_buffers_[slot] = token;
      tx_ring_[slot].address = descriptor.address;
      tx_ring_[slot].store(descriptor.word);
    };
    for (const TxFrame& frame : frames) {
      const bool offload = frame.offload.kind != TxOffload::Kind::kNone;
      const auto word = [&](std::uint32_t length, bool last) noexcept {
        return offload ? Format::tx_word(length, last, frame.offload)
                       : Format::tx_word(static_cast<std::uint16_t>(length), last);
      };
      if (offload) {
        Format::tx_prepare(frame);
        put(Format::tx_context(frame), kNoBuffer);
      }
      for (const TxPiece* const behind = pieces + frame.pieces; pieces != behind; ++pieces) {
        std::uint64_t address = pieces->address.value;
        std::uint32_t left = pieces->length;
        for (; left > kTxPieceMax; left -= kTxPieceMax, address += kTxPieceMax) {
          put({.address = address, .word = word(kTxPieceMax, false)}, kNoBuffer);
        }
        put({.address = address, .word = word(left, pieces + 1 == behind)}, pieces->token);
      }
    }
    RingDescriptor& last = tx_ring_[(end - 1) & tx_mask_];
    last.store(last.word | Format::kTxReport);
    hand_over(state, tail, end);
    allow_tx_quick();
  }

  /// As tx_reclaim, but calls sink(span of buffers) for each run of them, kNoBuffer for slots that had none; the span
  /// is good until the next tx.
  template <typename Sink>
  std::size_t tx_reclaim_each(std::size_t wanted, Sink&& sink) noexcept {
    QueueState& state = *state_;
    const std::uint32_t tail = state.tx_tail;
    const std::uint32_t first = state.tx_head;
    const std::uint32_t mask = tx_mask_;
    std::uint32_t* const ends = tx_batch_ends_;
    const RingDescriptor* const ring = tx_ring_;
    // Frames are done in order: with the last one all are, and their batches can be one.
    if (first != tail && (ring[(tail - 1) & mask].load() & Format::kTxDone) != 0) ends[first & mask] = tail;
    std::uint32_t head = first;
    while (head != tail && head - first != wanted) {
      const std::uint32_t slot = head & tx_mask_;
      const std::uint32_t most = std::min(
          slots_.tx - slot, static_cast<std::uint32_t>(std::min<std::size_t>(wanted - (head - first), tail - head)));
      // Finished batches that lie in a row are one run.
      std::uint32_t end = head;
      while (end - head < most) {
        const std::uint32_t batch_end = ends[end & mask];
        if ((ring[(batch_end - 1) & mask].load() & Format::kTxDone) == 0) break;
        end = batch_end;
      }
      if (end == head) break;
      const std::uint32_t run = std::min(end - head, most);
      head += run;
      // What is left of the last batch becomes a batch of its own, before the index says so.
      if (head != end) ends[head & mask] = end;
      // The index last: of a process that dies in between, the next one takes these back again.
      sink(std::span<const BufferIndex>(tx_buffers_ + slot, run));
      publish(state.tx_head, head);
    }
    allow_tx_quick();
    return head - first;
  }

  std::size_t rx_burst(std::span<Piece> out) noexcept {
    Piece* to = out.data();
    return rx_each(
        out.size(),
        [&](BufferIndex buffer, std::uint16_t length, std::uint64_t word) noexcept {
          *to++ = {.buffer = buffer, .offset = 0, .length = length, .flags = rx_flags(word), .vlan_tci = 0};
        },
        [&](const Piece& piece) noexcept { *to++ = piece; });
  }

  std::size_t tx_burst(std::span<const Piece> pieces) noexcept {
    std::size_t count = std::min(pieces.size(), tx_room());
    while (count != 0 && (pieces[count - 1].flags & Piece::kLast) == 0) --count;
    if (count != 0) {
      tx_each(count, [from = pieces.data()]() mutable noexcept -> const Piece& { return *from++; });
    }
    return count;
  }

  std::size_t tx_reclaim(std::span<BufferIndex> done) noexcept {
    BufferIndex* to = done.data();
    BufferIndex* const end = to + done.size();
    const auto copy = [&to](std::span<const BufferIndex> run) noexcept {
      to = std::remove_copy(run.begin(), run.end(), to, kNoBuffer);
    };
    while (to != end && tx_reclaim_each(static_cast<std::size_t>(end - to), copy) != 0) {
    }
    return static_cast<std::size_t>(to - done.data());
  }

  [[nodiscard]] std::size_t tx_room() const noexcept {
    return stopped_ ? 0 : tx_mask_ - (state_->tx_tail - state_->tx_head);
  }

  /// Any thread.
  [[nodiscard]] bool pending() const noexcept {
    const std::uint32_t head = std::atomic_ref(state_->rx_head).load(std::memory_order_relaxed);
    if (head == std::atomic_ref(state_->rx_tail).load(std::memory_order_relaxed)) return false;
    return (rx_ring_[head & rx_mask_].load() & Format::kRxDone) != 0;
  }

 private:
  /// Refilling waits for this many empty slots, or a quarter of a short ring, so that its doorbell is shared by as many
  /// frames.
  static constexpr std::uint32_t kRefillBatch = 64;
  /// Quick bursts fill so many slots of the transmit ring before they leave it to a full one to reclaim: seldom, but
  /// while their descriptors are still in the cache.
  static constexpr std::uint32_t kTxQuick = 128;

  [[nodiscard]] std::uint32_t refill_from(std::uint32_t rx_tail) const noexcept {
    return rx_tail - (rx_fill_ - std::min(kRefillBatch, rx_fill_ / 4));
  }
  /// Up to where a quick burst may go that begins at `at`: `limit`, or the ring's end. Not before `at`.
  [[nodiscard]] static std::uint32_t quick_end(std::uint32_t at, std::uint32_t mask, std::uint32_t limit) noexcept {
    const auto left = static_cast<std::int32_t>(limit - at);
    return at + (left > 0 ? std::min(static_cast<std::uint32_t>(left), mask + 1 - (at & mask)) : 0);
  }
  void allow_tx_quick() noexcept {
    if (!stopped_) tx_quick_end_ = quick_end(state_->tx_tail, tx_mask_, state_->tx_head + std::min(kTxQuick, tx_mask_));
  }

  /// Stores an index for the next owner; not before the stores it refers to, whatever the compiler would like.
  static void publish(std::uint32_t& index, std::uint32_t value) noexcept {
    std::atomic_ref(index).store(value, std::memory_order_release);
  }

  /// The batch [tail, end) to the NIC, which reports its last piece only; what came before it is done then, too.
  [[gnu::always_inline]] void hand_over(QueueState& state, std::uint32_t tail, std::uint32_t end) noexcept {
    tx_batch_ends_[tail & tx_mask_] = end;
    publish(state.tx_tail, end);
    doorbell_.tx_tail(end & tx_mask_);
  }

  /// A word of an undamaged frame in one buffer. One test, so lengths from 4096 on count as uncommon too; 0 passes,
  /// harmless: whoever looks at frames drops those shorter than a header.
  static constexpr std::uint64_t kRxLongLength = 0xf000;
  static constexpr std::uint64_t kRxPlain = Format::kRxDone | Format::kRxLast;
  static constexpr std::uint64_t kRxPlainMask = kRxPlain | Format::kRxError | kRxLongLength;
  static constexpr std::uint64_t kRxNever = ~std::uint64_t{0};  ///< no masked word is equal to it
  static_assert(kBufferSize == 0x1000 && Format::rx_length(kRxLongLength) == kRxLongLength);

  /// A piece that is damaged, or long, or one of several of its frame. The NIC reports errors with the last one only.
  [[gnu::noinline]] static Piece describe(std::uint64_t word, BufferIndex buffer, std::uint32_t& in_frame) noexcept {
    const std::uint32_t length = Format::rx_length(word);
    const bool last = (word & Format::kRxLast) != 0;
    const bool possible = length != 0 && length <= kBufferSize;
    Piece piece{.buffer = buffer, .length = static_cast<std::uint16_t>(possible ? length : 0)};
    if (in_frame == 0) piece.flags |= Piece::kFirst;
    if (last) piece.flags |= Piece::kLast;
    if (!possible || (last && (word & Format::kRxError) != 0)) piece.flags |= Piece::kError;
    if (last && Format::rx_checked(word)) piece.flags |= Piece::kChecksumOk;
    in_frame = last ? 0 : 1;
    return piece;
  }

  std::uint64_t expect_plain() noexcept { return rx_plain_ = state_->rx_in_frame == 0 ? kRxPlain : kRxNever; }

  /// The end of a burst at `head`: a refill if it is due, and where the next quick burst ends.
  void top_up(std::uint32_t head) noexcept {
    if (static_cast<std::int32_t>(head - rx_refill_from_) > 0) [[unlikely]]
      refill();
    rx_quick_end_ = stopped_ ? head : quick_end(head, rx_mask_, rx_refill_from_ + 1);
  }

  /// Writes a descriptor for each of the buffers; four in a row, since so little is done for one.
  void give(RingDescriptor* to, std::span<const BufferIndex> buffers) const noexcept {
    constexpr std::size_t kInARow = 4;
    const std::uint64_t base = buffers_iova_;
    const BufferIndex* from = buffers.data();
    const BufferIndex* const end = from + buffers.size();
    const auto write = [&](std::size_t i) noexcept { to[i].give(base + std::uint64_t{from[i]} * kBufferSize); };
    for (const BufferIndex* const last = end - buffers.size() % kInARow; from != last; from += kInARow, to += kInARow) {
      [&]<std::size_t... kI>(std::index_sequence<kI...>) noexcept {
        (write(kI), ...);
      }(std::make_index_sequence<kInARow>{});
    }
    for (; from != end; ++from, ++to) write(0);
  }

  /// Gives the NIC as many buffers as it lacks and the pool has.
  [[gnu::noinline]] void refill() noexcept {
    if (stopped_) return;
    const std::uint32_t tail = state_->rx_tail;
    std::uint32_t at = tail;
    for (std::uint32_t lacking = rx_fill_ - (tail - state_->rx_head); lacking != 0;) {
      const std::uint32_t slot = at & rx_mask_;
      BufferIndex* const buffers = rx_buffers_ + slot;
      const std::size_t run = pool_->take({buffers, std::min(lacking, slots_.rx - slot)});
      if (run == 0) break;
      at += static_cast<std::uint32_t>(run);
      lacking -= static_cast<std::uint32_t>(run);
      give(rx_ring_ + slot, {buffers, run});
    }
    if (at == tail) return;
    publish(state_->rx_tail, at);
    rx_refill_from_ = refill_from(at);
    doorbell_.rx_tail(at & rx_mask_);
  }

  // Used by every burst.
  QueueState* state_ = nullptr;
  RingDescriptor* rx_ring_ = nullptr;
  RingDescriptor* tx_ring_ = nullptr;
  const RingDescriptor* rx_ring_end_ = nullptr;
  const RingDescriptor* tx_ring_end_ = nullptr;
  BufferIndex* rx_buffers_ = nullptr;
  BufferIndex* tx_buffers_ = nullptr;
  std::uint32_t* tx_batch_ends_ = nullptr;
  std::uint64_t rx_plain_ = kRxPlain;  ///< what the masked word of a whole frame looks like; kRxNever amid a long one
  std::uint64_t buffers_iova_ = 0;
  std::uint64_t data_to_iova_ = 0;  ///< what an address in a buffer lacks to be the NIC's
  Pool* pool_;
  Doorbell doorbell_;
  Slots slots_;
  std::uint32_t rx_mask_;
  std::uint32_t tx_mask_;
  std::uint32_t rx_fill_ = 0;         ///< buffers the ring holds when full
  std::uint32_t rx_refill_from_ = 0;  ///< with rx_head beyond it too few buffers are left
  std::uint32_t rx_quick_end_ = 0;    ///< as rx_head: quick bursts end here
  std::uint32_t tx_quick_end_ = 0;    ///< as tx_tail: likewise
  bool stopped_ = false;
};

}  // namespace udd
