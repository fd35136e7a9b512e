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

/// Writes all of `message`: its head, then words, the last of which ends with the message, over part of the one before.
inline void write_message(std::span<std::byte> message, const MessageHead& head) noexcept {
  constexpr std::size_t kWord = sizeof(std::uint64_t);
  const auto write = [](std::byte* to, std::uint64_t word) { std::memcpy(to, &word, kWord); };
  std::memcpy(message.data(), &head, sizeof head);
  std::byte* to = message.data() + sizeof head;
  std::byte* const end = message.data() + message.size();
  if (end - to < static_cast<std::ptrdiff_t>(kWord)) {
    for (std::uint64_t word = filler(head.counter, sizeof head); to != end; word >>= 8) {
      *to++ = static_cast<std::byte>(word & 0xff);
    }
    return;
  }
  std::uint64_t word = filler(head.counter, sizeof head);
  const std::uint64_t step = filler(0, kWord);
  for (; end - to >= static_cast<std::ptrdiff_t>(4 * kWord); to += 4 * kWord) {
    for (std::size_t i = 0; i < 4; ++i, word += step) write(to + i * kWord, word);
  }
  for (; end - to > static_cast<std::ptrdiff_t>(kWord); to += kWord, word += step) write(to, word);
  write(end - kWord, word);
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
