// SPDX-License-Identifier: Apache-2.0
// The contract suite's second half: what a family does for the kernel, if NicOffloads says so. What it does not offer
// is told as skipped.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "tests/contract/nic_contract.h"
#include "tests/fake/ip_frame.h"

namespace udd::contract {

using fake::IpFrame;

template <typename Rig>
class NicOffloadContract : public NicContract<Rig> {
 protected:
  /// Of TCP over IPv6 with time-stamps, at an MTU of 1500.
  static constexpr std::uint16_t kSegment = 1428;
  /// Names no place: only what comes back of a piece that is no single buffer.
  static constexpr BufferIndex kToken = kWindowToken | 7;

  struct Loaded {
    TxFrame frame;
    std::vector<TxPiece> pieces;
  };

  IpFrame ip_frame(const IpFrame::Options& options) { return {this->mac(1), this->mac(0), options}; }

  /// The frame in end 0's buffers of the kernel's: headers and four octets in the first, the others, which lie in a row
  /// for the NIC, in one run, or a piece for each buffer.
  Loaded load_ip(const IpFrame& frame, std::uint16_t segment, bool run) {
    Pool& pool = this->pool(0);
    const BufferIndex first = pool.first_kernel_buffer();
    const auto octets = frame.octets();
    const std::size_t head = std::min<std::size_t>(octets.size(), frame.header() + 4u);
    std::memcpy(pool.data(first), octets.data(), head);
    Loaded loaded{
        .frame = {.pieces = 0,
                  .length = static_cast<std::uint32_t>(octets.size()),
                  .header = pool.data(first),
                  .offload = frame.offload(segment)},
        .pieces = {{.address = pool.iova(first), .length = static_cast<std::uint32_t>(head), .token = first}}};
    const auto rest = octets.subspan(head);
    EXPECT_LE(rest.size(), (Rig::kKernelBuffers - 1) * kBufferSize);
    std::memcpy(pool.data(first + 1), rest.data(), rest.size());
    const std::size_t each = run ? rest.size() : kBufferSize;
    for (std::size_t at = 0; at < rest.size(); at += each) {
      const BufferIndex buffer = first + 1 + static_cast<BufferIndex>(at / kBufferSize);
      loaded.pieces.push_back({.address = pool.iova(buffer),
                               .length = static_cast<std::uint32_t>(std::min(each, rest.size() - at)),
                               .token = run ? kToken : buffer});
    }
    loaded.frame.pieces = static_cast<std::uint32_t>(loaded.pieces.size());
    return loaded;
  }

  void send_ip(const Loaded& loaded) {
    const std::uint32_t slots = Rig::Queue::tx_slots(loaded.frame, loaded.pieces.data());
    const std::size_t room = this->queue(0).tx_room();
    ASSERT_LE(slots, room);
    this->queue(0).tx_frames(std::span(&loaded.frame, 1), loaded.pieces.data());
    EXPECT_EQ(this->queue(0).tx_room(), room - slots);
  }

  /// What comes back of `count` pieces, a few at a time.
  std::vector<BufferIndex> tokens(std::size_t count) {
    std::vector<BufferIndex> all;
    const auto until = std::chrono::steady_clock::now() + kArrival;
    while (all.size() < count && std::chrono::steady_clock::now() < until) {
      std::array<BufferIndex, 3> some{};
      const std::size_t got = this->queue(0).tx_reclaim(some);
      all.insert(all.end(), some.begin(), some.begin() + static_cast<std::ptrdiff_t>(got));
      if (got == 0) std::this_thread::yield();
    }
    std::array<BufferIndex, 1> more{};
    EXPECT_EQ(this->queue(0).tx_reclaim(more), 0u);
    return all;
  }
  void expect_back(const Loaded& loaded) {
    std::vector<BufferIndex> expected;
    for (const TxPiece& piece : loaded.pieces) expected.push_back(piece.token);
    EXPECT_EQ(tokens(expected.size()), expected);
  }

  void expect_cut(bool v4) {
    for (const int vlan : {-1, 100}) {
      for (const std::size_t payload : {5u, 1428u, 1429u, 20000u, 65000u}) {
        for (const bool run : {false, true}) {
          SCOPED_TRACE(::testing::Message() << "payload " << payload << ", vlan " << vlan << ", run " << run);
          const IpFrame frame = ip_frame({.v4 = v4, .vlan = vlan, .payload = payload});
          const Loaded loaded = load_ip(frame, kSegment, run);
          send_ip(loaded);
          frame.expect_segments(this->receive(1, (payload + kSegment - 1) / kSegment), kSegment, Rig::kLastFlags);
          expect_back(loaded);
        }
      }
    }
  }

