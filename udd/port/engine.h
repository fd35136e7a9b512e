// SPDX-License-Identifier: Apache-2.0
// The service loop of one queue pair, compiled against the NIC family's own queue class. One poll is:
//
//   NIC receive ─▶ steering ─┬▶ the application's frames: to the caller, or parked
//                            └▶ the kernel's: merged (TCP) ─▶ KRX
//   KRX_FREE ─▶ pool         KTX ─▶ NIC transmit        sent ─▶ KTX_DONE or pool
//
// Fairness on the one transmit ring is by occupancy: while one side has been refused or waits, the other may fill half
// of the ring. The ring is first in, first out, so half of the slots is half of the frames. A slot of the kernel's may
// be several frames' worth of a long one to be cut; how many octets of those are under way is bounded by the kernel's
// own queue limits (BQL), which go by what comes back.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "udd/merge/tcp_merge.h"
#include "udd/port/adoption.h"
#include "udd/port/assembly.h"
#include "udd/port/parking.h"
#include "udd/port/queue_engine.h"

namespace udd {

template <NicQueue Q>
class Engine final : public QueueEngine {
 public:
  /// `queue` must outlive it.
  Engine(const Parts& parts, Q& queue)
      : QueueEngine(parts),
        queue_(&queue),
        buffers_(parts.pool.data(0)),
        first_kernel_buffer_(parts.pool.first_kernel_buffer()),
        tx_slots_(queue.slots().tx - 1),
        share_(tx_slots_ / 2),
        assembly_(*state_, parts.pool),
        parking_(*state_, parts.pool),
        merge_(parts.pool),
        poll_burst_(std::clamp<std::size_t>(tunnel_.batch(), kBurst, kPollBurst)) {
    if (parts.adopting) adopt();
  }

  // rx() and tx() do by themselves what is needed nearly always, and leave anything else to a function at whose call
  // they end: there is no other call in them, so nothing has to be saved for one.

  std::size_t rx(std::span<Frame> out) noexcept override {
    if (!enter_at_once()) [[unlikely]]
      return rx_entering(out);
    if (!count_round<By::kApplication>() || tunnel_.anything_to_send()) [[unlikely]]
      return rx_full(out);
    const auto [count, more] = receive_quickly(out);
    if (more) [[unlikely]]
      return rx_rest(out, count);
    app_rx_ += count;
    leave();
    return count;
  }

  bool poll() noexcept override {
    if (!enter()) [[unlikely]]
      return false;
    count_round<By::kApplication>();
    look_around();
    const std::uint32_t in_flight = tunnel_.in_flight();
    const std::size_t received = receive<true>({}, poll_burst_);
    const std::size_t moved = serve_tunnel();
    const bool reclaimed = tunnel_.in_flight() != in_flight;
    leave();
    return received + moved != 0 || reclaimed;
  }

  std::size_t alloc(std::span<Frame> out) noexcept override {
    if (!enter()) [[unlikely]]
      return 0;
    std::size_t count = take_empty(out);
    if (count < out.size()) [[unlikely]] {
      reclaim();
      count += take_empty(out.subspan(count));
    }
    leave();
    return count;
  }

  std::size_t tx(std::span<const Frame> frames) noexcept override {
    // one comparison for none and too many
    if (!enter_at_once() || !tx_plain_ || frames.size() - 1 >= queue_->tx_quick_room() || !send_quickly(frames))
        [[unlikely]]
      return tx_full(frames);
    leave();
    return frames.size();
  }

  void release(std::span<const Frame> frames) noexcept override {
    if (!enter()) [[unlikely]]
      return;
    // More free than there are: the application gave one twice. Losing it is better than writing past the stack.
    const std::uint32_t room = first_kernel_buffer_ - std::min(first_kernel_buffer_, pool_->free_count());
    pool_->give_each(std::min<std::size_t>(frames.size(), room), first_kernel_buffer_,
                     [from = frames.data()]() mutable noexcept { return from++->buffer(); });
    leave();
  }

