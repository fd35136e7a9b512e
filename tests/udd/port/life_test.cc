// SPDX-License-Identifier: Apache-2.0
// The port's life: configuration, link, sleeping, the backup thread, loss, the way back.
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <ctime>
#include <thread>

#include "tests/fake/sim_port.h"
#include "udd/base/error.h"

namespace udd {
namespace {

using fake::kAppType;
using fake::kIpType;
using fake::mac_of;
using fake::make_frame;
using fake::mark_of;
using fake::SimPair;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

constexpr milliseconds kSoon{2000};  // generous: sanitizers and a loaded machine

PortOptions without_backup() {
  PortOptions options;
  options.backup_after = std::nullopt;
  return options;
}

template <typename Condition>
bool eventually(Condition condition) {
  const Clock::time_point deadline = Clock::now() + kSoon;
  while (!condition()) {
    if (Clock::now() > deadline) return false;
    std::this_thread::sleep_for(microseconds{200});
  }
  return true;
}

std::chrono::nanoseconds cpu_time() {
  timespec time{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return std::chrono::seconds{time.tv_sec} + std::chrono::nanoseconds{time.tv_nsec};
}

TEST(Life, TakeTellsLinkAndConfiguration) {
  SimPair pair;
  EXPECT_TRUE(pair.kernel(0).started());
  EXPECT_EQ(pair.kernel(0).link().status, LinkState::Status::kUp);
  EXPECT_EQ(pair.kernel(0).health().config_applied, 2u);
  EXPECT_EQ(pair.port(0).mac(), mac_of(0));
  EXPECT_EQ(pair.port(0).mtu(), 1500u);
  EXPECT_EQ(pair.port(0).state(), PortState::kTunnel);
  EXPECT_EQ(pair.port(0).netdev(), "ndd0");
  EXPECT_FALSE(pair.port(0).next_event());
  EXPECT_THROW(static_cast<void>(pair.port(0).queue(1)), Error);
}

TEST(Life, ConfigurationChangesReachTheNic) {
  SimPair pair(without_backup());
  constexpr MacAddress kNew{0x02, 1, 2, 3, 4, 5};
  pair.wire().device(0).receive(make_frame(kNew, mac_of(1), kAppType, 1));
  EXPECT_TRUE(pair.app_receive(0).empty());
  pair.kernel(0).configure([&](ndd_config& config) {
    std::memcpy(config.mac, kNew.data(), kNew.size());
    config.mtu = 2000;
  });
  std::this_thread::sleep_for(microseconds{100});
  pair.queue(0).poll();
  pair.wire().device(0).receive(make_frame(kNew, mac_of(1), kAppType, 2));
  EXPECT_EQ(pair.app_receive(0).size(), 1u);
  EXPECT_EQ(pair.port(0).mac(), kNew);
  EXPECT_EQ(pair.port(0).mtu(), 2000u);
  EXPECT_EQ(pair.kernel(0).health().config_applied, 4u);
  const auto event = pair.port(0).next_event();
  ASSERT_TRUE(event);
  EXPECT_EQ(event->kind, PortEvent::Kind::kConfigChanged);
  EXPECT_TRUE(pair.app_send(0, make_frame(mac_of(1), kNew, kAppType, 3, 2018)));
}

TEST(Life, NonsenseConfigurationIsNotApplied) {
  SimPair pair(without_backup());
  pair.kernel(0).configure([](ndd_config& config) { config.multicast_count = 1000; });
  std::this_thread::sleep_for(microseconds{100});
  for (int i = 0; i < 10; ++i) pair.queue(0).poll();
  EXPECT_EQ(pair.kernel(0).health().config_applied, 2u);
  pair.wire().device(0).receive(make_frame(mac_of(0), mac_of(1), kAppType, 1));
  EXPECT_EQ(pair.app_receive(0).size(), 1u);
}

TEST(Life, LinkLossIsToldAndStopsSending) {
  SimPair pair(without_backup());
  pair.wire().set_link(false);
  std::this_thread::sleep_for(milliseconds{110});  // a poller's look at the link
  pair.queue(0).poll();
  EXPECT_EQ(pair.kernel(0).link().status, LinkState::Status::kDown);
  EXPECT_EQ(pair.port(0).next_event()->kind, PortEvent::Kind::kLinkDown);
  EXPECT_FALSE(pair.app_send(0, make_frame(mac_of(1), mac_of(0), kAppType, 1)));
  // The kernel's frames go where they would go without a link, and their buffers come back.
  ASSERT_TRUE(pair.kernel(0).send(make_frame(mac_of(1), mac_of(0), kIpType, 1)));
  pair.queue(0).poll();
  EXPECT_EQ(pair.kernel(0).reap(), 1u);
  pair.wire().set_link(true);
  std::this_thread::sleep_for(milliseconds{110});
  pair.queue(0).poll();
  EXPECT_EQ(pair.port(0).next_event()->kind, PortEvent::Kind::kLinkUp);
  EXPECT_TRUE(pair.app_send(0, make_frame(mac_of(1), mac_of(0), kAppType, 1)));
}

TEST(Life, WaitReturnsForFramesAndTimesOut) {
  SimPair pair(without_backup());
  EXPECT_FALSE(pair.queue(0).wait(milliseconds{20}));
  EXPECT_FALSE(pair.queue(0).wait(std::chrono::nanoseconds{0}));
  std::thread sender([&] {
    std::this_thread::sleep_for(milliseconds{50});
    pair.app_send(1, make_frame(mac_of(0), mac_of(1), kAppType, 7));
  });
  EXPECT_TRUE(pair.queue(0).wait(kSoon));
  sender.join();
  EXPECT_EQ(pair.app_receive(0).size(), 1u);
  EXPECT_GE(pair.port(0).stats().wakeups, 1u);
}

TEST(Life, WaitServesTheKernelMeanwhile) {
  SimPair pair(without_backup());
  std::thread kernel([&] {
    for (std::uint32_t i = 0; i < 20; ++i) {
      std::this_thread::sleep_for(milliseconds{2});
      pair.kernel(0).send(make_frame(mac_of(1), mac_of(0), kIpType, i));            // KTX wakes
      pair.wire().device(0).receive(make_frame(mac_of(0), mac_of(1), kIpType, i));  // the NIC wakes
      EXPECT_TRUE(eventually([&] { return pair.kernel(0).receive().has_value(); })) << i;
      EXPECT_TRUE(eventually([&] { return pair.kernel(0).reap() != 0; })) << i;
    }
    pair.wire().device(0).receive(make_frame(mac_of(0), mac_of(1), kAppType, 99));
  });
  EXPECT_TRUE(pair.queue(0).wait(10 * kSoon));
  kernel.join();
  EXPECT_EQ(pair.port(0).stats().kernel_tx_frames, 20u);
  EXPECT_EQ(pair.port(0).stats().kernel_rx_frames, 20u);
}

TEST(Life, WaitReturnsForEventsOnce) {
  SimPair pair(without_backup());
  pair.kernel(0).warn();
  EXPECT_TRUE(pair.queue(0).wait(kSoon));
  EXPECT_FALSE(pair.queue(0).wait(milliseconds{5}));  // told, though not asked for
  EXPECT_EQ(pair.port(0).next_event()->kind, PortEvent::Kind::kWatchdogWarning);
  std::thread unplug([&] {
    std::this_thread::sleep_for(milliseconds{20});
    pair.wire().set_link(false);
  });
  EXPECT_TRUE(pair.queue(0).wait(kSoon));
  unplug.join();
  EXPECT_EQ(pair.port(0).next_event()->kind, PortEvent::Kind::kLinkDown);
}

TEST(Life, AnIdlePortCostsNoCpuAndSaysThatItSleeps) {
  SimPair pair;
  std::thread waiter([&] { pair.queue(0).wait(milliseconds{600}); });
  std::thread other([&] { pair.queue(1).wait(milliseconds{600}); });
  std::this_thread::sleep_for(milliseconds{100});
  const auto before = cpu_time();
  const std::uint32_t progress = pair.kernel(0).health().progress;
  EXPECT_EQ(pair.kernel(0).health().service_state, static_cast<std::uint32_t>(NDD_ASLEEP));
  EXPECT_EQ(pair.kernel(0).health().app_state, static_cast<std::uint32_t>(NDD_ASLEEP));
  std::this_thread::sleep_for(milliseconds{400});
  const auto used = cpu_time() - before;
  EXPECT_EQ(pair.kernel(0).health().progress, progress);
  waiter.join();
  other.join();
  EXPECT_LT(used, milliseconds{20});
  EXPECT_EQ(pair.kernel(0).health().app_state, static_cast<std::uint32_t>(NDD_AWAKE));
}

TEST(Life, NoWakeupIsLost) {
  SimPair pair(without_backup());
  PortOptions no_spin = without_backup();
  no_spin.spin = microseconds{0};
  no_spin.ethertypes = {kAppType};
  pair.take(0, no_spin, {});
  constexpr std::uint32_t kRounds = 3000;
  std::thread kernel([&] {
    for (std::uint32_t i = 0; i < kRounds; ++i) {
      while (!pair.kernel(0).send(make_frame(mac_of(1), mac_of(0), kIpType, i))) std::this_thread::yield();
      const Clock::time_point deadline = Clock::now() + kSoon;
      while (pair.kernel(0).reap() == 0) {
        if (Clock::now() > deadline) {
          ADD_FAILURE() << "the wake-up of frame " << i << " was lost";
          break;
        }
      }
      pair.app_receive(1);
      while (pair.kernel(1).receive()) {
      }
    }
    pair.wire().device(0).receive(make_frame(mac_of(0), mac_of(1), kAppType, 99));
  });
  EXPECT_TRUE(pair.queue(0).wait(100 * kSoon));
  kernel.join();
}

TEST(Life, OneKickABatchAndNoneForAPollingKernel) {
  SimPair pair(without_backup());
  for (std::uint32_t i = 0; i < 20; ++i) {
    pair.wire().device(0).receive(make_frame(mac_of(0), mac_of(1), kIpType, i));
  }
  pair.queue(0).poll();
  EXPECT_EQ(pair.kernel(0).kicks(), 0u);
  pair.kernel(0).sleep();
  for (std::uint32_t i = 0; i < 20; ++i) {
    pair.wire().device(0).receive(make_frame(mac_of(0), mac_of(1), kIpType, i));
  }
  ASSERT_TRUE(pair.kernel(0).send(make_frame(mac_of(1), mac_of(0), kIpType, 1)));
  pair.queue(0).poll();
  EXPECT_EQ(pair.kernel(0).kicks(), 1u);
  EXPECT_EQ(pair.port(0).stats().kicks, 1u);
}

TEST(Life, APollerIsNotSignalled) {
  SimPair pair(without_backup());
  const unsigned before = pair.kernel(0).signals();
  for (std::uint32_t i = 0; i < 20; ++i) {
    ASSERT_TRUE(pair.kernel(0).send(make_frame(mac_of(1), mac_of(0), kIpType, i)));
    pair.queue(0).poll();
  }
  EXPECT_EQ(pair.kernel(0).signals(), before);
}

TEST(Life, PollTellsWhetherAnythingMoved) {
  SimPair pair(without_backup());
  EXPECT_FALSE(pair.queue(0).poll());
  ASSERT_TRUE(pair.kernel(0).send(make_frame(mac_of(1), mac_of(0), kIpType, 1)));
  EXPECT_TRUE(pair.queue(0).poll());  // out of the kernel
  EXPECT_TRUE(pair.queue(1).poll());  // into the other one
  EXPECT_TRUE(pair.queue(0).poll());  // the buffer is back
  EXPECT_FALSE(pair.queue(0).poll());
  ASSERT_TRUE(pair.kernel(1).receive());
  EXPECT_TRUE(pair.queue(1).poll());  // and this one
  EXPECT_FALSE(pair.queue(1).poll());
}

TEST(Life, TheBackupThreadServesAComputingApplication) {
  PortOptions options;
  options.backup_after = microseconds{500};
  SimPair pair(options);
  pair.queue(0).poll();
  for (std::uint32_t i = 0; i < 50; ++i) {  // "computing": nobody calls the queue
    ASSERT_TRUE(pair.kernel(0).send(make_frame(mac_of(1), mac_of(0), kIpType, i)));
    pair.wire().device(0).receive(make_frame(mac_of(0), mac_of(1), kIpType, i));
    pair.wire().device(0).receive(make_frame(mac_of(0), mac_of(1), kAppType, i));
    ASSERT_TRUE(eventually([&] { return pair.kernel(0).receive().has_value(); })) << i;
    ASSERT_TRUE(eventually([&] { return pair.kernel(0).reap() != 0; })) << i;
  }
  EXPECT_GT(pair.port(0).stats().backup_services, 0u);
  // What was met meanwhile is handed out in order, and it goes on.
  ASSERT_TRUE(eventually([&] { return pair.port(0).stats().nic.rx_frames == 100; }));
  std::uint32_t next = 0;
  while (next < 50) {
    for (const auto& frame : pair.app_receive(0)) EXPECT_EQ(mark_of(frame), next++);
  }
  EXPECT_EQ(pair.kernel(0).violations(), 0u);
  EXPECT_TRUE(pair.app_send(0, make_frame(mac_of(1), mac_of(0), kAppType, 1)));
}

// The backup thread, asleep on the same descriptors, must not read the application's wake-up away.
TEST(Life, AFrameAfterComputingEndsTheWait) {
  PortOptions options;
  options.backup_after = microseconds{200};
  options.spin = microseconds{0};
  SimPair pair(options);
  for (std::uint32_t i = 0; i < 60; ++i) {
    pair.queue(0).poll();
    std::this_thread::sleep_for(milliseconds{3});  // "computing"
    std::thread wire([&] {
      std::this_thread::sleep_for(milliseconds{3});
      pair.wire().device(0).receive(make_frame(mac_of(0), mac_of(1), kAppType, i));
    });
    const Clock::time_point start = Clock::now();
    EXPECT_TRUE(pair.queue(0).wait(2 * kSoon)) << i;
    EXPECT_LT(Clock::now() - start, kSoon) << i;
    wire.join();
    ASSERT_EQ(pair.app_receive(0).size(), 1u) << i;
  }
}

TEST(Life, GiveBackMeetsTheEndsOfWaits) {
  for (int i = 0; i < 50; ++i) {
    PortOptions options;
    options.backup_after = microseconds{100};
    SimPair pair(options);
    std::thread waiter([&] {
      while (pair.port(0).state() == PortState::kTunnel) static_cast<void>(pair.queue(0).wait(microseconds{50}));
    });
    std::this_thread::sleep_for(microseconds{500});
    pair.port(0).give_back();
    waiter.join();
  }
}

TEST(Life, APoolWithTooLittleForTheProcessIsRefused) {
  SimPair pair;
  fake::KernelEnd::Options kernel;
  kernel.kernel_buffers = kernel.buffers - 255;
  PortOptions options;
  options.ethertypes = {kAppType};
  EXPECT_THROW(pair.take(0, options, kernel), Error);
  EXPECT_TRUE(pair.kernel(0).closed());
  kernel.kernel_buffers = 128;
  kernel.exchange_buffers = kernel.buffers - 128 - 255;
  EXPECT_THROW(pair.take(0, options, kernel), Error);
  EXPECT_TRUE(pair.kernel(0).closed());
}

TEST(Life, TheStockLeavesEnoughForTheProcess) {
  EXPECT_EQ(PortImpl::exchange_buffers(4096, 1024), 1024u);
  EXPECT_EQ(PortImpl::exchange_buffers(512, 128), 128u);
  EXPECT_EQ(PortImpl::exchange_buffers(512, 200), 56u);
  EXPECT_EQ(PortImpl::exchange_buffers(512, 256), 0u);
  EXPECT_EQ(PortImpl::exchange_buffers(128, 64), 0u);
}

TEST(Life, TheBackupThreadKeepsThePortAlive) {
  SimPair pair;
  pair.queue(0).poll();
  // Nobody polls: the watchdog must see either progress or sleep.
  EXPECT_TRUE(eventually([&] { return pair.kernel(0).health().service_state == NDD_ASLEEP; }));
  EXPECT_EQ(pair.kernel(0).health().app_state, static_cast<std::uint32_t>(NDD_AWAKE));
  pair.queue(0).wait(milliseconds{20});
  EXPECT_TRUE(eventually([&] { return pair.kernel(0).health().service_state == NDD_ASLEEP; }));
}

TEST(Life, PollerAndBackupThreadNeverServeAtOnce) {
  PortOptions options;
  options.backup_after = microseconds{100};
  SimPair pair(options);
  std::atomic<bool> stop{false};
  std::thread kernel([&] {
    std::uint32_t i = 0;
    while (!stop) {
      pair.kernel(0).send(make_frame(mac_of(1), mac_of(0), kIpType, i++));
      pair.wire().device(0).receive(make_frame(mac_of(0), mac_of(1), i % 2 == 0 ? kIpType : kAppType, i));
      while (pair.kernel(0).receive()) {
      }
      pair.kernel(0).reap();
    }
  });
  std::thread others([&] {
    while (!stop) {
      static_cast<void>(pair.port(0).stats());
      pair.port(0).join({0x01, 0, 0x5e, 0, 0, 1});
      static_cast<void>(pair.port(0).gaps());
      pair.port(0).leave({0x01, 0, 0x5e, 0, 0, 1});
      std::this_thread::sleep_for(microseconds{300});
    }
  });
  const Clock::time_point end = Clock::now() + milliseconds{500};
  for (unsigned i = 0; Clock::now() < end; ++i) {
    pair.app_receive(0);
    pair.app_send(0, make_frame(mac_of(1), mac_of(0), kAppType, i));
    pair.app_receive(1);
    while (pair.kernel(1).receive()) {
    }
    if (i % 64 == 0) std::this_thread::sleep_for(microseconds{400});
    if (i % 64 == 32) pair.queue(0).wait(microseconds{200});
  }
  stop = true;
  kernel.join();
  others.join();
  EXPECT_EQ(pair.kernel(0).violations(), 0u);
  EXPECT_EQ(pair.wire().device(0).dma_faults(), 0u);
}

TEST(Life, ALostPortAnswersZeroAndSaysWhy) {
  SimPair pair(without_backup());
  std::array<Frame, 2> frames;
  ASSERT_EQ(pair.queue(0).alloc(frames), 2u);
  pair.kernel(0).set_mode(NDD_MODE_RESTORING, NDD_REASON_APP_DEADLINE);
  EXPECT_EQ(pair.queue(0).rx(frames), 0u);
  EXPECT_EQ(pair.port(0).state(), PortState::kLost);
  EXPECT_NE(pair.port(0).lost_reason().find("deadline"), std::string::npos) << pair.port(0).lost_reason();
  EXPECT_EQ(pair.port(0).next_event()->kind, PortEvent::Kind::kLost);
  EXPECT_EQ(pair.queue(0).alloc(frames), 0u);
  EXPECT_EQ(pair.queue(0).tx(frames), 0u);
  pair.queue(0).release(frames);
  pair.queue(0).poll();
  pair.queue(0).flush();
  EXPECT_TRUE(pair.queue(0).wait(kSoon));   // for the event
  EXPECT_FALSE(pair.queue(0).wait(kSoon));  // and at once from then on
  static_cast<void>(pair.port(0).stats());
  pair.port(0).join({0x01, 0, 0x5e, 0, 0, 1});
  pair.port(0).give_back();
  EXPECT_EQ(pair.port(0).state(), PortState::kLost);
  EXPECT_FALSE(pair.kernel(0).given_back());
  EXPECT_TRUE(pair.kernel(0).closed());
}

TEST(Life, LossWakesAWaitingApplication) {
  for (const bool backup : {false, true}) {
    SimPair pair(backup ? PortOptions{} : without_backup());
    std::thread revoke([&] {
      std::this_thread::sleep_for(milliseconds{50});
      pair.kernel(0).set_mode(NDD_MODE_HELD, NDD_REASON_WATCHDOG);
    });
    EXPECT_TRUE(pair.queue(0).wait(kSoon));
    EXPECT_EQ(pair.port(0).state(), PortState::kLost);
    revoke.join();
  }
}

TEST(Life, TheBackupThreadNoticesTheLossForAComputingApplication) {
  SimPair pair;
  pair.queue(0).poll();
  ASSERT_TRUE(eventually([&] { return pair.kernel(0).health().service_state == NDD_ASLEEP; }));
  pair.kernel(0).set_mode(NDD_MODE_RESTORING, NDD_REASON_ADMIN);
  EXPECT_TRUE(eventually([&] { return pair.port(0).state() == PortState::kLost; }));
  std::array<Frame, 1> frames;
  EXPECT_EQ(pair.queue(0).rx(frames), 0u);
}

TEST(Life, ZappedMappingsAreSurvived) {
  SimPair pair(without_backup());
  std::array<Frame, 1> frames;
  ASSERT_EQ(pair.queue(0).alloc(frames), 1u);
  // What unmap_mapping_range() does to the process: the pages are gone, a touch is SIGBUS.
  const UniqueFd empty(::memfd_create("empty", MFD_CLOEXEC));
  for (const auto area : {pair.kernel(0).areas().ctrl, pair.kernel(0).areas().state, pair.kernel(0).areas().pool}) {
    ASSERT_NE(::mmap(area.data(), area.size(), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, empty.get(), 0),
              MAP_FAILED);
  }
  frames[0].resize(60);
  std::memset(frames[0].data().data(), 1, 60);  // the application's own touch
  EXPECT_EQ(pair.queue(0).tx(frames), 0u);
  EXPECT_EQ(pair.queue(0).rx(frames), 0u);
  EXPECT_EQ(pair.port(0).state(), PortState::kLost);
  EXPECT_NE(pair.port(0).lost_reason().find("watchdog"), std::string::npos);  // asked, the area being gone
  pair.drop_port(0);
}

TEST(Life, GiveBackStopsTheNicFirstAndReturnsTheKernelsBuffers) {
  SimPair pair;
  pair.wire().device(0).hold_transmit(true);
  for (std::uint32_t i = 0; i < 20; ++i) {
    ASSERT_TRUE(pair.kernel(0).send(make_frame(mac_of(1), mac_of(0), kIpType, i)));
    pair.app_send(0, make_frame(mac_of(1), mac_of(0), kAppType, i));
  }
  pair.queue(0).poll();
  pair.port(0).give_back();
  EXPECT_EQ(pair.port(0).state(), PortState::kGivenBack);
  EXPECT_TRUE(pair.kernel(0).given_back());
  EXPECT_TRUE(pair.kernel(0).closed());
  pair.kernel(0).reap();
  EXPECT_EQ(pair.kernel(0).free_buffers(), 128u);
  std::array<Frame, 1> frames;
  EXPECT_EQ(pair.queue(0).rx(frames), 0u);
  EXPECT_FALSE(pair.queue(0).wait(kSoon));
  static_cast<void>(pair.port(0).stats());
  pair.port(0).give_back();
}

TEST(Life, GiveBackEndsAWaitOfAnotherThread) {
  SimPair pair(without_backup());
  std::thread waiter([&] { EXPECT_FALSE(pair.queue(0).wait(10 * kSoon)); });
  std::this_thread::sleep_for(milliseconds{50});
  pair.port(0).give_back();
  waiter.join();
}

TEST(Life, AFailedStartUndoesEverything) {
  SimPair pair;
  fake::KernelEnd::Options kernel;
  kernel.fail_start = true;
  PortOptions options;
  options.ethertypes = {kAppType};
  EXPECT_THROW(pair.take(0, options, kernel), Error);
  EXPECT_TRUE(pair.kernel(0).closed());
  EXPECT_FALSE(pair.kernel(0).started());
  pair.take(0, options, {});
  EXPECT_TRUE(pair.app_send(0, make_frame(mac_of(1), mac_of(0), kAppType, 1)));
}

TEST(Life, AnMtuTheNicCannotDoIsRefused) {
  SimPair pair;
  fake::KernelEnd::Options kernel;
  kernel.mtu = 65000;
  PortOptions options;
  options.ethertypes = {kAppType};
  EXPECT_THROW(pair.take(0, options, kernel), Error);
}

TEST(Life, OptionsThatMakeNoSenseAreRefused) {
  const auto refused = [](const std::function<void(PortOptions&)>& change) {
    PortOptions options;
    options.ethertypes = {kAppType};
    change(options);
    try {
      PortImpl::check(options);
    } catch (const Error& error) {
      return !error.info().why.empty() && !error.info().advice.empty();
    }
    return false;
  };
  EXPECT_TRUE(refused([](PortOptions& options) { options.ethertypes.clear(); }));
  EXPECT_TRUE(refused([](PortOptions& options) { options.ethertypes = {0x05ff}; }));
  EXPECT_TRUE(refused([](PortOptions& options) { options.ethertypes = {0x8100}; }));
  EXPECT_TRUE(refused([](PortOptions& options) { options.watchdog = microseconds{999}; }));
  EXPECT_TRUE(refused([](PortOptions& options) { options.watchdog = std::chrono::seconds{61}; }));
  EXPECT_TRUE(refused([](PortOptions& options) { options.backup_after = microseconds{0}; }));
  EXPECT_TRUE(refused([](PortOptions& options) { options.spin = microseconds{-1}; }));
  EXPECT_TRUE(refused([](PortOptions& options) { options.buffers = 100, options.kernel_buffers = 101; }));
  EXPECT_FALSE(refused([](PortOptions&) {}));
}

TEST(Life, AForkedChildHoldsNothingAndUndoesNothing) {
  SimPair pair;
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    std::array<Frame, 1> frames;
    const bool silent = pair.queue(0).rx(frames) == 0 && !pair.queue(0).wait(kSoon);
    pair.drop_port(0);
    ::_exit(silent && !pair.kernel(0).given_back() ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  EXPECT_TRUE(pair.app_send(0, make_frame(mac_of(1), mac_of(0), kAppType, 1)));
  EXPECT_EQ(pair.app_receive(1).size(), 1u);
}

TEST(Life, CountersReachTheKernel) {
  SimPair pair(without_backup());
  pair.app_send(0, make_frame(mac_of(1), mac_of(0), kAppType, 1));
  std::this_thread::sleep_for(milliseconds{120});
  pair.queue(0).poll();
  EXPECT_EQ(pair.kernel(0).stats().tx_frames, 1u);
  EXPECT_EQ(pair.kernel(0).stats().app_tx_frames, 1u);
}

TEST(Life, GapsAreCounted) {
  SimPair pair(without_backup());
  for (int i = 0; i < 10; ++i) pair.queue(0).poll();
  std::this_thread::sleep_for(milliseconds{5});
  pair.queue(0).poll();
  const GapHistogram gaps = pair.port(0).gaps();
  std::uint64_t long_gaps = 0;
  for (std::size_t i = 13; i < gaps.size(); ++i) long_gaps += gaps[i];  // 4.096 ms and up
  EXPECT_GE(long_gaps, 1u);
}

}  // namespace
}  // namespace udd
