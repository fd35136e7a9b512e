// SPDX-License-Identifier: Apache-2.0
// What the kernel leaves to the NIC, through a whole port: KTX, service loop, ring, wire, and KRX at the other end.
#include <gtest/gtest.h>

#include <thread>

#include "tests/fake/ip_frame.h"
#include "tests/fake/sim_port.h"

namespace udd {
namespace {

using fake::IpFrame;
using fake::kAppType;
using fake::KernelEnd;
using fake::mac_of;
using fake::make_frame;
using fake::SimPair;

constexpr std::uint16_t kSegment = 1428;  // of TCP over IPv6 with time-stamps, at an MTU of 1500
constexpr std::uint64_t kAll = NDD_F_WINDOW | NDD_F_OFFLOAD | NDD_F_TX_CSUM | NDD_F_TSO4 | NDD_F_TSO6;

class Offload : public ::testing::Test {
 protected:
  static KernelEnd::Options kernel(std::uint64_t features = kAll) {
    return {.features = features, .window_slots = (features & NDD_F_WINDOW) != 0 ? 16u : 0u};
  }
  static PortOptions port() {
    PortOptions options;
    options.backup_after = std::nullopt;  // rounds are counted here
    return options;
  }

  static IpFrame make(const IpFrame::Options& options) { return {mac_of(1), mac_of(0), options}; }
  static ndd_desc facts_of(const IpFrame& frame, std::uint8_t gso_type = NDD_GSO_NONE) {
    ndd_desc desc{};
    desc.flags = NDD_DESC_NEEDS_CSUM;
    desc.csum_start = frame.start();
    desc.csum_offset = frame.sum_offset();
    desc.gso_type = gso_type;
    desc.gso_size = gso_type == NDD_GSO_NONE ? 0 : kSegment;
    desc.hdr_len = gso_type == NDD_GSO_NONE ? 0 : frame.header();
    return desc;
  }

