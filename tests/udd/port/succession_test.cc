// SPDX-License-Identifier: Apache-2.0
// A port whose owner ends, and another process that goes on from what it left: after an orderly end, and after one at
// any instruction. Whatever that was, no buffer is in two places or none, the kernel sees no broken rule, and both
// sides' frames flow.
#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <random>
#include <vector>

#include "tests/fake/cut_off.h"
#include "tests/fake/sim_port.h"
#include "udd/base/error.h"

namespace udd {
namespace {

using fake::kAppType;
using fake::KernelEnd;
using fake::kIpType;
using fake::mac_of;
using fake::make_frame;
using fake::mark_of;
using fake::SimPair;

constexpr std::uint32_t kBuffers = 1024;
constexpr std::uint32_t kKernelBuffers = 128;

/// Instructions of most steps, at most, without optimisation; the device's included.
constexpr std::uint64_t kStep = 10'000;

PortOptions quiet_options() {
  PortOptions options;
  options.ethertypes = {kAppType};
  options.backup_after = std::nullopt;  // one thread, whose instructions are counted
  return options;
}

KernelEnd::Options kernel_options() {
  KernelEnd::Options kernel;
  kernel.exchange_buffers = 128;
  kernel.features = NDD_F_WINDOW;
  kernel.window_slots = 64;
  return kernel;
}

/// Frames of both sides and both directions: one round of whatever goes on around the port of end 1.
class Traffic {
 public:
  explicit Traffic(SimPair& pair) : pair_(pair) {}

  /// What comes from outside: the far side, and the kernel.
  void offer(std::mt19937& random) {
    for (std::uint32_t i = random() % 8; i != 0; --i) {
      const auto type = random() % 2 == 0 ? kAppType : kIpType;
      pair_.wire().device(1).receive(make_frame(mac_of(1), mac_of(0), type, ++mark_, 60 + random() % 100));
    }
    for (std::uint32_t i = random() % 4; i != 0; --i) {
      const auto frame = make_frame(mac_of(0), mac_of(1), kIpType, ++mark_, 200 + random() % 200);
      if (random() % 2 == 0) {
        pair_.kernel(1).send(frame);
      } else {
        pair_.kernel(1).send(frame, {}, 100);
      }
    }
  }
  /// What the kernel does meanwhile.
  void settle() {
    while (pair_.kernel(1).receive()) {
    }
    pair_.kernel(1).reap();
  }
  /// What the owner does in one step of a round, which asks all of a port that there is to ask.
  static constexpr unsigned kSteps = 6;
  void work(Queue& queue, unsigned step) noexcept {
    switch (step) {
      case 0:
        count_ = queue.rx(frames_);
        break;
      case 1:
        sent_ = queue.tx({frames_.data(), count_ / 2});
        break;
      case 3:
        queue.poll();
        break;
      case 4:
        count_ = queue.alloc({frames_.data(), 4});
        for (Frame& frame : std::span(frames_.data(), count_)) frame.resize(60);
        sent_ = queue.tx({frames_.data(), count_});
        break;
      default:
        queue.release({frames_.data() + sent_, count_ - sent_});
    }
  }
  void round(Queue& queue) noexcept {
    for (unsigned step = 0; step < kSteps; ++step) work(queue, step);
  }

