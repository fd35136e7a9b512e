// SPDX-License-Identifier: Apache-2.0
// Every bit of the descriptors, and of the header that goes with them, against the 82574 datasheet's layouts: an
// emulated NIC looks at few of them.
#include "udd/nic/e1000/descriptors.h"

#include <gtest/gtest.h>

#include <vector>

#include "tests/fake/ip_frame.h"
#include "udd/base/internet_sum.h"

namespace udd {
namespace {

using fake::IpFrame;

constexpr MacAddress kTo{2, 0, 0, 0, 0, 2};
constexpr MacAddress kFrom{2, 0, 0, 0, 0, 1};

TxFrame frame_of(IpFrame& frame, std::uint16_t segment) {
  return {.pieces = 1,
          .length = static_cast<std::uint32_t>(frame.octets().size()),
          .header = frame.raw().data(),
          .offload = frame.offload(segment)};
}

TEST(E1000Descriptors, ContextOfAChecksum) {
  IpFrame udp(kTo, kFrom, {.tcp = false});
  // TUCSS 34, TUCSO 40, to the end; DEXT.
  const RingDescriptor context = E1000Format::tx_context(frame_of(udp, 0));
  EXPECT_EQ(context.address, 0x0000'2822'0000'0000u);
  EXPECT_EQ(context.word, 0x0000'0000'2000'0000u);
  IpFrame tcp(kTo, kFrom, {.v4 = false, .vlan = 5});
  // TUCSS 58, TUCSO 74; DEXT, TCP.
  const RingDescriptor other = E1000Format::tx_context(frame_of(tcp, 0));
  EXPECT_EQ(other.address, 0x0000'4a3a'0000'0000u);
  EXPECT_EQ(other.word, 0x0000'0000'2100'0000u);
}

TEST(E1000Descriptors, ContextOfIpv4Segments) {
  IpFrame frame(kTo, kFrom, {.payload = 60000});
  const RingDescriptor context = E1000Format::tx_context(frame_of(frame, 1448));
  // IPCSS 14, IPCSO 24, IPCSE 33; TUCSS 34, TUCSO 50.
  EXPECT_EQ(context.address, 0x0000'3222'0021'180eu);
  // MSS 1448, HDRLEN 66, TUCMD DEXT | TSE | IP | TCP, PAYLEN 60000.
  EXPECT_EQ(context.word, 0x05a8'4200'2700'ea60u);
}

TEST(E1000Descriptors, ContextOfIpv6Segments) {
  IpFrame frame(kTo, kFrom, {.v4 = false, .vlan = 5, .payload = 3000});
  const RingDescriptor context = E1000Format::tx_context(frame_of(frame, 1428));
  // IPCSS 18, no IPv4 checksum; TUCSS 58, TUCSO 74.
  EXPECT_EQ(context.address, 0x0000'4a3a'0000'0012u);
  // MSS 1428, HDRLEN 90, TUCMD DEXT | TSE | TCP, PAYLEN 3000.
  EXPECT_EQ(context.word, 0x0594'5a00'2500'0bb8u);
}

TEST(E1000Descriptors, DataOfEachKind) {
  const IpFrame v4(kTo, kFrom, {});
  const IpFrame v6(kTo, kFrom, {.v4 = false});
  // DEXT, IFCS, type 1; POPTS TXSM.
  EXPECT_EQ(E1000Format::tx_word(8192u, false, v4.offload(0)), 0x0000'0200'2210'2000u);
  EXPECT_EQ(E1000Format::tx_word(100u, true, v4.offload(0)), 0x0000'0200'2310'0064u);
  // and TSE; of IPv4 POPTS IXSM, too.
  EXPECT_EQ(E1000Format::tx_word(100u, false, v4.offload(50)), 0x0000'0300'2610'0064u);
  EXPECT_EQ(E1000Format::tx_word(100u, true, v6.offload(50)), 0x0000'0200'2710'0064u);
}

TEST(E1000Descriptors, HeadersOfSegmentsHaveNoLength) {
  for (const bool v4 : {true, false}) {
    SCOPED_TRACE(v4);
    for (const std::size_t payload : {1500u, 33333u, 65000u}) {
      IpFrame frame(kTo, kFrom, {.v4 = v4, .vlan = 7, .payload = payload});
      const IpFrame before = frame;
      E1000Format::tx_prepare(frame_of(frame, 1400));
      // What the NIC sees: zeroes, and a sum of addresses and protocol alone.
      std::vector<std::byte> expected(before.octets().begin(), before.octets().end());
      const std::size_t ip = frame.ip();
      const std::size_t length = ip + (v4 ? 2 : 4);
      expected[length] = expected[length + 1] = std::byte{0};
      if (v4) expected[ip + 10] = expected[ip + 11] = std::byte{0};
      const auto addresses = v4 ? before.octets().subspan(ip + 12, 8) : before.octets().subspan(ip + 8, 32);
      const std::uint16_t sum = internet_sum(addresses, 6);
      expected[frame.start() + 16u] = static_cast<std::byte>(sum >> 8);
      expected[frame.start() + 17u] = static_cast<std::byte>(sum);
      EXPECT_EQ(frame.raw(), expected) << payload;
    }
  }
}

TEST(E1000Descriptors, OtherHeadersAreLeftAlone) {
  IpFrame frame(kTo, kFrom, {});
  const IpFrame before = frame;
  E1000Format::tx_prepare(frame_of(frame, 0));
  EXPECT_TRUE(std::equal(frame.octets().begin(), frame.octets().end(), before.octets().begin()));
}

TEST(E1000Descriptors, ReceivedSumsCountOnlyWhenWholeAndRight) {
  constexpr std::uint64_t kDone = 0x3ull << 32;
  constexpr std::uint64_t kIxsm = 1ull << 34;
  constexpr std::uint64_t kUdpcs = 1ull << 36;
  constexpr std::uint64_t kTcpcs = 1ull << 37;
  constexpr std::uint64_t kIpcs = 1ull << 38;
  constexpr std::uint64_t kTcpe = 1ull << 45;
  constexpr std::uint64_t kIpe = 1ull << 46;
  EXPECT_TRUE(E1000Format::rx_checked(kDone | kTcpcs | kIpcs)) << "TCP over IPv4";
  EXPECT_TRUE(E1000Format::rx_checked(kDone | kTcpcs)) << "TCP over IPv6";
  EXPECT_TRUE(E1000Format::rx_checked(kDone | kTcpcs | kUdpcs | kIpcs)) << "UDP";
  EXPECT_FALSE(E1000Format::rx_checked(kDone | kUdpcs | kIpcs)) << "a fragment";
  EXPECT_FALSE(E1000Format::rx_checked(kDone | kIpcs)) << "neither TCP nor UDP";
  EXPECT_FALSE(E1000Format::rx_checked(kDone | kTcpcs | kIpcs | kIxsm)) << "not looked at";
  EXPECT_FALSE(E1000Format::rx_checked(kDone | kTcpcs | kIpcs | kTcpe)) << "wrong";
  EXPECT_FALSE(E1000Format::rx_checked(kDone | kTcpcs | kIpcs | kIpe)) << "wrong";
  // Neither error makes the frame a damaged one.
  EXPECT_EQ((kTcpe | kIpe) & E1000Format::kRxError, 0u);
}

}  // namespace
}  // namespace udd
