// SPDX-License-Identifier: Apache-2.0
// TunnelQueue: every entry of the kernel's is copied once and checked before it names a buffer.
#include "udd/tunnel/tunnel_queue.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <utility>

#include "udd/base/error.h"
#include "udd/tunnel/offload_check.h"

namespace udd {
namespace {

// Below this many free buffers the NIC may run out of them: KRX_FREE must wake us then, too. Two receive bursts.
constexpr std::uint32_t kFewBuffers = 128;
// Entries looked at in one go; bounds what is kept on the stack.
constexpr std::uint32_t kCollectBatch = 64;

std::uint32_t index_of(std::uint64_t address) noexcept {
  return static_cast<std::uint32_t>(address & NDD_ADDR_INDEX_MASK);
}

std::uint64_t address_of(const Piece& piece) noexcept {
  return piece.buffer | std::uint64_t{piece.offset} << NDD_ADDR_OFFSET_SHIFT;
}

ndd_desc descriptor_of(const Piece& piece) noexcept {
  static_assert(Piece::kFirst == NDD_DESC_FIRST && Piece::kLast == NDD_DESC_LAST);
  ndd_desc desc{};
  desc.addr = address_of(piece);
  desc.len = piece.length;
  desc.flags = piece.flags & (Piece::kFirst | Piece::kLast);
  return desc;
}

/// Says besides what is known of the whole frame.
ndd_desc first_descriptor(const Piece& piece, const RxOffload& offload, std::uint64_t features) noexcept {
  ndd_desc desc = descriptor_of(piece);
  if ((piece.flags & Piece::kVlan) != 0) {
    desc.flags |= NDD_DESC_VLAN;
    desc.vlan_tci = piece.vlan_tci;
  }
  if ((features & NDD_F_OFFLOAD) != 0 && (piece.flags & Piece::kChecksumOk) != 0) desc.flags |= NDD_DESC_CSUM_VALID;
  if (offload.segments == RxOffload::Segments::kNone) return desc;
  desc.flags |= NDD_DESC_NEEDS_CSUM;
  desc.gso_type = offload.segments == RxOffload::Segments::kTcp6 ? NDD_GSO_TCPV6 : NDD_GSO_TCPV4;
  desc.gso_size = offload.segment_size;
  desc.hdr_len = offload.header_length;
  desc.csum_start = offload.checksum_start;
  desc.csum_offset = offload.checksum_offset;
  return desc;
}

[[noreturn]] void throw_contradiction(const char* why) {
  throw Error(EPROTO,
              {.what = "go on from the tunnel's rings", .device = {}, .why = why, .advice = "take the port afresh"});
}

}  // namespace

TunnelQueue::TunnelQueue(Tunnel& tunnel, unsigned queue, const CtrlArea& ctrl, Pool& pool, const Notes& notes)
    : ktx_(ctrl.rings(queue).ktx),
      krx_free_(ctrl.rings(queue).krx_free),
      krx_(ctrl.rings(queue).krx),
      ktx_done_(ctrl.rings(queue).ktx_done),
      lent_(pool.first_kernel_buffer() - pool.own_buffers()),
      lend_at_most_(lent_ + pool.own_buffers() / 3),
      features_(ctrl.header().features),
      window_iova_(ctrl.header().window_iova),
      window_size_(ctrl.header().window_size),
      pool_(&pool),
      notes_(notes),
      tunnel_(&tunnel),
      queue_(queue) {}

void TunnelQueue::begin() noexcept {
  *notes_.krx_written = krx_.index();
  std::fill_n(notes_.with_kernel.begin() + pool_->first_exchange_buffer(), lent_, std::uint8_t{1});
}

void TunnelQueue::adopt(std::vector<BufferIndex> with_nic) {
  adopt_received();
  adopt_sent(std::move(with_nic));
  // It may have been about to.
  ++counters_.kicks;
  tunnel_->kick(queue_);
}

void TunnelQueue::adopt_received() {
  const std::uint32_t written = *notes_.krx_written - krx_.index();
  if (krx_.reserve(written) < written) throw_contradiction("KRX has no room for what was written to it");
  for (std::uint32_t i = 0; i < written; ++i) {
    const std::uint32_t buffer = index_of(krx_.written(i).addr);
    if (buffer >= pool_->first_kernel_buffer()) throw_contradiction("KRX names a buffer of the kernel's");
    notes_.with_kernel[buffer] = 1;
  }
  krx_.submit(written);
  // Noted as ours or not, what came back is: an entry must not be met again after its buffer has gone round.
  while (const std::uint32_t count = krx_free_.peek(kCollectBatch)) {
    for (std::uint32_t i = 0; i < count; ++i) {
      const std::uint32_t buffer = index_of(krx_free_.read(i));
      if (buffer < pool_->first_kernel_buffer()) notes_.with_kernel[buffer] = 0;
    }
    krx_free_.release(count);
  }
  const auto own = notes_.with_kernel.first(pool_->first_kernel_buffer());
  lent_ = static_cast<std::uint32_t>(own.size()) -
          static_cast<std::uint32_t>(std::count(own.begin(), own.end(), std::uint8_t{0}));
}

void TunnelQueue::adopt_sent(std::vector<BufferIndex> with_nic) {
  std::sort(with_nic.begin(), with_nic.end());
  // A piece is with the NIC or waits in KTX: what is in both has been sent.
  while (ktx_.peek(1) != 0) {
    TxPiece piece;
    static_cast<void>(read_piece(ktx_.read(0), piece));
    if (!std::binary_search(with_nic.begin(), with_nic.end(), piece.token)) break;
    ktx_.release(1);
  }
  // Every piece taken out of KTX is with the NIC, or written to KTX_DONE, where nobody may have seen it yet.
  in_flight_ = static_cast<std::uint32_t>(with_nic.size());
  const std::uint32_t done = ktx_.index() - ktx_done_.index() - in_flight_;
  if (ktx_done_.reserve(done) < done) throw_contradiction("more was taken out of KTX than the kernel can be told of");
  ktx_done_.submit(done);
}

void TunnelQueue::receive(std::span<const Piece> frame, const RxOffload& offload) noexcept {
  const auto count = static_cast<std::uint32_t>(frame.size());
  if (lent_ + count > lend_at_most_ || krx_.reserve(staged_krx_ + count) < staged_krx_ + count) {
    for (const Piece& piece : frame) pool_->give({&piece.buffer, 1});
    ++counters_.dropped;
    return;
  }
  std::uint32_t at = staged_krx_;
  krx_.write(at++, first_descriptor(frame[0], offload, features_));
  for (const Piece& piece : frame.subspan(1)) krx_.write(at++, descriptor_of(piece));
  staged_krx_ = at;
  // First that the frame is there, then whose its buffers are, and all before the kernel can see them: a process that
  // goes on from here never has one twice, nor misses one.
  std::atomic_ref(*notes_.krx_written).store(krx_.index() + at, std::memory_order_release);
  std::atomic_signal_fence(std::memory_order_acq_rel);
  std::uint8_t* const with_kernel = notes_.with_kernel.data();
  for (const Piece& piece : frame) with_kernel[piece.buffer] = 1;
  lent_ += count;
  ++counters_.received;
}

std::size_t TunnelQueue::collect() noexcept {
  std::size_t total = 0;
  for (;;) {
    const std::uint32_t count = krx_free_.peek(kCollectBatch);
    if (count == 0) {
      // It was all but full: the kernel may sleep on KRX for want of room in it.
      if (total + kMaxPieces >= krx_free_.size() && krx_.must_wake()) {
        ++counters_.kicks;
        tunnel_->kick(queue_);
      }
      return total;
    }
    std::array<BufferIndex, kCollectBatch> buffers;
    std::size_t good = 0;
    for (std::uint32_t i = 0; i < count; ++i) {
      const std::uint32_t buffer = index_of(krx_free_.read(i));
      if (buffer >= pool_->first_kernel_buffer() || notes_.with_kernel[buffer] == 0) {
        ++counters_.invalid;
        continue;
      }
      notes_.with_kernel[buffer] = 0;
      buffers[good++] = buffer;
    }
    // The index first: a process that dies in between loses buffers, and never has one twice.
    krx_free_.release(count);
    pool_->give({buffers.data(), good});
    lent_ -= static_cast<std::uint32_t>(good);
    total += count;
  }
}

bool TunnelQueue::read_piece(const ndd_desc& desc, TxPiece& piece) const noexcept {
  if ((desc.flags & NDD_DESC_WINDOW) != 0) {
    const std::uint64_t offset = desc.addr - window_iova_;
    if (desc.addr < window_iova_ || offset >= window_size_) {
      piece = {};
      return false;
    }
    piece = {.address = Iova{desc.addr},
             .length = desc.len,
             .token = kWindowToken | static_cast<std::uint32_t>(offset / NDD_WINDOW_SLOT)};
    return desc.len != 0 && desc.len <= NDD_WINDOW_SLOT - offset % NDD_WINDOW_SLOT;
  }
  const std::uint32_t buffer = index_of(desc.addr);
  const auto offset = static_cast<std::uint32_t>(desc.addr >> NDD_ADDR_OFFSET_SHIFT & NDD_ADDR_OFFSET_MASK);
  if (buffer < pool_->first_kernel_buffer() || buffer >= pool_->buffer_count()) {
    piece = {};
    return false;
  }
  piece = {.address = pool_->iova(buffer) + Bytes{offset}, .length = desc.len, .token = buffer};
  return desc.len != 0 && desc.len <= kBufferSize - offset;
}

std::span<std::byte> TunnelQueue::header_of(const TxPiece& piece) const noexcept {
  if ((piece.token & kWindowToken) != 0) return {};
  return {pool_->data(piece.token) + (piece.address - pool_->iova(piece.token)).value, piece.length};
}

TunnelQueue::Chain TunnelQueue::read_frame(std::uint32_t first, std::uint32_t available, std::span<TxPiece> out,
                                           TxFrame& frame) noexcept {
  ndd_desc head{};
  TxPiece head_piece;
  bool good = true;
  frame = {};
  while (frame.pieces < available) {
    const ndd_desc desc = ktx_.read(first + frame.pieces);
    TxPiece piece;
    good = read_piece(desc, piece) && good;
    if (frame.pieces == 0) {
      head = desc;
      head_piece = piece;
    }
    good = good && ((desc.flags & NDD_DESC_FIRST) != 0) == (frame.pieces == 0) && frame.pieces < NDD_PIECES_MAX;
    if (frame.pieces < out.size()) out[frame.pieces] = piece;
    if (good) frame.length += piece.length;
    ++frame.pieces;
    if ((desc.flags & NDD_DESC_LAST) != 0) {
      if (!good || frame.length < NDD_FRAME_MIN || frame.length > NDD_FRAME_MAX) return Chain::kBad;
      if (frame.pieces > out.size()) return Chain::kIncomplete;
      const std::span<std::byte> header = header_of(head_piece);
      const std::optional<TxOffload> offload = check_offload(head, header, frame.length, features_);
      if (!offload) return Chain::kBad;
      frame.header = header.data();
      frame.offload = *offload;
      return Chain::kGood;
    }
    if (frame.pieces > NDD_PIECES_MAX) return Chain::kBad;
  }
  return Chain::kIncomplete;
}

std::size_t TunnelQueue::to_send(std::span<TxPiece> pieces, std::span<TxFrame> frames) noexcept {
  const auto wanted = static_cast<std::uint32_t>(pieces.size());
  // Every piece must find room in KTX_DONE when it has been sent, or it would be lost: no more of them on the way.
  const std::uint32_t busy = staged_done_ + in_flight_;
  const std::uint32_t room = ktx_done_.reserve(busy + wanted) - std::min(ktx_done_.reserve(busy + wanted), busy);
  std::uint32_t available = ktx_.peek(wanted);
  pieces = pieces.first(std::min<std::size_t>(pieces.size(), room));
  std::uint32_t at = 0;
  std::size_t count = 0;
  while (count < frames.size() && at < available) {
    TxFrame& frame = frames[count];
    const Chain chain = read_frame(at, available - at, pieces.subspan(at), frame);
    if (chain == Chain::kGood) {
      at += frame.pieces;
      ++count;
    } else if (chain == Chain::kBad && count == 0) {
      skip(frame.pieces);
      available -= frame.pieces;
    } else {
      break;  // a bad frame behind good ones is met again at the front
    }
  }
  return count;
}

void TunnelQueue::skip(std::uint32_t entries) noexcept {
  counters_.invalid += entries;
  for (std::uint32_t i = 0; i < entries; ++i) {
    TxPiece piece;
    static_cast<void>(read_piece(ktx_.read(i), piece));
    const std::uint32_t busy = staged_done_ + in_flight_;
    if (piece.token != kNoBuffer && ktx_done_.reserve(busy + 1) > busy) {
      ktx_done_.write(staged_done_++, entry_of(piece.token));
    }
  }
  ktx_.release(entries);
}

void TunnelQueue::sending(std::span<const TxFrame> frames) noexcept {
  std::uint32_t pieces = 0;
  for (const TxFrame& frame : frames) pieces += frame.pieces;
  counters_.sent += frames.size();
  ktx_.release(pieces);
  in_flight_ += pieces;
}

void TunnelQueue::publish_staged() noexcept {
  bool wake = false;
  if (staged_krx_ != 0) {
    krx_.submit(staged_krx_);
    staged_krx_ = 0;
    wake = krx_.must_wake();
  }
  if (staged_done_ != 0) {
    ktx_done_.submit(staged_done_);
    staged_done_ = 0;
    wake = ktx_done_.must_wake() || wake;
  }
  if (wake) {
    ++counters_.kicks;
    tunnel_->kick(queue_);
  }
}

bool TunnelQueue::arm() noexcept {
  const bool nothing_to_send = ktx_.arm();
  if (pool_->free_count() >= kFewBuffers) return nothing_to_send;
  return krx_free_.arm() && nothing_to_send;
}

void TunnelQueue::disarm() noexcept {
  ktx_.disarm();
  krx_free_.disarm();
}

}  // namespace udd
