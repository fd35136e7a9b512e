// SPDX-License-Identifier: Apache-2.0
// The process's end of one queue pair's four rings: pieces to and from the kernel, buffers exchanged for them.
//
//   NIC receive ──▶ receive() ─▶ KRX        KRX_FREE ─▶ collect() ──▶ pool
//   KTX ─▶ to_send() ──▶ NIC transmit ──▶ done() ─▶ KTX_DONE
//
// What the kernel sends may lie in its window instead of the pool (NDD_F_WINDOW): such pieces go to the NIC and back by
// address, and nobody here can read them.
//
// Who has which of the process's buffers is kept in the port's state area: one octet per buffer says "with the kernel".
// Every step is noted in such an order that a process that waits can go on from here, wherever this one ends: adopt().
#pragma once

#include <linux/ndd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "udd/mem/frame.h"
#include "udd/mem/pool.h"
#include "udd/ring/ring.h"
#include "udd/tunnel/ctrl.h"
#include "udd/tunnel/tunnel.h"

namespace udd {

/// Thread: one at a time (whoever services the port).
class TunnelQueue {
 public:
  /// Pieces of the longest frame received: NDD_FRAME_MAX in whole buffers, and one more for an odd start.
  static constexpr std::size_t kMaxPieces = NDD_FRAME_MAX / NDD_BUF_SIZE + 2;

  struct Counters {
    std::uint64_t received = 0;  ///< frames to the kernel
    std::uint64_t sent = 0;      ///< frames from the kernel
    std::uint64_t dropped = 0;   ///< frames for the kernel, KRX full or too many buffers with the kernel
    std::uint64_t invalid = 0;   ///< entries of the kernel's that make no sense
    std::uint64_t kicks = 0;     ///< system calls made to wake the kernel
  };

  /// In the state area; zeroes at first.
  struct Notes {
    std::uint32_t* krx_written;           ///< see TunnelState
    std::span<std::uint8_t> with_kernel;  ///< one octet per buffer of the pool
  };

  TunnelQueue(Tunnel& tunnel, unsigned queue, const CtrlArea& ctrl, Pool& pool, const Notes& notes);

  /// Of a fresh hold: notes the kernel's stock.
  void begin() noexcept;
  /// Instead, in another process: goes on where the last owner ended. What it had written but not handed over yet is
  /// handed over, what it had sent but not taken out of KTX is taken out. After that it is known which buffers are with
  /// the kernel. Throws udd::Error (EPROTO) if indices and notes contradict each other.
  /// @param with_nic  the kernel's buffers and tokens in the NIC's transmit ring
  void adopt(std::vector<BufferIndex> with_nic);
  [[nodiscard]] bool with_kernel(BufferIndex buffer) const noexcept { return notes_.with_kernel[buffer] != 0; }

  /// Is there anything from the kernel? Two loads.
  [[nodiscard]] bool idle() const noexcept { return ktx_.empty() && krx_free_.empty(); }
  [[nodiscard]] bool anything_to_send() const noexcept { return !ktx_.empty(); }
  [[nodiscard]] bool anything_to_collect() const noexcept { return !krx_free_.empty(); }

  /// Pieces that may well be handed to the kernel before the next publish(): half of those that find room.
  [[nodiscard]] std::uint32_t batch() const noexcept { return std::min(krx_.size(), lend_at_most_ - lent_) / 2; }
  /// Hands a received frame to the kernel with the next publish(). If KRX is full, or the kernel owes a third of the
  /// process's buffers already, it is dropped, and its buffers are the pool's.
  void receive(std::span<const Piece> frame, const RxOffload& offload = {}) noexcept;
  /// Moves exchanged buffers to the pool. @return how many.
  std::size_t collect() noexcept;
  /// Looks at frames to send: whole ones only, as many as fit both spans. @return frames written to `frames`, their
  /// pieces one behind the other in `pieces`. What makes no sense is skipped and counted.
  std::size_t to_send(std::span<TxPiece> pieces, std::span<TxFrame> frames) noexcept;
  /// Those are the first frames of the last to_send(), and the NIC's now.
  void sending(std::span<const TxFrame> frames) noexcept;
  /// A piece has been sent: back to the kernel with the next publish(). kNoBuffer is none.
  void done(BufferIndex token) noexcept {
    if (token == kNoBuffer) return;
    // to_send() kept room for it.
    ktx_done_.write(staged_done_++, entry_of(token));
    --in_flight_;
  }
  /// Pieces of the kernel's between sending() and done().
  [[nodiscard]] std::uint32_t in_flight() const noexcept { return in_flight_; }
  /// Lets the kernel see what was handed over since the last time, and wakes it if it sleeps: one system call at most.
  void publish() noexcept {
    if (staged_krx_ != 0 || staged_done_ != 0) publish_staged();
  }

  /// Asks to be woken when there is something to send, or, if the pool runs dry, to collect.
  /// @return true if there is nothing now: only then may the caller sleep.
  [[nodiscard]] bool arm() noexcept;
  void disarm() noexcept;
  /// The kernel's indices were impossible.
  [[nodiscard]] bool broken() const noexcept {
    return ktx_.broken() || krx_free_.broken() || krx_.broken() || ktx_done_.broken();
  }
  [[nodiscard]] const Counters& counters() const noexcept { return counters_; }

 private:
  enum class Chain : std::uint8_t { kGood, kIncomplete, kBad };

  [[nodiscard]] Chain read_frame(std::uint32_t first, std::uint32_t available, std::span<TxPiece> out,
                                 TxFrame& frame) noexcept;
  /// @return false: the piece is no good; its token is what can go back of it, or kNoBuffer.
  [[nodiscard]] bool read_piece(const ndd_desc& desc, TxPiece& piece) const noexcept;
  /// The frame's header, if it is all in the pool.
  [[nodiscard]] std::span<std::byte> header_of(const TxPiece& piece) const noexcept;
  [[nodiscard]] std::uint64_t entry_of(BufferIndex token) const noexcept {
    if ((token & kWindowToken) == 0) return token;
    return NDD_DONE_WINDOW | (window_iova_ + std::uint64_t{token ^ kWindowToken} * NDD_WINDOW_SLOT);
  }
  void skip(std::uint32_t entries) noexcept;
  void adopt_received();
  void adopt_sent(std::vector<BufferIndex> with_nic);
  void publish_staged() noexcept;

  Consumer<ndd_desc> ktx_;
  Consumer<std::uint64_t> krx_free_;
  Producer<ndd_desc> krx_;
  Producer<std::uint64_t> ktx_done_;
  std::uint32_t staged_krx_ = 0;
  std::uint32_t staged_done_ = 0;
  std::uint32_t in_flight_ = 0;
  std::uint32_t lent_;          ///< buffers with the kernel, its stock for exchange among them
  std::uint32_t lend_at_most_;  ///< of its own; the NIC's ring takes up to half, what is left is the application's
  std::uint64_t features_;
  std::uint64_t window_iova_;
  std::uint64_t window_size_;
  Pool* pool_;
  Notes notes_;
  Tunnel* tunnel_;
  unsigned queue_;
  Counters counters_;
};

}  // namespace udd
