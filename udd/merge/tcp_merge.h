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

  /// Takes a frame of the kernel's. sink(span of pieces, const RxOffload&) gets what is ready, in order.
  /// @param frame  its pieces; the first holds all headers, or it is not merged
  template <typename Sink>
  [[gnu::always_inline]] void add(std::span<const Piece> frame, Sink&& sink) noexcept {
    const Piece& first = frame.front();
    if (latest_ != nullptr && frame.size() == 1 && latest_->goes_on(first, pool_->data(first.buffer) + first.offset))
        [[likely]] {
      latest_->append_alike(first);
      return;
    }
    look_at(frame, sink);
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
    TcpSegment head;
    std::uint32_t next_sequence;
    std::uint32_t payload_length;
    std::uint16_t segment_size;
    std::uint16_t segments;
    bool push;
    std::size_t count;  ///< pieces
    HeaderMask mask;    ///< known with two segments or more
    std::array<Piece, NDD_PIECES_MAX> pieces;

    void begin(const TcpSegment& segment, std::span<const Piece> frame) noexcept {
      head = segment;
      next_sequence = segment.sequence + segment.payload_length;
      payload_length = segment.payload_length;
      segment_size = static_cast<std::uint16_t>(segment.payload_length);
      segments = 1;
      push = segment.last;
      count = frame.size();
      mask.length = 0;
      std::copy(frame.begin(), frame.end(), pieces.begin());
    }

    /// It will be the first of many, perhaps. The last step of a comparison must not end behind the frame.
    void expect_more() noexcept {
      mask = mask_of(head);
      if (count != 1 || pieces[0].length < mask.length) mask.length = 0;
    }

    /// May a segment of one piece be appended that is as long as the head? False says nothing.
    [[nodiscard]] bool goes_on(const Piece& piece, const std::byte* frame) const noexcept {
      constexpr std::uint16_t kGood = Piece::kFirst | Piece::kLast | Piece::kChecksumOk;
      return mask.length != 0 && piece.flags == kGood && piece.length == head.payload + segment_size &&
             count != pieces.size() && fits_ip(segment_size) &&
             udd::goes_on(head, mask, frame, next_sequence, segments);
    }

    [[nodiscard]] bool fits_ip(std::uint32_t more) const noexcept {
      constexpr std::uint32_t kIpMax = 65535;
      return head.payload - head.network + payload_length + more <= kIpMax;
    }

    [[nodiscard]] bool extends(const TcpSegment& segment, std::size_t more) const noexcept {
      return segment.sequence == next_sequence && segment.payload_length <= segment_size &&
             count + more <= pieces.size() && fits_ip(segment.payload_length) && same_headers(head, segment, segments);
    }

    /// One that goes_on().
    void append_alike(const Piece& piece) noexcept {
      next_sequence += segment_size;
      payload_length += segment_size;
      ++segments;
      pieces[count - 1].flags &= static_cast<std::uint16_t>(~Piece::kLast);
      pieces[count++] = {.buffer = piece.buffer,
                         .offset = static_cast<std::uint16_t>(piece.offset + head.payload),
                         .length = segment_size,
                         .flags = Piece::kLast | Piece::kChecksumOk,
                         .vlan_tci = 0};
    }

    /// @param octets  of payload, behind headers as long as the head's
    void append(std::uint32_t octets, std::span<const Piece> frame) noexcept {
      next_sequence += octets;
      payload_length += octets;
      ++segments;
      const std::size_t first = count;
      for (const Piece& piece : frame) pieces[count++] = piece;
      // Of those behind the head only the payload counts.
      pieces[first].offset = static_cast<std::uint16_t>(pieces[first].offset + head.payload);
      pieces[first].length = static_cast<std::uint16_t>(pieces[first].length - head.payload);
      pieces[first - 1].flags &= static_cast<std::uint16_t>(~Piece::kLast);
      pieces[first].flags &= static_cast<std::uint16_t>(~Piece::kFirst);
    }
  };

  /// Any frame.
  template <typename Sink>
  [[gnu::noinline]] void look_at(std::span<const Piece> frame, Sink&& sink) noexcept {
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
      if (flow->segments == 1) flow->expect_more();
      flow->push = segment.last;
      flow->append(segment.payload_length, frame);
    }
    latest_ = flow;
    // A short segment is a large frame's last one.
    if (segment.last || segment.payload_length != flow->segment_size) end(*flow, sink);
  }

  [[nodiscard]] Flow* find(const TcpSegment& segment) noexcept {
    for (std::size_t i = 0; i < open_; ++i) {
      if (same_connection(flows_[i].head, segment)) return &flows_[i];
    }
    return nullptr;
  }

  template <typename Sink>
  void emit(Flow& flow, Sink&& sink) noexcept {
    const std::span<const Piece> frame(flow.pieces.data(), flow.count);
    if (flow.segments == 1) {
      sink(frame, RxOffload{});
      return;
    }
    ++counters_.merged;
    counters_.segments += flow.segments;
    const Piece& first = frame.front();
    finish_head(pool_->data(first.buffer) + first.offset, flow.head, flow.payload_length, flow.push);
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
