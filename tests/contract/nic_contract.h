// SPDX-License-Identifier: Apache-2.0
// The suite that every NIC family must pass: the Guarantees of udd/nic/nic.h, on two ports joined by a wire. A family's
// test file names its rig and instantiates it.
#pragma once

#include <gtest/gtest.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <deque>
#include <thread>
#include <utility>
#include <vector>

#include "udd/base/error.h"
#include "udd/nic/nic.h"

namespace udd::contract {

using std::chrono::milliseconds;
using Octets = std::vector<std::byte>;

/// Frames on an emulated wire take microseconds to a few milliseconds; a loaded host stretches that a hundredfold.
inline constexpr milliseconds kArrival{3000};
/// How long "nothing comes" is watched.
inline constexpr milliseconds kSilence{50};
inline constexpr std::uint16_t kEtherType = 0x88b5;  // IEEE 802, local experiments

/// Destination, source, [tag,] EtherType, sequence number, and a pattern made from it.
inline Octets make_frame(const MacAddress& to, const MacAddress& from, std::uint32_t sequence, std::size_t size,
                         int vlan = -1) {
  Octets frame(size);
  std::size_t at = 0;
  const auto put = [&](auto octet) { frame[at++] = static_cast<std::byte>(octet); };
  for (auto octet : to) put(octet);
  for (auto octet : from) put(octet);
  if (vlan >= 0) {
    for (unsigned octet : {0x81, 0x00, vlan >> 8, vlan & 0xff}) put(octet);
  }
  put(kEtherType >> 8);
  put(kEtherType & 0xff);
  for (int shift : {24, 16, 8, 0}) put(sequence >> shift);
  for (std::uint32_t i = 0; at < size; ++i) put(sequence * 31 + i * 7);
  return frame;
}

template <typename Rig>
class NicContract : public ::testing::Test {
 protected:
  static constexpr std::size_t kMinimum = 60;  // shortest frame without padding, FCS apart
  static constexpr std::uint32_t kOwn = Rig::kBuffers - Rig::kKernelBuffers;

  void SetUp() override {
    for (unsigned end : {0u, 1u}) {
      nic(end).start();
      configure(end);
    }
    wait_for_link();
  }

  void TearDown() override {
    if constexpr (Rig::kHasFaults) {
      EXPECT_EQ(rig_.device(0).dma_faults(), 0u);
      EXPECT_EQ(rig_.device(1).dma_faults(), 0u);
    }
    for (unsigned end : {0u, 1u}) nic(end).stop();
  }

  Nic& nic(unsigned end) { return rig_.nic(end); }
  typename Rig::Queue& queue(unsigned end) { return rig_.queue(end); }
  Pool& pool(unsigned end) { return rig_.pool(end); }
  MacAddress mac(unsigned end) { return nic(end).permanent_mac(); }

  void configure(unsigned end, NicConfig config = {}) {
    if (config.mac == MacAddress{}) config.mac = mac(end);
    nic(end).configure(config);
  }

  void wait_for_link() {
    const auto until = std::chrono::steady_clock::now() + kArrival;
    for (unsigned end : {0u, 1u}) {
      while (nic(end).link().status != LinkState::Status::kUp) {
        ASSERT_LT(std::chrono::steady_clock::now(), until) << "no link on end " << end;
        std::this_thread::sleep_for(milliseconds(1));
      }
    }
  }

  Octets frame(unsigned from, std::uint32_t sequence, std::size_t size = kMinimum) {
    return make_frame(mac(1 - from), mac(from), sequence, size);
  }

