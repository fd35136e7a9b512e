// SPDX-License-Identifier: Apache-2.0
// Facts that fit their frame go through, and each that does not, one at a time, does not.
#include "udd/tunnel/offload_check.h"

#include <gtest/gtest.h>

#include <functional>
#include <vector>

#include "tests/fake/ip_frame.h"

namespace udd {
namespace {

using fake::IpFrame;

constexpr std::uint64_t kAll = NDD_F_TX_CSUM | NDD_F_TSO4 | NDD_F_TSO6;
constexpr std::uint16_t kSegment = 1448;

IpFrame make(const IpFrame::Options& options) { return {{2, 0, 0, 0, 0, 2}, {2, 0, 0, 0, 0, 1}, options}; }

ndd_desc facts_of(const IpFrame& frame, std::uint8_t gso_type) {
  ndd_desc desc{};
  desc.flags = NDD_DESC_FIRST | NDD_DESC_NEEDS_CSUM;
  desc.csum_start = frame.start();
  desc.csum_offset = frame.sum_offset();
  desc.gso_type = gso_type;
  if (gso_type != NDD_GSO_NONE) {
    desc.gso_size = kSegment;
    desc.hdr_len = frame.header();
  }
  return desc;
}

std::optional<TxOffload> check(const IpFrame& frame, const ndd_desc& desc, std::uint64_t features = kAll) {
  // The first piece: headers and four octets.
  return check_offload(desc, frame.octets().first(frame.header() + 4u),
                       static_cast<std::uint32_t>(frame.octets().size()), features);
}

void expect_equal(const std::optional<TxOffload>& offload, const TxOffload& expected) {
  ASSERT_TRUE(offload);
  EXPECT_EQ(offload->kind, expected.kind);
  EXPECT_EQ(offload->tcp, expected.tcp);
  EXPECT_EQ(offload->sum_from, expected.sum_from);
  EXPECT_EQ(offload->sum_to, expected.sum_to);
  EXPECT_EQ(offload->ip, expected.ip);
  EXPECT_EQ(offload->header_length, expected.header_length);
  EXPECT_EQ(offload->segment_size, expected.segment_size);
}

TEST(OffloadCheck, FramesAreAsTheirFactsSay) {
  for (const bool v4 : {true, false}) {
    for (const int vlan : {-1, 100}) {
      SCOPED_TRACE(vlan);
      for (const bool tcp : {true, false}) {
        const IpFrame frame = make({.v4 = v4, .tcp = tcp, .vlan = vlan});
        expect_equal(check(frame, facts_of(frame, NDD_GSO_NONE)), frame.offload(0));
      }
      const IpFrame frame = make({.v4 = v4, .vlan = vlan, .payload = 30000});
      expect_equal(check(frame, facts_of(frame, v4 ? NDD_GSO_TCPV4 : NDD_GSO_TCPV6)), frame.offload(kSegment));
    }
  }
}

TEST(OffloadCheck, NothingIsLeftToTheNicWithoutFacts) {
  const IpFrame frame = make({});
  ndd_desc none{};
  none.flags = NDD_DESC_FIRST;
  expect_equal(check(frame, none, 0), TxOffload{});
  expect_equal(check_offload(none, {}, 60, 0), TxOffload{});
}

TEST(OffloadCheck, OnlyWhatWasAgreedOnIsDone) {
  const IpFrame v4 = make({.payload = 3000});
  const IpFrame v6 = make({.v4 = false, .payload = 3000});
  EXPECT_FALSE(check(v4, facts_of(v4, NDD_GSO_NONE), NDD_F_TSO4 | NDD_F_TSO6));
  EXPECT_FALSE(check(v4, facts_of(v4, NDD_GSO_TCPV4), NDD_F_TX_CSUM | NDD_F_TSO6));
  EXPECT_FALSE(check(v6, facts_of(v6, NDD_GSO_TCPV6), NDD_F_TX_CSUM | NDD_F_TSO4));
  EXPECT_TRUE(check(v6, facts_of(v6, NDD_GSO_TCPV6), NDD_F_TX_CSUM | NDD_F_TSO6));
}

TEST(OffloadCheck, AHeaderInTheWindowCannotBeChecked) {
  const IpFrame frame = make({.payload = 3000});
  EXPECT_FALSE(check_offload(facts_of(frame, NDD_GSO_NONE), {}, 3066, kAll));
}

struct Wrong {
  const char* what;
  std::function<void(IpFrame&, ndd_desc&)> make;
};

void PrintTo(const Wrong& wrong, std::ostream* out) { *out << wrong.what; }

std::byte& at(IpFrame& frame, std::size_t place) { return frame.raw()[place]; }

const Wrong kWrong[] = {
    {"UDP's segmentation", [](IpFrame&, ndd_desc& desc) { desc.gso_type = 5; }},
    {"congestion told in the first segment", [](IpFrame&, ndd_desc& desc) { desc.gso_type |= NDD_GSO_ECN; }},
    {"no sum", [](IpFrame&, ndd_desc& desc) { desc.flags = NDD_DESC_FIRST; }},
    {"a sum from within the Ethernet header", [](IpFrame&, ndd_desc& desc) { desc.csum_start = 13; }},
    {"a sum from elsewhere", [](IpFrame&, ndd_desc& desc) { desc.csum_start += 4; }},
    {"a sum from behind the piece", [](IpFrame&, ndd_desc& desc) { desc.csum_start = 65535; }},
    {"a sum to elsewhere", [](IpFrame&, ndd_desc& desc) { desc.csum_offset = 6; }},
    {"a sum to behind the piece", [](IpFrame&, ndd_desc& desc) { desc.csum_offset = 65535; }},
    {"a longer header", [](IpFrame&, ndd_desc& desc) { desc.hdr_len += 4; }},
    {"a shorter header", [](IpFrame&, ndd_desc& desc) { desc.hdr_len = 0; }},
    {"no segment", [](IpFrame&, ndd_desc& desc) { desc.gso_size = 0; }},
    {"a segment the NIC can't do", [](IpFrame&, ndd_desc& desc) { desc.gso_size = 16; }},
    {"another EtherType", [](IpFrame& frame, ndd_desc&) { at(frame, frame.ip() - 1u) ^= std::byte{1}; }},
    {"another version", [](IpFrame& frame, ndd_desc&) { at(frame, frame.ip()) ^= std::byte{0x10}; }},
    {"a short TCP header", [](IpFrame& frame, ndd_desc&) { at(frame, frame.start() + 12u) = std::byte{0x40}; }},
    {"a long TCP header", [](IpFrame& frame, ndd_desc&) { at(frame, frame.start() + 12u) = std::byte{0x90}; }},
};

class OffloadCheckWrong : public ::testing::TestWithParam<Wrong> {};

TEST_P(OffloadCheckWrong, IsRefused) {
  for (const bool v4 : {true, false}) {
    SCOPED_TRACE(v4);
    IpFrame frame = make({.v4 = v4, .payload = 30000});
    ndd_desc desc = facts_of(frame, v4 ? NDD_GSO_TCPV4 : NDD_GSO_TCPV6);
    ASSERT_TRUE(check(frame, desc));
    GetParam().make(frame, desc);
    EXPECT_FALSE(check(frame, desc));
  }
}

INSTANTIATE_TEST_SUITE_P(OneAtATime, OffloadCheckWrong, ::testing::ValuesIn(kWrong));

TEST(OffloadCheck, AnIpv4HeaderMustBeTcpsAndWhole) {
  const auto with = [](std::size_t place, int value) {
    IpFrame frame = make({.payload = 30000});
    at(frame, frame.ip() + place) = static_cast<std::byte>(value);
    return check(frame, facts_of(frame, NDD_GSO_TCPV4)).has_value();
  };
  EXPECT_TRUE(with(0, 0x45));
  EXPECT_FALSE(with(0, 0x46)) << "options that are not there";
  EXPECT_FALSE(with(6, 0x20)) << "a fragment, more follow";
  EXPECT_FALSE(with(7, 0x01)) << "a fragment";
  EXPECT_FALSE(with(9, 17)) << "UDP";
}

TEST(OffloadCheck, AnIpv6HeaderMayHaveExtensions) {
  IpFrame plain = make({.v4 = false, .payload = 30000});
  at(plain, plain.ip() + 6u) = std::byte{17};
  EXPECT_FALSE(check(plain, facts_of(plain, NDD_GSO_TCPV6))) << "UDP";
  IpFrame longer = make({.v4 = false, .payload = 30000});
  at(longer, longer.ip() + 6u) = std::byte{60};  // destination options, 8 octets
  longer.raw().insert(longer.raw().begin() + longer.start(), 8, std::byte{0});
  ndd_desc desc = facts_of(longer, NDD_GSO_TCPV6);
  desc.csum_start += 8;
  desc.hdr_len += 8;
  const auto offload = check_offload(desc, longer.octets().first(desc.hdr_len), 30000, kAll);
  ASSERT_TRUE(offload);
  EXPECT_EQ(offload->sum_from, longer.start() + 8);
  EXPECT_EQ(offload->ip, 14);
}

TEST(OffloadCheck, PlacesHaveEightBits) {
  std::vector<std::byte> frame(1000);
  ndd_desc desc{};
  desc.flags = NDD_DESC_FIRST | NDD_DESC_NEEDS_CSUM;
  desc.csum_start = 200;
  desc.csum_offset = 55;
  EXPECT_TRUE(check_offload(desc, frame, 1000, kAll));
  desc.csum_offset = 56;
  EXPECT_FALSE(check_offload(desc, frame, 1000, kAll));
}

TEST(OffloadCheck, EveryTruncationIsSafe) {
  for (const bool v4 : {true, false}) {
    const IpFrame frame = make({.v4 = v4, .vlan = 3, .payload = 3000});
    const ndd_desc desc = facts_of(frame, v4 ? NDD_GSO_TCPV4 : NDD_GSO_TCPV6);
    for (std::size_t size = 0; size < frame.header(); ++size) {
      // A copy of that size, so that reading behind it is seen.
      const std::vector<std::byte> head(frame.octets().begin(),
                                        frame.octets().begin() + static_cast<std::ptrdiff_t>(size));
      EXPECT_FALSE(check_offload(desc, head, 3000, kAll)) << size;
    }
  }
}

}  // namespace
}  // namespace udd
