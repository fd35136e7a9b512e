// SPDX-License-Identifier: Apache-2.0
// ioctl and mmap with wrong arguments, at the wrong time, by the wrong descriptor, and many of them at once.
#include <sys/eventfd.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <functional>
#include <random>
#include <thread>
#include <vector>

#include "tests/kagent/hostile/commands.h"
#include "tests/kagent/hostile/mirror.h"

namespace hostile {
namespace {

using held::expect;
using held::expect_errno;
using held::Held;
using held::info_of;

constexpr std::size_t kPage = 4096;
void* const kNowhere = reinterpret_cast<void*>(0x10);

template <typename T>
T with(T value, const std::function<void(T&)>& change) {
  change(value);
  return value;
}

// What only the owner may call, by a descriptor that is not it, or is not any more.
void expect_all_refused(int node, int wanted, const std::string& who) {
  ndd_event event{.argsz = sizeof(ndd_event), .flags = 0, .queue = 0, .fd = -1};
  ndd_link link{};
  link.argsz = sizeof(link);
  expect_errno(ioctl(node, NDD_START), wanted, "NDD_START by " + who);
  expect_errno(ioctl(node, NDD_GIVE_BACK), wanted, "NDD_GIVE_BACK by " + who);
  expect_errno(ioctl(node, NDD_KICK, 0), wanted, "NDD_KICK by " + who);
  expect_errno(ioctl(node, NDD_SET_EVENT, &event), wanted, "NDD_SET_EVENT by " + who);
  expect_errno(ioctl(node, NDD_SET_LINK, &link), wanted, "NDD_SET_LINK by " + who);
  for (const std::uint64_t at : {NDD_MMAP_CTRL, NDD_MMAP_STATE, NDD_MMAP_POOL}) {
    void* p = mmap(nullptr, kPage, PROT_READ, MAP_SHARED, node, static_cast<off_t>(at));
    expect_errno(p == MAP_FAILED ? -1 : 0, wanted, "mmap by " + who);
  }
}

void try_info(int node) {
  ndd_info info{};
  info.argsz = sizeof(info) - 1;
  expect_errno(ioctl(node, NDD_GET_INFO, &info), EINVAL, "NDD_GET_INFO with a short argsz");
  info.argsz = sizeof(info);
  info.flags = 1;
  expect_errno(ioctl(node, NDD_GET_INFO, &info), EINVAL, "NDD_GET_INFO with a flag");
  expect_errno(ioctl(node, NDD_GET_INFO, kNowhere), EFAULT, "NDD_GET_INFO at no memory");
}

void try_takes(int node) {
  using Change = std::function<void(ndd_take&)>;
  const std::pair<const char*, Change> wrong[] = {
      {"argsz 0", [](auto& t) { t.argsz = 0; }},
      {"a short argsz", [](auto& t) { t.argsz = sizeof(ndd_take) - 1; }},
      {"a flag", [](auto& t) { t.flags = 1u << 31; }},
      {"buffers for exchange, not agreed on", [](auto& t) { t.exchange_bufs = 64; }},
      {"nothing but buffers for exchange",
       [](auto& t) {
         t.features = NDD_F_EXCHANGE;
         t.exchange_bufs = ~0u;
       }},
      {"the last reserved word", [](auto& t) { t.reserved[3] = 1ull << 63; }},
      {"65 queues", [](auto& t) { t.queues = 65; }},
      {"2^32 - 1 queues", [](auto& t) { t.queues = ~0u; }},
      {"a ring of 32", [](auto& t) { t.ring_size = 32; }},
      {"a ring of 65", [](auto& t) { t.ring_size = 65; }},
      {"a ring of 65536", [](auto& t) { t.ring_size = 65536; }},
      {"a ring of 2^31", [](auto& t) { t.ring_size = 1u << 31; }},
      {"2^32 - 1 buffers", [](auto& t) { t.buf_count = ~0u; }},
      {"one buffer", [](auto& t) { t.buf_count = 1; }},
      {"no buffer for the process", [](auto& t) { t.buf_count = t.kernel_bufs = 1024; }},
      {"more kernel buffers than buffers", [](auto& t) { t.kernel_bufs = ~0u; }},
      {"one kernel buffer", [](auto& t) { t.kernel_bufs = 1; }},
      {"4097 NIC pages", [](auto& t) { t.nic_pages = 4097; }},
      {"2^32 - 1 NIC pages", [](auto& t) { t.nic_pages = ~0u; }},
      {"2^32 - 1 state pages", [](auto& t) { t.state_pages = ~0u; }},
      {"an interval of 1 us", [](auto& t) { t.watch.interval_us = 1; }},
      {"an interval of 2^32 - 1 us", [](auto& t) { t.watch.interval_us = ~0u; }},
      {"a deadline of 1 us", [](auto& t) { t.watch.app_deadline_us = 1; }},
      {"an unknown on_debugger", [](auto& t) { t.watch.on_debugger = 2; }},
      {"watch.reserved", [](auto& t) { t.watch.reserved = 1; }},
  };
  for (const auto& [what, change] : wrong) {
    ndd_take take = with(held::take_request(), change);
    expect_errno(ioctl(node, NDD_TAKE, &take), EINVAL, std::string("NDD_TAKE with ") + what);
    if (take.argsz == sizeof(take)) expect(take.msg[0] != 0, std::string("... is told: ") + held::sentence(take));
  }
}

void try_events(int node) {
  const ndd_event good{.argsz = sizeof(ndd_event), .flags = 0, .queue = 0, .fd = -1};
  const int null = held::check(open("/dev/null", O_RDWR | O_CLOEXEC), "/dev/null");
  const auto refused = [&](int wanted, const std::string& what, const std::function<void(ndd_event&)>& change) {
    ndd_event event = with(good, change);
    expect_errno(ioctl(node, NDD_SET_EVENT, &event), wanted, "NDD_SET_EVENT with " + what);
  };
  refused(EINVAL, "a short argsz", [](auto& e) { e.argsz = 8; });
  refused(EINVAL, "a flag", [](auto& e) { e.flags = 1; });
  refused(EINVAL, "queue 1 of one", [](auto& e) { e.queue = 1; });
  refused(EINVAL, "queue 2^32 - 1", [](auto& e) { e.queue = ~0u; });
  refused(EINVAL, "descriptor -2", [](auto& e) { e.fd = -2; });
  refused(EBADF, "a closed descriptor", [](auto& e) { e.fd = 999; });
  refused(EINVAL, "something that is no eventfd", [&](auto& e) { e.fd = null; });
  refused(EINVAL, "the port itself", [&](auto& e) { e.fd = node; });
  expect_errno(ioctl(node, NDD_SET_EVENT, kNowhere), EFAULT, "NDD_SET_EVENT at no memory");
  close(null);
}

void try_links(int node) {
  ndd_link good{};
  good.argsz = sizeof(good);
  const auto refused = [&](const std::string& what, const std::function<void(ndd_link&)>& change) {
    ndd_link link = with(good, change);
    expect_errno(ioctl(node, NDD_SET_LINK, &link), EINVAL, "NDD_SET_LINK with " + what);
  };
  refused("a short argsz", [](auto& l) { l.argsz = 8; });
  refused("a flag", [](auto& l) { l.flags = 1; });
  refused("link 3", [](auto& l) { l.link = 3; });
  refused("duplex 3", [](auto& l) { l.duplex = 3; });
  refused("autoneg 2^32 - 1", [](auto& l) { l.autoneg = ~0u; });
  expect_errno(ioctl(node, NDD_SET_LINK, kNowhere), EFAULT, "NDD_SET_LINK at no memory");
}

void try_others(int node) {
  // the number of NDD_TAKE with another size is another command
  for (const unsigned command : {_IO(NDD_IOC_MAGIC, 0x47), _IO(NDD_IOC_MAGIC, 0x41), ~0u}) {
    char memory[64] = {};
    expect(ioctl(node, command, memory) < 0, "unknown ioctl " + std::to_string(command) + ": " + std::strerror(errno));
  }
  char octet = 0;
  expect(read(node, &octet, 1) < 0 && write(node, &octet, 1) < 0, "neither read nor write");
  expect(lseek(node, 4096, SEEK_SET) < 0, "no place to seek to");
}

void expect_no_map(int node, std::uint64_t at, std::size_t size, int flags, const std::string& what) {
  void* p = mmap(nullptr, size, PROT_READ | PROT_WRITE, flags, node, static_cast<off_t>(at));
  expect(p == MAP_FAILED, "mmap of " + what + ": " + (p == MAP_FAILED ? std::strerror(errno) : "succeeded"));
  if (p != MAP_FAILED) munmap(p, size);
}

void try_maps(const Held& held) {
  const int node = held.node;
  const ndd_take& take = held.take;
  expect_no_map(node, NDD_MMAP_CTRL, take.ctrl_size, MAP_PRIVATE, "ctrl, privately");
  expect_no_map(node, NDD_MMAP_POOL, kPage, MAP_PRIVATE, "the pool, privately");
  expect_no_map(node, NDD_MMAP_CTRL, take.ctrl_size + kPage, MAP_SHARED, "ctrl and a page");
  expect_no_map(node, NDD_MMAP_STATE, take.state_size + kPage, MAP_SHARED, "state and a page");
  expect_no_map(node, NDD_MMAP_POOL, take.pool_size + kPage, MAP_SHARED, "the pool and a page");
  expect_no_map(node, NDD_MMAP_POOL + take.pool_size - kPage, 2 * kPage, MAP_SHARED, "two pages at its end");
  expect_no_map(node, NDD_MMAP_POOL + take.pool_size, kPage, MAP_SHARED, "what is behind the pool");
  expect_no_map(node, NDD_MMAP_CTRL + take.ctrl_size, kPage, MAP_SHARED, "what is behind ctrl");
  expect_no_map(node, NDD_MMAP_STATE - kPage, 2 * kPage, MAP_SHARED, "the seam of ctrl and state");
  expect_no_map(node, 1ull << 46, kPage, MAP_SHARED, "2^46");
  expect_no_map(node, 0x7ffffffffffff000, kPage, MAP_SHARED, "the last page there can be");
  expect_no_map(node, 0xfffffffffffff000, kPage, MAP_SHARED, "the last page of 64 bits");
  expect_no_map(node, NDD_MMAP_POOL, std::size_t{1} << 40, MAP_SHARED, "a terabyte");
}

// Nobody may pin the pool's pages or get them by fork, and no mapping grows.
void try_mappings(const Held& held) {
  expect(mremap(held.pool, held.take.pool_size, held.take.pool_size + kPage, MREMAP_MAYMOVE) == MAP_FAILED,
         "mremap to a larger size");
  expect_errno(madvise(held.pool, kPage, MADV_DOFORK), EINVAL, "MADV_DOFORK");
  std::array<char, 64> copy{};
  const iovec to{copy.data(), copy.size()};
  const iovec from{held.pool, copy.size()};
  expect_errno(static_cast<int>(process_vm_readv(getpid(), &to, 1, &from, 1, 0)), EFAULT, "process_vm_readv");
  int pipe_fds[2];
  held::check(pipe2(pipe_fds, O_CLOEXEC), "pipe");
  expect_errno(static_cast<int>(vmsplice(pipe_fds[1], &from, 1, 0)), EFAULT, "vmsplice");
  close(pipe_fds[0]);
  close(pipe_fds[1]);
  vfio_iommu_type1_dma_map dma{};
  dma.argsz = sizeof(dma);
  dma.flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE;
  dma.vaddr = reinterpret_cast<std::uint64_t>(held.pool);
  dma.iova = 0x40000000;
  dma.size = kPage;
  expect(ioctl(held.container, VFIO_IOMMU_MAP_DMA, &dma) < 0, "VFIO_IOMMU_MAP_DMA of the pool");

  void* second = held::map(held.node, NDD_MMAP_POOL, 16 * kPage, "a second mapping");
  munmap(static_cast<char*>(second) + 4 * kPage, 4 * kPage);
  held::check(mprotect(second, kPage, PROT_NONE), "mprotect");
  munmap(second, 16 * kPage);

  const pid_t child = held::check(fork(), "fork");
  if (child == 0) {
    static_cast<void>(ioctl(held.node, NDD_KICK, 0));
    *static_cast<volatile std::uint8_t*>(held.pool) = 1;
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV, "a child has no mapping");
}

// Kicks, events that come and go, flags that flip, while frames flow.
void try_storm(Held& held, Mirror& mirror) {
  std::atomic<bool> over = false;
  std::vector<std::thread> threads;
  std::atomic<unsigned> kicks = 0;
  for (int i = 0; i < 2; ++i) {
    threads.emplace_back([&] {
      while (!over) {
        static_cast<void>(ioctl(held.node, NDD_KICK, 0));
        if (++kicks % 64 == 0) usleep(100);
      }
    });
  }
  threads.emplace_back([&] {
    // an eventfd that can't count any further, and one that is closed at once
    const int full = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    const std::uint64_t most = ~0ull - 1;
    if (write(full, &most, sizeof(most)) != sizeof(most)) held::die("eventfd");
    while (!over) {
      ndd_event event{.argsz = sizeof(ndd_event), .flags = 0, .queue = 0, .fd = full};
      held::check(ioctl(held.node, NDD_SET_EVENT, &event), "NDD_SET_EVENT");
      usleep(1000);
      event.fd = eventfd(0, EFD_CLOEXEC);
      held::check(ioctl(held.node, NDD_SET_EVENT, &event), "NDD_SET_EVENT");
      close(event.fd);
    }
  });
  threads.emplace_back([&] {
    std::mt19937 random(1);
    while (!over) {
      for (int id = 0; id < NDD_RINGS; ++id) {
        std::atomic_ref(*mirror.ring(static_cast<ndd_ring_id>(id)).flags).store(static_cast<std::uint32_t>(random()));
      }
      usleep(20);
    }
  });
  expect(mirror.serve_until_answered(8), "frames flow through kicks, new events and flipping flags");
  over = true;
  for (auto& thread : threads) thread.join();
  held::say("kicks: " + std::to_string(kicks));
  // The kernel asks for a kick once; who has flipped that away has to kick unasked.
  mirror.kick();
  // what the kernel says is only said, not read back
  std::atomic_ref(held.health()->mode).store(77);
  std::atomic_ref(held.health()->reason).store(77);
  expect(info_of(held.node).mode == NDD_MODE_TUNNEL, "the kernel's own words mean nothing to it");
}

}  // namespace

void run_calls(const std::string& port) {
  Held held(port);
  expect_all_refused(held.node, EBADF, "a descriptor that has taken nothing");
  try_info(held.node);
  try_takes(held.node);
  try_others(held.node);
  expect(info_of(held.node).mode == NDD_MODE_DIRECT, "still in direct mode");

  held.take.watch.interval_us = kWatchUs;
  held.take_port();
  expect_errno(ioctl(held.node, NDD_START), EIO, "NDD_START before the device is open");
  try_events(held.node);
  try_links(held.node);
  try_others(held.node);
  try_maps(held);
  held.map_areas();
  held.set_container();
  held.open_device();
  held.start();
  Mirror mirror(held);
  held::say("took");
  expect(mirror.serve_until_answered(2), "the rings carry frames");
  expect_errno(ioctl(held.node, NDD_START), EALREADY, "NDD_START again");
  expect_errno(ioctl(held.node, NDD_KICK, 1), EINVAL, "a kick of queue 1 of one");
  expect_errno(ioctl(held.node, NDD_KICK, ~0ul), EINVAL, "a kick of queue 2^64 - 1");
  expect_errno(ioctl(held.node, NDD_KICK, 1ul << 32), EINVAL, "a kick of queue 2^32");
  const int other = held::open_node(port);
  expect_all_refused(other, EBADF, "another descriptor");
  ndd_take behind = held::take_request();
  expect_errno(ioctl(other, NDD_STANDBY, &behind), EOPNOTSUPP, "NDD_STANDBY behind one that has not agreed on it");
  close(other);
  try_events(held.node);
  try_mappings(held);
  try_storm(held, mirror);
  held::check(ioctl(held.node, NDD_GIVE_BACK), "NDD_GIVE_BACK");
  held::check(ioctl(held.node, NDD_GIVE_BACK), "NDD_GIVE_BACK again");
  expect(mirror.serve_until_answered(2), "the rings still carry frames");
  held::say("done");
  for (;;) mirror.serve();
}

void run_pointers(const std::string& port) {
  Held held(port);
  expect_errno(ioctl(held.node, NDD_TAKE, nullptr), EFAULT, "NDD_TAKE at NULL");
  expect_errno(ioctl(held.node, NDD_TAKE, kNowhere), EFAULT, "NDD_TAKE at no memory");
  expect_errno(ioctl(held.node, NDD_TAKE, ~0ul << 12), EFAULT, "NDD_TAKE at kernel memory");
  expect_errno(ioctl(held.node, NDD_STANDBY, ~0ul << 12), EFAULT, "NDD_STANDBY at kernel memory");
  auto* pages =
      static_cast<std::uint8_t*>(mmap(nullptr, 2 * kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  munmap(pages + kPage, kPage);
  const ndd_take good = held::take_request();
  std::memcpy(pages + kPage - 8, &good, 8);
  expect_errno(ioctl(held.node, NDD_TAKE, pages + kPage - 8), EFAULT, "NDD_TAKE of what ends with its page");
  expect(info_of(held.node).mode == NDD_MODE_DIRECT, "still in direct mode");

  // The answer can't be written: everything has been done by then, and is undone.
  std::memcpy(pages, &good, sizeof(good));
  held::check(mprotect(pages, kPage, PROT_READ), "mprotect");
  expect_errno(ioctl(held.node, NDD_TAKE, pages), EFAULT, "NDD_TAKE with an answer that can't be written");
  for (int i = 0; i < 1000 && info_of(held.node).mode != NDD_MODE_DIRECT; ++i) usleep(10000);
  expect(info_of(held.node).mode == NDD_MODE_DIRECT, "back in direct mode by itself");
  expect_all_refused(held.node, EIO, "the descriptor of a failed take");
  ndd_take again = held::take_request();
  expect_errno(ioctl(held.node, NDD_TAKE, &again), EBUSY, "another take by it");
}

void run_closed(const std::string& port) {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGUSR1);
  sigprocmask(SIG_BLOCK, &signals, nullptr);

  Held held(port);
  held.take_and_start();
  Mirror mirror(held);
  held::say("took");
  expect(mirror.serve_until_answered(2), "the rings carry frames");
  close(held.device);
  close(held.group);
  close(held.container);
  for (int i = 0; i < 1000 && info_of(held.node).mode != NDD_MODE_DIRECT; ++i) usleep(10000);
  expect_all_refused(held.node, EIO, "a descriptor whose hold is over");
  ndd_take again = held::take_request();
  expect_errno(ioctl(held.node, NDD_TAKE, &again), EBUSY, "another take by it");
  close(held.node);
  held::say("closed");

  // Its memory is still the old hold's, and nobody's business.
  std::thread([&held] {
    std::mt19937 random(1);
    const auto words = held.take.ctrl_size / sizeof(std::uint32_t);
    auto* ctrl = reinterpret_cast<volatile std::uint32_t*>(held.area);
    for (std::uint64_t i = 0;; ++i) {
      ctrl[random() % words] = static_cast<std::uint32_t>(random());
      static_cast<volatile std::uint8_t*>(held.pool)[random() % held.take.pool_size] = 0xff;
      if (i % 1000 == 999) usleep(1000);
    }
  }).detach();
  int signal = 0;
  sigwait(&signals, &signal);
  Held second(port);
  second.take_and_start();
  Mirror fresh(second);
  expect(fresh.serve_until_answered(3), "a second hold, its rings carry frames");
  held::say("again");
  for (;;) fresh.serve();
}

}  // namespace hostile