  /// A frame in buffers of `end`, one piece for each; empty if the pool has none left.
  std::vector<Piece> load(unsigned end, const Octets& octets) {
    std::vector<BufferIndex> buffers((octets.size() + kBufferSize - 1) / kBufferSize);
    const std::size_t got = pool(end).take(buffers);
    if (got < buffers.size()) {
      pool(end).give(std::span(buffers).first(got));
      return {};
    }
    std::vector<Piece> pieces;
    for (std::size_t at = 0; at < octets.size(); at += kBufferSize) {
      const std::size_t length = std::min(kBufferSize, octets.size() - at);
      const BufferIndex buffer = buffers[at / kBufferSize];
      std::memcpy(pool(end).data(buffer), &octets[at], length);
      pieces.push_back({.buffer = buffer, .length = static_cast<std::uint16_t>(length)});
    }
    pieces.front().flags |= Piece::kFirst;
    pieces.back().flags |= Piece::kLast;
    return pieces;
  }

  std::vector<Piece> load_all(unsigned end, std::span<const Octets> frames) {
    std::vector<Piece> pieces;
    for (const Octets& octets : frames) {
      const auto more = load(end, octets);
      EXPECT_FALSE(more.empty()) << "pool is empty";
      pieces.insert(pieces.end(), more.begin(), more.end());
    }
    return pieces;
  }

  /// Sends all of it in one burst.
  void send(unsigned end, std::span<const Octets> frames) {
    const auto pieces = load_all(end, frames);
    ASSERT_EQ(queue(end).tx_burst(pieces), pieces.size());
  }
  void send(unsigned end, const Octets& octets) { send(end, std::span(&octets, 1)); }

  /// Sent buffers back to the pool; how many.
  std::size_t reclaim(unsigned end, std::size_t burst = 32) {
    std::vector<BufferIndex> done(burst);
    std::size_t total = 0;
    while (const std::size_t count = queue(end).tx_reclaim(done)) {
      pool(end).give(std::span(done).first(count));
      total += count;
    }
    return total;
  }
  void reclaim_all(unsigned end, std::size_t expected) {
    const auto until = std::chrono::steady_clock::now() + kArrival;
    std::size_t total = 0;
    while ((total += reclaim(end)) < expected && std::chrono::steady_clock::now() < until) std::this_thread::yield();
    EXPECT_EQ(total, expected);
  }

  /// Frames that arrive until `count` have, or time is over. Buffers go back at once.
  std::vector<Octets> receive(unsigned end, std::size_t count, std::size_t burst = 32, milliseconds limit = kArrival) {
    std::vector<Octets> frames;
    std::vector<Piece> pieces(burst);
    const auto until = std::chrono::steady_clock::now() + limit;
    while (frames.size() < count) {
      const std::size_t got = queue(end).rx_burst(pieces);
      for (const Piece& piece : std::span(pieces).first(got)) {
        EXPECT_EQ((piece.flags & Piece::kFirst) != 0, partial_[end].empty());
        const std::byte* const data = pool(end).data(piece.buffer) + piece.offset;
        partial_[end].insert(partial_[end].end(), data, data + piece.length);
        damaged_ = damaged_ || (piece.flags & Piece::kError) != 0;
        pool(end).give(std::span(&piece.buffer, 1));
        if ((piece.flags & Piece::kLast) == 0) continue;
        if (damaged_) {
          ++damaged_frames_;
        } else {
          frames.push_back(partial_[end]);
        }
        damaged_ = false;
        partial_[end].clear();
      }
      if (got == 0) {
        if (std::chrono::steady_clock::now() >= until) break;
        std::this_thread::yield();
      }
    }
    return frames;
  }

  void expect_silence(unsigned end) { EXPECT_TRUE(receive(end, 1, 32, kSilence).empty()); }
  void expect_arrival(unsigned end, const Octets& octets) {
    const auto frames = receive(end, 1);
    ASSERT_EQ(frames.size(), 1u);
    EXPECT_EQ(frames[0], octets);
  }

