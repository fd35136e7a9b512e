// SPDX-License-Identifier: Apache-2.0
// What the tests here write into the rings and buffers, and what the drop counters must tell afterwards.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "tests/kagent/hostile/counters.h"
#include "tests/kagent/hostile/mirror.h"
#include "tests/tools/held.h"

namespace hostile {

using Descriptors = std::vector<ndd_desc>;

constexpr std::uint16_t kWhole = NDD_DESC_FIRST | NDD_DESC_LAST;

inline ndd_desc piece(std::uint16_t flags, std::uint32_t index = 0, std::uint32_t length = 60,
                      std::uint64_t offset = 0) {
  ndd_desc desc{};
  desc.addr = index | offset << NDD_ADDR_OFFSET_SHIFT;
  desc.len = length;
  desc.flags = flags;
  return desc;
}

// A TCP segment of `length` octets from the far side, to nobody at 10.0.0.1 or to be routed on to 10.9.0.2.
inline void write_tcp(std::uint8_t* frame, std::uint32_t length, bool routed) {
  std::memset(frame, 0, NDD_BUF_SIZE);
  std::memcpy(frame, kOwnMac, 6);
  std::memcpy(frame + 6, kFarMac, 6);
  const std::uint8_t head[] = {0x08, 0x00, 0x45, 0, 0, 0, 0, 1, 0x40, 0, 64, 6, 0, 0, 10, 0, 0, 2, 10, 0, 0, 1};
  std::memcpy(frame + 12, head, sizeof(head));
  frame[16] = static_cast<std::uint8_t>((length - 14) >> 8);
  frame[17] = static_cast<std::uint8_t>(length - 14);
  if (routed) {
    frame[31] = 9;
    frame[33] = 2;
  }
  std::uint32_t sum = 0;
  for (std::size_t i = 14; i < 34; i += 2) sum += std::uint32_t{frame[i]} << 8 | frame[i + 1];
  sum = ~((sum & 0xffff) + (sum >> 16));
  frame[24] = static_cast<std::uint8_t>(sum >> 8);
  frame[25] = static_cast<std::uint8_t>(sum);
  frame[35] = 9;  // port 9 to 9
  frame[37] = 9;
  frame[46] = 0x50;  // header of 20 octets
  frame[47] = 0x10;  // ACK
}

// Which drop counters moved, as text.
inline std::string drops(const Counters& before, const Counters& after) {
  std::string text;
  for (const auto& [name, value] : after) {
    if (name.find("_drop_") == std::string::npos || value == before.at(name)) continue;
    text += name + "+" + std::to_string(value - before.at(name)) + " ";
  }
  return text;
}

inline void expect_drop(const char* what, bool consumed, const Counters& before, const std::string& wanted) {
  const std::string got = drops(before, read_counters());
  held::expect(consumed && got == wanted, std::string(what) + (consumed ? ": " : ": NOT CONSUMED: ") + got);
}

}  // namespace hostile
