// SPDX-License-Identifier: Apache-2.0
// The pool and state area of a port without a port: anonymous shared memory that can be mapped again, as by a second
// process.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <system_error>
#include <utility>

#include "udd/base/unique_fd.h"
#include "udd/base/units.h"
#include "udd/mem/pool.h"
#include "udd/mem/state_layout.h"

namespace udd::fake {

/// One mapping of both areas.
class PortView {
 public:
  PortView(int pool_fd, int state_fd, std::size_t pool_size, std::size_t state_size)
      : pool_(map(pool_fd, pool_size)), state_(map(state_fd, state_size)) {}
  PortView(const PortView&) = delete;
  PortView& operator=(const PortView&) = delete;
  ~PortView() {
    munmap(pool_.data(), pool_.size());
    munmap(state_.data(), state_.size());
  }
  [[nodiscard]] std::span<std::byte> pool() const noexcept { return pool_; }
  [[nodiscard]] std::span<std::byte> state() const noexcept { return state_; }

 private:
  static std::span<std::byte> map(int fd, std::size_t size) {
    void* const address = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (address == MAP_FAILED) throw std::system_error(errno, std::generic_category(), "mmap");
    return {static_cast<std::byte*>(address), size};
  }
  std::span<std::byte> pool_;
  std::span<std::byte> state_;
};

class PortMemory {
 public:
  static constexpr Iova kIova{0x1'0000'0000};  ///< not a pointer, not zero, above 32 bits

  PortMemory(std::uint32_t nic_pages, std::uint32_t buffers, std::uint32_t kernel_buffers, std::size_t nic_state)
      : sizes_{Pool::state_size(buffers), nic_state, 0},
        nic_pages_(nic_pages),
        buffers_(buffers),
        kernel_buffers_(kernel_buffers),
        pool_size_(std::size_t{nic_pages} * kPageSize + std::size_t{buffers} * kBufferSize),
        state_size_(StateArea::required(sizes_)),
        pool_fd_(make(pool_size_)),
        state_fd_(make(state_size_)) {}

  [[nodiscard]] std::unique_ptr<PortView> map() const {
    return std::make_unique<PortView>(pool_fd_.get(), state_fd_.get(), pool_size_, state_size_);
  }
  [[nodiscard]] Pool::Geometry geometry(const PortView& view) const {
    return {.memory = view.pool(),
            .iova = kIova,
            .nic_pages = nic_pages_,
            .buffer_count = buffers_,
            .kernel_buffers = kernel_buffers_};
  }
  [[nodiscard]] const StateArea::Sizes& sizes() const noexcept { return sizes_; }

 private:
  static UniqueFd make(std::size_t size) {
    UniqueFd fd(memfd_create("udd-test", MFD_CLOEXEC));
    if (!fd || ftruncate(fd.get(), static_cast<off_t>(size)) != 0) {
      throw std::system_error(errno, std::generic_category(), "memfd");
    }
    return fd;
  }

  StateArea::Sizes sizes_;
  std::uint32_t nic_pages_;
  std::uint32_t buffers_;
  std::uint32_t kernel_buffers_;
  std::size_t pool_size_;
  std::size_t state_size_;
  UniqueFd pool_fd_;
  UniqueFd state_fd_;
};

}  // namespace udd::fake
