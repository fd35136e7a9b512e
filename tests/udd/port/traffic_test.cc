// SPDX-License-Identifier: Apache-2.0
// The service loop with both sides' traffic, over simulated NICs and kernels: who gets what, in which order, unchanged,
// and every buffer back where it belongs.
#include <gtest/gtest.h>

#include <optional>
#include <thread>

#include "tests/fake/sim_port.h"
#include "udd/mem/mapped.h"
#include "udd/mem/state_layout.h"

namespace udd {
namespace {

using fake::kAppType;
using fake::kIpType;
using fake::mac_of;
using fake::make_frame;
using fake::mark_of;
using fake::SimPair;

constexpr MacAddress kBroadcast{0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
constexpr MacAddress kGroup{0x01, 0x00, 0x5e, 0x01, 0x02, 0x03};

TEST(Traffic, ApplicationFramesGoBothWaysUnchanged) {
  SimPair pair;
  for (std::uint32_t i = 0; i < 1000; ++i) {
    for (const unsigned end : {0u, 1u}) {
      const auto frame = make_frame(mac_of(1 - end), mac_of(end), kAppType, i, 60 + i % 1400);
      ASSERT_TRUE(pair.app_send(end, frame));
      const auto got = pair.app_receive(1 - end);
      ASSERT_EQ(got.size(), 1u) << i;
      EXPECT_EQ(got[0], frame);
    }
  }
  EXPECT_EQ(pair.port(0).stats().app_tx_frames, 1000u);
  EXPECT_EQ(pair.port(0).stats().app_rx_frames, 1000u);
  EXPECT_FALSE(pair.kernel(0).receive());  // never to the kernel
}

TEST(Traffic, KernelFramesGoThroughTheTunnelBothWays) {
  SimPair pair;
  for (std::uint32_t i = 0; i < 1000; ++i) {
    for (const unsigned end : {0u, 1u}) {
      const auto frame = make_frame(mac_of(1 - end), mac_of(end), kIpType, i, 60 + i % 1400);
      ASSERT_TRUE(pair.kernel(end).send(frame));
      pair.queue(end).poll();
      EXPECT_TRUE(pair.app_receive(1 - end).empty());
      const auto got = pair.kernel(1 - end).receive();
      ASSERT_TRUE(got) << i;
      EXPECT_EQ(*got, frame);
      pair.queue(end).poll();
      pair.kernel(end).reap();
    }
  }
  for (const unsigned end : {0u, 1u}) {
    EXPECT_EQ(pair.kernel(end).violations(), 0u);
    EXPECT_EQ(pair.kernel(end).free_buffers(), 128u);
    EXPECT_EQ(pair.port(end).stats().kernel_tx_frames, 1000u);
    EXPECT_EQ(pair.port(end).stats().kernel_rx_frames, 1000u);
  }
}

TEST(Traffic, EachSideGetsItsOwn) {
  SimPair pair;
  SimDevice& device = pair.wire().device(1);
  pair.kernel(1).configure([](ndd_config& config) { config.flags |= NDD_CONFIG_PROMISC; });
  std::this_thread::sleep_for(std::chrono::milliseconds{1});
  pair.queue(1).poll();
  pair.port(1).join(kGroup);
  const struct {
    std::vector<std::byte> frame;
    bool application;
  } kCases[] = {
      {make_frame(mac_of(1), mac_of(0), kAppType, 1), true},
      {make_frame(kBroadcast, mac_of(0), kAppType, 2), true},
      {make_frame(kGroup, mac_of(0), kAppType, 3), true},
      {make_frame({0x01, 0, 0x5e, 9, 9, 9}, mac_of(0), kAppType, 4), false},
      {make_frame({0x02, 0, 0, 0, 0, 9}, mac_of(0), kAppType, 5), false},
      {make_frame(mac_of(1), mac_of(0), kIpType, 6), false},
      {make_frame(kBroadcast, mac_of(0), 0x0806, 7), false},
      {make_frame(mac_of(1), mac_of(0), 60 - 14, 8), false},  // a length: LLC
  };
  for (const auto& [frame, application] : kCases) {
    device.receive(frame);
    const auto got = pair.app_receive(1);
    const auto kernels = pair.kernel(1).receive();
    EXPECT_EQ(got.size(), application ? 1u : 0u) << mark_of(frame);
    EXPECT_EQ(kernels.has_value(), !application) << mark_of(frame);
  }
  EXPECT_EQ(pair.port(1).stats().foreign, 2u);
  pair.port(1).leave(kGroup);
  device.receive(make_frame(kGroup, mac_of(0), kAppType, 9));
  EXPECT_TRUE(pair.app_receive(1).empty());
}

TEST(Traffic, OneVlanTagIsLookedThrough) {
  SimPair pair;
  auto tagged = make_frame(mac_of(1), mac_of(0), 0x8100, 0, 64);
  tagged[16] = std::byte{kAppType >> 8};
  tagged[17] = std::byte{kAppType & 0xff};
  pair.wire().device(1).receive(tagged);
  EXPECT_EQ(pair.app_receive(1).size(), 1u);
  tagged[16] = std::byte{kIpType >> 8};
  tagged[17] = std::byte{kIpType & 0xff};
  pair.wire().device(1).receive(tagged);
  EXPECT_TRUE(pair.app_receive(1).empty());
  EXPECT_TRUE(pair.kernel(1).receive());
}

TEST(Traffic, LongFramesOfTheKernelsSpanBuffers) {
  fake::KernelEnd::Options kernel;
  kernel.mtu = 9000;
  SimPair pair({}, kernel);
  const auto jumbo = make_frame(mac_of(1), mac_of(0), kIpType, 5, 9014);
  ASSERT_TRUE(pair.kernel(0).send(jumbo));
  pair.queue(0).poll();
  pair.queue(1).poll();
  const auto got = pair.kernel(1).receive();
  ASSERT_TRUE(got);
  EXPECT_EQ(*got, jumbo);
  EXPECT_EQ(pair.kernel(1).violations(), 0u);
}

class LongFrames : public testing::Test {
 protected:
  static constexpr std::size_t kSize = 9014;  // three buffers

  LongFrames()
      : pair_({}, [] {
          fake::KernelEnd::Options kernel;
          kernel.mtu = 9000;
          return kernel;
        }()) {}

  static std::vector<std::byte> long_frame(std::uint32_t mark) {
    return make_frame(mac_of(1), mac_of(0), kAppType, mark, kSize);
  }
  /// The octets of the frame that starts at `first`, and how many Frames it has.
  static std::pair<std::vector<std::byte>, std::size_t> join(std::span<const Frame> frames) {
    std::vector<std::byte> octets;
    std::size_t count = 0;
    for (bool more = true; more; ++count) {
      const auto data = frames[count].data();
      octets.insert(octets.end(), data.begin(), data.end());
      more = frames[count].more();
    }
    return {octets, count};
  }
  /// In as many Frames as it takes, `first` octets in the first.
  std::vector<Frame> split(std::span<const std::byte> octets, std::size_t first = kBufferSize) {
    std::vector<Frame> frames;
    while (!octets.empty()) {
      Frame frame;
      EXPECT_EQ(pair_.queue(0).alloc({&frame, 1}), 1u);
      const std::size_t length = std::min(octets.size(), frames.empty() ? first : kBufferSize);
      frame.resize(static_cast<std::uint16_t>(length));
      std::memcpy(frame.data().data(), octets.data(), length);
      octets = octets.subspan(length);
      frame.set_more(!octets.empty());
      frames.push_back(frame);
    }
    return frames;
  }
  void expect_whole(std::span<const Frame> frames, std::uint32_t mark) {
    const auto [octets, count] = join(frames);
    EXPECT_EQ(count, 3u);
    EXPECT_EQ(octets, long_frame(mark));
  }

  SimPair pair_;
  std::array<Frame, 8> got_;
};

TEST_F(LongFrames, GoBothWaysAndMayBeSentBackInPlace) {
  const std::vector<Frame> frames = split(long_frame(1), 100);
  EXPECT_EQ(pair_.queue(0).tx(frames), frames.size());
  ASSERT_EQ(pair_.queue(1).rx(got_), 3u);
  expect_whole(got_, 1);
  const MacAddress to = mac_of(0);
  std::memcpy(got_[0].data().data(), to.data(), to.size());
  EXPECT_EQ(pair_.queue(1).tx(std::span(got_).first(3)), 3u);
  std::array<Frame, 8> back;
  ASSERT_EQ(pair_.queue(0).rx(back), 3u);
  EXPECT_EQ(join(back).first.size(), kSize);
  pair_.queue(0).release(std::span(back).first(3));
  EXPECT_EQ(pair_.port(1).stats().app_rx_frames, 1u);
  EXPECT_EQ(pair_.port(1).stats().app_tx_frames, 1u);
}

TEST_F(LongFrames, BetweenShortOnesKeepTheirPlace) {
  std::vector<Frame> frames = split(make_frame(mac_of(1), mac_of(0), kAppType, 1));
  for (const Frame& frame : split(long_frame(2))) frames.push_back(frame);
  for (const Frame& frame : split(make_frame(mac_of(1), mac_of(0), kAppType, 3))) frames.push_back(frame);
  EXPECT_EQ(pair_.queue(0).tx(frames), 5u);
  ASSERT_EQ(pair_.queue(1).rx(got_), 5u);
  EXPECT_EQ(mark_of(got_[0].data()), 1u);
  expect_whole(std::span(got_).subspan(1), 2);
  EXPECT_EQ(mark_of(got_[4].data()), 3u);
  EXPECT_EQ(pair_.port(0).stats().app_tx_frames, 3u);
  EXPECT_EQ(pair_.port(1).stats().app_rx_frames, 3u);
}

TEST_F(LongFrames, AreHandedOutWholeHoweverLittleIsAskedFor) {
  SimDevice& device = pair_.wire().device(1);
  const std::span<Frame> two = std::span(got_).first(2), three = std::span(got_).first(3);
  // in part, then the rest
  device.receive(long_frame(1));
  EXPECT_EQ(pair_.queue(1).rx(two), 0u);
  device.receive(make_frame(mac_of(1), mac_of(0), kAppType, 2));
  ASSERT_EQ(pair_.queue(1).rx(three), 3u);
  expect_whole(three, 1);
  EXPECT_EQ(pair_.queue(1).rx(three), 1u);
  // parked
  device.receive(long_frame(3));
  device.receive(make_frame(mac_of(1), mac_of(0), kAppType, 4));
  pair_.queue(1).poll();
  ASSERT_EQ(pair_.queue(1).rx(three), 3u);
  expect_whole(three, 3);
  EXPECT_EQ(pair_.queue(1).rx(three), 1u);
  EXPECT_EQ(pair_.port(1).stats().app_rx_dropped, 0u);
  // never enough room
  device.receive(long_frame(5));
  EXPECT_EQ(pair_.queue(1).rx(two), 0u);
  EXPECT_EQ(pair_.queue(1).rx(two), 0u);
  EXPECT_EQ(pair_.queue(1).rx(two), 0u);
  EXPECT_EQ(pair_.port(1).stats().app_rx_dropped, 1u);
  device.receive(make_frame(mac_of(1), mac_of(0), kAppType, 6));
  EXPECT_EQ(pair_.queue(1).rx(two), 1u);
}

TEST_F(LongFrames, ThatMakeNoSenseStayTheCallers) {
  const auto refused = [&](std::vector<Frame> frames) {
    const std::uint64_t before = pair_.port(0).stats().tx_refused;
    EXPECT_EQ(pair_.queue(0).tx(frames), 0u);
    EXPECT_EQ(pair_.port(0).stats().tx_refused, before + 1);
    pair_.queue(0).release(frames);
  };
  std::vector<Frame> unfinished = split(long_frame(1));
  unfinished.back().set_more(true);
  refused(unfinished);
  refused(split(make_frame(mac_of(1), mac_of(0), kAppType, 2, 9000 + 19)));
  refused(split(long_frame(3), 13));
  std::vector<Frame> empty = split(long_frame(4));
  empty[1].resize(0);
  empty[1].set_more(true);
  refused(empty);
  std::vector<Frame> foreign = split(long_frame(5));
  foreign[2] = Frame(foreign[2].data().data(), 1023, 60);  // a buffer of the kernel's
  EXPECT_EQ(pair_.queue(0).tx(foreign), 0u);
  EXPECT_EQ(pair_.queue(1).rx(got_), 0u);
}

TEST_F(LongFrames, WaitForAllTheirSlots) {
  pair_.wire().device(0).hold_transmit(true);
  std::uint32_t sent = 0;
  std::vector<Frame> frames;
  for (;; ++sent) {
    frames = split(long_frame(sent));
    if (pair_.queue(0).tx(frames) == 0) break;
  }
  EXPECT_GT(sent, 20u);
  EXPECT_LE(sent, SimPair::kSlots.tx / 3);
  pair_.wire().device(0).hold_transmit(false);
  for (std::uint32_t i = 0; i < sent; ++i) {
    const std::size_t count = pair_.queue(1).rx(std::span(got_).first(3));
    ASSERT_EQ(count, 3u) << i;
    expect_whole(got_, i);
    pair_.queue(1).release(std::span(got_).first(3));
  }
  EXPECT_EQ(pair_.queue(0).tx(frames), 3u);
}

TEST(Traffic, DamagedFramesAreDroppedWhole) {
  fake::KernelEnd::Options kernel;
  kernel.mtu = 9000;
  SimPair pair({}, kernel);
  SimDevice& device = pair.wire().device(1);
  device.damage_next(1);
  device.receive(make_frame(mac_of(1), mac_of(0), kIpType, 1, 9000));
  device.receive(make_frame(mac_of(1), mac_of(0), kIpType, 2, 9000));
  device.corrupt_next(1);
  device.receive(make_frame(mac_of(1), mac_of(0), kAppType, 3));
  device.receive(make_frame(mac_of(1), mac_of(0), kAppType, 4));
  const auto got = pair.app_receive(1);
  ASSERT_EQ(got.size(), 1u);
  EXPECT_EQ(mark_of(got[0]), 4u);
  const auto kernels = pair.kernel(1).receive();
  ASSERT_TRUE(kernels);
  EXPECT_EQ(mark_of(*kernels), 2u);
  EXPECT_FALSE(pair.kernel(1).receive());
  EXPECT_EQ(pair.port(1).stats().rx_errors, 2u);
}

TEST(Traffic, WhatMayNotBeSentStaysTheCallers) {
  SimPair pair;
  std::array<Frame, 4> frames;
  ASSERT_EQ(pair.queue(0).alloc(frames), 4u);
  EXPECT_GE(frames[0].capacity(), 1518u);
  EXPECT_EQ(frames[0].size(), 0u);
  const auto good = make_frame(mac_of(1), mac_of(0), kAppType, 1);
  for (Frame& frame : frames) {
    frame.resize(60);
    std::memcpy(frame.data().data(), good.data(), good.size());
  }
  frames[2].resize(13);
  EXPECT_EQ(pair.queue(0).tx(frames), 2u);
  frames[2].resize(1500 + 18 + 1);
  EXPECT_EQ(pair.queue(0).tx(std::span(frames).subspan(2)), 0u);
  frames[2].resize(1500 + 18);
  EXPECT_EQ(pair.queue(0).tx(std::span(frames).subspan(2)), 2u);
  EXPECT_EQ(pair.port(0).stats().tx_refused, 2u);
  Frame foreign(nullptr, 1023, 60);  // a buffer of the kernel's
  EXPECT_EQ(pair.queue(0).tx({&foreign, 1}), 0u);
  EXPECT_EQ(pair.app_receive(1).size(), 4u);
}

TEST(Traffic, FullRingsTakeNothingAndLoseNothing) {
  SimPair pair;
  pair.wire().device(0).hold_transmit(true);
  std::uint32_t sent = 0;
  while (pair.app_send(0, make_frame(mac_of(1), mac_of(0), kAppType, sent))) ++sent;
  EXPECT_EQ(sent, SimPair::kSlots.tx - 1);
  EXPECT_GE(pair.port(0).stats().tx_ring_full, 1u);
  std::uint32_t received = 0;
  pair.wire().device(0).hold_transmit(false);
  for (auto got = pair.app_receive(1); !got.empty(); got = pair.app_receive(1)) {
    for (const auto& frame : got) EXPECT_EQ(mark_of(frame), received++);
  }
  EXPECT_EQ(received, sent);
  EXPECT_TRUE(pair.app_send(0, make_frame(mac_of(1), mac_of(0), kAppType, sent)));
}

TEST(Traffic, NeitherSideStarvesTheOther) {
  SimPair pair;
  SimDevice& device = pair.wire().device(0);
  std::size_t app = 0;
  std::size_t kernel = 0;
  const auto app_frame = make_frame(mac_of(1), mac_of(0), kAppType, 0);
  const auto kernel_frame = make_frame(mac_of(1), mac_of(0), kIpType, 0);
  device.hold_transmit(true);
  for (int round = 0; round < 400; ++round) {
    while (pair.kernel(0).send(kernel_frame)) {
    }
    // The application's favourite order, and the kernel's.
    for (int i = 0; i < 64; ++i) pair.app_send(0, app_frame);
    pair.queue(0).poll();
    for (int i = 0; i < 64; ++i) pair.app_send(0, app_frame);
    pair.queue(0).poll();
    device.hold_transmit(false);
    device.hold_transmit(true);
    const SimPair::Received got = pair.receive_all(1);
    app += got.app;
    kernel += got.kernel;
    pair.queue(0).poll();
    pair.kernel(0).reap();
  }
  EXPECT_GT(app * 10, (app + kernel) * 3) << app << " against " << kernel;
  EXPECT_GT(kernel * 10, (app + kernel) * 3) << app << " against " << kernel;
  EXPECT_EQ(pair.kernel(0).violations() + pair.kernel(1).violations(), 0u);
}

TEST(Traffic, AFullKrxDropsForTheKernelOnly) {
  SimPair pair;
  for (std::uint32_t i = 0; i < 400; ++i) {
    pair.wire().device(1).receive(make_frame(mac_of(1), mac_of(0), i % 2 == 0 ? kIpType : kAppType, i));
    if (i % 32 == 0) pair.queue(1).poll();
  }
  for (int i = 0; i < 20; ++i) pair.wire().device(1).receive(make_frame(mac_of(1), mac_of(0), kIpType, 1000));
  std::size_t app = 0;
  for (int i = 0; i < 20; ++i) app += pair.app_receive(1).size();
  EXPECT_EQ(app, 200u);
  std::size_t kernel = 0;
  while (pair.kernel(1).receive()) ++kernel;
  EXPECT_EQ(kernel + pair.port(1).stats().kernel_rx_dropped, 220u);
  // and when the ring has been emptied it goes on
  pair.wire().device(1).receive(make_frame(mac_of(1), mac_of(0), kIpType, 7));
  pair.queue(1).poll();
  EXPECT_TRUE(pair.kernel(1).receive());
}

TEST(Traffic, AKernelThatKeepsBuffersDoesNotStopTheApplication) {
  fake::KernelEnd::Options small;
  small.buffers = 512;
  small.ring_size = 256;
  SimPair pair({}, small);
  pair.kernel(1).keep_buffers(true);
  std::size_t app = 0;
  for (std::uint32_t i = 0; i < 2000; ++i) {
    pair.wire().device(1).receive(make_frame(mac_of(1), mac_of(0), i % 4 == 0 ? kAppType : kIpType, i));
    app += pair.app_receive(1).size();
    if (i % 8 == 0) static_cast<void>(pair.kernel(1).receive());
  }
  EXPECT_GT(app, 300u);
  pair.kernel(1).keep_buffers(false);
  while (pair.kernel(1).receive()) {
  }
  pair.queue(1).poll();
  pair.queue(1).poll();
  pair.wire().device(1).receive(make_frame(mac_of(1), mac_of(0), kAppType, 1));
  EXPECT_EQ(pair.app_receive(1).size(), 1u);
  EXPECT_EQ(pair.kernel(1).violations(), 0u);
}

TEST(Traffic, PollParksInOrderAndRxHandsOut) {
  SimPair pair;
  for (std::uint32_t i = 0; i < 100; ++i) {
    ASSERT_TRUE(pair.app_send(0, make_frame(mac_of(1), mac_of(0), kAppType, i)));
    if (i % 16 == 15) {
      pair.queue(1).poll();
      pair.queue(0).poll();
    }
  }
  std::uint32_t next = 0;
  std::array<Frame, 7> frames;
  for (std::size_t count = pair.queue(1).rx(frames); count != 0; count = pair.queue(1).rx(frames)) {
    for (const Frame& frame : std::span(frames.data(), count)) EXPECT_EQ(mark_of(frame.data()), next++);
    pair.queue(1).release({frames.data(), count});
  }
  EXPECT_EQ(next, 100u);
}

TEST(Traffic, ParkedFramesAreBoundedAndCounted) {
  fake::KernelEnd::Options kernel;
  kernel.buffers = 4096;
  SimPair pair({}, kernel);
  for (std::uint32_t i = 0; i < 1500; ++i) {
    pair.wire().device(1).receive(make_frame(mac_of(1), mac_of(0), kAppType, i));
    if (i % 32 == 0) pair.queue(1).poll();
  }
  pair.queue(1).poll();
  std::uint32_t next = 0;
  for (auto got = pair.app_receive(1); !got.empty(); got = pair.app_receive(1)) {
    for (const auto& frame : got) EXPECT_EQ(mark_of(frame), next++);
  }
  EXPECT_EQ(next, TunnelState::kParkedMax);
  EXPECT_EQ(pair.port(1).stats().app_rx_dropped, 1500u - TunnelState::kParkedMax);
}

TEST(Traffic, FlushIntervalSharesDoorbells) {
  PortOptions options;
  options.flush_interval = std::chrono::seconds{100};
  SimPair pair(options);
  for (std::uint32_t i = 0; i < 10; ++i) {
    ASSERT_TRUE(pair.app_send(0, make_frame(mac_of(1), mac_of(0), kAppType, i)));
  }
  EXPECT_TRUE(pair.app_receive(1).empty());
  pair.queue(0).flush();
  EXPECT_EQ(pair.app_receive(1).size(), 10u);
  EXPECT_EQ(pair.port(0).stats().doorbells, 1u);
  for (std::uint32_t i = 0; i < 65; ++i) {
    ASSERT_TRUE(pair.app_send(0, make_frame(mac_of(1), mac_of(0), kAppType, i)));
  }
  EXPECT_EQ(pair.app_receive(1).size(), 64u);  // no more than that is held back
}

TEST(Traffic, FlushIntervalEndsByItself) {
  PortOptions options;
  options.flush_interval = std::chrono::microseconds{200};
  SimPair pair(options);
  ASSERT_TRUE(pair.app_send(0, make_frame(mac_of(1), mac_of(0), kAppType, 1)));
  std::this_thread::sleep_for(std::chrono::milliseconds{1});
  pair.queue(0).poll();
  EXPECT_EQ(pair.app_receive(1).size(), 1u);
}

TEST(Traffic, PollIntervalLooksAtTheTunnelLessOften) {
  PortOptions options;
  options.poll_interval = std::chrono::milliseconds{20};
  SimPair pair(options);
  pair.queue(0).poll();
  ASSERT_TRUE(pair.kernel(0).send(make_frame(mac_of(1), mac_of(0), kIpType, 1)));
  pair.queue(0).poll();
  EXPECT_EQ(pair.port(0).stats().kernel_tx_frames, 0u);
  std::this_thread::sleep_for(std::chrono::milliseconds{25});
  pair.queue(0).poll();
  EXPECT_EQ(pair.port(0).stats().kernel_tx_frames, 1u);
}

TEST(Traffic, NonsenseFromTheKernelIsSkipped) {
  SimPair pair;
  const auto desc = [](std::uint64_t addr, std::uint32_t len, std::uint16_t flags) {
    ndd_desc result{};
    result.addr = addr;
    result.len = len;
    result.flags = flags;
    return result;
  };
  constexpr std::uint16_t kWhole = NDD_DESC_FIRST | NDD_DESC_LAST;
  const ndd_desc bad[] = {
      desc(5, 60, kWhole),                     // not the kernel's buffer
      desc(99999, 60, kWhole),                 // no buffer at all
      desc(1000, 4097, kWhole),                // longer than a buffer
      desc(1001 | 4090ull << 32, 60, kWhole),  // behind its end
      desc(1002, 0, kWhole),                   // nothing
      desc(1003, 13, kWhole),                  // shorter than a header
      desc(1004, 60, NDD_DESC_LAST),           // no first piece
      desc(0, 60, kWhole | NDD_DESC_WINDOW),   // not agreed on
      desc(1006, 60, NDD_DESC_FIRST),
      desc(1007, 60, NDD_DESC_FIRST | NDD_DESC_LAST),  // two firsts
  };
  pair.kernel(0).send_raw(bad);
  const auto good = make_frame(mac_of(1), mac_of(0), kIpType, 1);
  ASSERT_TRUE(pair.kernel(0).send(good));
  pair.queue(0).poll();
  pair.queue(0).poll();
  pair.queue(1).poll();
  const auto got = pair.kernel(1).receive();
  ASSERT_TRUE(got);
  EXPECT_EQ(*got, good);
  pair.kernel(0).reap();
  EXPECT_EQ(pair.kernel(0).free_buffers(), 128u);  // what was named comes back, too
}

TEST(Traffic, ABrokenRingStopsTheTunnelAndNotTheApplication) {
  SimPair pair;
  pair.kernel(0).corrupt_ktx();
  for (int i = 0; i < 100; ++i) pair.queue(0).poll();
  ASSERT_TRUE(pair.app_send(0, make_frame(mac_of(1), mac_of(0), kAppType, 1)));
  EXPECT_EQ(pair.app_receive(1).size(), 1u);
}

/// With so many in the kernel's stock.
void every_buffer_is_accounted_for(std::uint32_t exchange) {
  PortOptions options;
  options.backup_after = std::nullopt;  // nobody may move a buffer while they are counted
  fake::KernelEnd::Options kernel;
  kernel.exchange_buffers = exchange;
  SimPair pair(options, kernel);
  const auto account = [&] {
    // All rings and stacks, as a second process would find them.
    const StateArea state = StateArea::adopt(pair.kernel(1).areas().state);
    auto* const tunnel = mapped_at<TunnelState>(state.section(StateSection::kTunnel), 0, 1);
    const auto* const with_kernel = mapped_behind<std::uint8_t>(tunnel, sizeof(TunnelState));
    auto* const nic = mapped_at<QueueState>(state.section(StateSection::kNic), 0, 1);
    const auto* const tx_buffers = mapped_behind<BufferIndex>(nic, kCacheLineSize) + nic->rx_size;
    const auto* const stack = mapped_at<PoolState>(state.section(StateSection::kPool), 0, 1);
    std::uint32_t count = stack->free + (nic->rx_tail - nic->rx_head) + (tunnel->parked_tail - tunnel->parked_head) +
                          tunnel->held_count + tunnel->partial_count;
    for (std::uint32_t i = 0; i < 1024 - 128; ++i) count += with_kernel[i];
    for (std::uint32_t i = nic->tx_head; i != nic->tx_tail; ++i) {
      count += tx_buffers[i % nic->tx_size] < 1024 - 128;
    }
    return count;
  };
  EXPECT_EQ(account(), 1024u - 128u);
  std::vector<Frame> held;
  for (std::uint32_t i = 0; i < 300; ++i) {
    pair.wire().device(1).receive(make_frame(mac_of(1), mac_of(0), i % 3 == 0 ? kAppType : kIpType, i));
    std::array<Frame, 4> frames;
    if (i % 5 == 0) {
      const std::size_t count = pair.queue(1).rx(frames);
      held.insert(held.end(), frames.begin(), frames.begin() + static_cast<std::ptrdiff_t>(count));
    } else if (i % 5 == 1) {
      pair.queue(1).poll();
    } else if (i % 5 == 2) {
      static_cast<void>(pair.kernel(1).receive());
    } else if (i % 5 == 3) {
      pair.app_send(1, make_frame(mac_of(0), mac_of(1), kAppType, i));
    } else {
      pair.kernel(1).send(make_frame(mac_of(0), mac_of(1), kIpType, i));
    }
    ASSERT_EQ(account() + held.size(), 1024u - 128u) << i;
  }
  pair.queue(1).release(held);
  EXPECT_EQ(account(), 1024u - 128u);
  EXPECT_EQ(pair.kernel(1).stock(), exchange);
  EXPECT_EQ(pair.kernel(1).violations(), 0u);
}

TEST(Traffic, EveryBufferIsAccountedFor) { every_buffer_is_accounted_for(0); }

TEST(Traffic, EveryBufferIsAccountedForWithExchange) { every_buffer_is_accounted_for(128); }

TEST(Traffic, ExchangeMovesBuffersAndLendsNoMore) {
  fake::KernelEnd::Options kernel;
  kernel.exchange_buffers = 256;
  SimPair pair({}, kernel);
  // Several times the pool: every buffer of both has been in the other's hands.
  constexpr std::uint32_t kFrames = 3000;
  for (std::uint32_t i = 0; i < kFrames; ++i) {
    const auto frame = make_frame(mac_of(1), mac_of(0), kIpType, i, 60 + i % 1000);
    pair.wire().device(1).receive(frame);
    std::optional<std::vector<std::byte>> got;
    for (int polls = 0; polls < 10 && !got; ++polls) {
      pair.queue(1).poll();
      got = pair.kernel(1).receive();
    }
    ASSERT_TRUE(got) << i;
    ASSERT_EQ(*got, frame) << i;
  }
  // What is with the kernel without an answer is bounded still, by what is the process's own.
  pair.kernel(1).keep_buffers(true);
  std::uint32_t kept = 0;
  for (std::uint32_t i = 0; i < 1000; ++i) {
    pair.wire().device(1).receive(make_frame(mac_of(1), mac_of(0), kIpType, i));
    pair.queue(1).poll();
    kept += pair.kernel(1).receive() ? 1 : 0;
  }
  const std::uint32_t own = pair.pool(1).own_buffers();
  EXPECT_EQ(own, 1024u - 128u - 256u);
  EXPECT_GE(kept, own / 3 - 1);
  EXPECT_LE(kept, own / 3);
  EXPECT_EQ(pair.kernel(1).violations(), 0u);
}

}  // namespace
}  // namespace udd
