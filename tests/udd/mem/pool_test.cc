// SPDX-License-Identifier: Apache-2.0
// The pool and the state area: every buffer once, found again by a second mapping, and nothing believed unchecked.
#include "udd/mem/pool.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <set>
#include <vector>

#include "tests/fake/port_memory.h"
#include "udd/base/error.h"
#include "udd/mem/mapped.h"

namespace udd {
namespace {

constexpr std::uint32_t kBuffers = 64;
constexpr std::uint32_t kKernel = 16;
constexpr std::uint32_t kNicPages = 2;

class PoolTest : public ::testing::Test {
 protected:
  std::span<std::byte> section(const fake::PortView& view) {
    return StateArea::adopt(view.state()).section(StateSection::kPool);
  }
  Pool create() {
    StateArea::format(view_->state(), memory_.sizes());
    return Pool::create(memory_.geometry(*view_), section(*view_));
  }

  fake::PortMemory memory_{kNicPages, kBuffers, kKernel, 0};
  std::unique_ptr<fake::PortView> view_ = memory_.map();
};

TEST_F(PoolTest, GivesOutEachOfTheProcesssBuffersOnce) {
  Pool pool = create();
  EXPECT_EQ(pool.free_count(), kBuffers - kKernel);
  std::array<BufferIndex, kBuffers> all{};
  EXPECT_EQ(pool.take(all), kBuffers - kKernel);
  EXPECT_EQ(pool.take(all), 0u);
  const std::set<BufferIndex> seen(all.begin(), all.begin() + kBuffers - kKernel);
  EXPECT_EQ(seen.size(), kBuffers - kKernel);
  EXPECT_LT(*seen.rbegin(), pool.first_kernel_buffer());
}

TEST_F(PoolTest, TakesBackWhatItGaveAndTheKernelsInExchange) {
  Pool pool = create();
  std::array<BufferIndex, 8> some{};
  ASSERT_EQ(pool.take(some), some.size());
  some[0] = kBuffers - 1;  // the kernel's, in exchange
  pool.give(some);
  EXPECT_EQ(pool.free_count(), kBuffers - kKernel);
  std::array<BufferIndex, 8> again{};
  ASSERT_EQ(pool.take(again), again.size());
  EXPECT_NE(std::find(again.begin(), again.end(), kBuffers - 1), again.end());
}

TEST_F(PoolTest, TheKernelsStockComesByExchangeOnly) {
  constexpr std::uint32_t kStock = 12;
  StateArea::format(view_->state(), memory_.sizes());
  auto geometry = memory_.geometry(*view_);
  geometry.exchange_buffers = kStock;
  Pool pool = Pool::create(geometry, section(*view_));
  EXPECT_EQ(pool.own_buffers(), kBuffers - kKernel - kStock);
  EXPECT_EQ(pool.first_exchange_buffer(), kBuffers - kKernel - kStock);
  EXPECT_EQ(pool.first_kernel_buffer(), kBuffers - kKernel);
  std::array<BufferIndex, kBuffers> all{};
  ASSERT_EQ(pool.take(all), kBuffers - kKernel - kStock);
  EXPECT_LT(*std::max_element(all.begin(), all.begin() + pool.own_buffers()), pool.first_exchange_buffer());
  pool.give(pool.first_exchange_buffer());
  EXPECT_EQ(pool.free_count(), 1u);
  EXPECT_NO_THROW(Pool::adopt(geometry, section(*view_)));
  --geometry.exchange_buffers;
  EXPECT_THROW(Pool::adopt(geometry, section(*view_)), Error) << "another stock";
  geometry.exchange_buffers = kBuffers - kKernel + 1;
  EXPECT_THROW(Pool::create(geometry, section(*view_)), Error) << "more than there are";
}

TEST_F(PoolTest, TakesBackASingleOne) {
  Pool pool = create();
  std::array<BufferIndex, 1> one{};
  ASSERT_EQ(pool.take(one), 1u);
  pool.give(one[0]);
  EXPECT_EQ(pool.free_count(), kBuffers - kKernel);
  std::array<BufferIndex, 1> again{};
  ASSERT_EQ(pool.take(again), 1u);
  EXPECT_EQ(again, one) << "the one that is still in the cache";
}

TEST_F(PoolTest, BuffersLieBehindTheDescriptorPages) {
  const Pool pool = create();
  EXPECT_EQ(pool.nic_memory().size(), kNicPages * kPageSize);
  EXPECT_EQ(pool.data(0), view_->pool().data() + kNicPages * kPageSize);
  EXPECT_EQ(pool.iova(3), fake::PortMemory::kIova + Bytes{(kNicPages + 3) * kPageSize});
  EXPECT_EQ(pool.data(kBuffers - 1) + kBufferSize, view_->pool().data() + view_->pool().size());
}

TEST_F(PoolTest, SecondMappingGoesOn) {
  Pool first = create();
  std::array<BufferIndex, 5> some{};
  ASSERT_EQ(first.take(some), some.size());
  const auto view = memory_.map();
  Pool second = Pool::adopt(memory_.geometry(*view), section(*view));
  EXPECT_EQ(second.free_count(), kBuffers - kKernel - 5);
  second.give(some);
  EXPECT_EQ(first.free_count(), kBuffers - kKernel);
}

TEST_F(PoolTest, RefusesAStateThatContradictsItself) {
  create();
  const auto state = section(*view_);
  auto* header = mapped_at<PoolState>(state, 0, 1);
  const auto adopt = [&] { return Pool::adopt(memory_.geometry(*view_), state); };
  header->free = kBuffers + 1;
  EXPECT_THROW(adopt(), Error);
  header->free = 2;
  auto* stack = mapped_at<BufferIndex>(state, kCacheLineSize, kBuffers);
  stack[1] = kBuffers;
  EXPECT_THROW(adopt(), Error) << "no such buffer";
  stack[1] = stack[0];
  EXPECT_THROW(adopt(), Error) << "twice free";
  stack[1] = stack[0] == 0 ? 1 : 0;
  EXPECT_NO_THROW(adopt());
  header->buffer_count = kBuffers / 2;
  EXPECT_THROW(adopt(), Error) << "another pool";
}

TEST_F(PoolTest, RefusesBuffersThatLieAskew) {
  StateArea::format(view_->state(), memory_.sizes());
  auto geometry = memory_.geometry(*view_);
  geometry.buffer_count /= 2;  // so that there is enough
  EXPECT_NO_THROW(Pool::create(geometry, section(*view_)));
  geometry.memory = geometry.memory.subspan(kCacheLineSize);
  EXPECT_THROW(Pool::create(geometry, section(*view_)), Error);
}

TEST_F(PoolTest, RefusesTooLittleMemory) {
  StateArea::format(view_->state(), memory_.sizes());
  auto geometry = memory_.geometry(*view_);
  geometry.memory = geometry.memory.first(geometry.memory.size() - 1);
  EXPECT_THROW(Pool::create(geometry, section(*view_)), Error);
  EXPECT_THROW(Pool::create(memory_.geometry(*view_), section(*view_).first(8)), Error);
  geometry = memory_.geometry(*view_);
  geometry.kernel_buffers = kBuffers + 1;
  EXPECT_THROW(Pool::create(geometry, section(*view_)), Error);
  geometry = memory_.geometry(*view_);
  geometry.iova = Iova{1};
  EXPECT_THROW(Pool::create(geometry, section(*view_)), Error);
}

TEST(StateArea, LaysSectionsOutWithoutOverlap) {
  const StateArea::Sizes sizes{100, 64, 1};
  alignas(kCacheLineSize) std::array<std::byte, 1024> memory{};
  const StateArea area = StateArea::format(memory, sizes);
  const StateArea found = StateArea::adopt(memory);
  const std::byte* end = memory.data() + sizeof(StateHeader);
  for (auto which : {StateSection::kPool, StateSection::kNic, StateSection::kTunnel}) {
    const auto section = area.section(which);
    EXPECT_EQ(section.size(), sizes[static_cast<std::size_t>(which)]);
    EXPECT_EQ((section.data() - memory.data()) % static_cast<std::ptrdiff_t>(kCacheLineSize), 0);
    EXPECT_GE(section.data(), end);
    end = section.data() + section.size();
    EXPECT_EQ(found.section(which).data(), section.data());
    EXPECT_EQ(found.section(which).size(), section.size());
  }
  EXPECT_LE(end, memory.data() + StateArea::required(sizes));
}

TEST(StateArea, RefusesWhatItDidNotWrite) {
  alignas(kCacheLineSize) std::array<std::byte, 1024> memory{};
  EXPECT_THROW(StateArea::adopt(memory), Error) << "all zeros";
  EXPECT_THROW(StateArea::format(std::span(memory).first(128), {100, 64, 1}), Error) << "too small";
  StateArea::format(memory, {100, 64, 1});
  auto* header = mapped_at<StateHeader>(memory, 0, 1);
  const StateHeader good = *header;
  header->version = kStateVersion + 1;
  EXPECT_THROW(StateArea::adopt(memory), Error) << "another version";
  *header = good;
  header->sections[1].size = 2048;
  EXPECT_THROW(StateArea::adopt(memory), Error) << "section too long";
  *header = good;
  header->sections[1].offset = 0xffffffc0;
  EXPECT_THROW(StateArea::adopt(memory), Error) << "section outside";
  EXPECT_THROW(StateArea::adopt(std::span(memory).first(8)), Error) << "no room for a header";
}

}  // namespace
}  // namespace udd
