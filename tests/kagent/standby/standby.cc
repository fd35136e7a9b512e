// SPDX-License-Identifier: Apache-2.0
// A port's owner, and processes that wait behind it, by bare ioctls.
//
//   standby own PORT [INTERVAL_US]   take with NDD_F_STANDBY, mark NIC and state area, start, serve
//   standby wait PORT WORD...         wait; once the port is its own, check the marks, serve. now: NDD_STANDBY_NOW;
//                                     deaf: let go of nothing when the hold is over; unopened: without the device
//   standby checks PORT               what NDD_STANDBY must refuse, and what one that waits must not do
//
// Who serves shows signs of life and no more, and says "ready", "waits", "owns" and "over" as it comes to that.
// SIGUSR1: break a ring; SIGUSR2: give back and let go. PORT is a PCI address.
#include <poll.h>
#include <unistd.h>

#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "tests/tools/held.h"
#include "tests/tools/nic82574.h"

namespace {

using held::check;
using held::expect;
using held::expect_errno;
using held::Registers;
using held::say;

// what a reset of the NIC would clear: RAL(15), RAH(15), MTA(5)
constexpr struct {
  std::uint32_t offset, value;
} kMarks[] = {{0x5478, 0x12345678}, {0x547c, 0x0000abcd}, {0x5214, 0xdeadbeef}};
constexpr std::uint32_t kStateMark = 0x5741b59;
constexpr std::uint32_t kPatienceUs = 60'000'000;

volatile std::sig_atomic_t asked_to_break = 0;
volatile std::sig_atomic_t asked_to_leave = 0;

struct Process : held::Held {
  std::uint32_t* state = nullptr;
  void* bar = nullptr;

  explicit Process(const std::string& port) : held::Held(port) {
    take.features = NDD_F_STANDBY;
    take.watch.interval_us = kPatienceUs;
  }