  void flush() noexcept override {
    if (!enter()) [[unlikely]]
      return;
    if (holding_) flush_held();
    leave();
  }

  bool serve() noexcept override {
    count_round<By::kAnyone>();
    look_around();
    next_tunnel_ = 0;
    const std::size_t received = receive<true>({}, poll_burst_);
    const std::size_t moved = serve_tunnel();
    return received + moved != 0;
  }

  void add_stats(PortStats& stats) const noexcept override {
    const TunnelQueue::Counters& tunnel = tunnel_.counters();
    stats.app_rx_frames += app_rx_;
    stats.app_tx_frames += app_tx_;
    stats.kernel_rx_frames += tunnel.received;
    stats.kernel_rx_merged += merge_.counters().merged;
    stats.kernel_rx_segments += merge_.counters().segments;
    stats.kernel_tx_frames += tunnel.sent;
    stats.app_rx_dropped += parking_.dropped();
    stats.kernel_rx_dropped += tunnel.dropped;
    stats.rx_errors += assembly_.errors();
    stats.foreign += foreign_;
    stats.tx_refused += tx_refused_;
    stats.tx_ring_full += tx_ring_full_;
    stats.backup_services += backup_services_;
    stats.wakeups += wakeups_;
    stats.kicks += tunnel.kicks;
    stats.doorbells += doorbells_;
  }

  void reclaim_all() noexcept override {
    while (reclaim() != 0) {
    }
    tunnel_.publish();
  }

  void leave_behind() noexcept override {
    if (holding_) flush_held();
    reclaim();
    tunnel_.publish();
    std::atomic_ref(state_->left_behind).store(1, std::memory_order_release);
  }

 protected:
  [[nodiscard]] bool pending() const noexcept override { return queue_->pending(); }

  void add_ndd_stats(ndd_stats& stats) const noexcept override {
    stats.app_rx_frames = app_rx_;
    stats.app_tx_frames = app_tx_;
    stats.app_rx_dropped = parking_.dropped();
    stats.krx_dropped = tunnel_.counters().dropped;
    stats.backup_services = backup_services_;
  }

 private:
  /// Goes on where another process ended. Throws udd::Error.
  void adopt() {
    std::vector<BufferIndex> receiving;
    std::vector<BufferIndex> sending;
    queue_->each_receiving([&](BufferIndex buffer) { receiving.push_back(buffer); });
    queue_->each_sending([&](BufferIndex token) { sending.push_back(token); });
    // Nobody here will ever ask for them.
    if (steering_->empty()) state_->parked_head = state_->parked_tail;
    kernel_slots_ = adopt_buffers(*pool_, *state_, tunnel_, receiving, sending);
    if (queue_->amid_frame() && assembly_.waiting() == 0) assembly_.skip_frame();
    holding_ = state_->held_count != 0;
    has_parked_ = !parking_.empty();
    detour_ = has_parked_ || assembly_.waiting() != 0;
  }

  /// Pieces received in one rx(), and slots filled for the kernel, at most: bounds what one side adds to the other's
  /// delay. At 1 Gbit/s 64 full frames are 0.8 ms of wire. The kernel's longest frame must fit: NDD_PIECES_MAX, and
  /// some more for their runs and for what is to be done with them.
  static constexpr std::size_t kBurst = 64;
  static_assert(kBurst > NDD_PIECES_MAX + NDD_FRAME_MAX / Q::kTxPieceMax);
  /// Pieces received in one poll() or serve(), which have no frames to give: several of the kernel's longest frames,
  /// so that few are cut where a poll ends, and they share a kick.
  static constexpr std::size_t kPollBurst = 256;
  /// Frames of the application's in one tx().
  static constexpr std::size_t kSendBurst = 256;
  /// Sent buffers are reclaimed from so many slots in use on: seldom, but while their descriptors are still in the
  /// cache.
  static constexpr std::size_t kReclaimAt = 64;
  /// Sent buffers taken back in one go.
  static constexpr std::size_t kReclaimBurst = 512;
  /// So many buffers stay for the NIC's receive ring, whatever the application takes or leaves parked.
  static constexpr std::uint32_t kReserve = 64;
  /// A refused application counts as still wanting to send for so many polls.
  static constexpr unsigned kAppetite = 64;
  static constexpr std::uint16_t kWhole = Piece::kFirst | Piece::kLast;
  /// Pieces of one long frame of the application's: more than a jumbo frame of any NIC has.
  static constexpr std::size_t kLongPieces = 8;

