// SPDX-License-Identifier: Apache-2.0
// The process's ends of the rings: against the golden vectors that kagent's ring.h is tested with as well, around the
// wrap, with another side that lies, with two threads; and the layout from which a ring is found.
#include "udd/ring/ring.h"

#include <gtest/gtest.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "tests/uapi/ring_vectors.h"
#include "udd/base/error.h"
#include "udd/ring/ring_memory.h"

namespace udd {
namespace {

constexpr std::uint32_t kSize = 64;

// A ring in plain memory, its indices on lines of their own, and words around the entries that nobody may write.
class TestRing {
 public:
  explicit TestRing(std::uint32_t size = kSize, std::uint32_t start = 0) : words_(size + 2, kUntouched), size_(size) {
    producer_ = consumer_[0] = start;
  }
  RingMemory memory() {
    return {.producer = &producer_,
            .consumer = consumer_.data(),
            .flags = &consumer_[1],
            .entries = static_cast<std::byte*>(static_cast<void*>(words_.data() + 1)),
            .size = size_};
  }
  // what the other side does
  void set_producer(std::uint32_t index) { producer_ = index; }
  void set_consumer(std::uint32_t index) { consumer_[0] = index; }
  [[nodiscard]] std::uint32_t producer() const { return producer_; }
  [[nodiscard]] std::uint32_t consumer() const { return consumer_[0]; }
  std::uint32_t& flags() { return consumer_[1]; }
  std::uint64_t& entry(std::uint32_t slot) { return words_[slot + 1]; }
  [[nodiscard]] bool intact() const { return words_.front() == kUntouched && words_.back() == kUntouched; }

  static constexpr std::uint64_t kUntouched = 0x5555'5555'5555'5555;

