// SPDX-License-Identifier: Apache-2.0
// Which pages of a frag the NIC may be shown, and which entry of KTX_DONE gives one back (kagent/window.h).
#include "kagent/window.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <random>
#include <vector>

namespace {

constexpr std::uint32_t kPage = NDD_BUF_SIZE;

void expect_cover(const kagent_cover& cover, std::uint32_t copy, std::uint32_t start, std::uint32_t len) {
  EXPECT_EQ(cover.copy, copy);
  EXPECT_EQ(cover.len, len);
  EXPECT_TRUE(len == 0 || cover.start == start) << cover.start;
}

TEST(Cover, WholePagesAreMappedAsTheyAre) {
  expect_cover(kagent_cover_next(0, 8 * kPage, 0, kPage), 0, 0, 8 * kPage);
  expect_cover(kagent_cover_next(0, kPage, 0, kPage), 0, 0, kPage);
}

TEST(Cover, EdgesAreCopied) {
  // 100 .. 3 pages + 50: two pages of its own
  expect_cover(kagent_cover_next(100, 3 * kPage + 50, 100, 1), kPage - 100, kPage, 2 * kPage);
  // and what is behind the run
  expect_cover(kagent_cover_next(100, 3 * kPage + 50, 3 * kPage, 1), 50, 0, 0);
}

TEST(Cover, NothingWithoutAPageOfItsOwn) {
  expect_cover(kagent_cover_next(1, kPage, 1, 0), kPage - 1, 0, 0);
  expect_cover(kagent_cover_next(0, kPage - 1, 0, 0), kPage - 1, 0, 0);
  expect_cover(kagent_cover_next(1, 2 * kPage - 1, 1, 0), 2 * kPage - 2, 0, 0);
}

TEST(Cover, ARunMayBeginBehindWhatWasCopiedOfItsPage) {
  expect_cover(kagent_cover_next(0, 2 * kPage, 74, 1), 0, 74, 2 * kPage - 74);
  // but not in a page that is shared with others before it
  expect_cover(kagent_cover_next(10, 3 * kPage, 74, 1), kPage - 74, kPage, 2 * kPage);
}

TEST(Cover, ShortRunsAreCopied) {
  expect_cover(kagent_cover_next(0, 2 * kPage, 0, 2 * kPage), 0, 0, 2 * kPage);
  expect_cover(kagent_cover_next(0, 2 * kPage, 1, 2 * kPage), 2 * kPage - 1, 0, 0);
  expect_cover(kagent_cover_next(0, 64 * kPage, 0, UINT32_MAX), 64 * kPage, 0, 0);
}

TEST(Cover, ARunFitsItsSlot) {
  expect_cover(kagent_cover_next(0, 2 * NDD_WINDOW_SLOT, 0, 1), 0, 0, NDD_WINDOW_SLOT);
  expect_cover(kagent_cover_next(0, 2 * NDD_WINDOW_SLOT, 100, 1), 0, 100, NDD_WINDOW_SLOT - 100);
}

// Whatever the frag: all octets come once, in order, and no octet of a page that it shares is in a run.
TEST(Cover, AnyFrag) {
  std::mt19937 random(1);
  const auto any = [&](std::uint32_t below) { return static_cast<std::uint32_t>(random() % below); };
  for (int i = 0; i < 20000; ++i) {
    const std::uint32_t offset = any(2 * kPage), end = offset + 1 + any(3 * NDD_WINDOW_SLOT);
    const std::uint32_t least = any(3) == 0 ? 0 : any(4 * kPage);
    std::uint32_t at = offset + any(end - offset);
    while (at < end) {
      const kagent_cover cover = kagent_cover_next(offset, end, at, least);
      ASSERT_NE(cover.copy + cover.len, 0u);
      ASSERT_LE(cover.copy, end - at);
      at += cover.copy;
      if (cover.len == 0) {
        ASSERT_EQ(at, end);
        break;
      }
      ASSERT_EQ(cover.start, at);
      ASSERT_GE(cover.start / kPage * kPage, offset);
      ASSERT_LE(cover.len, end - at);
      ASSERT_EQ((at + cover.len) % kPage, 0u);
      ASSERT_GE(cover.len, least);
      ASSERT_LE(cover.start % kPage + cover.len, static_cast<std::uint32_t>(NDD_WINDOW_SLOT));
      at += cover.len;
    }
  }
}

TEST(Slot, WithinReachOf32BitsAndBelowThePool) {
  EXPECT_EQ(KAGENT_WINDOW_IOVA % NDD_WINDOW_SLOT, 0u);
  EXPECT_EQ(kagent_slot_iova(KAGENT_WINDOW_IOVA, KAGENT_WINDOW_SLOTS), KAGENT_WINDOW_IOVA_END);
}

TEST(Slot, OnlyOneInFlight) {
  constexpr std::uint64_t kIova = KAGENT_WINDOW_IOVA + 16 * NDD_WINDOW_SLOT;  // of a second queue
  std::vector<std::uint32_t> octets(8);
  octets[0] = 1;
  octets[5] = NDD_WINDOW_SLOT | 1u << 31;
  octets[7] = 4096;
  std::uint32_t slot = 99;
  const auto check = [&](std::uint64_t entry) {
    return kagent_slot_check(NDD_DONE_WINDOW | entry, kIova, octets.data(), 8, &slot);
  };
  EXPECT_TRUE(check(kIova));
  EXPECT_EQ(slot, 0u);
  EXPECT_TRUE(check(kIova + 5 * NDD_WINDOW_SLOT + 4711));  // anywhere in it
  EXPECT_EQ(slot, 5u);
  EXPECT_TRUE(check(kIova + 8 * NDD_WINDOW_SLOT - 1));
  EXPECT_EQ(slot, 7u);
  slot = 99;
  EXPECT_FALSE(check(kIova + 1 * NDD_WINDOW_SLOT));  // not in flight
  EXPECT_FALSE(check(kIova + 8 * NDD_WINDOW_SLOT));  // the next queue's
  EXPECT_FALSE(check(kIova - 1));                    // the one before's
  for (const std::uint64_t entry : {0ULL, 1ULL, 1ULL << 32 | kIova, 1ULL << 62 | kIova, ~0ULL}) {
    EXPECT_FALSE(check(entry));
  }
  EXPECT_EQ(slot, 99u);
  EXPECT_FALSE(kagent_slot_check(NDD_DONE_WINDOW | kIova, kIova, nullptr, 0, &slot));  // no window
}

}  // namespace
