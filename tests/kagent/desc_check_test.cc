// SPDX-License-Identifier: Apache-2.0
// What the kernel believes of a hostile process's descriptors (kagent/desc_check.c): nothing that is not so.
#include "kagent/desc_check.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <random>
#include <vector>

#include "kagent/ring.h"

namespace {

constexpr std::uint32_t kBufs = 64;
constexpr std::uint32_t kKernelFirst = 48;

class DescCheck : public testing::Test {
 protected:
  DescCheck() : owner_(kBufs, KAGENT_OWNER_PROCESS) {
    for (std::uint32_t i = kKernelFirst; i < kBufs; ++i) owner_[i] = KAGENT_OWNER_KERNEL;
    owner_[60] = KAGENT_OWNER_KTX;
  }

  static ndd_desc desc(std::uint32_t index, std::uint32_t len, unsigned flags = NDD_DESC_FIRST | NDD_DESC_LAST) {
    ndd_desc d{};
    d.addr = kagent_addr(index, 0);
    d.len = len;
    d.flags = static_cast<__u16>(flags);
    return d;
  }

  kagent_verdict add(const ndd_desc& d) {
    const kagent_pool_view view = {owner_.data(), kBufs, features_};
    return kagent_frame_add(&frame_, &d, &view);
  }

  void expect_drop(const ndd_desc& d, kagent_drop reason, std::uint32_t given_back) {
    ASSERT_EQ(add(d), KAGENT_DROP);
    EXPECT_STREQ(kagent_drop_name(frame_.reason), kagent_drop_name(reason));
    EXPECT_EQ(frame_.count, given_back);
    kagent_frame_reset(&frame_);
  }

  void expect_still_works() {
    ASSERT_EQ(add(desc(1, 60)), KAGENT_FRAME);
    EXPECT_EQ(frame_.len, 60u);
    EXPECT_EQ(frame_.count, 1u);
    kagent_frame_reset(&frame_);
  }

