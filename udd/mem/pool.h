// SPDX-License-Identifier: Apache-2.0
// The port's shared DMA memory as the library sees it: descriptor pages, buffers by index, and the stack
// of free buffers, which lives in the port's state area so that it survives this process (design D4a).
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "udd/base/units.h"
#include "udd/mem/frame.h"
#include "udd/mem/state_layout.h"

namespace udd {

/// A view; does not own the mappings, which must outlive it.
/// Thread: one at a time (the port's servicing thread).
class Pool {
 public:
  struct Geometry {
    std::span<std::byte> memory;  ///< the mapped pool: nic_pages pages, then the buffers
    Iova iova;                    ///< where the NIC sees memory.data()
    std::uint32_t nic_pages = 0;
    std::uint32_t buffer_count = 0;      ///< all buffers
    std::uint32_t kernel_buffers = 0;    ///< the last of them belong to the kernel (KTX)
    std::uint32_t exchange_buffers = 0;  ///< those before them, its stock: they come by KRX_FREE, for others it keeps
  };

  /// Octets of state that buffer_count buffers need.
  [[nodiscard]] static std::size_t state_size(std::uint32_t buffer_count) noexcept;

  /// Formats `state` (the area's kPool section) for a fresh pool: every buffer that is not the kernel's, nor in its
  /// stock, is free.
  /// Throws udd::Error if memory or state is too small for the geometry.
  static Pool create(const Geometry& geometry, std::span<std::byte> state);
  /// Goes on from what `state` says. Throws udd::Error if it contradicts the geometry or itself.
  static Pool adopt(const Geometry& geometry, std::span<std::byte> state);
  /// A view on the pool of a process that is still at work: nothing may be taken or given before rebuild(). Throws
  /// udd::Error if it is a pool of another geometry.
  static Pool behind(const Geometry& geometry, std::span<std::byte> state);
  /// Makes free exactly those buffers, of all but the kernel's own, that are not `elsewhere`, by index.
  void rebuild(const std::vector<bool>& elsewhere) noexcept;

  /// Takes up to out.size() free buffers; returns how many. The stack's top is lowered first: a process that dies in
  /// between loses buffers, and never has one twice.
  [[nodiscard]] std::size_t take(std::span<BufferIndex> out) noexcept {
    const std::size_t count = std::min<std::size_t>(out.size(), state_->free);
    const auto left = state_->free - static_cast<std::uint32_t>(count);
    std::atomic_ref(state_->free).store(left, std::memory_order_release);
    std::copy_n(stack_ + left, count, out.data());
    return count;
  }
  /// Calls sink(BufferIndex) for up to `wanted` free buffers, which are then the caller's; returns how many.
  template <typename Sink>
  std::size_t take_each(std::size_t wanted, Sink&& sink) noexcept {
    const std::size_t count = std::min<std::size_t>(wanted, state_->free);
    const auto left = state_->free - static_cast<std::uint32_t>(count);
    std::atomic_ref(state_->free).store(left, std::memory_order_release);
    for (const BufferIndex buffer : std::span(stack_ + left, count)) sink(buffer);
    return count;
  }
  /// Puts buffers back that came from take(), or that the kernel gave in exchange. Each once, each below
  /// buffer_count(): at most that many are free at a time, so the stack can't overflow.
  void give(std::span<const BufferIndex> buffers) noexcept {
    std::copy(buffers.begin(), buffers.end(), stack_ + state_->free);
    const auto free = state_->free + static_cast<std::uint32_t>(buffers.size());
    std::atomic_ref(state_->free).store(free, std::memory_order_release);
  }
  /// Likewise, one.
  void give(BufferIndex buffer) noexcept {
    const std::uint32_t free = state_->free;
    stack_[free] = buffer;
    std::atomic_ref(state_->free).store(free + 1, std::memory_order_release);
  }
  /// Likewise the `count` buffers that source() yields; those that are not below `end` are left out.
  template <typename Source>
  void give_each(std::size_t count, BufferIndex end, Source&& source) noexcept {
    const std::uint32_t before = state_->free;
    std::uint32_t free = before;
    for (; count != 0; --count) {
      const BufferIndex buffer = source();
      stack_[free] = buffer;
      free += buffer < end;
    }
    if (free != before) std::atomic_ref(state_->free).store(free, std::memory_order_release);
  }
  [[nodiscard]] std::uint32_t free_count() const noexcept { return state_->free; }

  [[nodiscard]] std::byte* data(BufferIndex buffer) const noexcept {
    return buffers_ + std::size_t{buffer} * kBufferSize;
  }
  [[nodiscard]] Iova iova(BufferIndex buffer) const noexcept {
    return Iova{buffers_iova_ + std::uint64_t{buffer} * kBufferSize};
  }
  [[nodiscard]] std::uint32_t buffer_count() const noexcept { return geometry_.buffer_count; }
  /// First of the kernel's own buffers; those from here on come by KTX.
  [[nodiscard]] BufferIndex first_kernel_buffer() const noexcept {
    return geometry_.buffer_count - geometry_.kernel_buffers;
  }
  /// How many buffers are the process's, the kernel's stock not counted: which ones changes with every exchange.
  [[nodiscard]] std::uint32_t own_buffers() const noexcept {
    return first_kernel_buffer() - geometry_.exchange_buffers;
  }
  /// First of those that start out in the stock, up to first_kernel_buffer().
  [[nodiscard]] BufferIndex first_exchange_buffer() const noexcept { return own_buffers(); }

  /// All of it: what the NIC may reach, starting at nic_iova().
  [[nodiscard]] std::span<std::byte> memory() const noexcept { return geometry_.memory; }
  /// The pages before the buffers, for descriptor rings, and where the NIC sees them.
  [[nodiscard]] std::span<std::byte> nic_memory() const noexcept {
    return geometry_.memory.first(std::size_t{geometry_.nic_pages} * kPageSize);
  }
  [[nodiscard]] Iova nic_iova() const noexcept { return geometry_.iova; }

 private:
  Pool(const Geometry& geometry, PoolState* state) noexcept;

  Geometry geometry_;
  std::byte* buffers_;
  std::uint64_t buffers_iova_;
  PoolState* state_;
  BufferIndex* stack_;
};

}  // namespace udd
