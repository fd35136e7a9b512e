// SPDX-License-Identifier: Apache-2.0
// Section kTunnel of the port's state area: what the service loop keeps of buffers that are neither in the pool's
// stack nor in the NIC's rings, so that another process can go on from it (design D4a).
//
//   TunnelState    parked frames, frames held back for a common doorbell, a frame that has not fully arrived
//   then one octet per buffer: 1 while the kernel has it, in exchange for none yet or in its stock
//
// Buffers of the process's that are named nowhere are the application's.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "udd/mem/frame.h"
#include "udd/tunnel/tunnel_queue.h"

namespace udd {

/// A frame of the application's, or a piece of a long one, that was met while it did not ask for frames.
struct ParkedPiece {
  BufferIndex buffer;
  std::uint16_t offset;
  std::uint16_t length;
  bool more;  ///< the frame goes on in the next one
};

struct TunnelState {
  static constexpr std::uint32_t kParkedMax = 1024;  ///< a power of two
  static constexpr std::uint32_t kHeldMax = 64;      ///< a quarter of the smallest transmit ring in use

  std::uint32_t parked_head;  ///< next to hand out; free-running
  std::uint32_t parked_tail;  ///< next to fill
  std::uint32_t held_count;
  std::uint32_t partial_count;
  std::uint32_t krx_written;  ///< KRX index behind the last whole frame written, whether handed over yet or not
  std::uint32_t left_behind;  ///< 1: the owner has left all of this in order, for the next one to go on from
  std::array<Piece, TunnelQueue::kMaxPieces> partial;
  std::array<Piece, kHeldMax> held;
  std::array<ParkedPiece, kParkedMax> parked;

  [[nodiscard]] static constexpr std::size_t size(std::uint32_t buffer_count) noexcept {
    return sizeof(TunnelState) + buffer_count;
  }
};

}  // namespace udd