  // ---- receive ----

  [[gnu::noinline]] std::size_t rx_entering(std::span<Frame> out) noexcept {
    if (!enter()) return 0;
    count_round<By::kApplication>();
    return rx_full(out);
  }

  /// A whole round.
  [[gnu::noinline]] std::size_t rx_full(std::span<Frame> out) noexcept {
    look_around();
    if (detour_) [[unlikely]]
      return finish_rx(receive_behind(out));
    const auto [count, more] = receive_quickly(out);
    return more ? rx_rest(out, count) : finish_quick_rx(count);
  }

  /// What a quick burst of `count` frames has left.
  [[gnu::noinline]] std::size_t rx_rest(std::span<Frame> out, std::size_t count) noexcept {
    if (out.empty()) return finish_rx(receive_behind(out));
    bool more = true;
    while (more && count < out.size() && queue_->rx_go_on()) {
      const auto burst = receive_quickly(out.subspan(count));
      count += burst.count;
      more = burst.more;
    }
    const std::span<Frame> rest = out.subspan(count);
    if (!more || rest.empty()) return finish_quick_rx(count);
    app_rx_ += count;
    return finish_rx(count + receive<false>(rest, rest.size()));
  }

  /// The end of a round in which nothing but frames of the application's was met: the tunnel's turn only if it is due.
  std::size_t finish_quick_rx(std::size_t count) noexcept {
    app_rx_ += count;
    if (now_ < quick_until_ && !tunnel_.anything_to_send()) {
      leave();
      return count;
    }
    return finish_rx(count);
  }

  std::size_t finish_rx(std::size_t count) noexcept {
    serve_tunnel();
    leave();
    return count;
  }

  /// The application's frames at the front of the ring, if they are of the commonest kind.
  [[gnu::always_inline]] typename Q::Quick receive_quickly(std::span<Frame> out) noexcept {
    return queue_->rx_quick(out.size(),
                            [this, to = out.data()](BufferIndex buffer, std::uint16_t length) mutable noexcept {
                              std::byte* const data = buffers_ + std::size_t{buffer} * kBufferSize;
                              if (length < Steering::kHeaderLength || !commonest_.matches(data)) [[unlikely]]
                                return false;
                              *to++ = Frame(data, buffer, length);
                              return true;
                            });
  }

  /// @param pieces  at most; there is room in `out` for as many and those that wait for the rest of their frame
  /// @return Frames written to `out`; with kPark, pieces received.
  template <bool kPark>
  std::size_t receive(std::span<Frame> out, std::size_t pieces) noexcept {
    Frame* to = out.data();
    // Inlined into the ring's own loop: between the descriptor and the caller's Frame nothing is written to memory.
    const std::size_t count = queue_->rx_each(
        kPark ? pieces : std::min(pieces, kBurst),
        [this, &to](BufferIndex buffer, std::uint16_t length, std::uint64_t word) noexcept {
          to = take<kPark>(
              buffer, 0, length, [word] { return Q::rx_flags(word); }, to);
        },
        [this, &to](const Piece& piece) noexcept { to = take_piece<kPark>(piece, to); });
    if (!merge_.empty()) merge_.flush(merged());
    if constexpr (kPark) return count;
    const auto frames = static_cast<std::size_t>(to - out.data());
    app_rx_ += frames;
    return frames;
  }

