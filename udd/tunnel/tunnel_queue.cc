// SPDX-License-Identifier: Apache-2.0
// TunnelQueue: every entry of the kernel's is copied once and checked before it names a buffer.
#include "udd/tunnel/tunnel_queue.h"

#include <algorithm>
#include <array>

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
  ndd_desc desc{};
  desc.addr = address_of(piece);
  desc.len = piece.length;
  if ((piece.flags & Piece::kFirst) != 0) desc.flags |= NDD_DESC_FIRST;
  if ((piece.flags & Piece::kLast) != 0) desc.flags |= NDD_DESC_LAST;
  if ((piece.flags & Piece::kVlan) != 0) {
    desc.flags |= NDD_DESC_VLAN;
    desc.vlan_tci = piece.vlan_tci;
  }
  return desc;
}

}  // namespace

TunnelQueue::TunnelQueue(Tunnel& tunnel, unsigned queue, const TunnelRings& rings, Pool& pool,
                         std::span<std::uint8_t> with_kernel) noexcept
    : ktx_(rings.ktx),
      krx_free_(rings.krx_free),
      krx_(rings.krx),
      ktx_done_(rings.ktx_done),
      lent_(pool.first_kernel_buffer() - pool.own_buffers()),
      lend_at_most_(lent_ + pool.own_buffers() / 3),
      pool_(&pool),
      with_kernel_(with_kernel),
      tunnel_(&tunnel),
      queue_(queue) {
  std::fill_n(with_kernel_.begin() + pool.first_exchange_buffer(), lent_, std::uint8_t{1});
}

void TunnelQueue::receive(std::span<const Piece> frame) noexcept {
  const auto count = static_cast<std::uint32_t>(frame.size());
  if (lent_ + count > lend_at_most_ || krx_.reserve(staged_krx_ + count) < staged_krx_ + count) {
    for (const Piece& piece : frame) pool_->give({&piece.buffer, 1});
    ++counters_.dropped;
    return;
  }
  for (const Piece& piece : frame) {
    // Noted before the kernel can see it: a process that goes on from here never has the buffer twice.
    with_kernel_[piece.buffer] = 1;
    krx_.write(staged_krx_++, descriptor_of(piece));
  }
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
      if (buffer >= pool_->first_kernel_buffer() || with_kernel_[buffer] == 0) {
        ++counters_.invalid;
        continue;
      }
      with_kernel_[buffer] = 0;
      buffers[good++] = buffer;
    }
    // The index first: a process that dies in between loses buffers, and never has one twice.
    krx_free_.release(count);
    pool_->give({buffers.data(), good});
    lent_ -= static_cast<std::uint32_t>(good);
    total += count;
  }
}

bool TunnelQueue::read_piece(const ndd_desc& desc, Piece& piece) const noexcept {
  const std::uint32_t buffer = index_of(desc.addr);
  const auto offset = static_cast<std::uint32_t>(desc.addr >> NDD_ADDR_OFFSET_SHIFT & NDD_ADDR_OFFSET_MASK);
  // Window addresses were not agreed on (no NDD_F_WINDOW), nor offloads.
  const bool good = (desc.flags & NDD_DESC_WINDOW) == 0 && buffer >= pool_->first_kernel_buffer() &&
                    buffer < pool_->buffer_count() && desc.len != 0 && desc.len <= kBufferSize - offset;
  std::uint16_t flags = 0;
  if ((desc.flags & NDD_DESC_FIRST) != 0) flags |= Piece::kFirst;
  if ((desc.flags & NDD_DESC_LAST) != 0) flags |= Piece::kLast;
  piece = {.buffer = buffer,
           .offset = static_cast<std::uint16_t>(offset),
           .length = static_cast<std::uint16_t>(good ? desc.len : 0),
           .flags = flags,
           .vlan_tci = 0};
  return good;
}

TunnelQueue::Chain TunnelQueue::read_frame(std::uint32_t first, std::uint32_t available, std::span<Piece> out,
                                           std::uint32_t& entries) noexcept {
  bool good = true;
  std::uint32_t octets = 0;
  entries = 0;
  while (entries < available) {
    Piece piece;
    good = read_piece(ktx_.read(first + entries), piece) && good;
    good = good && ((piece.flags & Piece::kFirst) != 0) == (entries == 0) && entries < kMaxPieces;
    octets += piece.length;
    if (entries < out.size()) out[entries] = piece;
    ++entries;
    if ((piece.flags & Piece::kLast) != 0) {
      good = good && octets >= NDD_FRAME_MIN;
      if (!good) return Chain::kBad;
      return entries <= out.size() ? Chain::kGood : Chain::kIncomplete;
    }
    if (entries > kMaxPieces) return Chain::kBad;
  }
  return Chain::kIncomplete;
}

std::size_t TunnelQueue::to_send(std::span<Piece> out) noexcept {
  std::size_t count = 0;
  const auto wanted = static_cast<std::uint32_t>(out.size());
  // Every piece must find room in KTX_DONE when it has been sent, or it would be lost: no more of them on the way.
  const std::uint32_t busy = staged_done_ + in_flight_;
  const std::uint32_t room = ktx_done_.reserve(busy + wanted) - std::min(ktx_done_.reserve(busy + wanted), busy);
  std::uint32_t available = ktx_.peek(wanted);
  out = out.first(std::min<std::size_t>(out.size(), room));
  while (count < available) {
    std::uint32_t entries = 0;
    const auto at = static_cast<std::uint32_t>(count);
    const Chain chain = read_frame(at, available - at, out.subspan(count), entries);
    if (chain == Chain::kGood) {
      count += entries;
    } else if (chain == Chain::kBad && count == 0) {
      skip(entries);
      available -= entries;
    } else {
      break;  // a bad frame behind good ones is met again at the front
    }
  }
  return count;
}

void TunnelQueue::skip(std::uint32_t entries) noexcept {
  counters_.invalid += entries;
  for (std::uint32_t i = 0; i < entries; ++i) {
    const std::uint32_t buffer = index_of(ktx_.read(i).addr);
    const bool kernels = buffer >= pool_->first_kernel_buffer() && buffer < pool_->buffer_count();
    if (kernels && ktx_done_.reserve(staged_done_ + in_flight_ + 1) > staged_done_ + in_flight_) {
      ktx_done_.write(staged_done_++, buffer);
    }
  }
  ktx_.release(entries);
}

void TunnelQueue::sending(std::size_t count) noexcept {
  for (std::size_t i = 0; i < count; ++i) {
    if ((ktx_.read(static_cast<std::uint32_t>(i)).flags & NDD_DESC_LAST) != 0) ++counters_.sent;
  }
  ktx_.release(static_cast<std::uint32_t>(count));
  in_flight_ += static_cast<std::uint32_t>(count);
}

void TunnelQueue::done(BufferIndex buffer) noexcept {
  // to_send() kept room for it.
  ktx_done_.write(staged_done_++, buffer);
  --in_flight_;
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
