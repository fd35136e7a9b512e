// SPDX-License-Identifier: Apache-2.0
// Serves a held port without its NIC: what the kernel sends to the far side is answered here (ARP, echo requests), so
// that ping says whether the rings still carry frames. Also the way in which a test writes into the rings what it
// likes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "tests/tools/held.h"
#include "udd/ring/ring.h"

namespace hostile {

/// The address of the real far side: the kernel's neighbour entry stays valid when the port is back.
inline constexpr std::uint8_t kFarMac[6] = {0x52, 0x54, 0, 0, 0, 1};
inline constexpr std::uint8_t kOwnMac[6] = {0x52, 0x54, 0, 0, 0, 0};

/// For struct ndd_watch: how long the kernel needs is for the tests to judge, and who kicks is kept from all else
/// meanwhile.
inline constexpr std::uint32_t kWatchUs = 20'000'000;

class Mirror {
 public:
  /// @param held  taken, its areas mapped
  explicit Mirror(const held::Held& held);

  /// One round: answers what there is, collects buffers, shows progress.
  void serve();
  /// Serves until `count` more echo requests were answered; false after five seconds.
  [[nodiscard]] bool serve_until_answered(unsigned count);
  [[nodiscard]] unsigned answered() const { return answered_; }

  /// Descriptors into KRX, as they are, and a kick. Serves until the kernel has consumed them; false if it doesn't.
  [[nodiscard]] bool inject(std::span<const ndd_desc> descriptors);
  /// Entries into KTX_DONE, likewise.
  [[nodiscard]] bool inject_done(std::span<const std::uint64_t> entries);

  [[nodiscard]] std::uint8_t* buffer(std::uint32_t index) const;
  /// Entries of KRX_FREE since the last call, without the mirror's own buffers.
  [[nodiscard]] std::vector<std::uint32_t> given();
  [[nodiscard]] std::uint32_t first_kernel_buffer() const { return held_.take.buf_count - held_.take.kernel_bufs; }
  [[nodiscard]] const udd::RingMemory& ring(ndd_ring_id id) const { return rings_[id]; }
  void kick() const;
  /// Frames of its own would end a chain that a test leaves open.
  void set_answering(bool on) { answering_ = on; }

 private:
  [[nodiscard]] bool consumed(ndd_ring_id id);
  void collect();
  void answer(std::vector<std::uint8_t>& frame);

  const held::Held& held_;
  udd::RingMemory rings_[NDD_RINGS];
  udd::Consumer<ndd_desc> ktx_;
  udd::Producer<std::uint64_t> ktx_done_;
  udd::Producer<ndd_desc> krx_;
  udd::Consumer<std::uint64_t> krx_free_;
  std::vector<std::uint32_t> free_;
  std::vector<std::uint32_t> given_;
  std::vector<std::uint8_t> frame_;
  unsigned answered_ = 0;
  bool answering_ = true;
};

}  // namespace hostile