  /// What the other kernel gets until nothing more comes.
  static std::vector<std::vector<std::byte>> receive(SimPair& pair) {
    std::vector<std::vector<std::byte>> frames;
    for (int idle = 0; idle < 3; ++idle) {
      pair.queue(0).poll();
      pair.queue(1).poll();
      while (auto frame = pair.kernel(1).receive()) {
        frames.push_back(std::move(*frame));
        idle = 0;
      }
    }
    return frames;
  }
  /// Every buffer and slot of the kernel's is back.
  static void expect_all_back(SimPair& pair) {
    pair.queue(0).poll();
    pair.kernel(0).reap();
    EXPECT_EQ(pair.kernel(0).free_buffers(), 128u);
    EXPECT_EQ(pair.kernel(0).free_slots(), pair.kernel(0).window().size() / NDD_WINDOW_SLOT);
    EXPECT_EQ(pair.kernel(0).violations(), 0u);
    EXPECT_EQ(pair.kernel(1).violations(), 0u);
    EXPECT_EQ(pair.wire().device(0).dma_faults(), 0u);
  }
};

TEST_F(Offload, LongFramesAreCutOnTheirWay) {
  SimPair pair(port(), kernel());
  for (const bool v4 : {true, false}) {
    for (const int vlan : {-1, 9}) {
      for (const std::size_t payload : {1429u, 14280u, 65000u}) {
        SCOPED_TRACE(payload);
        const IpFrame frame = make({.v4 = v4, .vlan = vlan, .payload = payload});
        const ndd_desc facts = facts_of(frame, v4 ? NDD_GSO_TCPV4 : NDD_GSO_TCPV6);
        // In buffers alone; header and some octets in a buffer, the rest in one run, and in many.
        ASSERT_TRUE(pair.kernel(0).send(frame.octets(), facts, frame.octets().size()));
        frame.expect_segments(receive(pair), kSegment);
        ASSERT_TRUE(pair.kernel(0).send(frame.octets(), facts, frame.header() + 4u));
        frame.expect_segments(receive(pair), kSegment);
        ASSERT_TRUE(pair.kernel(0).send(frame.octets(), facts, 1024, 5000));
        frame.expect_segments(receive(pair), kSegment);
        expect_all_back(pair);
      }
    }
  }
  EXPECT_EQ(pair.port(0).stats().kernel_tx_frames, 36u) << "frames of the kernel's, not segments";
}

TEST_F(Offload, ChecksumsArePutIn) {
  SimPair pair(port(), kernel());
  for (const bool v4 : {true, false}) {
    for (const bool tcp : {true, false}) {
      const IpFrame frame = make({.v4 = v4, .tcp = tcp, .payload = 1400});
      ASSERT_TRUE(pair.kernel(0).send(frame.octets(), facts_of(frame), 128));
      const auto got = receive(pair);
      ASSERT_EQ(got.size(), 1u);
      EXPECT_EQ(got[0], frame.summed());
      EXPECT_NE(pair.kernel(1).received().flags & NDD_DESC_CSUM_VALID, 0);
    }
  }
  expect_all_back(pair);
}

TEST_F(Offload, SegmentsReceivedInARowAreMergedIfTheKernelWantsIt) {
  SimPair pair(port(), kernel());
  constexpr std::size_t kPayload = 20 * kSegment;
  const IpFrame frame = make({.payload = kPayload});
  const ndd_desc facts = facts_of(frame, NDD_GSO_TCPV4);
  for (const bool merge : {false, true, false}) {
    pair.kernel(1).configure([&](ndd_config& config) {
      config.flags &= ~NDD_CONFIG_RX_MERGE;
      if (merge) config.flags |= NDD_CONFIG_RX_MERGE;
    });
    std::this_thread::sleep_for(std::chrono::milliseconds{1});
    pair.queue(1).poll();
    ASSERT_TRUE(pair.kernel(0).send(frame.octets(), facts, frame.octets().size()));
    std::vector<std::vector<std::byte>> got;
    std::vector<ndd_desc> told;
    for (int i = 0; i < 3; ++i) {
      pair.queue(0).poll();
      pair.queue(1).poll();
      while (auto one = pair.kernel(1).receive()) {
        got.push_back(std::move(*one));
        told.push_back(pair.kernel(1).received());
      }
    }
    if (!merge) {
      frame.expect_segments(got, kSegment);
      continue;
    }
    // The first segment has CWR, the last one FIN: both stay by themselves.
    ASSERT_EQ(got.size(), 3u);
    EXPECT_EQ(got[1].size(), frame.header() + kPayload - 2 * kSegment);
    EXPECT_TRUE(
        std::equal(got[1].begin() + frame.header(), got[1].end(), frame.octets().begin() + frame.header() + kSegment));
    EXPECT_EQ(told[1].gso_type, NDD_GSO_TCPV4);
    EXPECT_EQ(told[1].gso_size, kSegment);
    EXPECT_EQ(told[1].hdr_len, frame.header());
    EXPECT_EQ(told[1].csum_start, frame.start());
    EXPECT_EQ(told[1].csum_offset, frame.sum_offset());
    EXPECT_NE(told[1].flags & NDD_DESC_NEEDS_CSUM, 0);
    EXPECT_EQ(told[0].gso_type, NDD_GSO_NONE);
    EXPECT_EQ(told[2].gso_type, NDD_GSO_NONE);
  }
  EXPECT_EQ(pair.port(1).stats().kernel_rx_merged, 1u);
  EXPECT_EQ(pair.port(1).stats().kernel_rx_segments, 18u);
  expect_all_back(pair);
}

TEST_F(Offload, ReceivedChecksumsAreToldOnlyIfRight) {
  SimPair pair(port(), kernel());
  const auto told = [&](std::span<const std::byte> frame) {
    pair.wire().device(1).receive(frame);
    EXPECT_EQ(receive(pair).size(), 1u) << "right or wrong: the kernel judges";
    return (pair.kernel(1).received().flags & NDD_DESC_CSUM_VALID) != 0;
  };
  std::vector<std::byte> frame = make({}).summed();
  EXPECT_TRUE(told(frame));
  frame.back() ^= std::byte{1};
  EXPECT_FALSE(told(frame));
  EXPECT_FALSE(told(make_frame(mac_of(1), mac_of(0), fake::kIpType, 1)));
}

TEST_F(Offload, OfAJumboFrameTheFirstPieceTells) {
  KernelEnd::Options options = kernel();
  options.mtu = 9000;
  SimPair pair(port(), options);
  const IpFrame frame = make({.payload = 8900});
  ASSERT_TRUE(pair.kernel(0).send(frame.octets(), facts_of(frame), 200, 3000));
  const auto got = receive(pair);
  ASSERT_EQ(got.size(), 1u);
  EXPECT_EQ(got[0], frame.summed());
  EXPECT_NE(pair.kernel(1).received().flags & NDD_DESC_CSUM_VALID, 0);
  expect_all_back(pair);
}

TEST_F(Offload, WithoutTheFeatureNothingIsTold) {
  SimPair pair(port(), kernel(NDD_F_TX_CSUM));
  const IpFrame frame = make({});
  ASSERT_TRUE(pair.kernel(0).send(frame.octets(), facts_of(frame), frame.octets().size()));
  ASSERT_EQ(receive(pair).size(), 1u);
  EXPECT_EQ(pair.kernel(1).received().flags, NDD_DESC_FIRST | NDD_DESC_LAST);
  expect_all_back(pair);
}

TEST_F(Offload, WhatWasNotAgreedOnIsSkippedAndComesBack) {
  for (const std::uint64_t features : {kAll & ~std::uint64_t{NDD_F_TX_CSUM}, kAll & ~std::uint64_t{NDD_F_TSO4}}) {
    SimPair pair(port(), kernel(features));
    const IpFrame frame = make({.payload = 20000});
    ASSERT_TRUE(pair.kernel(0).send(frame.octets(), facts_of(frame, NDD_GSO_TCPV4), 128, 9000));
    EXPECT_TRUE(receive(pair).empty());
    expect_all_back(pair);
  }
}

TEST_F(Offload, NonsenseIsSkippedAndComesBack) {
  SimPair pair(port(), kernel());
  const IpFrame frame = make({.payload = 20000});
  ndd_desc facts = facts_of(frame, NDD_GSO_TCPV4);
  facts.hdr_len += 1;
  ASSERT_TRUE(pair.kernel(0).send(frame.octets(), facts, 128, 9000));
  // Headers that nobody here can read.
  ASSERT_TRUE(pair.kernel(0).send(frame.octets(), facts_of(frame, NDD_GSO_TCPV4), 0));
  const auto good = make_frame(mac_of(1), mac_of(0), fake::kIpType, 1);
  ASSERT_TRUE(pair.kernel(0).send(good));
  EXPECT_EQ(receive(pair), (std::vector<std::vector<std::byte>>{good}));
  expect_all_back(pair);
}

TEST_F(Offload, PiecesStayWithinTheWindowAndTheirSlot) {
  SimPair pair(port(), kernel());
  const auto one = [](std::uint64_t addr, std::uint32_t len) {
    ndd_desc desc{};
    desc.addr = addr;
    desc.len = len;
    desc.flags = NDD_DESC_FIRST | NDD_DESC_LAST | NDD_DESC_WINDOW;
    return desc;
  };
  constexpr std::uint64_t kStart = KernelEnd::kWindowIova;
  const ndd_desc bad[] = {
      one(kStart - 1, 60),                     // before it
      one(kStart + 16 * NDD_WINDOW_SLOT, 60),  // behind it
      one(~0ull, 60),                          // nowhere
      one(KernelEnd::kPoolIova, 60),           // the pool
  };
  pair.kernel(0).send_raw(bad);
  EXPECT_TRUE(receive(pair).empty());
  pair.kernel(0).reap();
  EXPECT_EQ(pair.kernel(0).violations(), 0u);
  const ndd_desc across[] = {one(kStart + NDD_WINDOW_SLOT - 59, 60), one(kStart, NDD_WINDOW_SLOT + 1), one(kStart, 0)};
  pair.kernel(0).send_raw(across);
  EXPECT_TRUE(receive(pair).empty());
  EXPECT_EQ(pair.port(0).stats().kernel_tx_frames, 0u);
}

TEST_F(Offload, WithoutALinkEverythingComesBack) {
  SimPair pair(port(), kernel());
  pair.wire().set_link(false);
  std::this_thread::sleep_for(std::chrono::milliseconds{120});  // until the poller looks at the link again
  pair.queue(0).poll();
  const IpFrame frame = make({.payload = 60000});
  ASSERT_TRUE(pair.kernel(0).send(frame.octets(), facts_of(frame, NDD_GSO_TCPV4), 128, 8000));
  pair.queue(0).poll();
  expect_all_back(pair);
}

TEST_F(Offload, GivingBackReturnsWhatTheNicHas) {
  SimPair pair(port(), kernel());
  pair.wire().device(0).hold_transmit(true);
  const IpFrame frame = make({.payload = 60000});
  ASSERT_TRUE(pair.kernel(0).send(frame.octets(), facts_of(frame, NDD_GSO_TCPV4), 128, 8000));
  pair.queue(0).poll();
  pair.kernel(0).reap();
  EXPECT_LT(pair.kernel(0).free_slots(), 16u);
  pair.port(0).give_back();
  pair.kernel(0).reap();
  EXPECT_EQ(pair.kernel(0).free_slots(), 16u);
  EXPECT_EQ(pair.kernel(0).free_buffers(), 128u);
}

TEST_F(Offload, NeitherSideStarvesTheOther) {
  // The kernel always has the longest frames, of many short runs; the application always wants to send.
  SimPair pair(port(), kernel());
  SimDevice& device = pair.wire().device(0);
  const IpFrame frame = make({.payload = 40 * 1400});
  const auto own = make_frame(mac_of(1), mac_of(0), kAppType, 0);
  SimPair::Received sum;
  device.hold_transmit(true);
  for (int round = 0; round < 200; ++round) {
    pair.kernel(0).send(frame.octets(), facts_of(frame, NDD_GSO_TCPV4), 100 * 256, 4096);
    for (int i = 0; i < 128; ++i) pair.app_send(0, own);
    pair.queue(0).poll();
    device.hold_transmit(false);
    device.hold_transmit(true);
    const SimPair::Received got = pair.receive_all(1);
    sum.app += got.app;
    sum.kernel += got.kernel;
    pair.queue(0).poll();
    pair.kernel(0).reap();
  }
  EXPECT_GT(sum.app, 200u * 32);
  EXPECT_GT(pair.port(0).stats().kernel_tx_frames, 90u);
  EXPECT_GT(sum.kernel, 0u);
  EXPECT_EQ(pair.kernel(0).violations() + pair.kernel(1).violations(), 0u);
}

TEST(OffloadTake, APortDoesNotGoByWhatItsNicLacks) {
  KernelEnd::Options kernel;
  kernel.features = NDD_F_TSO4;
  NicNeeds needs = SimNic::needs(SimPair::kSlots);
  needs.offloads = {};
  kernel.nic_pages = needs.nic_pages;
  kernel.state_size = PortImpl::state_size(needs, kernel.buffers);
  KernelEnd end(kernel);
  PortOptions options;
  options.ethertypes = {kAppType};
  bool opened = false;
  EXPECT_THROW(PortImpl(end.tunnel(), options, needs,
                        [&](Pool&, std::span<std::byte>) -> std::unique_ptr<NicHandle> {
                          opened = true;
                          return nullptr;
                        }),
               Error);
  EXPECT_FALSE(opened);
}

}  // namespace
}  // namespace udd
