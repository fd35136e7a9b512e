// SPDX-License-Identifier: Apache-2.0
// A process that takes a port by the rules and then breaks them. "took" once it serves the port (mirror.h), then "ok:"
// or "FAIL:" for each thing tried; exit status 1 after a failure.
//
//   hostile index RING WAY PORT   ktx | ktx_done | krx | krx_free: its own index of that ring, ahead of or behind all
//                                 that is possible, again and again; has to be killed for it
//   hostile descriptors PORT      entries that are wrong, each with its counter; "done", and serves on
//   hostile exchange PORT         buffers that are the stack's, the stock's, or named twice, and payload that changes
//   all
//                                 the time; "done", and serves on
//   hostile stall WAY PORT        progress in words, while the kernel's frames are not looked at (ktx), not given back
//                                 (kept) or given back as what they are not (garbage); has to be killed for it
//   hostile storm PORT            serves by the rules, with a kick after each look, from two threads, for good
//   hostile health PORT           nonsense in all words of the health area, but no progress; has to be killed for it
//   hostile calls PORT            ioctls and mmaps that are wrong or come at the wrong time; "done", and serves on
//   hostile pointers PORT         takes with memory that can't be read or written
//   hostile races PORT            many threads take the port at once, and call everything while it ends below them
//   hostile closed PORT           "closed" with its mappings still there; writes into them; holds the port once more
//                                 when told by SIGUSR1, "again", and serves
#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <string>
#include <thread>

#include "tests/kagent/hostile/commands.h"
#include "tests/kagent/hostile/mirror.h"

namespace hostile {
namespace {

using std::chrono::steady_clock;

constexpr std::chrono::seconds kPatience{5};
constexpr std::array kRings = {"ktx", "ktx_done", "krx", "krx_free"};

[[noreturn]] void survived(const std::string& what) {
  held::expect(false, "lives on after " + what);
  std::exit(1);
}

// The process's own index of a ring: of two it is the producer, of two the consumer.
[[noreturn]] void run_index(const std::string& name, const std::string& way, const std::string& port) {
  std::size_t id = 0;
  while (id < kRings.size() && name != kRings[id]) ++id;
  if (id == kRings.size()) held::die("ring " + name);
  held::Held held(port);
  held.take_and_start();
  Mirror mirror(held);
  held::say("took");
  held::expect(mirror.serve_until_answered(2), "the rings carry frames");
  const udd::RingMemory& ring = mirror.ring(static_cast<ndd_ring_id>(id));
  const bool producer = id == NDD_RING_KTX_DONE || id == NDD_RING_KRX;
  std::uint32_t* own = producer ? ring.producer : ring.consumer;
  const std::uint32_t other = std::atomic_ref(*(producer ? ring.consumer : ring.producer)).load();
  // A producer can be up to a whole ring ahead, a consumer as far behind; the kernel may do a step meanwhile.
  const std::uint32_t ahead = producer ? other + ring.size + 1 : other + ring.size / 2;
  const std::uint32_t behind = producer ? other - 1 : other - ring.size - 1;
  std::atomic_ref(*own).store(way == "ahead" ? ahead : behind);
  // a kick has it look at three of the rings; at KTX when ping sends
  for (const auto until = steady_clock::now() + kPatience; steady_clock::now() < until;) {
    static_cast<void>(ioctl(held.node, NDD_KICK, 0));
    std::atomic_ref(held.health()->progress).fetch_add(1);
  }
  survived("index " + name + " " + way);
}

[[noreturn]] void run_stall(const std::string& way, const std::string& port) {
  constexpr std::chrono::seconds kStallPatience{40};
  constexpr useconds_t kNap = 1000;
  held::Held held(port);
  held.take.watch.interval_us = 200'000;
  held.take_and_start();
  Mirror mirror(held);
  held::say("took");
  held::expect(mirror.serve_until_answered(2), "the rings carry frames");
  const udd::RingMemory& ktx = mirror.ring(NDD_RING_KTX);
  udd::Producer<std::uint64_t> done(mirror.ring(NDD_RING_KTX_DONE));
  for (const auto until = steady_clock::now() + kStallPatience; steady_clock::now() < until; usleep(kNap)) {
    std::atomic_ref(held.health()->progress).fetch_add(1);
    if (way == "ktx") continue;
    std::atomic_ref(*ktx.consumer).store(std::atomic_ref(*ktx.producer).load());
    if (way != "garbage" || done.reserve(1) == 0) continue;
    done.write(0, ~std::uint64_t{0});
    done.submit(1);
  }
  survived("stall " + way);
}

[[noreturn]] void run_storm(const std::string& port) {
  held::Held held(port);
  held.take_and_start();
  Mirror mirror(held);
  held::say("took");
  const std::jthread other([&held] {
    for (;;) static_cast<void>(ioctl(held.node, NDD_KICK, 0));
  });
  for (;;) {
    mirror.serve();
    static_cast<void>(ioctl(held.node, NDD_KICK, 0));
  }
}

[[noreturn]] void run_health(const std::string& port) {
  held::Held held(port);
  held.take.watch.interval_us = 200'000;
  held.take_and_start();
  Mirror mirror(held);
  held::say("took");
  held::expect(mirror.serve_until_answered(2), "the rings carry frames");
  // neither awake nor asleep is not asleep; the kernel's own words are only written by it
  std::memset(held.health(), 0xa5, sizeof(ndd_health));
  std::memset(held.area, 0x5a, sizeof(ndd_ctrl));
  for (const auto until = steady_clock::now() + kPatience; steady_clock::now() < until;) {
  }
  survived("no progress");
}

}  // namespace
}  // namespace hostile

int main(int argc, char** argv) {
  const std::string command = argc > 2 ? argv[1] : "";
  const char* port = argv[argc - 1];
  if (command == "index" && argc == 5) hostile::run_index(argv[2], argv[3], port);
  if (command == "stall" && argc == 4) hostile::run_stall(argv[2], port);
  if (command == "storm") hostile::run_storm(port);
  if (command == "health") hostile::run_health(port);
  if (command == "descriptors") {
    hostile::run_descriptors(port);
  } else if (command == "exchange") {
    hostile::run_exchange(port);
  } else if (command == "calls") {
    hostile::run_calls(port);
  } else if (command == "pointers") {
    hostile::run_pointers(port);
  } else if (command == "races") {
    hostile::run_races(port);
  } else if (command == "closed") {
    hostile::run_closed(port);
  } else {
    std::fprintf(stderr, "usage: see the head of hostile.cc\n");
    return 2;
  }
  return held::failures != 0 ? 1 : 0;
}