 private:
  SimPair& pair_;
  std::uint32_t mark_ = 0;
  std::array<Frame, 16> frames_;
  std::size_t count_ = 0;
  std::size_t sent_ = 0;
};

/// All that the process has, by its own notes; the far side has seen everything sent.
void expect_all_accounted_for(SimPair& pair) {
  for (int i = 0; i < 4; ++i) {
    pair.queue(1).poll();
    while (pair.kernel(1).receive()) {
    }
    pair.kernel(1).reap();
  }
  pair.queue(1).poll();
  EXPECT_EQ(pair.kernel(1).violations(), 0u);
  EXPECT_EQ(pair.wire().device(1).dma_faults(), 0u);
  EXPECT_EQ(pair.kernel(1).free_buffers(), kKernelBuffers);
  EXPECT_EQ(pair.kernel(1).free_slots(), 64u);
  // Drain the application's side, so that every buffer of the process's is free or in the NIC's receive ring.
  static_cast<void>(pair.receive_all(1));
  const std::size_t receiving = SimPair::kSlots.rx - 1;
  // More than there are: sent ones are taken back for it.
  std::vector<Frame> all(kBuffers);
  pair.queue(1).release({all.data(), pair.queue(1).alloc(all)});
  EXPECT_LE(pair.kernel(1).process_buffers() - pair.pool(1).free_count(), receiving);
  EXPECT_GE(pair.kernel(1).process_buffers() - pair.pool(1).free_count(), receiving - 64);
}

TEST(Succession, GoesOnWhereAnOwnerHasLeft) {
  SimPair pair(quiet_options(), kernel_options());
  ASSERT_TRUE(pair.app_send(0, make_frame(mac_of(1), mac_of(0), kAppType, 1)));
  ASSERT_TRUE(pair.app_send(0, make_frame(mac_of(1), mac_of(0), kAppType, 2)));
  pair.queue(1).poll();  // parked: nobody has asked for them
  for (std::uint32_t mark = 3; mark <= 5; ++mark) {
    ASSERT_TRUE(pair.app_send(0, make_frame(mac_of(1), mac_of(0), kAppType, mark)));
  }
  pair.succeed(1, quiet_options(), SimPair::End::kLeft);
  EXPECT_EQ(pair.port(1).state(), PortState::kTunnel);
  const auto frames = pair.app_receive(1);
  ASSERT_EQ(frames.size(), 5u) << "parked, and received while nobody looked";
  for (std::uint32_t i = 0; i < 5; ++i) EXPECT_EQ(mark_of(frames[i]), i + 1);
  expect_all_accounted_for(pair);
}

TEST(Succession, KernelsFramesAreNeitherLostNorSentTwice) {
  SimPair pair(quiet_options(), kernel_options());
  pair.wire().device(1).hold_transmit(true);
  constexpr std::uint32_t kFrames = 20;
  for (std::uint32_t i = 0; i < kFrames; ++i) {
    ASSERT_TRUE(pair.kernel(1).send(make_frame(mac_of(0), mac_of(1), kIpType, i)));
    if (i % 4 == 0) pair.queue(1).poll();
  }
  pair.succeed(1, quiet_options(), SimPair::End::kLeft);
  pair.wire().device(1).hold_transmit(false);
  for (int i = 0; i < 4; ++i) pair.queue(1).poll();
  pair.queue(0).poll();
  for (std::uint32_t i = 0; i < kFrames; ++i) {
    const auto frame = pair.kernel(0).receive();
    ASSERT_TRUE(frame) << i;
    EXPECT_EQ(mark_of(*frame), i);
  }
  EXPECT_FALSE(pair.kernel(0).receive());
  expect_all_accounted_for(pair);
}

TEST(Succession, WithoutAnEtherTypeAllIsTheKernels) {
  SimPair pair(quiet_options(), kernel_options());
  ASSERT_TRUE(pair.app_send(0, make_frame(mac_of(1), mac_of(0), kAppType, 1)));
  pair.queue(1).poll();
  PortOptions none = quiet_options();
  none.ethertypes.clear();
  pair.succeed(1, none, SimPair::End::kLeft);
  ASSERT_TRUE(pair.app_send(0, make_frame(mac_of(1), mac_of(0), kAppType, 2)));
  pair.queue(1).poll();
  const auto frame = pair.kernel(1).receive();
  ASSERT_TRUE(frame);
  EXPECT_EQ(mark_of(*frame), 2u) << "the parked one was nobody's any more";
  expect_all_accounted_for(pair);
}

TEST(Succession, AForeignStateIsRefused) {
  SimPair pair(quiet_options(), kernel_options());
  pair.kernel(1).areas().state[0] ^= std::byte{1};
  EXPECT_THROW(pair.succeed(1, quiet_options(), SimPair::End::kLeft), Error);
}

/// Owner after owner is cut off somewhere in a round, each time after other traffic.
void cut_off_anywhere(unsigned cuts, unsigned seed) {
  SimPair pair(quiet_options(), kernel_options());
  Traffic traffic(pair);
  static SimWire* wire;
  wire = &pair.wire();
  std::mt19937 random(seed);
  for (unsigned cut = 0; cut < cuts; ++cut) {
    for (std::uint32_t i = random() % 4; i != 0; --i) {
      traffic.offer(random);
      traffic.round(pair.queue(1));
      if (random() % 2 == 0) traffic.settle();
    }
    traffic.offer(random);
    if (random() % 4 == 0) pair.kernel(1).sleep();
    const auto step = static_cast<unsigned>(random() % Traffic::kSteps);
    for (unsigned before = 0; before < step; ++before) traffic.work(pair.queue(1), before);
    const std::uint64_t at = 1 + random() % kStep;
    // A step that is shorter ends, and its owner between two steps.
    static_cast<void>(fake::CutOff::run(
        at, [] { return !wire->busy(); }, [&] { traffic.work(pair.queue(1), step); }));
    pair.succeed(1, quiet_options(), SimPair::End::kCutOff);
    if (random() % 8 == 0) expect_all_accounted_for(pair);
    if (::testing::Test::HasFailure()) FAIL() << "cut " << cut << " after " << at << " instructions";
  }
  expect_all_accounted_for(pair);
}

class CutOffAnywhere : public ::testing::TestWithParam<unsigned> {};

TEST_P(CutOffAnywhere, NothingIsLostOrTwice) { cut_off_anywhere(40, GetParam()); }

INSTANTIATE_TEST_SUITE_P(Seeds, CutOffAnywhere, ::testing::Range(0u, 4u));

}  // namespace
}  // namespace udd
