// SPDX-License-Identifier: Apache-2.0
// The process's end of one queue pair's four rings: pieces to and from the kernel, buffers exchanged for them.
//
//   NIC receive ──▶ receive() ─▶ KRX        KRX_FREE ─▶ collect() ──▶ pool
//   KTX ─▶ to_send() ──▶ NIC transmit ──▶ done() ─▶ KTX_DONE
//
// Who has which of the process's buffers is kept in the port's state area: one octet per buffer says "with the kernel".
#pragma once

#include <linux/ndd.h>

#include <cstddef>
#include <cstdint>
#include <span>

#include "udd/mem/frame.h"
#include "udd/mem/pool.h"
#include "udd/ring/ring.h"
#include "udd/tunnel/ctrl.h"
#include "udd/tunnel/tunnel.h"

namespace udd {

/// Thread: one at a time (whoever services the port).
class TunnelQueue {
 public:
  /// Pieces of the longest frame: NDD_FRAME_MAX in whole buffers, and one more for an odd start.
  static constexpr std::size_t kMaxPieces = NDD_FRAME_MAX / NDD_BUF_SIZE + 2;

  struct Counters {
    std::uint64_t received = 0;  ///< frames to the kernel
    std::uint64_t sent = 0;      ///< frames from the kernel
    std::uint64_t dropped = 0;   ///< frames for the kernel, KRX full or too many buffers with the kernel
    std::uint64_t invalid = 0;   ///< entries of the kernel's that make no sense
    std::uint64_t kicks = 0;     ///< system calls made to wake the kernel
  };

  /// @param with_kernel  one octet per buffer of the pool, in the state area; zeroes, the kernel's stock is noted here
  TunnelQueue(Tunnel& tunnel, unsigned queue, const TunnelRings& rings, Pool& pool,
              std::span<std::uint8_t> with_kernel) noexcept;

  /// Is there anything from the kernel? Two loads.
  [[nodiscard]] bool idle() const noexcept { return ktx_.empty() && krx_free_.empty(); }
  [[nodiscard]] bool anything_to_send() const noexcept { return !ktx_.empty(); }
  [[nodiscard]] bool anything_to_collect() const noexcept { return !krx_free_.empty(); }

  /// Hands a received frame to the kernel with the next publish(). If KRX is full, or the kernel owes a third of the
  /// process's buffers already, it is dropped, and its buffers are the pool's.
  void receive(std::span<const Piece> frame) noexcept;
  /// Moves exchanged buffers to the pool. @return how many.
  std::size_t collect() noexcept;
  /// Looks at frames to send: whole ones only, at most `out.size()` pieces. @return pieces written to `out`.
  /// What makes no sense is skipped and counted.
  std::size_t to_send(std::span<Piece> out) noexcept;
  /// The first `count` pieces of the last to_send() are the NIC's now.
  void sending(std::size_t count) noexcept;
  /// A piece has been sent: back to the kernel with the next publish().
  void done(BufferIndex buffer) noexcept;
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

  [[nodiscard]] Chain read_frame(std::uint32_t first, std::uint32_t available, std::span<Piece> out,
                                 std::uint32_t& entries) noexcept;
  [[nodiscard]] bool read_piece(const ndd_desc& desc, Piece& piece) const noexcept;
  void skip(std::uint32_t entries) noexcept;
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
  Pool* pool_;
  std::span<std::uint8_t> with_kernel_;
  Tunnel* tunnel_;
  unsigned queue_;
  Counters counters_;
};

}  // namespace udd