  /// A whole frame, to whose it is; the application's with kPark is parked. @return where the next one's Frame goes.
  /// @param flags  the piece's, asked for only if somebody wants to know
  template <bool kPark, typename Flags>
  [[gnu::always_inline]] Frame* take(BufferIndex buffer, std::uint16_t offset, std::uint16_t length, Flags&& flags,
                                     Frame* to) noexcept {
    const auto piece = [&] {
      return Piece{.buffer = buffer, .offset = offset, .length = length, .flags = flags(), .vlan_tci = 0};
    };
    if (length < Steering::kHeaderLength) [[unlikely]]
      return gather<kPark>(piece(), to);
    std::byte* const data = pool_->data(buffer) + offset;
    const Steering::Verdict verdict = steering_->classify(data, length);
    if (verdict != Steering::Verdict::kApplication) {
      foreign_ += verdict == Steering::Verdict::kForeign;
      const Piece kernels = piece();
      if (!merge_.append(kernels, data)) to_kernel(kernels);
    } else if constexpr (kPark) {
      const Piece parked = piece();
      park({&parked, 1});
    } else {
      *to++ = Frame(data, buffer, length);
    }
    return to;
  }

  /// What the ring does not know to be a whole frame at its buffer's start. By value: `to` stays in a register.
  template <bool kPark>
  [[gnu::noinline]] Frame* take_piece(const Piece& piece, Frame* to) noexcept {
    if ((piece.flags & (kWhole | Piece::kError)) == kWhole) {
      return take<kPark>(
          piece.buffer, piece.offset, piece.length, [&piece] { return piece.flags; }, to);
    }
    return gather<kPark>(piece, to);
  }

  /// A piece that is damaged, too short, or one of several of its frame: gathered until the last has come.
  template <bool kPark>
  [[gnu::noinline]] Frame* gather(const Piece& piece, Frame* to) noexcept {
    const std::span<const Piece> frame = assembly_.add(piece);
    detour_ = has_parked_ || assembly_.waiting() != 0;
    if (frame.empty()) return to;
    const Piece& head = frame.front();
    const auto verdict = steering_->classify(pool_->data(head.buffer) + head.offset, head.length);
    if (verdict != Steering::Verdict::kApplication) {
      foreign_ += verdict == Steering::Verdict::kForeign;
      to_kernel(frame);
    } else if constexpr (kPark) {
      park(frame);
    } else {
      for (const Piece& each : frame) {
        *to++ = frame_of(*pool_, each.buffer, each.offset, each.length, (each.flags & Piece::kLast) == 0);
      }
      app_rx_ -= frame.size() - 1;  // one frame
    }
    return to;
  }

  /// A whole frame of the kernel's in one piece. By value: what names it stays in registers up to here.
  [[gnu::noinline]] void to_kernel(Piece piece) noexcept { to_kernel({&piece, 1}); }

  /// A frame of the kernel's: perhaps one of many segments.
  [[gnu::noinline]] void to_kernel(std::span<const Piece> frame) noexcept {
    if (merging_) {
      merge_.add(frame, merged());
    } else {
      tunnel_.receive(frame);
    }
  }
  [[nodiscard]] auto merged() noexcept {
    return [this](std::span<const Piece> frame, const RxOffload& offload) noexcept { tunnel_.receive(frame, offload); };
  }

  // ---- parking ----

  void park(std::span<const Piece> frame) noexcept {
    parking_.park(frame, kReserve);
    detour_ = has_parked_ = !parking_.empty();
  }