  std::vector<std::uint8_t> owner_;
  std::uint64_t features_ = 0;
  kagent_frame frame_{};
};

TEST_F(DescCheck, AFrameInOnePiece) {
  ndd_desc d = desc(7, 1514);
  d.addr = kagent_addr(7, 128);
  ASSERT_EQ(add(d), KAGENT_FRAME);
  EXPECT_EQ(frame_.piece[0].index, 7u);
  EXPECT_EQ(frame_.piece[0].offset, 128u);
  EXPECT_EQ(frame_.piece[0].len, 1514u);
  EXPECT_EQ(frame_.len, 1514u);
}

TEST_F(DescCheck, AFrameInAsManyPiecesAsThereMayBe) {
  for (std::uint32_t i = 0; i < NDD_PIECES_MAX - 1; ++i) {
    ASSERT_EQ(add(desc(i, 100, i == 0 ? NDD_DESC_FIRST : 0)), KAGENT_MORE);
  }
  ASSERT_EQ(add(desc(NDD_PIECES_MAX - 1, 100, NDD_DESC_LAST)), KAGENT_FRAME);
  EXPECT_EQ(frame_.count, static_cast<unsigned>(NDD_PIECES_MAX));
  EXPECT_EQ(frame_.len, 100u * NDD_PIECES_MAX);
}

TEST_F(DescCheck, ShortestAndLongest) {
  expect_drop(desc(1, NDD_FRAME_MIN - 1), KAGENT_DROP_SHORT, 1);
  ASSERT_EQ(add(desc(1, NDD_FRAME_MIN)), KAGENT_FRAME);
  kagent_frame_reset(&frame_);
  expect_drop(desc(1, 0), KAGENT_DROP_SHORT, 1);

  // NDD_FRAME_MAX exactly: 15 full pieces, and the rest
  const std::uint32_t full = NDD_FRAME_MAX / NDD_BUF_SIZE;
  const std::uint32_t rest = NDD_FRAME_MAX % NDD_BUF_SIZE;
  for (std::uint32_t more : {0u, 1u}) {
    for (std::uint32_t i = 0; i < full; ++i) {
      ASSERT_EQ(add(desc(i, NDD_BUF_SIZE, i == 0 ? NDD_DESC_FIRST : 0)), KAGENT_MORE);
    }
    if (more == 0) {
      ASSERT_EQ(add(desc(full, rest, NDD_DESC_LAST)), KAGENT_FRAME);
      EXPECT_EQ(frame_.len, static_cast<unsigned>(NDD_FRAME_MAX));
      kagent_frame_reset(&frame_);
    } else {
      expect_drop(desc(full, rest + 1, NDD_DESC_LAST), KAGENT_DROP_LONG, full + 1);
    }
  }
  expect_still_works();
}

TEST_F(DescCheck, APieceStaysInItsBuffer) {
  ndd_desc d = desc(1, NDD_BUF_SIZE + 1);
  expect_drop(d, KAGENT_DROP_LONG, 1);
  d = desc(1, NDD_BUF_SIZE);
  d.addr = kagent_addr(1, 1);
  expect_drop(d, KAGENT_DROP_LONG, 1);
  // sums that overflow 32 bits
  for (std::uint32_t len : {0xffffffffu, 0xfffff001u, 0xfffff000u, 0x80000000u}) {
    d = desc(1, len);
    d.addr = kagent_addr(1, 4095);
    expect_drop(d, KAGENT_DROP_LONG, 1);
  }
  d = desc(1, 0xffffffffu, NDD_DESC_FIRST);
  expect_drop(d, KAGENT_DROP_LONG, 1);
  ASSERT_EQ(add(desc(2, 100, NDD_DESC_LAST)), KAGENT_SKIP);
  kagent_frame_reset(&frame_);
  expect_still_works();
}

TEST_F(DescCheck, NoSuchBuffer) {
  for (std::uint32_t index : {kBufs, kBufs + 1, 0x7fffffffu, 0xffffffffu}) {
    expect_drop(desc(index, 60), KAGENT_DROP_INDEX, 0);
  }
  // bits above index and offset
  for (std::uint64_t bit : {1ull << 44, 1ull << 63}) {
    ndd_desc d = desc(1, 60);
    d.addr |= bit;
    expect_drop(d, KAGENT_DROP_INDEX, 1);
  }
  expect_still_works();
}

TEST_F(DescCheck, BuffersOfTheKernelGiveTheProcessNothing) {
  expect_drop(desc(kKernelFirst, 60), KAGENT_DROP_OWNER, 0);
  expect_drop(desc(60, 60), KAGENT_DROP_OWNER, 0);
  // in the middle of a chain: the process's own pieces come back, the other does not
  ASSERT_EQ(add(desc(1, 60, NDD_DESC_FIRST)), KAGENT_MORE);
  expect_drop(desc(50, 60, NDD_DESC_LAST), KAGENT_DROP_OWNER, 1);
  expect_still_works();
}

TEST_F(DescCheck, ChainsThatDoNotPair) {
  expect_drop(desc(1, 60, NDD_DESC_LAST), KAGENT_DROP_CHAIN, 1);  // no FIRST
  expect_still_works();

  ASSERT_EQ(add(desc(1, 60, NDD_DESC_FIRST)), KAGENT_MORE);
  expect_drop(desc(2, 60), KAGENT_DROP_CHAIN, 2);  // FIRST twice
  expect_still_works();

  expect_drop(desc(1, 60, 0), KAGENT_DROP_CHAIN, 1);  // neither: all is skipped up to a LAST
  ASSERT_EQ(add(desc(2, 60, 0)), KAGENT_SKIP);
  EXPECT_EQ(frame_.count, 1u);
  kagent_frame_reset(&frame_);
  ASSERT_EQ(add(desc(kBufs, 60, NDD_DESC_LAST)), KAGENT_SKIP);
  EXPECT_EQ(frame_.count, 0u);
  kagent_frame_reset(&frame_);
  expect_still_works();
}

TEST_F(DescCheck, ChainTooLong) {
  for (std::uint32_t i = 0; i < NDD_PIECES_MAX; ++i) {
    ASSERT_EQ(add(desc(i, 100, i == 0 ? NDD_DESC_FIRST : 0)), KAGENT_MORE);
  }
  expect_drop(desc(20, 100, 0), KAGENT_DROP_CHAIN, NDD_PIECES_MAX + 1);
  for (int i = 0; i < 1000; ++i) {
    ASSERT_EQ(add(desc(3, 100, 0)), KAGENT_SKIP);
    kagent_frame_reset(&frame_);
  }
  ASSERT_EQ(add(desc(3, 100, NDD_DESC_LAST)), KAGENT_SKIP);
  kagent_frame_reset(&frame_);
  expect_still_works();
}

TEST_F(DescCheck, UnknownFlagsAndReservedFields) {
  for (unsigned bit = 6; bit < 16; ++bit) {
    expect_drop(desc(1, 60, NDD_DESC_FIRST | NDD_DESC_LAST | 1u << bit), KAGENT_DROP_FLAGS, 1);
  }
  expect_drop(desc(1, 60, NDD_DESC_FIRST | NDD_DESC_LAST | NDD_DESC_WINDOW), KAGENT_DROP_FLAGS, 1);
  ndd_desc d = desc(1, 60);
  d.reserved0 = 1;
  expect_drop(d, KAGENT_DROP_FLAGS, 1);
  for (std::size_t i = 0; i < sizeof(d.reserved1); ++i) {
    d = desc(1, 60);
    d.reserved1[i] = 0x80;
    expect_drop(d, KAGENT_DROP_FLAGS, 1);
  }
}

TEST_F(DescCheck, OffloadFactsNeedTheFeature) {
  for (unsigned flag : {NDD_DESC_VLAN, NDD_DESC_NEEDS_CSUM, NDD_DESC_CSUM_VALID}) {
    ndd_desc d = desc(1, 60, NDD_DESC_FIRST | NDD_DESC_LAST | flag);
    features_ = 0;
    expect_drop(d, KAGENT_DROP_OFFLOAD, 1);
    features_ = NDD_F_OFFLOAD;
    ASSERT_EQ(add(d), KAGENT_FRAME);
    EXPECT_EQ(frame_.first.flags, d.flags);
    kagent_frame_reset(&frame_);
  }
}

TEST_F(DescCheck, OffloadFactsThatCannotBe) {
  features_ = NDD_F_OFFLOAD;
  ndd_desc d = desc(1, 60, NDD_DESC_FIRST | NDD_DESC_LAST | NDD_DESC_NEEDS_CSUM);
  d.csum_start = 34;
  d.csum_offset = 24;
  ASSERT_EQ(add(d), KAGENT_FRAME);  // 34 + 24 + 2 = 60
  kagent_frame_reset(&frame_);
  d.csum_offset = 25;
  expect_drop(d, KAGENT_DROP_OFFLOAD, 1);
  d.csum_start = 0xffff;
  d.csum_offset = 0xffff;
  expect_drop(d, KAGENT_DROP_OFFLOAD, 1);

  d = desc(1, 1000, NDD_DESC_FIRST | NDD_DESC_LAST | NDD_DESC_NEEDS_CSUM);
  d.gso_size = 500;
  d.hdr_len = 54;
  for (unsigned type : {2u, 3u, 5u, 6u, 0x80u, 0x83u, 0xffu}) {  // UFO (3), UDP_L4 (5), nonsense
    d.gso_type = static_cast<__u8>(type);
    expect_drop(d, KAGENT_DROP_OFFLOAD, 1);
  }
  d.gso_type = NDD_GSO_TCPV4 | NDD_GSO_ECN;
  ASSERT_EQ(add(d), KAGENT_FRAME);
  kagent_frame_reset(&frame_);
  d.gso_size = 0;
  expect_drop(d, KAGENT_DROP_OFFLOAD, 1);
  d.gso_size = 500;
  d.hdr_len = 1001;
  expect_drop(d, KAGENT_DROP_OFFLOAD, 1);
  d.hdr_len = NDD_HEADERS_MAX + 1;
  expect_drop(d, KAGENT_DROP_OFFLOAD, 1);
  d.hdr_len = 1000 - NDD_PIECES_MAX * 19;
  d.gso_size = 19;
  ASSERT_EQ(add(d), KAGENT_FRAME);  // as many segments as there may be
  kagent_frame_reset(&frame_);
  --d.hdr_len;
  expect_drop(d, KAGENT_DROP_OFFLOAD, 1);
  d.hdr_len = 0;
  d.gso_size = 1;
  expect_drop(d, KAGENT_DROP_OFFLOAD, 1);
  d.hdr_len = 54;
  d.gso_size = 500;
  d.flags = NDD_DESC_FIRST | NDD_DESC_LAST;  // segments without a checksum to fill in
  expect_drop(d, KAGENT_DROP_OFFLOAD, 1);

  ASSERT_EQ(add(desc(1, 60, NDD_DESC_FIRST)), KAGENT_MORE);
  expect_drop(desc(2, 60, NDD_DESC_LAST | NDD_DESC_CSUM_VALID), KAGENT_DROP_OFFLOAD, 2);  // not on FIRST
}

TEST_F(DescCheck, DoneIsBelievedOnlyOfBuffersInFlightOfTheSameQueue) {
  const kagent_pool_view view = {owner_.data(), kBufs, 0};
  std::uint32_t index = 0;
  EXPECT_TRUE(kagent_done_check(kagent_addr(60, 17), &view, kKernelFirst, 16, &index));
  EXPECT_EQ(index, 60u);
  EXPECT_FALSE(kagent_done_check(60, &view, kKernelFirst, 8, &index));   // 48 .. 55 only
  EXPECT_FALSE(kagent_done_check(60, &view, 61, 3, &index));             // below the first
  EXPECT_FALSE(kagent_done_check(50, &view, kKernelFirst, 16, &index));  // not in flight
  EXPECT_FALSE(kagent_done_check(1, &view, kKernelFirst, 16, &index));   // the process's own
  for (std::uint64_t addr : {std::uint64_t{kBufs}, std::uint64_t{0xffffffffu}}) {
    EXPECT_FALSE(kagent_done_check(addr, &view, kKernelFirst, 16, &index));
  }
}

// Random descriptors, mostly nearly right: nothing is read or written outside (sanitizers), what comes out holds.
TEST_F(DescCheck, Storm) {
  std::mt19937 random(1);
  features_ = NDD_F_OFFLOAD;
  auto pick = [&](std::initializer_list<std::uint32_t> from) { return from.begin()[random() % from.size()]; };
  unsigned frames = 0;
  for (int i = 0; i < 1'000'000; ++i) {
    ndd_desc d = desc(pick({0, 1, 2, 47, 48, 60, 63, 64, 0xffffffffu}),
                      pick({0, 1, 13, 14, 60, 1514, 4095, 4096, 4097, 0xffffffffu}), random() % 64);
    if (random() % 2) d.flags &= NDD_DESC_FIRST | NDD_DESC_LAST;
    d.addr = kagent_addr(kagent_addr_index(d.addr), pick({0, 0, 0, 1, 4095}));
    d.csum_start = static_cast<__u16>(pick({0, 14, 34, 0xffff}));
    d.csum_offset = static_cast<__u16>(pick({0, 16, 0xffff}));
    d.gso_type = static_cast<__u8>(pick({0, 0, 1, 3, 4}));
    d.gso_size = static_cast<__u16>(random());
    const kagent_verdict verdict = add(d);
    ASSERT_LE(frame_.count, NDD_PIECES_MAX + 1u);
    std::uint64_t sum = 0;
    for (std::uint32_t p = 0; p < frame_.count; ++p) {
      ASSERT_LT(frame_.piece[p].index, kBufs);
      ASSERT_EQ(owner_[frame_.piece[p].index], KAGENT_OWNER_PROCESS);
      sum += frame_.piece[p].len;
      if (verdict == KAGENT_FRAME || verdict == KAGENT_MORE) {
        ASSERT_LE(frame_.piece[p].offset + frame_.piece[p].len, static_cast<unsigned>(NDD_BUF_SIZE));
      }
    }
    if (verdict == KAGENT_MORE) continue;
    if (verdict == KAGENT_FRAME) {
      ++frames;
      ASSERT_EQ(frame_.len, sum);
      ASSERT_GE(frame_.len, static_cast<unsigned>(NDD_FRAME_MIN));
      ASSERT_LE(frame_.len, static_cast<unsigned>(NDD_FRAME_MAX));
      ASSERT_LE(frame_.count, static_cast<unsigned>(NDD_PIECES_MAX));
    }
    kagent_frame_reset(&frame_);
  }
  EXPECT_GT(frames, 1'000u);  // the storm has good ones in it too
}

}  // namespace
