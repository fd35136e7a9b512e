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
    std::array<std::byte, kEthernetHeader> header{};
    std::memcpy(header.data(), peer.data(), peer.size());
    std::memcpy(header.data() + kSource, port.mac().data(), kSource);
    header[12] = static_cast<std::byte>(ethertype >> 8);
    header[13] = static_cast<std::byte>(ethertype & 0xff);
    destination_ = load(header.data());
    source_ = load(header.data() + kSource);
  }

  /// fill(message, i) writes the i-th of up to `count` messages. @return how many were sent, from the first on.
  template <typename Fill>
  std::size_t send(std::size_t count, Fill fill) noexcept {
    count = std::min(count, kBurst);
    if (spare_ < count) spare_ += queue_.alloc({frames_.data() + spare_, count - spare_});
    count = std::min(count, spare_);
    const std::uint64_t destination = destination_, source = source_;
    const std::uint16_t size = frame_size_;
    for (std::size_t i = 0; i < count; ++i) {
      udd::Frame& frame = frames_[i];
      if (frame.size() != size) frame.resize(size);
      write_header(frame, destination, source);
      fill(message_of(frame, size), i);
    }
    const std::size_t sent = queue_.tx({frames_.data(), count});
    if (sent != spare_) [[unlikely]]
      std::copy(frames_.data() + sent, frames_.data() + spare_, frames_.data());
    spare_ -= sent;
    return sent;
  }

  /// use(message) for each message received. @return how many.
  template <typename Use>
  std::size_t receive(Use use) noexcept {
    if (spare_ != 0) [[unlikely]]
      queue_.release({frames_.data(), spare_});
    spare_ = queue_.rx(frames_);
    const std::uint16_t size = frame_size_;
    for (const udd::Frame& frame : std::span(frames_.data(), spare_)) {
      if (frame.size() >= size) [[likely]]
        use(message_of(frame, size));
    }
    return spare_;
  }

  /// use(message) for each message received, which may be rewritten and goes back to its sender in the same buffer.
  template <typename Use>
  std::size_t echo(Use use) noexcept {
    const std::size_t got = queue_.rx(frames_);
    const std::uint64_t source = source_;
    for (const udd::Frame& frame : std::span(frames_.data(), got)) {
      use(message_of(frame, frame.size()));
      write_header(frame, load(frame.data().data() + kSource), source);
    }
    const std::size_t sent = queue_.tx({frames_.data(), got});
    if (sent != got) [[unlikely]]
      queue_.release({frames_.data() + sent, got - sent});
    return sent;
  }

  void wait(std::chrono::milliseconds timeout) noexcept { queue_.wait(timeout); }
  [[nodiscard]] bool alive() const noexcept { return port_.state() == udd::PortState::kTunnel; }
  [[nodiscard]] std::string why_dead() const { return port_.lost_reason(); }
  /// Does another process wait for the port? Said once.
  [[nodiscard]] bool wanted() noexcept {
    while (const auto event = port_.next_event()) {
      if (event->kind == udd::PortEvent::Kind::kWanted) return true;
    }
    return false;
  }

 private:
  // `size` octets with the header: on the wire a runt is padded to 60.
  static std::span<std::byte> message_of(const udd::Frame& frame, std::uint16_t size) noexcept {
    return {frame.data().data() + kEthernetHeader, size - kEthernetHeader};
  }

  // A header is written as two words that overlap: the destination and what is behind it, the source and the EtherType.
  static std::uint64_t load(const std::byte* from) noexcept {
    std::uint64_t word;
    std::memcpy(&word, from, sizeof word);
    return word;
  }
  static void write_header(const udd::Frame& frame, std::uint64_t destination, std::uint64_t source) noexcept {
    std::byte* const data = frame.data().data();
    std::memcpy(data, &destination, sizeof destination);
    std::memcpy(data + kSource, &source, sizeof source);
  }

  static constexpr std::size_t kSource = sizeof(udd::MacAddress);  ///< where its address is in the header

  udd::Port& port_;
  udd::Queue& queue_;
  std::uint64_t destination_;  ///< words of the header: see write_header()
  std::uint64_t source_;
  std::uint16_t frame_size_;
  std::size_t spare_ = 0;                  ///< frames received and done with: the next messages go out in them
  std::array<udd::Frame, kBurst> frames_;  ///< the first spare_ of them
};

}  // namespace pingpong