  /// rx() while frames are parked, or a long one has arrived in part: first come those, then there must be room for the
  /// parts, too.
  [[gnu::noinline]] std::size_t receive_behind(std::span<Frame> out) noexcept {
    const std::size_t count = parking_.unpark(out);
    for (const Frame& frame : out.first(count)) app_rx_ += !frame.more();
    has_parked_ = !parking_.empty();
    detour_ = has_parked_ || assembly_.waiting() != 0;
    const std::span<Frame> rest = out.subspan(count);
    if (has_parked_ || rest.size() <= assembly_.waiting()) {
      receive<true>({}, kBurst);
      return count;
    }
    return count + receive<false>(rest, rest.size() - assembly_.waiting());
  }

  // ---- transmit, the application's ----

  std::size_t take_empty(std::span<Frame> out) noexcept {
    const std::uint32_t free = pool_->free_count();
    const std::size_t wanted = std::min<std::size_t>(out.size(), free - std::min(free, kReserve));
    return pool_->take_each(wanted, [this, to = out.data()](BufferIndex buffer) mutable noexcept {
      *to++ = Frame(pool_->data(buffer), buffer, 0);
    });
  }

  /// How many of `frames` are whole and may be sent, up to the first that may not, or goes on in the next.
  std::size_t sendable(std::span<const Frame> frames) const noexcept {
    const auto bad = std::find_if_not(frames.begin(), frames.end(),
                                      [this](const Frame& frame) noexcept { return good_to_send(frame); });
    return static_cast<std::size_t>(bad - frames.begin());
  }

  /// Is it a whole one that may be sent?
  [[nodiscard]] bool good_to_send(const Frame& frame) const noexcept {
    return std::uint32_t{frame.size()} - NDD_FRAME_MIN <= longest_single_ && frame.tag() < first_kernel_buffer_;
  }

  /// What sendable() stopped at: a long frame, which goes out, or one that may not be sent.
  /// @return Frames taken, all of one frame's or none.
  [[gnu::noinline]] std::size_t send_long(std::span<const Frame> frames, std::size_t room) noexcept {
    std::array<Piece, kLongPieces> pieces;
    std::size_t count = 0;
    std::uint32_t octets = 0;
    bool good = frames.front().more() && frames.front().size() >= NDD_FRAME_MIN;
    for (bool more = good; good && more; ++count) {
      good = count < frames.size() && count < pieces.size() && frames[count].size() != 0 &&
             frames[count].buffer() < first_kernel_buffer_;
      if (!good) break;
      pieces[count] = piece_of(frames[count]);
      pieces[count].flags = count == 0 ? Piece::kFirst : std::uint16_t{0};
      octets += frames[count].size();
      more = frames[count].more();
    }
    if (!good || octets > max_frame_) {
      ++tx_refused_;
      return 0;
    }
    pieces[count - 1].flags |= Piece::kLast;
    if (count > room || queue_->tx_burst({pieces.data(), count}) == 0) {
      ++tx_ring_full_;
      app_waits_ = kAppetite;
      return 0;
    }
    ++app_tx_;
    ++doorbells_;
    return count;
  }

  [[nodiscard]] static Piece piece_of(const Frame& frame) noexcept {
    return {.buffer = frame.buffer(), .offset = frame.offset(), .length = frame.size(), .flags = kWhole, .vlan_tci = 0};
  }

  /// Slots the application may fill now.
  [[nodiscard]] std::size_t room_for_application() noexcept {
    std::size_t room = queue_->tx_room();
    if (tx_slots_ - room >= kReclaimAt) {
      reclaim();
      room = queue_->tx_room();
    }
    if (kernel_waits_) {
      const std::size_t own = tx_slots_ - room - kernel_slots_;
      room = std::min(room, share_ - std::min(share_, own));
    }
    return room;
  }

  /// All of tx(), from the start: a quick burst sends all or nothing, and another thread may serve in between.
  [[gnu::noinline]] std::size_t tx_full(std::span<const Frame> frames) noexcept {
    if (!enter()) return 0;
    std::size_t count = frames.size();
    if (flush_interval_ != 0) {
      count = hold(frames);
    } else if (!tx_plain_ || count > room_for_application() || count - 1 >= queue_->tx_quick_room() ||
               !send_quickly(frames)) {
      count = send(frames);
    }
    leave();
    return count;
  }

