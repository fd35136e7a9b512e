// SPDX-License-Identifier: Apache-2.0
// The port's shared DMA memory as the library sees it: descriptor pages, buffers by index, and the stack
// of free buffers, which lives in the port's state area so that it survives this process (design D4a).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "udd/base/units.h"
#include "udd/mem/frame.h"

namespace udd {

/// The free-buffer stack as it stands in the state area; layout versioned by StateHeader.
/// (Defined in state_layout.h; a Pool is a view on it.)
struct PoolState;

/// A view; does not own the mappings, which must outlive it.
/// Thread: one at a time (the port's servicing thread).
class Pool {
 public:
  struct Geometry {
    std::span<std::byte> memory;  ///< the mapped pool: nic_pages pages, then the buffers
    Iova iova;                    ///< where the NIC sees memory.data()
    std::uint32_t nic_pages = 0;
    std::uint32_t buffer_count = 0;  ///< all buffers
    std::uint32_t kernel_buffers = 0;  ///< the last of them belong to the kernel (KTX)
  };

  /// Octets of state that buffer_count buffers need.
  [[nodiscard]] static std::size_t state_size(std::uint32_t buffer_count) noexcept;

  /// Formats `state` for a fresh pool: every buffer that is not the kernel's is free.
  [[nodiscard]] static Pool create(const Geometry& geometry, std::span<std::byte> state);
  /// Goes on from what `state` says. Throws udd::Error if its layout is not ours.
  [[nodiscard]] static Pool adopt(const Geometry& geometry, std::span<std::byte> state);

  /// Takes up to out.size() free buffers; returns how many.
  [[nodiscard]] std::size_t take(std::span<BufferIndex> out) noexcept;
  void give(std::span<const BufferIndex> buffers) noexcept;
  [[nodiscard]] std::uint32_t free_count() const noexcept;

  [[nodiscard]] std::byte* data(BufferIndex buffer) const noexcept {
    return buffers_ + std::size_t{buffer} * kBufferSize;
  }
  [[nodiscard]] Iova iova(BufferIndex buffer) const noexcept {
    return Iova{buffers_iova_ + std::uint64_t{buffer} * kBufferSize};
  }
  [[nodiscard]] std::uint32_t buffer_count() const noexcept { return geometry_.buffer_count; }

  /// The pages before the buffers, for descriptor rings, and where the NIC sees them.
  [[nodiscard]] std::span<std::byte> nic_memory() const noexcept;
  [[nodiscard]] Iova nic_iova() const noexcept { return geometry_.iova; }

 private:
  Pool(const Geometry& geometry, PoolState* state) noexcept;

  Geometry geometry_;
  std::byte* buffers_;
  std::uint64_t buffers_iova_;
  PoolState* state_;
};

}  // namespace udd
