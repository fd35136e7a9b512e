// SPDX-License-Identifier: Apache-2.0
#include "udd/base/internet_sum.h"

#include <gtest/gtest.h>

#include <array>
#include <vector>

namespace udd {
namespace {

TEST(InternetSum, IsThatOfRfc1071) {
  // Section 3: the example.
  constexpr std::array<std::byte, 8> kOctets{std::byte{0x00}, std::byte{0x01}, std::byte{0xf2}, std::byte{0x03},
                                             std::byte{0xf4}, std::byte{0xf5}, std::byte{0xf6}, std::byte{0xf7}};
  EXPECT_EQ(internet_sum(kOctets), 0xddf2);
  EXPECT_EQ(internet_sum(std::span(kOctets).subspan(2), internet_sum(std::span(kOctets).first(2))), 0xddf2);
}

TEST(InternetSum, PadsAnOddOctetWithZero) {
  constexpr std::array<std::byte, 3> kOctets{std::byte{0x12}, std::byte{0x34}, std::byte{0x56}};
  EXPECT_EQ(internet_sum(kOctets), 0x1234 + 0x5600);
}

TEST(InternetSum, CarriesAroundMoreThanOnce) {
  EXPECT_EQ(internet_sum({}, 0xffff'ffff), 0xffff);
  EXPECT_EQ(internet_sum(std::vector<std::byte>(65536, std::byte{0xff})), 0xffff);
  EXPECT_EQ(internet_sum({}), 0);
}

}  // namespace
}  // namespace udd
