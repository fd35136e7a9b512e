// SPDX-License-Identifier: Apache-2.0
// kagent's index arithmetic (kagent/ring.h) against the golden vectors that udd/ring is tested with as well.
#include "kagent/ring.h"

#include <gtest/gtest.h>

#include <cstdint>

#include "tests/uapi/ring_vectors.h"

namespace {

TEST(KagentRing, IndexVectors) {
  for (const ring_index_vector& v : ring_index_vectors) {
    SCOPED_TRACE(testing::Message() << "producer " << v.producer << " consumer " << v.consumer << " size " << v.size);
    ASSERT_EQ(kagent_ring_sane(v.producer, v.consumer, v.size), v.sane != 0);
    if (v.sane == 0) continue;
    EXPECT_EQ(kagent_ring_used(v.producer, v.consumer), v.used);
    EXPECT_EQ(kagent_ring_free(v.producer, v.consumer, v.size), v.free);
    EXPECT_EQ(kagent_ring_slot(v.producer, v.size), v.next_slot);
    EXPECT_EQ(kagent_ring_slot(v.consumer, v.size), v.first_slot);
  }
}

TEST(KagentRing, AddressVectors) {
  for (const ring_address_vector& v : ring_address_vectors) {
    EXPECT_EQ(kagent_addr(v.index, v.offset), v.addr);
    EXPECT_EQ(kagent_addr_index(v.addr), v.index);
    EXPECT_EQ(kagent_addr_offset(v.addr), v.offset);
  }
}

TEST(KagentRing, SizesArePowersOfTwoWithinBounds) {
  for (std::uint32_t size : {64u, 128u, 1024u, 32768u}) EXPECT_TRUE(kagent_ring_size_ok(size)) << size;
  for (std::uint32_t size : {0u, 1u, 32u, 63u, 65u, 96u, 65536u, 0x80000000u, 0xffffffffu}) {
    EXPECT_FALSE(kagent_ring_size_ok(size)) << size;
  }
}

TEST(KagentRing, EveryHostileDistanceIsCaughtAroundTheWrap) {
  constexpr std::uint32_t kSize = 64;
  for (std::uint32_t ours : {0u, 1u, 63u, 0xffffffc0u, 0xffffffffu, 0x7fffffffu}) {
    for (std::uint32_t distance = 0; distance < 4 * kSize; ++distance) {
      EXPECT_EQ(kagent_ring_sane(ours + distance, ours, kSize), distance <= kSize);
      EXPECT_EQ(kagent_ring_sane(ours, ours + distance, kSize), distance == 0);
    }
  }
}

}  // namespace
