// SPDX-License-Identifier: Apache-2.0
// pingpong's link over AF_XDP in generic (copy) mode: queue 0 of a netdev that keeps its in-kernel driver.
// Receiving reads a ring that the kernel fills; sending is one system call a burst, or more if the kernel wants it so.
//
// Frames, by address in the shared memory (UMEM): the lower half is given to the kernel to receive into, the upper half
// is what send() takes from. A frame is with the kernel (fill or TX ring), or with us (received, or in free_).
#pragma once

#include <linux/if_xdp.h>
#include <sys/mman.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>

#include "examples/pingpong/message.h"
#include "udd/base/unique_fd.h"
#include "udd/nic/nic.h"

namespace peers {

inline constexpr std::uint32_t kXdpRing = 256, kXdpFrame = 2048;

/// One shared ring; the kernel is at its other end.
template <typename Entry>
class XdpRing {
 public:
  XdpRing() = default;
  /// Throws udd::Error.
  XdpRing(int fd, const xdp_ring_offset& offsets, off_t page_offset);

  /// Entries that the other end has put in; take() them in order, then give the places back with taken().
  [[nodiscard]] std::uint32_t filled() const noexcept { return load(producer_) - at_; }
  [[nodiscard]] Entry take() noexcept { return entries_[at_++ & (kXdpRing - 1)]; }
  void taken() noexcept { store(consumer_, at_); }

  void put(const Entry& entry) noexcept { entries_[at_++ & (kXdpRing - 1)] = entry; }
  void publish() noexcept { store(producer_, at_); }
  [[nodiscard]] std::uint32_t pending() const noexcept { return at_ - load(consumer_); }

 private:
  static std::uint32_t load(std::uint32_t* index) noexcept {
    return std::atomic_ref{*index}.load(std::memory_order_acquire);
  }
  static void store(std::uint32_t* index, std::uint32_t value) noexcept {
    std::atomic_ref{*index}.store(value, std::memory_order_release);
  }

  std::uint32_t* producer_ = nullptr;
  std::uint32_t* consumer_ = nullptr;
  Entry* entries_ = nullptr;
  std::uint32_t at_ = 0;  ///< our index: the producer's in the rings we fill, the consumer's in the others
};

class XdpLink {
 public:
  static constexpr std::size_t kBurst = 32;

  /// Has every frame that the netdev receives on queue 0 led here. Throws udd::Error.
  XdpLink(const std::string& netdev, const udd::MacAddress& mac, const udd::MacAddress& peer, std::uint16_t ethertype,
          std::size_t message_size);

  template <typename Fill>
  std::size_t send(std::size_t count, Fill fill) noexcept {
    collect();
    const std::size_t room = std::min({count, kBurst, std::size_t{free_count_}});
    for (std::size_t i = 0; i < room; ++i) {
      const std::uint64_t address = free_[--free_count_];
      std::memcpy(at(address), header_.data(), header_.size());
      fill(message_of(address), i);
      tx_.put({.addr = address, .len = frame_size_, .options = 0});
    }
    kick();
    return room;
  }

  template <typename Use>
  std::size_t receive(Use use) noexcept {
    return each([&](std::uint64_t address, bool ours) {
      if (ours) use(message_of(address));
      fill_.put(address);
    });
  }

  template <typename Use>
  std::size_t echo(Use use) noexcept {
    collect();
    const std::size_t got = each([&](std::uint64_t address, bool ours) {
      if (!ours) {
        fill_.put(address);
        return;
      }
      use(message_of(address));
      std::memcpy(at(address), header_.data(), header_.size());
      tx_.put({.addr = address, .len = frame_size_, .options = 0});
    });
    if (got != 0) kick();
    return got;
  }

  void wait(std::chrono::milliseconds) noexcept {}
  [[nodiscard]] bool alive() const noexcept { return true; }
  [[nodiscard]] std::string why_dead() const { return {}; }

 private:
  std::byte* at(std::uint64_t address) const noexcept { return umem_.data() + address; }
  std::span<std::byte> message_of(std::uint64_t address) const noexcept {
    return {at(address) + header_.size(), frame_size_ - header_.size()};
  }

  // use(address, is it one of ours?) for each frame received; what it puts into the fill ring is published.
  template <typename Use>
  std::size_t each(Use use) noexcept {
    const std::uint32_t count = std::min<std::uint32_t>(rx_.filled(), kBurst);
    if (count == 0) return 0;
    for (std::uint32_t i = 0; i < count; ++i) {
      const xdp_desc frame = rx_.take();
      use(frame.addr, frame.len >= frame_size_ && std::memcmp(at(frame.addr) + 12, &header_[12], 2) == 0);
    }
    rx_.taken();
    fill_.publish();
    return count;
  }

  // Takes back the frames that have been sent.
  void collect() noexcept {
    const std::uint32_t count = sent_.filled();
    if (count == 0) return;
    for (std::uint32_t i = 0; i < count; ++i) {
      const std::uint64_t address = sent_.take();
      if (address < kXdpRing * kXdpFrame) {  // an answer: received into it before
        fill_.put(address);
      } else {
        free_[free_count_++] = address;
      }
    }
    sent_.taken();
    fill_.publish();
  }

  // Has the kernel send what is in the TX ring.
  void kick() noexcept;

  udd::UniqueFd fd_, program_, link_;
  std::span<std::byte> umem_;  ///< for as long as the process lives, as the rings
  XdpRing<xdp_desc> rx_, tx_;
  XdpRing<std::uint64_t> fill_, sent_;
  std::array<std::byte, pingpong::kEthernetHeader> header_{};
  std::uint32_t frame_size_;
  std::array<std::uint64_t, kXdpRing> free_{};
  std::uint32_t free_count_ = 0;
};

}  // namespace peers
