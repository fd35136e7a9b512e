// SPDX-License-Identifier: Apache-2.0
// pingpong's messages: written whole whatever their size, and no octet can change unnoticed.
#include "examples/pingpong/message.h"

#include <gtest/gtest.h>

#include <vector>

namespace pingpong {
namespace {

class MessageTest : public testing::TestWithParam<std::size_t> {};

TEST_P(MessageTest, IsWrittenWholeAndNotBeyond) {
  constexpr std::byte kBefore{0xa5};
  for (const std::uint64_t counter : {1u, 77u}) {
    std::vector<std::byte> memory(GetParam() + 16, kBefore), other(GetParam() + 16, ~kBefore);
    write_message(std::span{memory}.first(GetParam()), {counter, 5});
    write_message(std::span{other}.first(GetParam()), {counter, 5});
    for (std::size_t i = 0; i < memory.size(); ++i) {
      EXPECT_EQ(memory[i] == other[i], i < GetParam()) << i;
    }
    EXPECT_EQ(read_head(memory).counter, counter);
    EXPECT_EQ(read_head(memory).sent_ns, 5U);
  }
}

TEST_P(MessageTest, NoticesEveryOctet) {
  std::vector<std::byte> message(GetParam());
  write_message(message, {12345, 0});
  EXPECT_TRUE(intact(message));
  for (std::size_t i = kMessageMin; i < message.size(); ++i) {
    message[i] ^= std::byte{0x10};
    EXPECT_FALSE(intact(message)) << i;
    message[i] ^= std::byte{0x10};
  }
}

INSTANTIATE_TEST_SUITE_P(Sizes, MessageTest, testing::Values(16, 17, 23, 24, 31, 32, 33, 48, 50, 256, 1458, 1500));

TEST(Message, DiffersFromItsNeighbours) {
  std::vector<std::byte> message(50), next(50);
  write_message(message, {7, 0});
  write_message(next, {8, 0});
  std::memcpy(next.data(), message.data(), kMessageMin);
  EXPECT_FALSE(intact(next));
}

}  // namespace
}  // namespace pingpong
