// SPDX-License-Identifier: Apache-2.0
// A port taken by the UAPI alone, without the library's own port code: what the contract suite stands on in a guest.
#pragma once

#include <fcntl.h>
#include <linux/ndd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "udd/base/error.h"
#include "udd/base/unique_fd.h"
#include "udd/mem/pool.h"
#include "udd/mem/state_layout.h"
#include "udd/nic/nic.h"
#include "udd/vfio/device.h"
#include "udd/vfio/mapping.h"

namespace udd::contract {

/// One mapping of pool and state.
class TakenView {
 public:
  TakenView(int fd, const ndd_take& take, const std::string& device)
      : pool_(fd, NDD_MMAP_POOL, take.pool_size, "the pool", device),
        state_(fd, NDD_MMAP_STATE, take.state_size, "the state area", device) {}
  [[nodiscard]] std::span<std::byte> pool() const noexcept { return pool_.memory(); }
  [[nodiscard]] std::span<std::byte> state() const noexcept { return state_.memory(); }

 private:
  Mapping pool_;
  Mapping state_;
};

/// Gives the port back by closing it.
class TakenPort {
 public:
  using View = TakenView;

  TakenPort(const std::string& bdf, const NicNeeds& needs, std::uint32_t buffers, std::uint32_t kernel_buffers)
      : sizes_{Pool::state_size(buffers), needs.state_size, 0}, fd_(open_node(bdf)) {
    take_.argsz = sizeof(take_);
    take_.api_major = NDD_API_MAJOR;
    take_.api_minor = NDD_API_MINOR;
    take_.buf_count = buffers;
    take_.kernel_bufs = kernel_buffers;
    take_.nic_pages = needs.nic_pages;
    take_.state_pages = static_cast<std::uint32_t>((StateArea::required(sizes_) + kPageSize - 1) / kPageSize);
    // Nobody services the tunnel here; a case takes less than this.
    take_.watch.interval_us = 60'000'000;
    const auto until = std::chrono::steady_clock::now() + kHandOver;
    while (ioctl(fd_.get(), NDD_TAKE, &take_) != 0) {
      const int code = errno;
      // The previous case's port may still be on its way back.
      if (code != EBUSY || std::chrono::steady_clock::now() >= until) {
        throw Error(
            code,
            {.what = "take the port", .device = bdf, .why = reinterpret_cast<const char*>(take_.msg), .advice = {}});
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    container_.emplace(UniqueFd(take_.container_fd));
    group_.emplace(UniqueFd(take_.group_fd), bdf);
    group_->join(*container_);
    container_->set_type1();
    device_.emplace(*group_);
    if (ioctl(fd_.get(), NDD_START) != 0) {
      const int code = errno;
      throw Error(code, {.what = "start the tunnel", .device = bdf, .why = {}, .advice = {}});
    }
  }

  [[nodiscard]] const VfioDevice& device() const { return *device_; }
  [[nodiscard]] std::unique_ptr<View> map() const { return std::make_unique<View>(fd_.get(), take_, device_->name()); }
  [[nodiscard]] Pool::Geometry geometry(const View& view) const {
    return {.memory = view.pool(),
            .iova = Iova{take_.pool_iova},
            .nic_pages = take_.nic_pages,
            .buffer_count = take_.buf_count,
            .kernel_buffers = take_.kernel_bufs};
  }
  [[nodiscard]] const StateArea::Sizes& sizes() const noexcept { return sizes_; }

 private:
  /// A restore takes 0.3 s, and up to 3 s with the link under emulation; ten times that.
  static constexpr std::chrono::seconds kHandOver{30};

  static UniqueFd open_node(const std::string& bdf) {
    const std::string node = "/dev/ndd/" + bdf;
    UniqueFd fd(open(node.c_str(), O_RDWR | O_CLOEXEC));
    if (!fd) {
      const int code = errno;
      throw Error(code, {.what = "open " + node, .device = bdf, .why = {}, .advice = "is there an ndd netdev?"});
    }
    return fd;
  }

  StateArea::Sizes sizes_;
  UniqueFd fd_;
  ndd_take take_{};
  std::optional<VfioContainer> container_;
  std::optional<VfioGroup> group_;
  std::optional<VfioDevice> device_;
};

}  // namespace udd::contract
