// SPDX-License-Identifier: Apache-2.0
#include "examples/pingpong/histogram.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>

namespace pingpong {
namespace {

TEST(Histogram, IsZeroWhenEmpty) {
  const Histogram empty;
  EXPECT_EQ(empty.count(), 0u);
  EXPECT_EQ(empty.percentile(0.5), 0u);
}

TEST(Histogram, SmallValuesAreExact) {
  Histogram histogram;
  for (std::uint64_t v = 1; v <= 10; ++v) histogram.add(v);
  EXPECT_EQ(histogram.percentile(0.5), 5u);
  EXPECT_EQ(histogram.percentile(0.9), 9u);
  EXPECT_EQ(histogram.percentile(1.0), 10u);
}

TEST(Histogram, LargeValuesAreWithinThreePercent) {
  for (std::uint64_t v = 33; v < (std::uint64_t{1} << 62); v += v / 3 + 1) {
    Histogram histogram;
    histogram.add(v);
    histogram.add(std::uint64_t{1} << 63);
    const std::uint64_t got = histogram.percentile(0.5);
    EXPECT_GE(got, v);
    EXPECT_LE(got - v, v / 31) << v;
  }
}

TEST(Histogram, TakesTheLargestValueThereIs) {
  Histogram histogram;
  histogram.add(std::numeric_limits<std::uint64_t>::max());
  EXPECT_EQ(histogram.max(), std::numeric_limits<std::uint64_t>::max());
  EXPECT_EQ(histogram.percentile(0.99), histogram.max());
}

}  // namespace
}  // namespace pingpong
