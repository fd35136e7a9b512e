// SPDX-License-Identifier: Apache-2.0
// Frames that arrive in several buffers, put together piece by piece; in the state area, so that another process can go
// on in the middle of one. Between the NIC's receive ring and steering, for whatever is not a whole frame in one
// buffer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "udd/mem/frame.h"
#include "udd/mem/pool.h"
#include "udd/port/tunnel_state.h"
#include "udd/steer/steering.h"

namespace udd {

/// A view; state and pool must outlive it. Thread: one at a time (whoever services the port).
class Assembly {
 public:
  Assembly(TunnelState& state, Pool& pool) noexcept : state_(&state), pool_(&pool) {}

  /// Pieces of a frame whose last has not come.
  [[nodiscard]] std::uint32_t waiting() const noexcept { return state_->partial_count; }
  /// Frames dropped: damaged, cut short, or impossible.
  [[nodiscard]] std::uint64_t errors() const noexcept { return errors_; }

  /// @return the whole frame if this was its last piece; it is the caller's, until the next add(). Otherwise nothing:
  /// it is not complete, or was dropped.
  std::span<const Piece> add(const Piece& piece) noexcept {
    TunnelState& state = *state_;
    if ((piece.flags & Piece::kFirst) != 0 && state.partial_count != 0) drop();  // the rest never came
    if ((piece.flags & Piece::kError) != 0) bad_ = true;
    if (state.partial_count == state.partial.size()) {  // longer than any frame
      bad_ = true;
      pool_->give(piece.buffer);
    } else {
      state.partial[state.partial_count++] = piece;
    }
    if ((piece.flags & Piece::kLast) == 0) return {};

    const std::span<const Piece> frame(state.partial.data(), state.partial_count);
    std::size_t octets = 0;
    for (const Piece& each : frame) octets += each.length;
    if (bad_ || frame.front().length < Steering::kHeaderLength || octets > NDD_FRAME_MAX) {
      drop();
      return {};
    }
    // The NIC tells of a frame with its last piece.
    state.partial[0].flags |= piece.flags & Piece::kChecksumOk;
    state.partial_count = 0;
    return frame;
  }

  /// The next pieces are the rest of a frame whose start nobody has any more.
  void skip_frame() noexcept { bad_ = true; }

 private:
  void drop() noexcept {
    for (std::uint32_t i = 0; i < state_->partial_count; ++i) pool_->give(state_->partial[i].buffer);
    state_->partial_count = 0;
    bad_ = false;
    ++errors_;
  }

  TunnelState* state_;
  Pool* pool_;
  bool bad_ = false;
  std::uint64_t errors_ = 0;
};

}  // namespace udd
