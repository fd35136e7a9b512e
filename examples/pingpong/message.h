// SPDX-License-Identifier: Apache-2.0
// What pingpong's ends send each other: a counter and the sender's time, then octets that depend on the counter.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace pingpong {

inline constexpr std::size_t kEthernetHeader = 14;

struct MessageHead {
  std::uint64_t counter;
  std::uint64_t sent_ns;  ///< of the client's clock, 0 if it does not measure latency
};

inline constexpr std::size_t kMessageMin = sizeof(MessageHead);

inline std::byte filler(std::uint64_t counter, std::size_t position) noexcept {
  return static_cast<std::byte>(counter + position);
}

/// Writes all of `message`.
inline void write_message(std::span<std::byte> message, const MessageHead& head) noexcept {
  std::memcpy(message.data(), &head, sizeof head);
  for (std::size_t i = sizeof head; i < message.size(); ++i) message[i] = filler(head.counter, i);
}

inline MessageHead read_head(std::span<const std::byte> message) noexcept {
  MessageHead head;
  std::memcpy(&head, message.data(), sizeof head);
  return head;
}

/// True if every octet is what write_message() wrote.
inline bool intact(std::span<const std::byte> message) noexcept {
  const MessageHead head = read_head(message);
  for (std::size_t i = sizeof head; i < message.size(); ++i) {
    if (message[i] != filler(head.counter, i)) return false;
  }
  return true;
}

}  // namespace pingpong
