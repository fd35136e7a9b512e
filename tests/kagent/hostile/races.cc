// SPDX-License-Identifier: Apache-2.0
// Threads that take one port at once, then call and map everything while the hold ends below them.
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <random>
#include <thread>
#include <vector>

#include "tests/kagent/hostile/commands.h"
#include "tests/kagent/hostile/mirror.h"

namespace hostile {
namespace {

constexpr std::size_t kPage = 4096;

void together(unsigned count, const std::function<void(unsigned)>& run) {
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < count; ++i) threads.emplace_back(run, i);
  for (auto& thread : threads) thread.join();
}

// Two by the same descriptor, two by others: one gets it.
held::Held take_by_many(const std::string& port) {
  std::vector<held::Held> all;
  for (int i = 0; i < 3; ++i) all.emplace_back(port);
  all.push_back(all[0]);
  std::vector<int> errors(all.size());
  together(static_cast<unsigned>(all.size()),
           [&](unsigned i) { errors[i] = ioctl(all[i].node, NDD_TAKE, &all[i].take) == 0 ? 0 : errno; });
  std::size_t winner = all.size();
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (errors[i] == 0) {
      held::expect(winner == all.size(), "only one take succeeds");
      winner = i;
    } else {
      held::expect(errors[i] == EBUSY, std::string("the others are told: ") + held::sentence(all[i].take));
    }
  }
  if (winner == all.size()) {
    held::expect(false, "one take succeeds");
    std::exit(1);
  }
  for (std::size_t i = 0; i < 3; ++i) {
    if (all[i].node != all[winner].node) close(all[i].node);
  }
  all[winner].group = all[winner].take.group_fd;
  all[winner].container = all[winner].take.container_fd;
  return all[winner];
}

// Everything at once until the hold is over, and a little longer. Results don't matter, only that all of it returns.
void call_everything(const held::Held& held, const std::atomic<bool>& over) {
  together(5, [&](unsigned who) {
    std::mt19937 random(who);
    while (!over) {
      switch (who) {
        case 0:
          static_cast<void>(ioctl(held.node, NDD_KICK, 0));
          break;
        case 1: {
          ndd_link link{};
          link.argsz = sizeof(link);
          link.link = static_cast<std::uint32_t>(random() % 3);
          static_cast<void>(ioctl(held.node, NDD_SET_LINK, &link));
          break;
        }
        case 2: {
          ndd_event event{.argsz = sizeof(ndd_event), .flags = 0, .queue = 0, .fd = eventfd(0, EFD_CLOEXEC)};
          static_cast<void>(ioctl(held.node, NDD_SET_EVENT, &event));
          close(event.fd);
          break;
        }
        case 3: {
          void* p = mmap(nullptr, 64 * kPage, PROT_READ | PROT_WRITE, MAP_SHARED, held.node, NDD_MMAP_POOL);
          if (p == MAP_FAILED) break;
          *static_cast<volatile std::uint8_t*>(p) = 1;
          munmap(p, 64 * kPage);
          break;
        }
        default:
          static_cast<void>(ioctl(held.node, NDD_START));
          ndd_info info{};
          info.argsz = sizeof(info);
          static_cast<void>(ioctl(held.node, NDD_GET_INFO, &info));
          std::atomic_ref(held.health()->progress).fetch_add(1);
      }
      if (random() % 8 == 0) usleep(100);
    }
  });
}

void run_round(const std::string& port, unsigned delay_us) {
  held::Held held = take_by_many(port);
  held.map_areas();
  std::atomic<bool> over = false;
  std::thread storm([&] { call_everything(held, over); });
  held.set_container();
  held.open_device();
  usleep(delay_us);
  close(held.device);
  close(held.group);
  close(held.container);
  usleep(50000);
  over = true;
  storm.join();
  munmap(held.pool, held.take.pool_size);
  munmap(held.area, held.take.ctrl_size);
  close(held.node);
  const int node = held::open_node(port);
  held::expect(held::back_in_direct(node, std::chrono::seconds(10)),
               "back in direct mode, a start after " + std::to_string(delay_us) + " us");
  close(node);
}

void try_without_descriptors(const std::string& port) {
  held::Held held(port);
  rlimit limit{};
  held::check(getrlimit(RLIMIT_NOFILE, &limit), "getrlimit");
  const rlimit few{static_cast<rlim_t>(held.node) + 2, limit.rlim_max};  // one is free, two are needed
  held::check(setrlimit(RLIMIT_NOFILE, &few), "setrlimit");
  held::expect_errno(ioctl(held.node, NDD_TAKE, &held.take), EMFILE, "NDD_TAKE without a free descriptor");
  held::say(held::sentence(held.take));
  held::check(setrlimit(RLIMIT_NOFILE, &limit), "setrlimit");
  close(held.node);
}

}  // namespace

void run_races(const std::string& port) {
  try_without_descriptors(port);
  for (const unsigned delay_us : {0u, 3000u, 100000u}) run_round(port, delay_us);
}

}  // namespace hostile
