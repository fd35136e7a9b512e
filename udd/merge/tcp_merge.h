// SPDX-License-Identifier: Apache-2.0
// Merges received TCP segments of a connection, in order, before the kernel sees them: one frame of up to 64 KiB
// costs the stack little more than one of its segments. Between steering and the tunnel, for the kernel's frames only.
//
// It keeps to the rules of the kernel's GRO, so that a merged frame can be cut again into the very segments it came
// from. What does not fit ends what was gathered of its connection, and goes on behind it: the order within a
// connection never changes. Frames are held within one poll only.
#pragma once

#include <linux/ndd.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "udd/mem/frame.h"
#include "udd/mem/pool.h"
#include "udd/merge/segment.h"

namespace udd {

/// Thread: one at a time (whoever services the port).
class TcpMerge {
 public:
  /// Connections with an open frame; with more of them the oldest is ended.
  static constexpr std::size_t kFlows = 8;

  struct Counters {
    std::uint64_t merged = 0;    ///< frames made of several segments
    std::uint64_t segments = 0;  ///< in them
  };

  /// The pool must outlive it.
  explicit TcpMerge(const Pool& pool) noexcept : pool_(&pool) {}
  ~TcpMerge() = default;
  TcpMerge(const TcpMerge&) = delete;
  TcpMerge& operator=(const TcpMerge&) = delete;

  [[nodiscard]] bool empty() const noexcept { return open_ == 0; }
  [[nodiscard]] const Counters& counters() const noexcept { return counters_; }

  /// Takes a frame of the kernel's if it is the segment that was foreseen, the commonest kind in bulk. False says
  /// nothing: add() it.
  /// @param octets  the piece's
  [[nodiscard, gnu::always_inline]] bool append(const Piece& piece, const std::byte* octets) noexcept {
    return latest_ != nullptr && latest_->append_foreseen(piece, octets);
  }

  /// Takes any frame of the kernel's. sink(span of pieces, const RxOffload&) gets what is ready, in order.
  /// @param frame  its pieces; the first holds all headers, or it is not merged
  template <typename Sink>
  void add(std::span<const Piece> frame, Sink&& sink) noexcept {
    const Piece& first = frame.front();
    std::size_t length = 0;
    for (const Piece& piece : frame) length += piece.length;
    const TcpSegment segment = parse_tcp({pool_->data(first.buffer) + first.offset, first.length}, length);
    if (segment.kind != TcpSegment::Kind::kTcp) {
      // It may belong behind what is gathered of any connection.
      if (segment.kind == TcpSegment::Kind::kOpaque) flush(sink);
      sink(frame, RxOffload{});
      return;
    }
    Flow* flow = find(segment);
    const bool good = segment.mergeable && frame.size() <= NDD_PIECES_MAX && (first.flags & Piece::kChecksumOk) != 0;
    if (flow != nullptr && (!good || !flow->extends(segment, frame.size()))) {
      end(*flow, sink);
      flow = nullptr;
    }
    if (!good) {
      sink(frame, RxOffload{});
      return;
    }
    if (flow == nullptr) {
      if (open_ == kFlows) end(flows_[0], sink);
      flow = &flows_[open_++];
      flow->begin(segment, frame);
    } else {
      flow->append(segment, frame);
    }
    latest_ = flow;
    // A short segment is a large frame's last one.
    if (segment.last || segment.payload_length != flow->segment_size) end(*flow, sink);
  }

  /// Ends all open frames, oldest first. At the end of every poll.
  template <typename Sink>
  void flush(Sink&& sink) noexcept {
    for (std::size_t i = 0; i < open_; ++i) emit(flows_[i], sink);
    open_ = 0;
    latest_ = nullptr;
  }

 private:
  /// A frame being put together.
  struct Flow {
    static constexpr std::uint32_t kIpMax = 65535;
    static constexpr std::uint16_t kGood = Piece::kFirst | Piece::kLast | Piece::kChecksumOk;

    TcpSegment head;
    std::uint32_t next_sequence;
    std::uint16_t segment_size;
    bool push;
    std::size_t count;           ///< pieces
    std::size_t foreseen_until;  ///< append_foreseen() may go on to that count; 0: nothing is foreseen
    std::uint16_t frame_length;  ///< octets of a segment of one piece, as long as the head
    NextSegment next;
    /// kLast is said of none before close().
    std::array<Piece, NDD_PIECES_MAX> pieces;

    [[nodiscard]] std::uint32_t payload_length() const noexcept { return next_sequence - head.sequence; }
    /// All are of segment_size, but for the last.
    [[nodiscard]] std::uint16_t segments() const noexcept {
      return static_cast<std::uint16_t>((payload_length() + segment_size - 1) / segment_size);
    }

