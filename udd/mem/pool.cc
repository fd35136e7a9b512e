// SPDX-License-Identifier: Apache-2.0
// Pool: set-up and adoption; the bursts are in the header.
#include "udd/mem/pool.h"

#include <linux/ndd.h>

#include <bit>
#include <cerrno>
#include <string>
#include <vector>

#include "udd/base/error.h"
#include "udd/mem/mapped.h"

namespace udd {

static_assert(kBufferSize == NDD_BUF_SIZE);

namespace {

constexpr const char* kGoOn = "go on from the port's buffer pool";
constexpr const char* kAfresh = "take the port afresh";

[[noreturn]] void throw_bad(int error_number, const char* what, const std::string& why, const char* advice) {
  throw Error(error_number, {.what = what, .device = {}, .why = why, .advice = advice});
}

bool is_multiple(const std::byte* address, std::size_t of) noexcept {
  return std::bit_cast<std::uintptr_t>(address) % of == 0;
}

void check_geometry(const Pool::Geometry& geometry, std::span<std::byte> state) {
  constexpr const char* kWhat = "use the port's buffer pool";
  constexpr const char* kAdvice = "the module and the library disagree: check their versions";
  const std::uint64_t needed =
      std::uint64_t{geometry.nic_pages} * kPageSize + std::uint64_t{geometry.buffer_count} * kBufferSize;
  if (geometry.memory.size() < needed) {
    throw_bad(EINVAL, kWhat,
              std::to_string(geometry.memory.size()) + " octets are mapped, " + std::to_string(needed) + " needed",
              kAdvice);
  }
  if (geometry.kernel_buffers > geometry.buffer_count ||
      geometry.exchange_buffers > geometry.buffer_count - geometry.kernel_buffers) {
    throw_bad(EINVAL, kWhat, "the kernel has more buffers than there are", kAdvice);
  }
  // Frame::offset() goes by it
  if (!is_multiple(geometry.memory.data(), kBufferSize)) {
    throw_bad(EINVAL, kWhat, "it is mapped at no multiple of a buffer's size", kAdvice);
  }
  if (geometry.iova.value % kPageSize != 0) throw_bad(EINVAL, kWhat, "its device address is not a page's", kAdvice);
  if (state.size() < Pool::state_size(geometry.buffer_count)) {
    throw_bad(ENOSPC, kWhat, "its part of the state area is too small", "ask NDD_TAKE for more state_pages");
  }
}

}  // namespace

Pool::Pool(const Geometry& geometry, PoolState* state) noexcept
    : geometry_(geometry),
      buffers_(geometry.memory.data() + std::size_t{geometry.nic_pages} * kPageSize),
      buffers_iova_(geometry.iova.value + std::uint64_t{geometry.nic_pages} * kPageSize),
      state_(state),
      stack_(mapped_behind<BufferIndex>(state, kCacheLineSize)) {}

std::size_t Pool::state_size(std::uint32_t buffer_count) noexcept {
  return kCacheLineSize + std::size_t{buffer_count} * sizeof(BufferIndex);
}

Pool Pool::create(const Geometry& geometry, std::span<std::byte> state) {
  check_geometry(geometry, state);
  auto* pool_state = mapped_at<PoolState>(state, 0, 1);
  Pool pool(geometry, pool_state);
  const std::uint32_t own = pool.own_buffers();
  *pool_state = {.buffer_count = geometry.buffer_count,
                 .kernel_buffers = geometry.kernel_buffers,
                 .exchange_buffers = geometry.exchange_buffers,
                 .free = own};
  // Low indices on top: they are used first, so a port with little traffic stays in few pages.
  for (std::uint32_t i = 0; i < own; ++i) pool.stack_[i] = own - 1 - i;
  return pool;
}

Pool Pool::behind(const Geometry& geometry, std::span<std::byte> state) {
  check_geometry(geometry, state);
  auto* pool_state = mapped_at<PoolState>(state, 0, 1);
  if (pool_state->buffer_count != geometry.buffer_count || pool_state->kernel_buffers != geometry.kernel_buffers ||
      pool_state->exchange_buffers != geometry.exchange_buffers) {
    throw_bad(EPROTO, kGoOn, "its state is of a pool of another size", kAfresh);
  }
  return {geometry, pool_state};
}

Pool Pool::adopt(const Geometry& geometry, std::span<std::byte> state) {
  Pool pool = behind(geometry, state);
  if (pool.state_->free > geometry.buffer_count) throw_bad(EPROTO, kGoOn, "more are free than there are", kAfresh);
  std::vector<bool> seen(geometry.buffer_count);
  for (std::uint32_t i = 0; i < pool.state_->free; ++i) {
    const BufferIndex buffer = pool.stack_[i];
    if (buffer >= geometry.buffer_count || seen[buffer]) {
      throw_bad(EPROTO, kGoOn, "free buffer " + std::to_string(buffer) + " is impossible or listed twice", kAfresh);
    }
    seen[buffer] = true;
  }
  return pool;
}

void Pool::rebuild(const std::vector<bool>& elsewhere) noexcept {
  std::uint32_t free = 0;
  // From the end, as in create().
  for (BufferIndex buffer = first_kernel_buffer(); buffer-- != 0;) {
    if (!elsewhere[buffer]) stack_[free++] = buffer;
  }
  state_->free = free;
}

}  // namespace udd
