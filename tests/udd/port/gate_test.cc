// SPDX-License-Identifier: Apache-2.0
// Gate: one at a time, and nobody for long.
#include "udd/port/gate.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

namespace udd {
namespace {

using std::chrono::microseconds;
using Clock = std::chrono::steady_clock;

// On the heap: gcc 12's address sanitizer does not keep the alignment of what stands on the stack.
std::unique_ptr<Gate> make_gate() { return std::make_unique<Gate>(); }

void spin_for(microseconds time) {
  const Clock::time_point until = Clock::now() + time;
  while (Clock::now() < until) {
  }
}

TEST(Gate, KeepsThePollerAndOthersApart) {
  const auto owned = make_gate();
  Gate& gate = *owned;
  std::atomic<bool> stop{false};
  std::uint64_t shared = 0;  // what a sanitizer watches
  std::uint64_t others = 0;
  std::thread other([&] {
    while (!stop.load()) {
      gate.lock();
      ++shared;
      ++others;
      gate.unlock();
    }
  });
  std::uint64_t own = 0;
  while (own < 20'000) {
    ASSERT_TRUE(gate.enter());
    ++shared;
    ++own;
    gate.leave();
  }
  stop.store(true);
  other.join();
  EXPECT_EQ(shared, own + others);
}

// As the backup thread does: round after round, until the application stands outside.
TEST(Gate, LetsThePollerInAfterARound) {
  constexpr int kEntries = 41;
  const auto owned = make_gate();
  Gate& gate = *owned;
  std::atomic<bool> stop{false};
  std::atomic<std::uint64_t> rounds{0};
  std::thread server([&] {
    while (!stop.load()) {
      gate.lock();
      spin_for(microseconds{20});
      rounds.fetch_add(1);
      const bool over = gate.wanted();
      gate.unlock();
      if (over) std::this_thread::sleep_for(microseconds{500});
    }
  });
  std::vector<std::uint64_t> waited;
  for (int i = 0; i < kEntries; ++i) {
    std::this_thread::sleep_for(microseconds{700});
    const std::uint64_t before = rounds.load();
    ASSERT_TRUE(gate.enter());
    waited.push_back(rounds.load() - before);
    gate.leave();
  }
  stop.store(true);
  server.join();
  // The scheduler has its say in each single one.
  std::nth_element(waited.begin(), waited.begin() + kEntries / 2, waited.end());
  EXPECT_LE(waited[kEntries / 2], 2u);
}

TEST(Gate, IsShutForGood) {
  const auto owned = make_gate();
  Gate& gate = *owned;
  ASSERT_TRUE(gate.enter());
  gate.leave();
  gate.shut();
  EXPECT_FALSE(gate.enter());
  EXPECT_TRUE(gate.is_shut());
  EXPECT_FALSE(gate.wanted());
}

}  // namespace
}  // namespace udd