  void map_all() {
    map_areas();
    state = static_cast<std::uint32_t*>(held::map(node, NDD_MMAP_STATE, take.state_size, "state"));
  }
  void map_bar() {
    open_device();
    bar = held::map_registers(*this);
  }
  [[nodiscard]] int stand_by(std::uint32_t flags = 0) {
    take.flags = flags;
    const int result = ioctl(node, NDD_STANDBY, &take);
    group = take.group_fd;
    container = take.container_fd;
    return result;
  }
  [[nodiscard]] short told(int timeout_ms = 0) const {
    pollfd wait{node, POLLIN, 0};
    return ::poll(&wait, 1, timeout_ms) > 0 ? wait.revents : short{0};
  }
  void break_ring() const {
    const auto* krx = reinterpret_cast<const ndd_ring_layout*>(area + ctrl()->rings) + NDD_RING_KRX;
    std::atomic_ref(*reinterpret_cast<std::uint32_t*>(area + krx->producer)).fetch_add(krx->size + 1);
    check(ioctl(node, NDD_KICK, 0), "NDD_KICK");
  }
};

void serve(Process& process) {
  for (;;) {
    if (process.told() & POLLHUP) return;
    std::atomic_ref(process.health()->progress).fetch_add(1);
    if (asked_to_break) {
      asked_to_break = 0;
      process.break_ring();
    }
    if (asked_to_leave) {
      check(ioctl(process.node, NDD_GIVE_BACK), "NDD_GIVE_BACK");
      std::exit(held::failures != 0 ? 1 : 0);
    }
    usleep(2000);
  }
}

void run_own(const std::string& port, std::uint32_t interval_us) {
  Process process(port);
  process.take.watch.interval_us = interval_us;
  process.take_port();
  process.map_all();
  process.set_container();
  process.map_bar();
  expect(process.take.features == NDD_F_STANDBY && process.ctrl()->features == NDD_F_STANDBY, "agreed on");
  const Registers registers(process.bar);
  for (const auto& mark : kMarks) {
    registers.set(mark.offset, mark.value);
    expect(registers.get(mark.offset) == mark.value, "a mark in the NIC");
  }
  *process.state = kStateMark;
  process.start();
  expect(process.told() == POLLIN, "the owner's node says that the port is its own");
  say("ready");
  serve(process);
  say("over");
}

void check_marks(const Process& process) {
  const Registers registers(process.bar);
  for (const auto& mark : kMarks) expect(registers.get(mark.offset) == mark.value, "the NIC is as it was");
  expect(*process.state == kStateMark, "the state area is as it was");
}

void run_wait(const std::string& port, const std::set<std::string>& words) {
  Process process(port);
  if (process.stand_by(words.contains("now") ? NDD_STANDBY_NOW : 0) != 0) {
    std::fprintf(stderr, "standby: refused: %s: %s\n", std::strerror(errno), held::sentence(process.take));
    std::exit(1);
  }
  process.map_all();
  if (!words.contains("unopened")) {
    process.map_bar();
    process.start();
  }
  say("waits");
  while (process.told(1000) == 0) {
  }
  if (process.told() & POLLIN) say("owns");
  if (process.told() & POLLIN && process.bar != nullptr) {
    check_marks(process);
    expect_errno(ioctl(process.node, NDD_START), EALREADY, "NDD_START by who goes on");
    expect(ioctl(process.node, NDD_KICK, 0) == 0, "NDD_KICK by who goes on");
    for (int i = 0; i < 1000 && process.health()->reason != NDD_REASON_PASSED; ++i) usleep(1000);
    expect(process.health()->mode == NDD_MODE_TUNNEL && process.health()->reason == NDD_REASON_PASSED, "it is told");
    say("checked");
  }
  serve(process);
  say("over");
  if (words.contains("deaf")) {
    for (;;) pause();
  }
}

void expect_sentence(Process& process, int result, int wanted, const std::string& text, const std::string& what) {
  expect_errno(result, wanted, what);
  expect(std::string(held::sentence(process.take)).find(text) != std::string::npos,
         "... is told: " + std::string(held::sentence(process.take)));
}

void expect_refused(
    const std::string& port, int wanted, const std::string& text, const std::string& what,
    const std::function<void(ndd_take&)>& change = [](ndd_take&) {}, std::uint32_t flags = 0) {
  Process process(port);
  change(process.take);
  const int result = process.stand_by(flags);
  expect_sentence(process, result, wanted, text, "NDD_STANDBY " + what);
  close(process.node);
}

// What only the owner may call.
void expect_waits_only(const Process& waiter, const std::string& who) {
  ndd_event event{.argsz = sizeof(ndd_event), .flags = 0, .queue = 0, .fd = -1};
  ndd_link link{};
  link.argsz = sizeof(link);
  expect_errno(ioctl(waiter.node, NDD_GIVE_BACK), EBADF, "NDD_GIVE_BACK by " + who);
  expect_errno(ioctl(waiter.node, NDD_KICK, 0), EBADF, "NDD_KICK by " + who);
  expect_errno(ioctl(waiter.node, NDD_SET_EVENT, &event), EBADF, "NDD_SET_EVENT by " + who);
  expect_errno(ioctl(waiter.node, NDD_SET_LINK, &link), EBADF, "NDD_SET_LINK by " + who);
}

void run_checks(const std::string& port) {
  expect_refused(port, ESRCH, "take it", "of a port that nobody has");
  {
    Process plain(port);
    plain.take.features = 0;
    plain.take_and_start();
    expect_refused(port, EOPNOTSUPP, "without NDD_F_STANDBY", "behind one that has not agreed on it");
    check(ioctl(plain.node, NDD_GIVE_BACK), "NDD_GIVE_BACK");
    for (const int fd : {plain.device, plain.group, plain.container, plain.node}) close(fd);
  }
  Process owner(port);
  expect(held::back_in_direct(owner.node, std::chrono::seconds{20}), "back in direct mode");
  owner.take.features = NDD_F_STANDBY | NDD_F_WINDOW;
  owner.take_port();
  expect_refused(port, EBUSY, "changing hands", "while the port is being taken");
  owner.map_all();
  owner.set_container();
  owner.open_device();
  owner.start();

  const auto knows = [](ndd_take& take) { take.features = ~0ULL; };
  expect_refused(port, EOPNOTSUPP, "understand", "without knowing the window");
  expect_refused(port, EPROTO, "version", "by a later version", [](ndd_take& t) { t.api_minor = NDD_API_MINOR + 1; });
  expect_refused(port, EPROTO, "version", "by another version", [](ndd_take& t) { t.api_major = NDD_API_MAJOR + 1; });
  expect_refused(port, EINVAL, "flag", "with an unknown flag", knows, 1U << 1);
  expect_refused(port, EINVAL, "reserved", "with a reserved field", [](ndd_take& t) { t.reserved[3] = 1; });
  expect_refused(port, EINVAL, "", "with a short argsz", [](ndd_take& t) { t.argsz = sizeof(ndd_take) - 1; });
  expect_errno(ioctl(owner.node, NDD_STANDBY, reinterpret_cast<void*>(0x10)), EFAULT, "NDD_STANDBY at no memory");
  expect_sentence(owner, owner.stand_by(), EBUSY, "open the node again", "NDD_STANDBY by the owner");

  std::vector<Process> waiters;
  for (int i = 0; i < 4; ++i) {
    Process& waiter = waiters.emplace_back(port);
    knows(waiter.take);
    check(waiter.stand_by(i == 1 ? NDD_STANDBY_NOW : 0), "NDD_STANDBY");
    expect(waiter.take.features == (NDD_F_STANDBY | NDD_F_WINDOW) && waiter.take.nic_pages == owner.take.nic_pages &&
               waiter.take.pool_size == owner.take.pool_size && waiter.take.state_size == owner.take.state_size,
           "one that waits is told what the hold is like");
  }
  Process& waiter = waiters.front();
  expect_waits_only(waiter, "one that waits");
  expect(owner.health()->waiting == 0 && owner.health()->wanted == 0, "nobody is ready yet");
  for (const Process& each : waiters) check(ioctl(each.node, NDD_START), "NDD_START by one that waits");
  expect_errno(ioctl(waiter.node, NDD_START), EALREADY, "NDD_START twice");
  expect(owner.health()->waiting == 4 && owner.health()->wanted == 1, "the owner sees who waits");
  expect_refused(port, EBUSY, "the most", "by a fifth", knows);
  expect_sentence(waiter, waiter.stand_by(), EBUSY, "open the node again", "NDD_STANDBY twice");
  ndd_take again = held::take_request();
  expect_errno(ioctl(waiter.node, NDD_TAKE, &again), EBUSY, "NDD_TAKE by one that waits");
  expect(waiter.told() == 0, "nothing to tell it");
  waiter.map_all();
  waiter.map_bar();
  *owner.state = kStateMark;
  expect(*waiter.state == kStateMark && waiter.health()->waiting == 4, "it sees the owner's areas");
  expect(Registers(waiter.bar).get(Registers::kStatus) != UINT32_MAX, "and its NIC");
  for (int i = 1; i < 4; ++i) close(waiters[static_cast<std::size_t>(i)].node);
  expect(owner.health()->waiting == 1 && owner.health()->wanted == 0, "the owner sees who leaves");
}

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGUSR1, [](int) { asked_to_break = 1; });
  std::signal(SIGUSR2, [](int) { asked_to_leave = 1; });
  const std::string command = argc > 2 ? argv[1] : "";
  if (command == "own") {
    run_own(argv[2], argc > 3 ? static_cast<std::uint32_t>(std::strtoul(argv[3], nullptr, 10)) : kPatienceUs);
  } else if (command == "wait") {
    run_wait(argv[2], {argv + 3, argv + argc});
  } else if (command == "checks") {
    run_checks(argv[2]);
  } else {
    std::fprintf(stderr, "usage: see the head of standby.cc\n");
    return 2;
  }
  return held::failures != 0 ? 1 : 0;
}
