// SPDX-License-Identifier: Apache-2.0
// Frames of the application's that were met while it did not ask for frames, in receive order, in the state area.
// Between steering and Queue::rx().
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "udd/mem/frame.h"
#include "udd/mem/pool.h"
#include "udd/port/tunnel_state.h"

namespace udd {

/// What the application is told of a piece.
[[nodiscard]] inline Frame frame_of(const Pool& pool, BufferIndex buffer, std::uint16_t offset, std::uint16_t length,
                                    bool more) noexcept {
  return {pool.data(buffer) + offset, buffer, length, more};
}

/// A view; state and pool must outlive it. Thread: one at a time (whoever services the port).
class Parking {
 public:
  Parking(TunnelState& state, Pool& pool) noexcept : state_(&state), pool_(&pool) {}

  [[nodiscard]] bool empty() const noexcept { return state_->parked_head == state_->parked_tail; }
  /// Frames for which there was no room, neither here nor with the application.
  [[nodiscard]] std::uint64_t dropped() const noexcept { return dropped_; }

  /// Keeps a whole frame. @param reserve  free buffers below which nothing is kept: the NIC needs them
  void park(std::span<const Piece> frame, std::uint32_t reserve) noexcept {
    TunnelState& state = *state_;
    if (TunnelState::kParkedMax - (state.parked_tail - state.parked_head) < frame.size() ||
        pool_->free_count() < reserve) {
      for (const Piece& piece : frame) pool_->give(piece.buffer);
      ++dropped_;
      return;
    }
    std::uint32_t tail = state.parked_tail;
    for (const Piece& piece : frame) {
      state.parked[tail++ % TunnelState::kParkedMax] = {.buffer = piece.buffer,
                                                        .offset = piece.offset,
                                                        .length = piece.length,
                                                        .more = (piece.flags & Piece::kLast) == 0};
    }
    state.parked_tail = tail;
  }

  /// Hands out whole frames, the oldest first. One that is longer than all of `out` is dropped.
  std::size_t unpark(std::span<Frame> out) noexcept {
    TunnelState& state = *state_;
    std::size_t count = 0;
    while (!empty()) {
      std::uint32_t pieces = 1;
      while (pieces < state.parked_tail - state.parked_head &&
             state.parked[(state.parked_head + pieces - 1) % TunnelState::kParkedMax].more) {
        ++pieces;
      }
      const bool fits = pieces <= out.size() - count;
      if (!fits && pieces <= out.size()) break;
      // The index first: a process that dies in between loses a frame, and never hands one out twice.
      const std::uint32_t head = state.parked_head;
      state.parked_head = head + pieces;
      for (std::uint32_t i = 0; i < pieces; ++i) {
        const ParkedPiece& piece = state.parked[(head + i) % TunnelState::kParkedMax];
        if (fits) {
          out[count++] = frame_of(*pool_, piece.buffer, piece.offset, piece.length, piece.more);
        } else {
          pool_->give(piece.buffer);
        }
      }
      if (!fits) ++dropped_;
    }
    return count;
  }

 private:
  TunnelState* state_;
  Pool* pool_;
  std::uint64_t dropped_ = 0;
};

}  // namespace udd