  /// Does end 1 say that the sum of this frame is right?
  std::optional<bool> checked(const std::vector<std::byte>& octets) {
    this->send(0, octets);
    this->reclaim_all(0, 1);
    std::array<Piece, 1> piece{};
    const auto until = std::chrono::steady_clock::now() + kArrival;
    while (this->queue(1).rx_burst(piece) == 0) {
      if (std::chrono::steady_clock::now() >= until) return std::nullopt;
      std::this_thread::yield();
    }
    this->pool(1).give(piece[0].buffer);
    EXPECT_EQ(piece[0].flags & Piece::kError, 0) << "not the NIC's to judge";
    return (piece[0].flags & Piece::kChecksumOk) != 0;
  }
};

TYPED_TEST_SUITE_P(NicOffloadContract);

TYPED_TEST_P(NicOffloadContract, CutsTcpOverIpv4) {
  if (!this->nic(0).offloads().tso4) GTEST_SKIP() << "not offered";
  this->expect_cut(true);
}

TYPED_TEST_P(NicOffloadContract, CutsTcpOverIpv6) {
  if (!this->nic(0).offloads().tso6) GTEST_SKIP() << "not offered";
  this->expect_cut(false);
}

TYPED_TEST_P(NicOffloadContract, PutsChecksumsIn) {
  if (!this->nic(0).offloads().tx_checksum) GTEST_SKIP() << "not offered";
  for (const bool v4 : {true, false}) {
    for (const bool tcp : {true, false}) {
      for (const int vlan : {-1, 100}) {
        SCOPED_TRACE(::testing::Message() << "v4 " << v4 << ", tcp " << tcp << ", vlan " << vlan);
        const IpFrame frame = this->ip_frame({.v4 = v4, .tcp = tcp, .vlan = vlan, .payload = 1001});
        const auto loaded = this->load_ip(frame, 0, false);
        this->send_ip(loaded);
        this->expect_arrival(1, frame.summed());
        this->expect_back(loaded);
      }
    }
  }
}

TYPED_TEST_P(NicOffloadContract, LeavesOtherFramesAlone) {
  if (!this->nic(0).offloads().tx_checksum) GTEST_SKIP() << "not offered";
  // One to be summed and one not, in turn: nothing of the one sticks to the other, on either way into the ring.
  const IpFrame frame = this->ip_frame({.payload = 300});
  const Octets raw(frame.octets().begin(), frame.octets().end());
  auto loaded = this->load_ip(frame, 0, false);
  this->send_ip(loaded);
  this->expect_arrival(1, frame.summed());
  this->expect_back(loaded);
  this->send(0, raw);
  this->expect_arrival(1, raw);
  this->reclaim_all(0, 1);
  loaded = this->load_ip(frame, 0, false);  // QEMU writes the sum where it reads the frame
  loaded.frame.offload = {};
  this->send_ip(loaded);
  this->expect_arrival(1, raw);
  this->expect_back(loaded);
}

TYPED_TEST_P(NicOffloadContract, ReturnsTokensInOrder) {
  if (!this->nic(0).offloads().tso4) GTEST_SKIP() << "not offered";
  // All ways into the ring, many times around it.
  const IpFrame frame = this->ip_frame({.payload = 20000});
  const auto cut = this->load_ip(frame, this->kSegment, true);
  for (std::uint32_t round = 0; round < TypeParam::kSlots.tx / 4; ++round) {
    const auto plain = this->load_all(0, std::vector<Octets>{this->frame(0, round), this->frame(0, round)});
    ASSERT_EQ(this->queue(0).tx_burst(plain), 2u);
    this->send_ip(cut);
    ASSERT_EQ(this->receive(1, 2 + 15).size(), 2u + 15);
    ASSERT_EQ(this->tokens(4),
              (std::vector<BufferIndex>{plain[0].buffer, plain[1].buffer, cut.pieces[0].token, this->kToken}));
    for (const Piece& piece : plain) this->pool(0).give(piece.buffer);
  }
}

TYPED_TEST_P(NicOffloadContract, StopAndAnotherProcessFindTokens) {
  if (!this->nic(0).offloads().tso4) GTEST_SKIP() << "not offered";
  this->rig_.hold_transmit(0, true);
  const IpFrame frame = this->ip_frame({.payload = 20000});
  const auto loaded = this->load_ip(frame, this->kSegment, true);
  this->send_ip(loaded);
  this->rig_.replace_process(0);
  this->nic(0).stop();
  this->expect_back(loaded);
  this->rig_.hold_transmit(0, false);
}

TYPED_TEST_P(NicOffloadContract, TellsOfRightSumsOnly) {
  if (!this->nic(0).offloads().rx_checksum) GTEST_SKIP() << "not offered";
  for (const bool v4 : {true, false}) {
    for (const bool tcp : {true, false}) {
      SCOPED_TRACE(::testing::Message() << "v4 " << v4 << ", tcp " << tcp);
      auto octets = this->ip_frame({.v4 = v4, .tcp = tcp, .payload = 200}).summed();
      EXPECT_EQ(this->checked(octets), true);
      octets.back() ^= std::byte{1};
      EXPECT_EQ(this->checked(octets), false);
    }
  }
  const IpFrame frame = this->ip_frame({.payload = 200});
  auto fragment = frame.summed();
  fragment[frame.ip() + 6u] = std::byte{0x20};  // for 0x40: more of it follow; IPv4's own sum
  fragment[frame.ip() + 10u] ^= std::byte{0x60};
  EXPECT_EQ(this->checked(fragment), false) << "a fragment";
  EXPECT_EQ(this->checked(this->frame(0, 1)), false) << "no IP";
}

REGISTER_TYPED_TEST_SUITE_P(NicOffloadContract, CutsTcpOverIpv4, CutsTcpOverIpv6, PutsChecksumsIn,
                            LeavesOtherFramesAlone, ReturnsTokensInOrder, StopAndAnotherProcessFindTokens,
                            TellsOfRightSumsOnly);

}  // namespace udd::contract
