// SPDX-License-Identifier: Apache-2.0
// pingpong over the kernel, to compare with and as the far side: AF_PACKET (the same frames) or UDP.
#pragma once

#include <sys/socket.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "examples/pingpong/message.h"
#include "udd/base/unique_fd.h"
#include "udd/nic/nic.h"

namespace pingpong {

/// One message per system call, which does not block unless so asked. For AF_PACKET messages stand behind an Ethernet
/// header.
class SocketLink {
 public:
  static constexpr std::size_t kBurst = 32;

  /// Frames of `ethertype` on a netdev. Throws udd::Error.
  static SocketLink raw(const std::string& netdev, std::uint16_t ethertype, const udd::MacAddress& peer,
                        std::size_t message_size);
  /// Datagrams; the client's `address` is the server, the server's is what it binds, in the network namespace `netns`
  /// if that is not empty. Throws udd::Error.
  static SocketLink udp_client(const std::string& address, std::uint16_t port, std::size_t message_size);
  static SocketLink udp_server(const std::string& address, std::uint16_t port, std::size_t message_size,
                               const std::string& netns = {});
  /// Both ends are this thread's: each sleeps for what the other has sent, half a second for a message at most, and
  /// asks for no more. What a polling end is spared by empty polls that are not counted, an ordinary program pays by
  /// sleeping. `other` must outlive this. Throws udd::Error.
  void share_thread(SocketLink& other);
  /// From now on the server has this client alone: the kernel looks up its route once. Throws udd::Error.
  void serve_only(const SocketLink& client);

  template <typename Fill>
  std::size_t send(std::size_t count, Fill fill) noexcept {
    std::array<std::byte, kBufferSize> buffer;
    std::memcpy(buffer.data(), header_.data(), offset_);
    std::size_t sent = 0;
    for (; sent < count; ++sent) {
      fill(std::span<std::byte>(buffer).subspan(offset_, message_size_), sent);
      if (!transmit({buffer.data(), offset_ + message_size_}, false)) break;
    }
    return sent;
  }

  template <typename Use>
  std::size_t receive(Use use) noexcept {
    return each([&](std::span<std::byte> packet) { use(message_of(packet)); });
  }

  template <typename Use>
  std::size_t echo(Use use) noexcept {
    return each([&](std::span<std::byte> packet) {
      use(message_of(packet));
      if (offset_ != 0) {
        std::memcpy(packet.data(), packet.data() + 6, 6);
        std::memcpy(packet.data() + 6, header_.data() + 6, 8);  // and the EtherType
      }
      transmit(packet.first(offset_ + message_of(packet).size()), many_clients_);
    });
  }

  void wait(std::chrono::milliseconds timeout) noexcept;
  [[nodiscard]] bool alive() const noexcept { return true; }
  [[nodiscard]] bool wanted() const noexcept { return false; }
  [[nodiscard]] std::string why_dead() const { return {}; }

 private:
  static constexpr std::size_t kBufferSize = 2048;

  SocketLink(udd::UniqueFd fd, std::size_t offset, std::size_t message_size)
      : fd_(std::move(fd)), offset_(offset), message_size_(message_size) {}

  template <typename Use>
  std::size_t each(Use use) noexcept {
    std::array<std::byte, kBufferSize> buffer;
    std::size_t count = 0;
    const std::size_t most = other_ == nullptr ? kBurst : std::min(kBurst, due_);
    for (; count < most; ++count) {
      const std::size_t length = fetch(buffer);
      if (length < offset_ + kMessageMin) break;
      use(std::span<std::byte>(buffer).first(length));
    }
    if (other_ != nullptr) due_ = count < most ? 0 : due_ - count;  // what has not come in time is lost
    return count;
  }

  std::span<std::byte> message_of(std::span<std::byte> packet) const noexcept {
    return packet.subspan(offset_, std::min(packet.size() - offset_, message_size_));
  }

  // One system call each; with many clients fetch() also notes whom to answer.
  std::size_t fetch(std::span<std::byte> buffer) noexcept;
  bool transmit(std::span<const std::byte> packet, bool to_last_sender) noexcept;

  udd::UniqueFd fd_;
  std::size_t offset_;
  std::size_t message_size_;
  std::array<std::byte, kEthernetHeader> header_{};
  SocketLink* other_ = nullptr;  ///< in this thread
  std::size_t due_ = 0;          ///< messages that it has sent, and are not received
  bool many_clients_ = false;    ///< an answer must be told whom it is for; a frame carries that
  sockaddr_storage last_sender_{};
  socklen_t last_sender_length_ = 0;
};

/// MAC address of a netdev. Throws udd::Error.
[[nodiscard]] udd::MacAddress mac_of(const std::string& netdev);

}  // namespace pingpong
