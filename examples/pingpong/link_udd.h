// SPDX-License-Identifier: Apache-2.0
// pingpong over a taken port: messages behind an Ethernet header, in the pool's buffers, in bursts.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>

#include "examples/pingpong/message.h"
#include "udd/port.h"

namespace pingpong {

class UddLink {
 public:
  static constexpr std::size_t kBurst = 32;

  UddLink(udd::Port& port, std::uint16_t ethertype, const udd::MacAddress& peer, std::size_t message_size)
      : port_(port), queue_(port.queue(0)), frame_size_(static_cast<std::uint16_t>(kEthernetHeader + message_size)) {
    const udd::MacAddress mac = port.mac();
    std::memcpy(header_.data(), peer.data(), peer.size());
    std::memcpy(header_.data() + 6, mac.data(), mac.size());
    header_[12] = static_cast<std::byte>(ethertype >> 8);
    header_[13] = static_cast<std::byte>(ethertype & 0xff);
  }

  /// fill(message, i) writes the i-th of up to `count` messages. @return how many were sent, from the first on.
  template <typename Fill>
  std::size_t send(std::size_t count, Fill fill) noexcept {
    const std::size_t got = queue_.alloc({frames_.data(), std::min(count, kBurst)});
    for (std::size_t i = 0; i < got; ++i) {
      frames_[i].resize(frame_size_);
      std::byte* const data = frames_[i].data().data();
      std::memcpy(data, header_.data(), header_.size());
      fill(std::span<std::byte>(data + kEthernetHeader, frame_size_ - kEthernetHeader), i);
    }
    return hand_over({frames_.data(), got});
  }

  /// use(message) for each message received. @return how many.
  template <typename Use>
  std::size_t receive(Use use) noexcept {
    const std::size_t got = queue_.rx(frames_);
    for (std::size_t i = 0; i < got; ++i) use(message_of(frames_[i]));
    queue_.release({frames_.data(), got});
    return got;
  }

  /// use(message) for each message received, which may be rewritten and goes back to its sender in the same buffer.
  template <typename Use>
  std::size_t echo(Use use) noexcept {
    const std::size_t got = queue_.rx(frames_);
    for (std::size_t i = 0; i < got; ++i) {
      use(message_of(frames_[i]));
      std::byte* const data = frames_[i].data().data();
      std::memcpy(data, data + 6, 6);
      std::memcpy(data + 6, header_.data() + 6, 6);
    }
    return hand_over({frames_.data(), got});
  }

  void wait(std::chrono::milliseconds timeout) noexcept { queue_.wait(timeout); }
  [[nodiscard]] bool alive() const noexcept { return port_.state() == udd::PortState::kTunnel; }
  [[nodiscard]] std::string why_dead() const { return port_.lost_reason(); }

 private:
  // Runt messages are padded by the wire to 46 octets; what counts is what was sent.
  std::span<std::byte> message_of(const udd::Frame& frame) const noexcept {
    const auto data = frame.data();
    return data.subspan(kEthernetHeader, std::min<std::size_t>(data.size(), frame_size_) - kEthernetHeader);
  }

  std::size_t hand_over(std::span<const udd::Frame> frames) noexcept {
    const std::size_t sent = queue_.tx(frames);
    if (sent < frames.size()) [[unlikely]]
      queue_.release(frames.subspan(sent));
    return sent;
  }

  udd::Port& port_;
  udd::Queue& queue_;
  std::array<std::byte, kEthernetHeader> header_{};
  std::uint16_t frame_size_;
  std::array<udd::Frame, kBurst> frames_;  ///< a member: a local one would be filled with empty frames in each call
};

}  // namespace pingpong
