// SPDX-License-Identifier: Apache-2.0
// The port's state machine (kagent/state.c): the whole story of a port, and that nothing else can happen.
#include "kagent/state.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

namespace {

struct Expected {
  ndd_mode mode;
  kagent_event event;
  ndd_mode next;
  unsigned actions;
};

constexpr unsigned kRevokeRestore = KAGENT_DO_REVOKE | KAGENT_DO_RESTORE;
constexpr unsigned kDirectAgain = KAGENT_DO_DIRECT | KAGENT_DO_RELEASE;

const std::vector<Expected>& table() {
  static const std::vector<Expected> all = {
      {NDD_MODE_NONE, KAGENT_EV_LOWER_UP, NDD_MODE_DIRECT, KAGENT_DO_DIRECT},
      {NDD_MODE_DIRECT, KAGENT_EV_LOWER_GONE, NDD_MODE_NONE, 0},
      {NDD_MODE_DIRECT, KAGENT_EV_GONE, NDD_MODE_NONE, 0},
      {NDD_MODE_DIRECT, KAGENT_EV_TAKE, NDD_MODE_TAKING, KAGENT_DO_TAKE},
      {NDD_MODE_TAKING, KAGENT_EV_START, NDD_MODE_TUNNEL, KAGENT_DO_TUNNEL},
      {NDD_MODE_TAKING, KAGENT_EV_END, NDD_MODE_RESTORING, kRevokeRestore},
      {NDD_MODE_TUNNEL, KAGENT_EV_END, NDD_MODE_RESTORING, kRevokeRestore},
      {NDD_MODE_TUNNEL, KAGENT_EV_PASS, NDD_MODE_TUNNEL, 0},
      {NDD_MODE_RESTORING, KAGENT_EV_RESTORED, NDD_MODE_DIRECT, kDirectAgain},
      {NDD_MODE_RESTORING, KAGENT_EV_UNLINKED, NDD_MODE_NONE, KAGENT_DO_RELEASE},
      {NDD_MODE_RESTORING, KAGENT_EV_STILL_OPEN, NDD_MODE_HELD, 0},
      {NDD_MODE_RESTORING, KAGENT_EV_FAILED, NDD_MODE_LOST, KAGENT_DO_RETRY},
      {NDD_MODE_RESTORING, KAGENT_EV_FOREIGN, NDD_MODE_UNBOUND, KAGENT_DO_RELEASE},
      {NDD_MODE_RESTORING, KAGENT_EV_GONE, NDD_MODE_NONE, KAGENT_DO_RELEASE},
      {NDD_MODE_HELD, KAGENT_EV_CLOSED, NDD_MODE_RESTORING, KAGENT_DO_RESTORE},
      {NDD_MODE_LOST, KAGENT_EV_RESTORED, NDD_MODE_DIRECT, kDirectAgain},
      {NDD_MODE_LOST, KAGENT_EV_LOWER_UP, NDD_MODE_DIRECT, kDirectAgain},
      {NDD_MODE_LOST, KAGENT_EV_UNLINKED, NDD_MODE_NONE, KAGENT_DO_RELEASE},
      {NDD_MODE_LOST, KAGENT_EV_STILL_OPEN, NDD_MODE_HELD, 0},
      {NDD_MODE_LOST, KAGENT_EV_FAILED, NDD_MODE_LOST, KAGENT_DO_RETRY},
      {NDD_MODE_LOST, KAGENT_EV_FOREIGN, NDD_MODE_UNBOUND, KAGENT_DO_RELEASE},
      {NDD_MODE_LOST, KAGENT_EV_GONE, NDD_MODE_NONE, KAGENT_DO_RELEASE},
      {NDD_MODE_UNBOUND, KAGENT_EV_LOWER_UP, NDD_MODE_DIRECT, KAGENT_DO_DIRECT},
      {NDD_MODE_UNBOUND, KAGENT_EV_GONE, NDD_MODE_NONE, 0},
  };
  return all;
}

kagent_step step(int mode, int event) {
  return kagent_state_step(static_cast<ndd_mode>(mode), static_cast<kagent_event>(event));
}

TEST(KagentState, WhatIsInTheTableHappens) {
  for (const Expected& e : table()) {
    SCOPED_TRACE(testing::Message() << kagent_mode_name(e.mode) << ", event " << e.event);
    const kagent_step s = step(e.mode, e.event);
    EXPECT_TRUE(s.valid);
    EXPECT_EQ(s.next, e.next);
    EXPECT_EQ(s.actions, e.actions);
  }
}

TEST(KagentState, EverythingElseIsIgnoredInEveryMode) {
  unsigned valid = 0;
  for (int mode = 0; mode < KAGENT_MODES; ++mode) {
    for (int event = 0; event < KAGENT_EVENTS; ++event) {
      const kagent_step s = step(mode, event);
      if (s.valid) {
        ++valid;
        continue;
      }
      EXPECT_EQ(s.next, mode);
      EXPECT_EQ(s.actions, 0u);
    }
  }
  EXPECT_EQ(valid, table().size());
}

TEST(KagentState, ValuesOutsideTheTableAreIgnored) {
  for (int bad : {-1, 8, 12, 255, 1 << 20}) {
    EXPECT_FALSE(step(bad, KAGENT_EV_END).valid);
  }
  EXPECT_FALSE(step(NDD_MODE_DIRECT, KAGENT_EVENTS).valid);
  EXPECT_FALSE(step(NDD_MODE_DIRECT, -1).valid);
  EXPECT_STREQ(kagent_mode_name(KAGENT_MODES), "?");
  EXPECT_STREQ(kagent_reason_name(KAGENT_REASONS), "?");
}

TEST(KagentState, EveryModeHasAWayBackToDirect) {
  for (int from = 0; from < KAGENT_MODES; ++from) {
    std::set<int> reached = {from};
    for (bool grown = true; grown;) {
      grown = false;
      for (int mode : std::set<int>(reached)) {
        for (int event = 0; event < KAGENT_EVENTS; ++event) grown |= reached.insert(step(mode, event).next).second;
      }
    }
    EXPECT_TRUE(reached.count(NDD_MODE_DIRECT)) << kagent_mode_name(static_cast<unsigned>(from));
  }
}

TEST(KagentState, AHoldIsReleasedExactlyWhereItCannotComeBack) {
  // Whoever leaves TAKING .. HELD for a mode without a process must let go of its memory.
  const std::set<int> holding = {NDD_MODE_TAKING, NDD_MODE_TUNNEL, NDD_MODE_RESTORING, NDD_MODE_LOST, NDD_MODE_HELD};
  for (int mode = 0; mode < KAGENT_MODES; ++mode) {
    for (int event = 0; event < KAGENT_EVENTS; ++event) {
      const kagent_step s = step(mode, event);
      if (!s.valid) continue;
      EXPECT_EQ((s.actions & KAGENT_DO_RELEASE) != 0, holding.count(mode) && !holding.count(s.next))
          << kagent_mode_name(static_cast<unsigned>(mode)) << ", event " << event;
    }
  }
}

TEST(KagentState, NamesAreThereAndDiffer) {
  std::set<std::string> names;
  for (unsigned mode = 0; mode < KAGENT_MODES; ++mode) names.insert(kagent_mode_name(mode));
  EXPECT_EQ(names.size(), static_cast<std::size_t>(KAGENT_MODES));
  names.clear();
  for (unsigned reason = 0; reason < KAGENT_REASONS; ++reason) names.insert(kagent_reason_name(reason));
  EXPECT_EQ(names.size(), static_cast<std::size_t>(KAGENT_REASONS));
}

TEST(KagentState, WhoEndedByItselfOrIsDebuggedIsNotKilled) {
  for (ndd_reason spared : {NDD_REASON_GIVEN_BACK, NDD_REASON_DIED, NDD_REASON_DEBUGGER, NDD_REASON_TAKE_FAILED}) {
    EXPECT_EQ(kagent_reason_fate(spared), KAGENT_SPARE) << kagent_reason_name(spared);
  }
  for (ndd_reason asked :
       {NDD_REASON_TAKE_TIMEOUT, NDD_REASON_LINK_DELETED, NDD_REASON_DEVICE_GONE, NDD_REASON_ADMIN}) {
    EXPECT_EQ(kagent_reason_fate(asked), KAGENT_KILL_HOLDER) << kagent_reason_name(asked);
  }
  for (ndd_reason killed :
       {NDD_REASON_WATCHDOG, NDD_REASON_APP_DEADLINE, NDD_REASON_STOPPED, NDD_REASON_PROTOCOL, NDD_REASON_STALLED}) {
    EXPECT_EQ(kagent_reason_fate(killed), KAGENT_KILL) << kagent_reason_name(killed);
  }
}

TEST(KagentState, AHoldIsPassedOnlyWhenItsOwnerIsAllThatEnds) {
  const std::set<unsigned> gone = {NDD_REASON_GIVEN_BACK, NDD_REASON_DIED};
  const std::set<unsigned> hangs = {NDD_REASON_WATCHDOG, NDD_REASON_APP_DEADLINE, NDD_REASON_STOPPED};
  for (unsigned reason = 0; reason <= KAGENT_REASONS; ++reason) {
    const kagent_pass wanted = gone.contains(reason)    ? KAGENT_PASS_NOW
                               : hangs.contains(reason) ? KAGENT_PASS_DEAD
                                                        : KAGENT_PASS_NEVER;
    EXPECT_EQ(kagent_reason_pass(static_cast<ndd_reason>(reason)), wanted) << kagent_reason_name(reason);
    // who is only passed over once it is dead is one that is killed anyway
    if (wanted == KAGENT_PASS_DEAD) {
      EXPECT_EQ(kagent_reason_fate(static_cast<ndd_reason>(reason)), KAGENT_KILL) << kagent_reason_name(reason);
    }
  }
}

}  // namespace
