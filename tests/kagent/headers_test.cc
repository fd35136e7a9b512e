// SPDX-License-Identifier: Apache-2.0
// kagent's look at the start of a frame (kagent/headers.c): plain TCP and UDP with all their headers, and nothing else.
#include "kagent/headers.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <random>
#include <vector>

namespace {

using Octets = std::vector<std::uint8_t>;

constexpr std::uint8_t kTcp = 6, kUdp = 17;

Octets ether(std::uint16_t type, bool vlan = false) {
  Octets head(12);
  if (vlan) head.insert(head.end(), {0x81, 0x00, 0x00, 0x05});
  head.push_back(static_cast<std::uint8_t>(type >> 8));
  head.push_back(static_cast<std::uint8_t>(type));
  return head;
}

Octets join(Octets head, const Octets& more, std::size_t payload = 64) {
  head.insert(head.end(), more.begin(), more.end());
  head.resize(head.size() + payload, 0xa5);
  return head;
}

Octets ipv4(std::uint8_t protocol, std::uint8_t words = 5, std::uint16_t fragment = 0x4000) {
  Octets ip(words * 4u);
  ip[0] = static_cast<std::uint8_t>(0x40 | words);
  ip[6] = static_cast<std::uint8_t>(fragment >> 8);
  ip[7] = static_cast<std::uint8_t>(fragment);
  ip[9] = protocol;
  Octets l4(20);
  l4[12] = 0x50;
  ip.insert(ip.end(), l4.begin(), l4.end());
  return ip;
}

Octets ipv6(std::uint8_t next, std::uint8_t tcp_words = 8) {
  Octets ip(40 + tcp_words * 4u);
  ip[0] = 0x60;
  ip[6] = next;
  ip[52] = static_cast<std::uint8_t>(tcp_words << 4);
  return ip;
}

kagent_headers look(const Octets& frame) {
  return kagent_find_headers(frame.data(),
                             static_cast<std::uint32_t>(std::min<std::size_t>(frame.size(), KAGENT_HEAD)));
}

void expect(const Octets& frame, kagent_kind kind, std::uint32_t length) {
  const auto found = look(frame);
  EXPECT_EQ(found.kind, kind);
  EXPECT_EQ(found.len, length);
}

TEST(KagentHeaders, FindsWhereThePayloadBegins) {
  expect(join(ether(0x0800), ipv4(kTcp)), KAGENT_KIND_TCP, 14 + 20 + 20);
  expect(join(ether(0x0800), ipv4(kTcp, 15)), KAGENT_KIND_TCP, 14 + 60 + 20);
  expect(join(ether(0x0800, true), ipv4(kTcp)), KAGENT_KIND_TCP, 18 + 20 + 20);
  expect(join(ether(0x0800), ipv4(kUdp)), KAGENT_KIND_UDP, 14 + 20 + 8);
  expect(join(ether(0x86dd), ipv6(kTcp)), KAGENT_KIND_TCP, 14 + 40 + 32);
  expect(join(ether(0x86dd, true), ipv6(kTcp, 15)), KAGENT_KIND_TCP, 18 + 40 + 60);
  expect(join(ether(0x86dd), ipv6(kUdp)), KAGENT_KIND_UDP, 14 + 40 + 8);
}

TEST(KagentHeaders, LeavesAllElseAlone) {
  expect(join(ether(0x0806), Octets(28)), KAGENT_KIND_OTHER, 0);                     // ARP
  expect(join(ether(0x0800), ipv4(1)), KAGENT_KIND_OTHER, 0);                        // ICMP
  expect(join(ether(0x0800), ipv4(50)), KAGENT_KIND_OTHER, 0);                       // ESP
  expect(join(ether(0x0800), ipv4(kTcp, 5, 0x2000)), KAGENT_KIND_OTHER, 0);          // first fragment
  expect(join(ether(0x0800), ipv4(kUdp, 5, 0x0001)), KAGENT_KIND_OTHER, 0);          // last fragment
  expect(join(ether(0x0800), ipv4(kTcp, 4)), KAGENT_KIND_OTHER, 0);                  // header too short to be one
  expect(join(ether(0x86dd), ipv6(44)), KAGENT_KIND_OTHER, 0);                       // IPv6 fragment
  expect(join(ether(0x86dd), ipv6(0)), KAGENT_KIND_OTHER, 0);                        // hop-by-hop options
  expect(join(ether(0x0800), ipv6(kTcp)), KAGENT_KIND_OTHER, 0);                     // type and version differ
  expect(join(ether(0x86dd), ipv4(kTcp)), KAGENT_KIND_OTHER, 0);                     // likewise
  expect(join(ether(0x88a8), ipv4(kTcp)), KAGENT_KIND_OTHER, 0);                     // provider's tag
  expect(join(join(ether(0x8100, true), {}, 2), ipv4(kTcp)), KAGENT_KIND_OTHER, 0);  // two tags
  expect(join(ether(0x86dd), ipv6(kTcp, 4)), KAGENT_KIND_OTHER, 0);                  // TCP header of 16 octets
}

TEST(KagentHeaders, WantsAllHeadersWithinWhatItSees) {
  for (const Octets& frame : {join(ether(0x0800), ipv4(kTcp), 0), join(ether(0x86dd, true), ipv6(kTcp, 15), 0),
                              join(ether(0x0800), ipv4(kUdp), 0)}) {
    const std::uint32_t length = look(frame).len;
    ASSERT_NE(length, 0u);
    for (std::uint32_t seen = 0; seen < length; ++seen) {
      // exactly as much memory: a sanitizer sees any look beyond
      const Octets start(frame.begin(), frame.begin() + seen);
      EXPECT_EQ(kagent_find_headers(start.data(), seen).kind, KAGENT_KIND_OTHER) << seen;
    }
    EXPECT_EQ(kagent_find_headers(frame.data(), length).len, length);
  }
  expect(join(ether(0x0800, true), ipv4(kTcp, 15), 40), KAGENT_KIND_TCP, 98);
}

TEST(KagentHeaders, NeverPointsBeyondWhatItSaw) {
  std::mt19937 random(3);
  for (int round = 0; round < 200000; ++round) {
    Octets frame = join(ether(round % 2 == 0 ? 0x0800 : 0x86dd, round % 3 == 0),
                        round % 2 == 0 ? ipv4(kTcp) : ipv6(kTcp), random() % 64);
    for (int changes = 0; changes < 3; ++changes) frame[12 + random() % 42] = static_cast<std::uint8_t>(random());
    frame.resize(random() % (frame.size() + 1));
    const auto found = look(frame);
    ASSERT_LE(found.len, std::min<std::size_t>(frame.size(), KAGENT_HEAD));
    ASSERT_EQ(found.len == 0, found.kind == KAGENT_KIND_OTHER);
  }
}

}  // namespace