  [[gnu::always_inline]] bool send_quickly(std::span<const Frame> frames) noexcept {
    if (!queue_->tx_quick(frames, [this](const Frame& frame) noexcept { return good_to_send(frame); })) return false;
    app_tx_ += frames.size();
    ++doorbells_;
    return true;
  }

  std::size_t send(std::span<const Frame> frames) noexcept {
    if (!link_up_) return 0;
    const std::size_t limit = std::min({frames.size(), room_for_application(), kSendBurst});
    const std::size_t sent = sendable(frames.first(limit));
    if (sent != 0) {
      queue_->tx_each(sent, [from = frames.data()]() mutable noexcept { return piece_of(*from++); });
      app_tx_ += sent;
      ++doorbells_;
    }
    if (sent < limit) [[unlikely]]
      return sent + send_others(frames.subspan(sent));
    if (limit < frames.size()) {
      tx_ring_full_ += frames.size() - limit;
      app_waits_ = kAppetite;
    }
    return sent;
  }

  /// From a frame on that is not like the others.
  [[gnu::noinline]] std::size_t send_others(std::span<const Frame> frames) noexcept {
    const std::size_t taken = send_long(frames, room_for_application());
    return taken == 0 || taken == frames.size() ? taken : taken + send(frames.subspan(taken));
  }

  /// With a flush_interval: frames wait for others, to share a doorbell.
  [[gnu::noinline]] std::size_t hold(std::span<const Frame> frames) noexcept {
    if (!link_up_) return 0;
    TunnelState& state = *state_;
    std::size_t taken = 0;
    while (taken < frames.size()) {
      if (state.held_count == TunnelState::kHeldMax) flush_held();
      const std::size_t limit = std::min<std::size_t>(frames.size() - taken, TunnelState::kHeldMax - state.held_count);
      const std::size_t count = sendable(frames.subspan(taken, limit));
      if (count == 0) {
        flush_held();
        const std::size_t room = holding_ ? 0 : room_for_application();
        const std::size_t went = send_long(frames.subspan(taken), room);
        if (went == 0) break;
        taken += went;
        continue;
      }
      std::transform(frames.data() + taken, frames.data() + taken + count, state.held.data() + state.held_count,
                     piece_of);
      if (state.held_count == 0) hold_until_ = ticks_now() + flush_interval_;
      settle_rx(false);
      state.held_count += static_cast<std::uint32_t>(count);
      holding_ = true;
      taken += count;
    }
    return taken;
  }

  [[gnu::noinline]] void flush_held() noexcept {
    TunnelState& state = *state_;
    const std::size_t wanted = std::min<std::size_t>(state.held_count, link_up_ ? room_for_application() : 0);
    const std::size_t sent = wanted == 0 ? 0 : queue_->tx_burst({state.held.data(), wanted});
    std::copy(state.held.begin() + sent, state.held.begin() + state.held_count, state.held.begin());
    state.held_count -= static_cast<std::uint32_t>(sent);
    app_tx_ += sent;
    doorbells_ += sent != 0;
    if (state.held_count != 0) app_waits_ = kAppetite;
    holding_ = state.held_count != 0;
  }

  /// Sent buffers go back to whose they are. @return how many.
  std::size_t reclaim() noexcept {
    if (tunnel_.in_flight() != 0) [[unlikely]]
      return reclaim_for_both();
    return queue_->tx_reclaim_each(kReclaimBurst,
                                   [this](std::span<const BufferIndex> run) noexcept { pool_->give(run); });
  }

  [[gnu::noinline]] std::size_t reclaim_for_both() noexcept {
    return queue_->tx_reclaim_each(kReclaimBurst, [this](std::span<const BufferIndex> run) noexcept {
      for (const BufferIndex token : run) {
        if (token >= first_kernel_buffer_) {
          tunnel_.done(token);
          --kernel_slots_;
        } else {
          pool_->give(token);
        }
      }
    });
  }