    void begin(const TcpSegment& segment, std::span<const Piece> frame) noexcept {
      head = segment;
      next_sequence = segment.sequence + segment.payload_length;
      segment_size = static_cast<std::uint16_t>(segment.payload_length);
      push = segment.last;
      foreseen_until = 0;
      std::copy(frame.begin(), frame.end(), pieces.begin());
      count = frame.size();
      pieces[count - 1].flags &= static_cast<std::uint16_t>(~Piece::kLast);
    }

    [[nodiscard]] bool extends(const TcpSegment& segment, std::size_t more) const noexcept {
      return segment.sequence == next_sequence && segment.payload_length <= segment_size &&
             count + more <= pieces.size() &&
             head.payload - head.network + payload_length() + segment.payload_length <= kIpMax &&
             same_headers(head, segment, segments());
    }

    /// One that extends() it.
    void append(const TcpSegment& segment, std::span<const Piece> frame) noexcept {
      next_sequence += segment.payload_length;
      push = segment.last;
      const std::size_t first = count;
      std::copy(frame.begin(), frame.end(), pieces.data() + first);
      count += frame.size();
      // Of those behind the head only the payload counts.
      pieces[first].offset = static_cast<std::uint16_t>(pieces[first].offset + head.payload);
      pieces[first].length = static_cast<std::uint16_t>(pieces[first].length - head.payload);
      pieces[first].flags &= static_cast<std::uint16_t>(~Piece::kFirst);
      pieces[count - 1].flags &= static_cast<std::uint16_t>(~Piece::kLast);
      foresee(segment, frame);
    }

    /// Where one that is as long as the head still finds room, that one in one piece.
    void foresee(const TcpSegment& last, std::span<const Piece> frame) noexcept {
      const bool alike = !last.last && frame.size() == 1 && frame[0].length >= NextSegment::kLength &&
                         last.payload_length == segment_size && next.expect(head, last);
      const std::size_t room = (kIpMax - (head.payload - head.network) - payload_length()) / segment_size;
      foreseen_until = alike ? std::min(pieces.size(), count + room) : 0;
      frame_length = frame[0].length;
    }

    /// @return false if it is not what was foreseen.
    [[gnu::always_inline]] bool append_foreseen(const Piece& piece, const std::byte* octets) noexcept {
      if (count >= foreseen_until || piece.flags != kGood || piece.length != frame_length || !next.is(octets))
        return false;
      pieces[count++] = {.buffer = piece.buffer,
                         .offset = static_cast<std::uint16_t>(piece.offset + head.payload),
                         .length = segment_size,
                         .flags = Piece::kChecksumOk,
                         .vlan_tci = 0};
      next_sequence += segment_size;
      next.advance(next_sequence);
      return true;
    }

    /// @return all pieces, as a whole frame.
    [[nodiscard]] std::span<const Piece> close() noexcept {
      pieces[count - 1].flags |= Piece::kLast;
      return {pieces.data(), count};
    }
  };

  [[nodiscard]] Flow* find(const TcpSegment& segment) noexcept {
    for (std::size_t i = 0; i < open_; ++i) {
      if (same_connection(flows_[i].head, segment)) return &flows_[i];
    }
    return nullptr;
  }

  template <typename Sink>
  void emit(Flow& flow, Sink&& sink) noexcept {
    const std::span<const Piece> frame = flow.close();
    const std::uint16_t segments = flow.segments();
    if (segments == 1) {
      sink(frame, RxOffload{});
      return;
    }
    ++counters_.merged;
    counters_.segments += segments;
    const Piece& first = frame.front();
    finish_head(pool_->data(first.buffer) + first.offset, flow.head, flow.payload_length(), flow.push);
    constexpr std::uint16_t kTcpChecksumOffset = 16;
    sink(frame, RxOffload{.segments = flow.head.v6 ? RxOffload::Segments::kTcp6 : RxOffload::Segments::kTcp4,
                          .segment_size = flow.segment_size,
                          .header_length = flow.head.payload,
                          .checksum_start = flow.head.transport,
                          .checksum_offset = kTcpChecksumOffset});
  }

  /// Emits one and closes the gap: the others stay in the order they began in.
  template <typename Sink>
  void end(Flow& flow, Sink&& sink) noexcept {
    emit(flow, sink);
    std::copy(&flow + 1, flows_.data() + open_, &flow);
    --open_;
    latest_ = nullptr;
  }

  const Pool* pool_;
  std::size_t open_ = 0;
  Flow* latest_ = nullptr;  ///< that went on last, if it is open
  Counters counters_;
  std::array<Flow, kFlows> flows_;
};

}  // namespace udd
