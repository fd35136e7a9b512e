// SPDX-License-Identifier: Apache-2.0
// What pingpong's ends send each other: a counter and the sender's time, then octets that depend on the counter.
#pragma once

#include <algorithm>
#include <array>
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

/// The word at `position`.
inline std::uint64_t filler(std::uint64_t counter, std::size_t position) noexcept {
  constexpr std::uint64_t kSpread = 0x9e3779b97f4a7c15;  // odd, of mixed bits
  return (counter + position) * kSpread;
}

/// Writes all of `message`.
inline void write_message(std::span<std::byte> message, const MessageHead& head) noexcept {
  std::memcpy(message.data(), &head, sizeof head);
  std::uint64_t word = 0;
  std::size_t at = sizeof head;
  for (; message.size() - at >= sizeof word; at += sizeof word) {
    word = filler(head.counter, at);
    std::memcpy(&message[at], &word, sizeof word);
  }
  for (word = filler(head.counter, at); at < message.size(); ++at, word >>= 8) {
    message[at] = static_cast<std::byte>(word & 0xff);
  }
}

inline MessageHead read_head(std::span<const std::byte> message) noexcept {
  MessageHead head;
  std::memcpy(&head, message.data(), sizeof head);
  return head;
}

/// True if every octet is what write_message() wrote.
inline bool intact(std::span<const std::byte> message) noexcept {
  std::array<std::byte, 2048> expected;
  const std::span<std::byte> same{expected.data(), std::min(message.size(), expected.size())};
  write_message(same, read_head(message));
  return std::equal(message.begin(), message.end(), same.begin(), same.end());
}

}  // namespace pingpong