 private:
  alignas(64) std::uint32_t producer_ = 0;
  alignas(64) std::array<std::uint32_t, 2> consumer_{};
  alignas(64) std::vector<std::uint64_t> words_;
  std::uint32_t size_;
};

using U64Producer = Producer<std::uint64_t>;
using U64Consumer = Consumer<std::uint64_t>;

class Vectors : public testing::TestWithParam<ring_index_vector> {};

TEST_P(Vectors, Producer) {
  const ring_index_vector v = GetParam();
  TestRing ring(v.size);
  ring.set_producer(v.producer);
  ring.set_consumer(v.consumer);
  U64Producer end(ring.memory());
  EXPECT_EQ(end.reserve(v.size), v.free);
  EXPECT_EQ(end.broken(), v.sane == 0);
  if (v.sane == 0 || v.free == 0) return;
  end.write(0, 7);
  EXPECT_EQ(ring.entry(v.next_slot), 7u);
  EXPECT_EQ(ring.producer(), v.producer) << "nothing is seen before submit()";
  end.submit(1);
  EXPECT_EQ(ring.producer(), v.producer + 1);
  EXPECT_TRUE(ring.intact());
}

TEST_P(Vectors, Consumer) {
  const ring_index_vector v = GetParam();
  TestRing ring(v.size);
  ring.set_producer(v.producer);
  ring.set_consumer(v.consumer);
  if (v.sane != 0) ring.entry(v.first_slot) = 9;
  U64Consumer end(ring.memory());
  EXPECT_EQ(end.peek(v.size), v.used);
  EXPECT_EQ(end.broken(), v.sane == 0);
  EXPECT_EQ(end.empty(), v.producer == v.consumer);
  if (v.used == 0) return;
  EXPECT_EQ(end.read(0), 9u);
  end.release(1);
  EXPECT_EQ(ring.consumer(), v.consumer + 1);
}

INSTANTIATE_TEST_SUITE_P(Golden, Vectors, testing::ValuesIn(ring_index_vectors), [](const auto& test) {
  return std::to_string(test.param.producer) + "_" + std::to_string(test.param.consumer) + "_" +
         std::to_string(test.param.size);
});

TEST(Ring, BatchesGoAroundTheWrapOfIndicesAndSlots) {
  TestRing ring(kSize, 0xffff'ffe0u);
  U64Producer in(ring.memory());
  U64Consumer out(ring.memory());
  std::uint64_t written = 0;
  std::uint64_t read = 0;
  for (std::uint32_t round = 0; round < 40; ++round) {
    const std::uint32_t room = in.reserve(round % 23 + 1);
    for (std::uint32_t i = 0; i < room; ++i) in.write(i, written++);
    in.submit(room);
    const std::uint32_t there = out.peek(round % 17 + 1);
    for (std::uint32_t i = 0; i < there; ++i) ASSERT_EQ(out.read(i), read++);
    out.release(there);
  }
  EXPECT_GT(read, 300u);
  EXPECT_LT(ring.producer(), 0x8000'0000u) << "never came around";
  EXPECT_FALSE(in.broken() || out.broken());
  EXPECT_TRUE(ring.intact());
}

TEST(Ring, FullTakesNothingAndEmptyGivesNothing) {
  TestRing ring;
  U64Producer in(ring.memory());
  U64Consumer out(ring.memory());
  EXPECT_EQ(out.peek(1), 0u);
  EXPECT_EQ(in.reserve(kSize + 1), kSize);
  in.submit(kSize);
  EXPECT_EQ(in.reserve(1), 0u);
  EXPECT_EQ(out.peek(kSize + 1), kSize);
  out.release(kSize);
  EXPECT_EQ(in.reserve(kSize), kSize);
  EXPECT_FALSE(in.broken() || out.broken());
}

TEST(Ring, WhatIsReservedOrPeekedAndNotUsedStaysThere) {
  TestRing ring;
  U64Producer in(ring.memory());
  ASSERT_EQ(in.reserve(8), 8u);
  in.write(0, 1);
  in.write(1, 2);
  in.submit(1);
  U64Consumer out(ring.memory());
  ASSERT_EQ(out.peek(8), 1u);
  out.release(0);
  EXPECT_EQ(out.peek(8), 1u);
  EXPECT_EQ(out.read(0), 1u);
}

TEST(Ring, NextProcessGoesOnFromTheStoredIndices) {
  TestRing ring(kSize, 0xffff'fffeu);
  {
    U64Producer in(ring.memory());
    ASSERT_EQ(in.reserve(3), 3u);
    for (std::uint32_t i = 0; i < 3; ++i) in.write(i, 10 + i);
    in.submit(3);
    U64Consumer out(ring.memory());
    ASSERT_EQ(out.peek(1), 1u);
    out.release(1);
  }
  U64Producer in(ring.memory());
  U64Consumer out(ring.memory());
  EXPECT_EQ(in.reserve(kSize), kSize - 2);
  ASSERT_EQ(out.peek(kSize), 2u);
  EXPECT_EQ(out.read(0), 11u);
}

TEST(Ring, WakesOnlyWhoAsked) {
  TestRing ring;
  U64Producer in(ring.memory());
  U64Consumer out(ring.memory());
  EXPECT_FALSE(in.must_wake());
  EXPECT_TRUE(out.arm());
  EXPECT_TRUE(in.must_wake());
  ring.flags() = ~kRingNeedWakeup;
  EXPECT_FALSE(in.must_wake()) << "other bits mean nothing";
  out.disarm();
  EXPECT_EQ(ring.flags(), 0u);
  ASSERT_EQ(in.reserve(1), 1u);
  in.submit(1);
  EXPECT_FALSE(out.arm()) << "there is something to read";
}

// ---- the other side lies ----

// Every distance that no ring can have breaks it: it gives and takes nothing more, whatever the index becomes later.
TEST(HostileRing, ImpossibleProducerEndsTheConsumer) {
  for (const std::uint32_t ours : {0u, 1u, 63u, 0x7fff'ffffu, 0xffff'ffc0u, 0xffff'ffffu}) {
    for (const std::uint32_t lie : {ours + kSize + 1, ours - 1, ours + 0x8000'0000u, ours - kSize}) {
      TestRing ring(kSize, ours);
      U64Consumer out(ring.memory());
      ring.set_producer(lie);
      EXPECT_EQ(out.peek(kSize), 0u) << ours << " " << lie;
      EXPECT_TRUE(out.broken());
      ring.set_producer(ours + 1);
      EXPECT_EQ(out.peek(1), 0u) << "broken is for good";
      EXPECT_EQ(ring.consumer(), ours);
    }
  }
}

TEST(HostileRing, ImpossibleConsumerEndsTheProducer) {
  for (const std::uint32_t ours : {0u, 1u, 63u, 0x7fff'ffffu, 0xffff'ffc0u, 0xffff'ffffu}) {
    for (const std::uint32_t lie : {ours - kSize - 1, ours + 1, ours + 0x8000'0000u, ours + kSize}) {
      TestRing ring(kSize, ours);
      U64Producer in(ring.memory());
      ring.set_consumer(lie);
      EXPECT_EQ(in.reserve(kSize), 0u) << ours << " " << lie;
      EXPECT_TRUE(in.broken());
      ring.set_consumer(ours);
      EXPECT_EQ(in.reserve(1), 0u) << "broken is for good";
      EXPECT_EQ(ring.producer(), ours);
      EXPECT_TRUE(ring.intact());
    }
  }
}

// What was seen stays valid: a producer that steps back takes nothing out of a view.
TEST(HostileRing, IndexThatStepsBackChangesNoView) {
  TestRing ring;
  U64Consumer out(ring.memory());
  ring.set_producer(8);
  ASSERT_EQ(out.peek(8), 8u);
  ring.set_producer(4);
  EXPECT_EQ(out.peek(8), 8u);
  out.release(8);
  EXPECT_EQ(out.peek(1), 0u);
  EXPECT_TRUE(out.broken()) << "it can't have produced less than was read";
}

// Our own index is only stored: what the other side writes there changes nothing.
TEST(HostileRing, OwnIndicesAreNeverBelieved) {
  TestRing ring;
  U64Producer in(ring.memory());
  U64Consumer out(ring.memory());
  ASSERT_EQ(in.reserve(2), 2u);
  in.write(0, 1);
  in.write(1, 2);
  in.submit(1);
  ASSERT_EQ(out.peek(1), 1u);
  out.release(1);
  ring.set_producer(0x1234'5678u);
  in.submit(1);
  EXPECT_EQ(ring.producer(), 2u);
  ring.set_consumer(0x1234'5678u);
  ASSERT_EQ(out.peek(1), 1u);
  EXPECT_EQ(out.read(0), 2u);
  out.release(1);
  EXPECT_EQ(ring.consumer(), 2u);
}

// An entry is a copy, made word by word, each read once: who rewrites it afterwards rewrites only the ring.
TEST(HostileRing, EntryIsACopy) {
  TestRing ring(kSize, 0xffff'ffffu);
  U64Producer in(ring.memory());
  ASSERT_EQ(in.reserve(1), 1u);
  in.write(0, 1);
  in.submit(1);
  U64Consumer out(ring.memory());
  ASSERT_EQ(out.peek(1), 1u);
  const std::uint64_t copy = out.read(0);
  ring.entry(kSize - 1) = 99;
  EXPECT_EQ(copy, 1u);
}

TEST(Ring, DescriptorsArriveWhole) {
  std::array<ndd_desc, kSize> entries{};
  alignas(64) std::uint32_t producer = 0;
  alignas(64) std::array<std::uint32_t, 2> consumer{};
  const RingMemory memory{.producer = &producer,
                          .consumer = consumer.data(),
                          .flags = &consumer[1],
                          .entries = static_cast<std::byte*>(static_cast<void*>(entries.data())),
                          .size = kSize};
  Producer<ndd_desc> in(memory);
  Consumer<ndd_desc> out(memory);
  ndd_desc sent{};
  sent.addr = 0x0000'0123'4567'89abu;
  sent.len = 1514;
  sent.flags = NDD_DESC_FIRST | NDD_DESC_LAST;
  sent.csum_offset = 16;
  ASSERT_EQ(in.reserve(1), 1u);
  in.write(0, sent);
  in.submit(1);
  EXPECT_EQ(entries[0].len, 1514u) << "in place, as the kernel reads it";
  ASSERT_EQ(out.peek(1), 1u);
  const ndd_desc got = out.read(0);
  EXPECT_EQ(got.addr, sent.addr);
  EXPECT_EQ(got.len, sent.len);
  EXPECT_EQ(got.flags, sent.flags);
  EXPECT_EQ(got.csum_offset, sent.csum_offset);
}

// Both ends at once, with sleeping by the flags: every entry arrives, once, in order. ThreadSanitizer sees the
// barriers.
TEST(Ring, TwoThreads) {
  constexpr std::uint64_t kEntries = 20000;
  TestRing ring(kSize, 0xffff'f000u);
  const RingMemory memory = ring.memory();
  std::thread producer([memory] {
    U64Producer in(memory);
    for (std::uint64_t next = 0; next < kEntries;) {
      const std::uint32_t room = in.reserve(7);
      if (room == 0) std::this_thread::yield();
      for (std::uint32_t i = 0; i < room; ++i) in.write(i, next++);
      in.submit(room);
      static_cast<void>(in.must_wake());
    }
  });
  U64Consumer out(memory);
  std::uint64_t wanted = 0;
  while (wanted < kEntries && !out.broken()) {
    const std::uint32_t there = out.peek(16);
    if (there == 0 && out.arm()) std::this_thread::yield();
    if (there == 0) out.disarm();
    for (std::uint32_t i = 0; i < there; ++i) EXPECT_EQ(out.read(i), wanted++);
    out.release(there);
  }
  producer.join();
  EXPECT_FALSE(out.broken());
}

// A producer that flips its index at any time: views are never larger than the ring, and the end comes by broken().
TEST(HostileRing, FlippingIndex) {
  TestRing ring;
  const RingMemory memory = ring.memory();
  std::thread liar([memory] {
    std::atomic_ref index(*memory.producer);
    std::uint32_t value = 1;
    for (int i = 0; i < 20000; ++i) {
      value = value * 1664525u + 1013904223u;
      index.store(i % 64 == 63 ? value : index.load(std::memory_order_relaxed) + 1, std::memory_order_release);
    }
    index.store(0x4000'0000u, std::memory_order_release);
  });
  U64Consumer out(memory);
  while (!out.broken()) {
    const std::uint32_t there = out.peek(kSize);
    ASSERT_LE(there, kSize);
    out.release(there);
  }
  liar.join();
  EXPECT_EQ(out.peek(1), 0u);
}

// ---- where a ring is ----

class Layout : public testing::Test {
 protected:
  [[nodiscard]] std::span<std::byte> ctrl() { return {ctrl_.data(), ctrl_.size()}; }
  void expect_refused(const std::function<void(ndd_ring_layout&)>& change, const std::string& said) {
    ndd_ring_layout layout = good_;
    change(layout);
    try {
      static_cast<void>(ring_memory(ctrl(), layout, sizeof(std::uint64_t)));
      ADD_FAILURE() << "accepted: " << said;
    } catch (const Error& error) {
      EXPECT_EQ(error.code().value(), EPROTO);
      EXPECT_NE(std::string(error.what()).find(said), std::string::npos) << error.what();
    }
  }

  alignas(64) std::array<std::byte, 4096> ctrl_{};
  ndd_ring_layout good_{
      .producer = 128, .consumer = 192, .entries = 256, .size = kSize, .entry_size = 8, .reserved = 0};
};

TEST_F(Layout, FindsTheRing) {
  const RingMemory memory = ring_memory(ctrl(), good_, sizeof(std::uint64_t));
  EXPECT_EQ(static_cast<void*>(memory.producer), ctrl_.data() + 128);
  EXPECT_EQ(static_cast<void*>(memory.consumer), ctrl_.data() + 192);
  EXPECT_EQ(memory.flags, memory.consumer + 1);
  EXPECT_EQ(memory.entries, ctrl_.data() + 256);
  EXPECT_EQ(memory.size, kSize);
  ndd_ring_layout last = good_;
  last.entries = static_cast<std::uint32_t>(ctrl_.size() - kSize * 8);
  EXPECT_EQ(ring_memory(ctrl(), last, sizeof(std::uint64_t)).entries, ctrl_.data() + last.entries);
}

TEST_F(Layout, NothingOutsideOfTheArea) {
  for (const std::uint32_t offset : {4096u, 4096u - 32, 0xffff'ffc0u, 0xffff'ffffu, 0x8000'0000u}) {
    expect_refused([&](auto& layout) { layout.producer = offset; }, "lies outside");
    expect_refused([&](auto& layout) { layout.consumer = offset; }, "lies outside");
  }
  for (const std::uint32_t offset : {4096u - kSize * 8 + 8, 4096u, 0xffff'fff8u}) {
    expect_refused([&](auto& layout) { layout.entries = offset; }, "lies outside");
  }
}

TEST_F(Layout, NothingMisaligned) {
  expect_refused([](auto& layout) { layout.producer = 132; }, "misaligned");
  expect_refused([](auto& layout) { layout.consumer = 200; }, "misaligned");
  expect_refused([](auto& layout) { layout.entries = 260; }, "misaligned");
}

TEST_F(Layout, SizesThatNoRingHas) {
  for (const std::uint32_t size : {0u, 1u, 63u, 65u, 96u, 65536u, 0x8000'0000u, 0xffff'ffffu}) {
    expect_refused([&](auto& layout) { layout.size = size; }, "impossible");
  }
  for (const std::uint32_t size : {0u, 4u, 32u}) {
    expect_refused([&](auto& layout) { layout.entry_size = size; }, "octets instead of 8");
  }
}

}  // namespace
}  // namespace udd
