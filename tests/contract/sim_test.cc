// SPDX-License-Identifier: Apache-2.0
// The contract suite on simulated NICs, and what only a simulated NIC can be made to do: faults.
#include <cerrno>

#include "tests/contract/nic_contract.h"
#include "tests/contract/offload_contract.h"
#include "tests/contract/sim_rig.h"

namespace udd::contract {
namespace {

INSTANTIATE_TYPED_TEST_SUITE_P(Sim, NicContract, ::testing::Types<SimRig>);
INSTANTIATE_TYPED_TEST_SUITE_P(Sim, NicOffloadContract, ::testing::Types<SimRig>);

class NicFaults : public NicContract<SimRig> {
 protected:
  std::vector<Octets> three() { return {frame(0, 1), frame(0, 2), frame(0, 3)}; }
};

TEST_F(NicFaults, DamagedFramesAreMarked) {
  rig_.device(1).damage_next(1);
  const auto frames = three();
  send(0, frames);
  EXPECT_EQ(receive(1, 2), (std::vector<Octets>{frames[1], frames[2]}));
  EXPECT_EQ(damaged_frames_, 1u);
  EXPECT_EQ(nic(1).stats().rx_errors, 1u);
}

TEST_F(NicFaults, ImpossibleLengthsAreMarked) {
  rig_.device(1).corrupt_next(1);
  const auto frames = three();
  send(0, frames);
  std::array<Piece, 4> pieces{};
  ASSERT_EQ(queue(1).rx_burst(pieces), 3u);
  EXPECT_NE(pieces[0].flags & Piece::kError, 0);
  EXPECT_EQ(pieces[0].length, 0);
  EXPECT_EQ(pieces[1].flags & Piece::kError, 0);
  for (std::size_t i = 0; i < 3; ++i) pool(1).give(std::span(&pieces[i].buffer, 1));
}

TEST_F(NicFaults, LostFramesLeaveNoTrace) {
  rig_.device(1).drop_next(2);
  const auto frames = three();
  send(0, frames);
  EXPECT_EQ(receive(1, 1), std::vector<Octets>{frames[2]});
  reclaim_all(0, 3);
}

TEST_F(NicFaults, LinkIsToldAndInterrupts) {
  settle_interrupts(1);
  nic(1).unmask_interrupt();
  rig_.wire().set_link(false);
  EXPECT_TRUE(interrupted(1, kArrival));
  EXPECT_EQ(nic(1).link().status, LinkState::Status::kDown);
  rig_.wire().set_link(true);
  nic(1).unmask_interrupt();
  EXPECT_TRUE(interrupted(1, kArrival)) << "it came back while masked";
  EXPECT_EQ(nic(1).link().status, LinkState::Status::kUp);
}

TEST_F(NicFaults, GoneDeviceIsSaidToBeGone) {
  send(0, frame(0, 1));
  rig_.device(1).set_gone(true);
  EXPECT_EQ(nic(1).link().status, LinkState::Status::kUnknown);
  try {
    configure(1);
    FAIL() << "configured a device that is gone";
  } catch (const Error& error) {
    EXPECT_EQ(error.error_number(), ENODEV);
  }
  EXPECT_THROW(nic(1).start(), Error);
  const auto pieces = load(1, frame(1, 2));
  EXPECT_EQ(queue(1).tx_burst(pieces), 1u) << "the burst half doesn't ask";
  nic(1).stop();
  reclaim(1);
  receive(1, 1, 32, kSilence);
  EXPECT_EQ(pool(1).free_count(), kOwn);
}

TEST_F(NicFaults, MissedFramesAreCounted) {
  const NicStats before = nic(1).stats();
  std::uint32_t sent = 0;
  for (unsigned round = 0; round < 4; ++round) {
    std::vector<Octets> frames;
    for (unsigned i = 0; i < SimRig::kSlots.tx / 2; ++i) frames.push_back(frame(0, sent++));
    send(0, frames);
    reclaim_all(0, frames.size());
  }
  const NicStats after = nic(1).stats();
  EXPECT_GT(after.rx_missed, before.rx_missed);
  EXPECT_EQ(after.rx_frames + after.rx_missed, before.rx_frames + before.rx_missed + sent);
}

TEST_F(NicFaults, AdoptRefusesAForeignState) {
  std::vector<std::byte> state(SimQueue::state_size(SimRig::kSlots));
  SimNic other(rig_.device(0), pool(0), state, SimRig::kSlots);
  other.abandon();
  EXPECT_THROW(other.adopt(), Error);
}

}  // namespace
}  // namespace udd::contract
