// SPDX-License-Identifier: Apache-2.0
// kagent's stock of buffers and FIFO of those that are away (kagent/exchange.h), against a stack played by a set.
#include "kagent/exchange.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <random>
#include <set>
#include <vector>

namespace {

using Set = std::set<std::uint32_t>;

/// What the stack still has.
bool done(void* context, std::uint32_t index) { return !static_cast<Set*>(context)->contains(index); }

class KagentExchange : public ::testing::Test {
 protected:
  static constexpr std::uint32_t kFirst = 100, kSize = 8;

  KagentExchange() { kagent_exchange_init(&ex_, memory_.data(), kFirst, kSize); }
  std::uint32_t keep(std::uint32_t index) {
    busy_.insert(index);
    return kagent_exchange_swap(&ex_, index);
  }
  std::uint32_t look(std::uint32_t wanted, std::uint32_t looks) {
    return kagent_exchange_look(&ex_, wanted, looks, done, &busy_);
  }

  std::vector<std::uint32_t> memory_ = std::vector<std::uint32_t>(2 * kSize);
  kagent_exchange ex_{};
  Set busy_;
};

TEST_F(KagentExchange, GivesEachOfTheStockOnce) {
  Set given;
  for (std::uint32_t i = 0; i < kSize; ++i) given.insert(keep(i));
  EXPECT_EQ(given.size(), kSize);
  EXPECT_EQ(*given.begin(), kFirst);
  EXPECT_EQ(*given.rbegin(), kFirst + kSize - 1);
  EXPECT_EQ(ex_.stocked, 0u);
  EXPECT_EQ(ex_.away, kSize);
}

TEST_F(KagentExchange, LooksAtTheOldestFirstAndOnlyWhenWanted) {
  for (std::uint32_t i = 0; i < 4; ++i) keep(i);
  busy_.clear();
  EXPECT_EQ(look(ex_.stocked, 100), 0u) << "enough in stock";
  EXPECT_EQ(look(ex_.stocked + 1, 100), 1u);
  EXPECT_EQ(kagent_exchange_swap(&ex_, 50), 0u) << "the oldest came back";
}

TEST_F(KagentExchange, WhatIsStillInUseDelaysNothingElse) {
  for (std::uint32_t i = 0; i < kSize; ++i) keep(i);
  busy_ = {0, 1, 2};
  EXPECT_EQ(look(kSize, 2), 2u);
  EXPECT_EQ(ex_.stocked, 0u) << "no more looks than allowed";
  EXPECT_EQ(look(2, 100), 3u) << "2 is busy, 3 and 4 are not";
  EXPECT_EQ(ex_.stocked, 2u);
  EXPECT_EQ(look(kSize, 100), 6u) << "once around: 5 to 7, then 0 to 2 again";
  EXPECT_EQ(ex_.away, 3u);
  busy_.clear();
  EXPECT_EQ(look(kSize, 100), 3u);
  EXPECT_EQ(ex_.stocked, kSize);
  EXPECT_EQ(look(kSize, 100), 0u) << "nothing is away";
}

TEST_F(KagentExchange, NoneIsLostOrDoubledOverManyRounds) {
  Set process;  // buffers that are the process's
  for (std::uint32_t i = 0; i < 16; ++i) process.insert(i);
  std::mt19937 random(7);
  for (int round = 0; round < 100000; ++round) {
    if (ex_.stocked != 0 && random() % 2 == 0) {
      const std::uint32_t kept = *std::next(process.begin(), static_cast<std::ptrdiff_t>(random() % process.size()));
      process.erase(kept);
      ASSERT_TRUE(process.insert(keep(kept)).second) << "given twice";
    } else if (random() % 2 == 0) {
      look(static_cast<std::uint32_t>(random() % (kSize + 1)), static_cast<std::uint32_t>(random() % 5));
    } else if (!busy_.empty()) {
      busy_.erase(std::next(busy_.begin(), static_cast<std::ptrdiff_t>(random() % busy_.size())));
    }
    ASSERT_EQ(ex_.stocked + ex_.away, kSize);
    ASSERT_EQ(process.size(), 16u);
  }
  busy_.clear();
  look(kSize, kSize);
  for (std::uint32_t i = 0; i < kSize; ++i) ASSERT_TRUE(process.insert(ex_.stock[i]).second);
}

TEST(KagentExchangeNone, AnEmptyStockIsNothing) {
  kagent_exchange ex{};
  kagent_exchange_init(&ex, nullptr, 0, 0);
  Set busy;
  EXPECT_EQ(kagent_exchange_look(&ex, 1, 10, done, &busy), 0u);
  EXPECT_EQ(ex.stocked, 0u);
}

}  // namespace