  /// True if an interrupt comes within `limit`; consumes it.
  bool interrupted(unsigned end, milliseconds limit) {
    pollfd event{.fd = nic(end).interrupt_fd(), .events = POLLIN, .revents = 0};
    if (poll(&event, 1, static_cast<int>(limit.count())) != 1) return false;
    std::uint64_t count = 0;
    return ::read(event.fd, &count, sizeof(count)) == sizeof(count);
  }
  /// Asks for an interrupt after events that lie behind us have been seen.
  void settle_interrupts(unsigned end) {
    nic(end).mask_interrupt();
    nic(end).link();
    while (interrupted(end, milliseconds(0))) {
    }
  }

  Rig rig_;
  std::array<Octets, 2> partial_;
  bool damaged_ = false;
  unsigned damaged_frames_ = 0;
};

TYPED_TEST_SUITE_P(NicContract);

TYPED_TEST_P(NicContract, StartsAndStopsTenTimes) {
  for (std::uint32_t round = 0; round < 10; ++round) {
    const Octets octets = this->frame(0, round);
    this->send(0, octets);
    this->expect_arrival(1, octets);
    for (unsigned end : {0u, 1u}) {
      this->nic(end).stop();
      this->reclaim(end);
      EXPECT_EQ(this->pool(end).free_count(), this->kOwn) << "end " << end << ", round " << round;
      this->nic(end).start();
      this->configure(end);
    }
    this->wait_for_link();
  }
}

TYPED_TEST_P(NicContract, CarriesEveryBurstSize) {
  std::uint32_t sequence = 0;
  for (std::size_t burst : {1, 2, 3, 7, 31, 32, 33, 50, 64, 100}) {
    std::vector<Octets> frames;
    for (std::size_t i = 0; i < burst; ++i) frames.push_back(this->frame(0, sequence++, this->kMinimum + i));
    this->send(0, frames);
    EXPECT_EQ(this->receive(1, burst, burst), frames) << "burst of " << burst;
    this->reclaim_all(0, burst);
  }
}

TYPED_TEST_P(NicContract, KeepsOrderAroundTheRings) {
  // Bursts of 13 don't divide the rings: the wrap falls at every place in a burst.
  constexpr std::size_t kBurst = 13;
  const std::uint32_t total = 5 * TypeParam::kSlots.rx;
  std::uint32_t sent = 0;
  std::uint32_t received = 0;
  while (received < total) {
    std::vector<Octets> frames;
    for (std::size_t i = 0; i < kBurst; ++i, ++sent) frames.push_back(this->frame(0, sent, 60 + sent % 1400));
    this->send(0, frames);
    const auto got = this->receive(1, kBurst, 5);
    ASSERT_EQ(got, frames) << "from " << received;
    received += kBurst;
    this->reclaim_all(0, kBurst);
  }
}

TYPED_TEST_P(NicContract, QuickBurstsKeepOrderAroundTheRings) {
  // What a quick burst leaves, the full one does: together they lose and repeat nothing, wherever the rings end.
  constexpr std::size_t kBurst = 13;
  const std::uint32_t total = 5 * TypeParam::kSlots.rx;
  std::array<std::size_t, 2> quick{};  // sent, received
  for (std::uint32_t at = 0; at < total; at += kBurst) {
    std::vector<Octets> frames;
    for (std::uint32_t i = 0; i < kBurst; ++i) frames.push_back(this->frame(0, at + i, 60 + (at + i) % 1400));
    const auto pieces = this->load_all(0, frames);
    std::vector<Frame> whole;
    for (const Piece& piece : pieces) {
      whole.emplace_back(this->pool(0).data(piece.buffer), piece.buffer, piece.length);
    }
    // Every third burst has a frame that may not go, and all of it goes the other way.
    const BufferIndex bad = at % 3 == 0 ? whole[kBurst / 2].buffer() : kNoBuffer;
    if (kBurst <= this->queue(0).tx_quick_room() &&
        this->queue(0).tx_quick(whole, [bad](const Frame& frame) noexcept { return frame.buffer() != bad; })) {
      EXPECT_EQ(bad, kNoBuffer);
      quick[0] += kBurst;
    } else {
      ASSERT_EQ(this->queue(0).tx_burst(pieces), kBurst);
    }

    std::vector<Octets> got;
    const auto until = std::chrono::steady_clock::now() + kArrival;
    while (got.size() < kBurst && std::chrono::steady_clock::now() < until) {
      const auto keep = [&](BufferIndex buffer, std::uint16_t length) {
        const std::byte* const data = this->pool(1).data(buffer);
        got.emplace_back(data, data + length);
        this->pool(1).give(buffer);
      };
      std::array<std::pair<BufferIndex, std::uint16_t>, kBurst> taken;
      const std::size_t wanted = std::min<std::size_t>(5, kBurst - got.size());
      const auto [count, more] =
          this->queue(1).rx_quick(wanted, [&, i = 0u](BufferIndex buffer, std::uint16_t length) mutable noexcept {
            taken[i++] = {buffer, length};
            return length != 60 + at % 1400 || at % 2 == 0;  // some are refused, and must stay
          });
      for (std::size_t i = 0; i < count; ++i) keep(taken[i].first, taken[i].second);
      quick[1] += count;
      if (!more || this->queue(1).rx_go_on()) continue;
      std::array<Piece, 1> piece;
      if (this->queue(1).rx_burst(piece) == 1) keep(piece[0].buffer, piece[0].length);
    }
    ASSERT_EQ(got, frames) << "from " << at;
    this->reclaim_all(0, kBurst);
  }
  EXPECT_GT(quick[0], total / 2);
  EXPECT_GT(quick[1], total / 2);
}

TYPED_TEST_P(NicContract, FullTransmitRingTakesWhatFits) {
  this->rig_.hold_transmit(0, true);
  const std::size_t room = this->queue(0).tx_room();
  ASSERT_GT(room, 0u);
  std::vector<Octets> frames;
  for (std::uint32_t i = 0; i < room + 3; ++i) frames.push_back(this->frame(0, i));
  const auto pieces = this->load_all(0, frames);
  EXPECT_EQ(this->queue(0).tx_burst(pieces), room);
  EXPECT_EQ(this->queue(0).tx_room(), 0u);
  EXPECT_EQ(this->queue(0).tx_burst(std::span(pieces).subspan(room)), 0u);
  EXPECT_EQ(this->reclaim(0), 0u) << "nothing has been sent yet";
  this->rig_.hold_transmit(0, false);
  EXPECT_EQ(this->receive(1, room),
            std::vector<Octets>(frames.begin(), frames.begin() + static_cast<std::ptrdiff_t>(room)));
  this->reclaim_all(0, room);
  EXPECT_EQ(this->queue(0).tx_burst(std::span(pieces).subspan(room)), 3u);
  this->reclaim_all(0, 3);
}

TYPED_TEST_P(NicContract, ReclaimsInOrderWhateverFits) {
  std::vector<Octets> frames;
  for (std::uint32_t i = 0; i < 20; ++i) frames.push_back(this->frame(0, i));
  const auto pieces = this->load_all(0, frames);
  ASSERT_EQ(this->queue(0).tx_burst(pieces), pieces.size());
  ASSERT_EQ(this->receive(1, 20).size(), 20u);
  std::vector<BufferIndex> all;
  const auto until = std::chrono::steady_clock::now() + kArrival;
  while (all.size() < pieces.size() && std::chrono::steady_clock::now() < until) {
    std::array<BufferIndex, 3> some{};
    const std::size_t count = this->queue(0).tx_reclaim(some);
    all.insert(all.end(), some.begin(), some.begin() + static_cast<std::ptrdiff_t>(count));
  }
  ASSERT_EQ(all.size(), pieces.size());
  for (std::size_t i = 0; i < all.size(); ++i) EXPECT_EQ(all[i], pieces[i].buffer);
  this->pool(0).give(all);
}

TYPED_TEST_P(NicContract, TakesWholeFramesOnly) {
  this->configure(0, {.mtu = 9000});
  this->configure(1, {.mtu = 9000});
  auto pieces = this->load_all(0, std::vector<Octets>{this->frame(0, 1), this->frame(0, 2, 9000)});
  ASSERT_EQ(pieces.size(), 4u);
  // The second frame lacks its last piece: only the first is taken.
  EXPECT_EQ(this->queue(0).tx_burst(std::span(pieces).first(3)), 1u);
  EXPECT_EQ(this->queue(0).tx_burst(std::span(pieces).subspan(1, 2)), 0u);
  EXPECT_EQ(this->queue(0).tx_burst(std::span(pieces).subspan(1)), 3u);
  EXPECT_EQ(this->receive(1, 2).size(), 2u);
  this->reclaim_all(0, 4);
}

TYPED_TEST_P(NicContract, RefillsOnceThePoolRecovers) {
  // Take every buffer the receiver has: its ring can't be refilled.
  std::vector<BufferIndex> hoard(this->kOwn);
  hoard.resize(this->pool(1).take(hoard));
  std::vector<Piece> held;
  std::array<Piece, 32> some{};
  std::uint32_t sequence = 0;
  // More than its ring holds, so that it runs dry.
  for (std::uint32_t round = 0; round < 2 * TypeParam::kSlots.rx / 16; ++round) {
    std::vector<Octets> frames;
    for (int i = 0; i < 16; ++i) frames.push_back(this->frame(0, sequence++));
    this->send(0, frames);
    this->reclaim_all(0, 16);
    const std::size_t count = this->queue(1).rx_burst(some);
    held.insert(held.end(), some.begin(), some.begin() + static_cast<std::ptrdiff_t>(count));
  }
  const auto until = std::chrono::steady_clock::now() + kSilence;
  while (std::chrono::steady_clock::now() < until) {
    const std::size_t count = this->queue(1).rx_burst(some);
    held.insert(held.end(), some.begin(), some.begin() + static_cast<std::ptrdiff_t>(count));
  }
  EXPECT_LT(held.size(), TypeParam::kSlots.rx);
  EXPECT_FALSE(this->queue(1).pending());
  // Buffers come back: so does reception.
  for (const Piece& piece : held) this->pool(1).give(std::span(&piece.buffer, 1));
  this->pool(1).give(hoard);
  while (!this->receive(1, TypeParam::kSlots.rx, 32, kSilence).empty()) {
  }  // what waited in the NIC
  const Octets octets = this->frame(0, sequence);
  this->send(0, octets);
  this->expect_arrival(1, octets);
}

TYPED_TEST_P(NicContract, CarriesFramesOfSeveralBuffers) {
  this->configure(0, {.mtu = 9000});
  this->configure(1, {.mtu = 9000});
  std::vector<Octets> frames;
  std::uint32_t sequence = 0;
  for (std::size_t size : {4095, 4096, 4097, 8191, 8192, 8193, 9014, 60}) {
    frames.push_back(this->frame(0, sequence++, size));
  }
  this->send(0, frames);
  // Calls for one piece at a time: a frame's pieces straddle calls.
  EXPECT_EQ(this->receive(1, frames.size(), 1), frames);
  this->reclaim_all(0, 1 + 1 + 2 + 2 + 2 + 3 + 3 + 1);
}

TYPED_TEST_P(NicContract, LetsInWhatIsAskedFor) {
  const MacAddress stranger{0x02, 0, 0, 0, 0, 0x77};
  const MacAddress group{0x01, 0x00, 0x5e, 0x00, 0x00, 0x17};
  const MacAddress other_group{0x01, 0x00, 0x5e, 0x12, 0x34, 0x56};
  const MacAddress broadcast{0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
  std::uint32_t sequence = 0;
  const auto arrives = [&](const MacAddress& to) {
    const Octets octets = make_frame(to, this->mac(0), ++sequence, 64);
    const Octets mark = make_frame(broadcast, this->mac(0), ++sequence, 64);
    this->send(0, std::vector<Octets>{octets, mark});
    // The mark is always let in and comes last: no waiting for what does not come.
    std::vector<Octets> got = this->receive(1, 1, 1);
    if (!got.empty() && got[0] == octets) {
      EXPECT_EQ(this->receive(1, 1), std::vector<Octets>{mark});
      return true;
    }
    EXPECT_EQ(got, std::vector<Octets>{mark});
    return false;
  };
  EXPECT_TRUE(arrives(this->mac(1)));
  EXPECT_TRUE(arrives(broadcast));
  EXPECT_FALSE(arrives(stranger));
  EXPECT_FALSE(arrives(group));
  this->configure(1, {.multicast = std::span(&group, 1)});
  EXPECT_TRUE(arrives(group));
  EXPECT_FALSE(arrives(other_group));
  EXPECT_TRUE(arrives(this->mac(1)));
  this->configure(1, {.all_multicast = true});
  EXPECT_TRUE(arrives(other_group));
  EXPECT_FALSE(arrives(stranger));
  this->configure(1, {.promiscuous = true});
  EXPECT_TRUE(arrives(stranger));
  EXPECT_TRUE(arrives(other_group));
  this->configure(1);
  EXPECT_FALSE(arrives(stranger));
  EXPECT_FALSE(arrives(group));
  this->configure(1, {.mac = stranger});
  EXPECT_TRUE(arrives(stranger));
  EXPECT_FALSE(arrives(this->mac(1)));
}

TYPED_TEST_P(NicContract, FiltersVlansAndKeepsTags) {
  std::array<std::uint8_t, 512> vlans{};
  constexpr int kWanted = 1234;
  constexpr int kUnwanted = 1235;
  vlans[kWanted / 8] = 1 << (kWanted % 8);
  this->configure(1, {.vlan_filter = true, .vlan_bitmap = vlans});
  const Octets wanted = make_frame(this->mac(1), this->mac(0), 1, 64, kWanted);
  const Octets unwanted = make_frame(this->mac(1), this->mac(0), 2, 64, kUnwanted);
  const Octets untagged = this->frame(0, 3);
  this->send(0, std::vector<Octets>{unwanted, wanted, unwanted, untagged});
  EXPECT_EQ(this->receive(1, 2), (std::vector<Octets>{wanted, untagged}));
  this->expect_silence(1);
  this->configure(1);
  this->send(0, unwanted);
  this->expect_arrival(1, unwanted);
}

TYPED_TEST_P(NicContract, ObeysTheMtu) {
  this->configure(0, {.mtu = 9000});
  const Octets longest = this->frame(0, 1, 1514);
  const Octets jumbo = this->frame(0, 2, 4000);
  const Octets mark = this->frame(0, 3);
  this->send(0, std::vector<Octets>{longest, jumbo, mark});
  EXPECT_EQ(this->receive(1, 2), (std::vector<Octets>{longest, mark}));
  this->configure(1, {.mtu = 9000});
  this->send(0, std::vector<Octets>{longest, jumbo, mark});
  EXPECT_EQ(this->receive(1, 3), (std::vector<Octets>{longest, jumbo, mark}));
  EXPECT_THROW(this->configure(1, {.mtu = this->nic(1).max_mtu() + 1}), Error);
}

TYPED_TEST_P(NicContract, InterruptsOnlyWhenAsked) {
  this->settle_interrupts(1);
  this->send(0, this->frame(0, 1));
  ASSERT_EQ(this->receive(1, 1).size(), 1u);
  EXPECT_FALSE(this->interrupted(1, kSilence)) << "masked";
  this->nic(1).unmask_interrupt();
  EXPECT_FALSE(this->interrupted(1, kSilence)) << "that frame has been reported";
  this->send(0, this->frame(0, 2));
  EXPECT_TRUE(this->interrupted(1, kArrival));
  this->nic(1).mask_interrupt();
  ASSERT_EQ(this->receive(1, 1).size(), 1u);
  this->settle_interrupts(1);
  this->send(0, this->frame(0, 3));
  EXPECT_FALSE(this->interrupted(1, kSilence)) << "masked again";
}

TYPED_TEST_P(NicContract, InterruptsForFramesThatWait) {
  this->settle_interrupts(1);
  this->send(0, this->frame(0, 1));
  const auto until = std::chrono::steady_clock::now() + kArrival;
  while (!this->queue(1).pending() && std::chrono::steady_clock::now() < until) std::this_thread::yield();
  ASSERT_TRUE(this->queue(1).pending());
  for (int round = 0; round < 3; ++round) {
    this->nic(1).unmask_interrupt();
    EXPECT_TRUE(this->interrupted(1, kArrival)) << "round " << round;
    this->settle_interrupts(1);
  }
  EXPECT_EQ(this->receive(1, 1).size(), 1u);
}

TYPED_TEST_P(NicContract, CountsWhatItCarried) {
  std::uint64_t octets = 0;
  std::vector<Octets> frames;
  for (std::uint32_t i = 0; i < 50; ++i) {
    frames.push_back(this->frame(0, i, 60 + 10 * i));
    octets += frames.back().size();
  }
  const NicStats sent_before = this->nic(0).stats();
  const NicStats received_before = this->nic(1).stats();
  this->send(0, frames);
  ASSERT_EQ(this->receive(1, 50).size(), 50u);
  this->reclaim_all(0, 50);
  const NicStats sent = this->nic(0).stats();
  const NicStats received = this->nic(1).stats();
  EXPECT_EQ(sent.tx_frames - sent_before.tx_frames, 50u);
  EXPECT_EQ(sent.tx_octets - sent_before.tx_octets, octets);
  EXPECT_EQ(received.rx_frames - received_before.rx_frames, 50u);
  EXPECT_EQ(received.rx_octets - received_before.rx_octets, octets);
}

TYPED_TEST_P(NicContract, StopReturnsEveryBuffer) {
  this->rig_.hold_transmit(0, true);
  std::vector<Octets> frames;
  for (std::uint32_t i = 0; i < 10; ++i) frames.push_back(this->frame(0, i));
  const auto pieces = this->load_all(0, frames);
  ASSERT_EQ(this->queue(0).tx_burst(pieces), pieces.size());
  this->nic(0).stop();
  EXPECT_EQ(this->queue(0).tx_room(), 0u);
  EXPECT_EQ(this->queue(0).tx_burst(pieces), 0u);
  std::array<Piece, 4> none{};
  EXPECT_EQ(this->queue(0).rx_burst(none), 0u);
  EXPECT_EQ(this->reclaim(0), pieces.size());
  EXPECT_EQ(this->pool(0).free_count(), this->kOwn);
  this->nic(0).start();
  this->configure(0);
  this->rig_.hold_transmit(0, false);
  this->wait_for_link();
  this->send(0, frames[0]);
  this->expect_arrival(1, frames[0]);
}

TYPED_TEST_P(NicContract, AnotherProcessGoesOn) {
  // Some frames wait to be received, some to be sent, some to be reclaimed when the process ends.
  std::vector<Octets> to_receive;
  for (std::uint32_t i = 0; i < 20; ++i) to_receive.push_back(this->frame(0, i));
  this->send(0, to_receive);
  EXPECT_EQ(this->receive(1, 5, 5), std::vector<Octets>(to_receive.begin(), to_receive.begin() + 5));
  std::vector<Octets> to_send;
  for (std::uint32_t i = 0; i < 7; ++i) to_send.push_back(this->frame(1, 100 + i));
  this->rig_.hold_transmit(1, true);
  this->send(1, to_send);
  this->rig_.replace_process(1);
  EXPECT_EQ(this->receive(1, 15), std::vector<Octets>(to_receive.begin() + 5, to_receive.end()));
  this->rig_.hold_transmit(1, false);
  EXPECT_EQ(this->receive(0, 7), to_send);
  this->reclaim_all(1, 7);
  // And on around the rings.
  for (std::uint32_t i = 0; i < 2 * TypeParam::kSlots.tx; ++i) {
    const Octets octets = this->frame(1, i);
    this->send(1, octets);
    this->expect_arrival(0, octets);
    this->reclaim_all(1, 1);
  }
  EXPECT_EQ(this->mac(1), this->nic(1).permanent_mac());
  this->nic(1).stop();
  EXPECT_EQ(this->pool(1).free_count(), this->kOwn);
}

TYPED_TEST_P(NicContract, BothEndsAtOnce) {
  constexpr std::uint32_t kTotal = 2000;
  constexpr std::uint32_t kWindow = 32;
  const std::array<MacAddress, 2> macs{this->mac(0), this->mac(1)};
  std::array<std::uint32_t, 2> received{};
  const auto run = [&](unsigned end) {
    const auto until = std::chrono::steady_clock::now() + 20 * kArrival;
    std::array<Piece, 16> pieces{};
    std::array<BufferIndex, 16> buffers{};
    std::uint32_t sent = 0;
    while ((received[end] < kTotal || sent < kTotal) && std::chrono::steady_clock::now() < until) {
      if (sent < kTotal && sent < received[end] + kWindow && this->pool(end).take(std::span(buffers).first(1)) == 1) {
        const Octets octets = make_frame(macs[1 - end], macs[end], sent, 60 + sent % 500);
        std::memcpy(this->pool(end).data(buffers[0]), octets.data(), octets.size());
        const Piece piece{.buffer = buffers[0],
                          .length = static_cast<std::uint16_t>(octets.size()),
                          .flags = Piece::kFirst | Piece::kLast};
        if (this->queue(end).tx_burst(std::span(&piece, 1)) == 1) {
          ++sent;
        } else {
          this->pool(end).give(std::span(buffers).first(1));
        }
      }
      this->pool(end).give(std::span(buffers).first(this->queue(end).tx_reclaim(buffers)));
      const std::size_t got = this->queue(end).rx_burst(pieces);
      for (const Piece& piece : std::span(pieces).first(got)) {
        const std::uint32_t sequence = received[end]++;
        const Octets expected = make_frame(macs[end], macs[1 - end], sequence, 60 + sequence % 500);
        EXPECT_EQ(piece.length, expected.size());
        EXPECT_EQ(std::memcmp(this->pool(end).data(piece.buffer), expected.data(), expected.size()), 0) << sequence;
        this->pool(end).give(std::span(&piece.buffer, 1));
      }
      if (got == 0) std::this_thread::yield();
    }
  };
  std::thread other(run, 1u);
  run(0);
  other.join();
  EXPECT_EQ(received[0], kTotal);
  EXPECT_EQ(received[1], kTotal);
}

REGISTER_TYPED_TEST_SUITE_P(NicContract, StartsAndStopsTenTimes, CarriesEveryBurstSize, KeepsOrderAroundTheRings,
                            QuickBurstsKeepOrderAroundTheRings, FullTransmitRingTakesWhatFits,
                            ReclaimsInOrderWhateverFits, TakesWholeFramesOnly, RefillsOnceThePoolRecovers,
                            CarriesFramesOfSeveralBuffers, LetsInWhatIsAskedFor, FiltersVlansAndKeepsTags, ObeysTheMtu,
                            InterruptsOnlyWhenAsked, InterruptsForFramesThatWait, CountsWhatItCarried,
                            StopReturnsEveryBuffer, AnotherProcessGoesOn, BothEndsAtOnce);

}  // namespace udd::contract