  // ---- the kernel's ----

  /// @return something other than 0 if anything moved.
  std::size_t serve_tunnel() noexcept {
    if (now_ < next_tunnel_) return 0;
    std::size_t moved = 0;
    if (poll_interval_ != 0) next_tunnel_ = now_ + poll_interval_;
    if (tunnel_.anything_to_collect()) moved += tunnel_.collect();
    if (tunnel_.in_flight() != 0) reclaim();
    kernel_waits_ = false;
    if (tunnel_.anything_to_send()) moved += send_for_kernel();
    settle_tx();
    if (holding_ && now_ >= hold_until_) flush_held();
    tunnel_.publish();
    // What comes back by KRX_FREE may wait for the next full round: look_every_ at most.
    settle_rx(!detour_ && !holding_ && !kernel_waits_ && poll_interval_ == 0 && tunnel_.in_flight() == 0);
    return moved;
  }

  /// @return frames sent.
  [[gnu::noinline]] std::size_t send_for_kernel() noexcept {
    if (queue_->tx_room() < kBurst) reclaim();
    std::size_t limit = std::min(kBurst, queue_->tx_room());
    if (app_waits_ != 0) {
      --app_waits_;
      limit = std::min(limit, share_ - std::min(share_, kernel_slots_));
    }
    std::span<const TxFrame> frames(frames_.data(), tunnel_.to_send({pieces_.data(), limit}, frames_));
    if (!link_up_) {
      // As a NIC's driver does without a link: sent to nowhere. Kept, they would come out stale at the next link-up.
      const TxPiece* piece = pieces_.data();
      for (const TxFrame& frame : frames) {
        for (std::uint32_t left = frame.pieces; left != 0; --left) tunnel_.done(piece++->token);
      }
      tunnel_.sending(frames);
    } else if (!frames.empty()) {
      frames = frames.first(count_that_fit(frames, limit));
      if (!frames.empty()) {
        queue_->tx_frames(frames, pieces_.data());
        tunnel_.sending(frames);
        ++doorbells_;
      }
    }
    kernel_waits_ = tunnel_.anything_to_send();
    return frames.size();
  }

  /// How many of the frames take no more than `limit` slots; these are counted as the kernel's.
  [[nodiscard]] std::size_t count_that_fit(std::span<const TxFrame> frames, std::size_t limit) noexcept {
    const TxPiece* pieces = pieces_.data();
    std::size_t used = 0;
    std::size_t count = 0;
    for (const TxFrame& frame : frames) {
      const std::size_t slots = Q::tx_slots(frame, pieces);
      if (used + slots > limit) break;
      used += slots;
      pieces += frame.pieces;
      ++count;
    }
    kernel_slots_ += used;
    return count;
  }

  Q* queue_;
  std::byte* buffers_;
  BufferIndex first_kernel_buffer_;
  std::size_t tx_slots_;
  std::size_t share_;             ///< slots a side may fill while the other waits
  std::size_t kernel_slots_ = 0;  ///< that hold frames of the kernel's
  unsigned app_waits_ = 0;
  bool detour_ = false;  ///< frames are parked, or a long one has arrived in part
  Assembly assembly_;
  Parking parking_;
  TcpMerge merge_;
  std::size_t poll_burst_;  ///< pieces
  std::uint64_t app_rx_ = 0;
  std::uint64_t app_tx_ = 0;
  std::uint64_t foreign_ = 0;
  std::uint64_t tx_refused_ = 0;
  std::uint64_t tx_ring_full_ = 0;
  std::uint64_t doorbells_ = 0;
  // Members and not locals: their defaults would be written anew in every call.
  std::array<TxPiece, kBurst> pieces_;  ///< of the kernel's frames
  std::array<TxFrame, kBurst> frames_;
};

}  // namespace udd
