// SPDX-License-Identifier: Apache-2.0
// Random faults by a process that owns the port: hold after hold until the time is over. In each of them one thread
// moves what is in the rings, mostly by the rules, one writes into everything that is shared, two call everything. A
// hold ends by itself, by what the kernel does about it, or by a kill; each time the port must come back.
//
//   faults PORT SECONDS SEED      the figures at the end; exit status 1 if the port did not come back
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <map>
#include <random>
#include <thread>

#include "tests/kagent/hostile/entries.h"
#include "tests/tools/held_rings.h"

namespace hostile {
namespace {

using std::chrono::steady_clock;

constexpr std::size_t kPage = 4096;
constexpr std::uint32_t kPlayed = 64;  // buffers of the process's that are named most

/// Of all holds; shared with the processes that have them.
struct Figures {
  std::atomic<std::uint64_t> descriptors, returned, words, indices, calls;
};

class Random {
 public:
  explicit Random(std::uint64_t seed) : engine_(seed) {}
  std::uint64_t any() { return engine_(); }
  std::uint32_t below(std::uint32_t end) { return static_cast<std::uint32_t>(engine_() % end); }
  bool once_in(std::uint32_t times) { return below(times) == 0; }

 private:
  std::mt19937_64 engine_;
};

// A ring of which this process has one end: plain words, as nothing here has to be right.
struct End {
  explicit End(const udd::RingMemory& memory) : ring(memory), at(load(memory.producer)) {}
  static std::uint32_t load(const std::uint32_t* word) {
    return std::atomic_ref(*const_cast<std::uint32_t*>(word)).load();
  }
  static void store(std::uint32_t* word, std::uint32_t value) { std::atomic_ref(*word).store(value); }

  udd::RingMemory ring;
  std::uint32_t at;  ///< our own index
};

class Hold {
 public:
  Hold(const std::string& port, Figures& figures, std::uint64_t seed) : figures_(figures), seed_(seed), held_(port) {
    Random random(seed);
    held_.take.features = random.any();
    held_.take.watch.interval_us = 500'000;
  }

  [[noreturn]] void run() {
    held_.take_and_start();
    // before anything is written over what says where they are
    for (unsigned id = 0; id < NDD_RINGS; ++id) rings_[id] = held::ring(held_, static_cast<ndd_ring_id>(id));
    health_ = held_.health();
    for (std::uint32_t i = 0; i < kPlayed; ++i) write_tcp(buffer(i), 1000, i % 2 == 0);
    std::thread([this] { write(Random(seed_ + 1)); }).detach();
    for (const unsigned who : {2u, 3u}) std::thread([this, who] { call(Random(seed_ + who)); }).detach();
    Random random(seed_ + 4);
    const auto until = steady_clock::now() + std::chrono::milliseconds(50 + random.below(600));
    play(random, until);
    switch (random.below(4)) {
      case 0:
        static_cast<void>(ioctl(held_.node, NDD_GIVE_BACK));
        _exit(0);
      case 1:
        close(held_.device);
        usleep(1000);
        _exit(0);
      default:
        raise(SIGKILL);
    }
    _exit(1);
  }

 private:
  std::uint8_t* buffer(std::uint32_t index) const {
    return held_.pool + (std::size_t{held_.take.nic_pages} + index) * NDD_BUF_SIZE;
  }

  ndd_desc descriptor(Random& random) const {
    ndd_desc desc = piece(kWhole, random.below(kPlayed), 60 + random.below(1400));
    if (random.once_in(3)) {
      desc.flags |= NDD_DESC_NEEDS_CSUM;
      desc.gso_type = random.once_in(2) ? NDD_GSO_TCPV4 : NDD_GSO_NONE;
      desc.gso_size = static_cast<std::uint16_t>(1 + random.below(2000));
      desc.hdr_len = 54;
      desc.csum_start = 34;
      desc.csum_offset = 16;
    }
    if (random.once_in(4)) desc.flags = static_cast<std::uint16_t>(desc.flags & ~(1u << random.below(2)));
    if (random.once_in(16)) desc.addr = random.below(held_.take.buf_count + 2);
    if (random.once_in(8)) {
      // one bit, anywhere
      auto* const octets = reinterpret_cast<std::uint8_t*>(&desc);
      octets[random.below(sizeof(desc))] ^= static_cast<std::uint8_t>(1u << random.below(8));
    }
    return desc;
  }

  // What a service loop does, with entries that are right or not.
  void play(Random& random, steady_clock::time_point until) {
    End ktx(rings_[NDD_RING_KTX]), done(rings_[NDD_RING_KTX_DONE]), krx(rings_[NDD_RING_KRX]);
    const udd::RingMemory& back = rings_[NDD_RING_KRX_FREE];
    ktx.at = End::load(ktx.ring.consumer);
    const udd::RingEntries<ndd_desc> sent(ktx.ring.entries, ktx.ring.size), given(krx.ring.entries, krx.ring.size);
    const udd::RingEntries<std::uint64_t> returned(done.ring.entries, done.ring.size);
    while (steady_clock::now() < until) {
      std::uint32_t count = std::min(End::load(ktx.ring.producer) - ktx.at, 64u);
      for (; count != 0; --count, ++ktx.at) {
        const ndd_desc desc = sent.load(ktx.at);
        if (random.once_in(50)) continue;  // never returned
        const std::uint64_t entry = desc.addr | ((desc.flags & NDD_DESC_WINDOW) != 0 ? NDD_DONE_WINDOW : 0);
        returned.store(done.at++, random.once_in(20) ? entry ^ 1ull << random.below(64) : entry);
        figures_.returned.fetch_add(1, std::memory_order_relaxed);
      }
      if (random.once_in(30)) returned.store(done.at++, random.any());
      End::store(ktx.ring.consumer, ktx.at);
      End::store(done.ring.producer, done.at);
      const std::uint32_t used = krx.at - End::load(krx.ring.consumer);
      for (count = used < krx.ring.size ? std::min(krx.ring.size - used, random.below(40)) : 0; count != 0; --count) {
        given.store(krx.at++, descriptor(random));
        figures_.descriptors.fetch_add(1, std::memory_order_relaxed);
      }
      End::store(krx.ring.producer, krx.at);
      End::store(back.consumer, End::load(back.producer));
      static_cast<void>(ioctl(held_.node, NDD_KICK, 0));
      std::atomic_ref(health_->progress).fetch_add(1);
    }
  }

  // Into the rings' entries, and all other words that are shared; now and then an index, which mostly ends the hold.
  [[noreturn]] void write(Random random) const {
    auto* const words = reinterpret_cast<std::uint32_t*>(held_.area);
    const auto count = static_cast<std::uint32_t>(held_.take.ctrl_size / sizeof(std::uint32_t));
    for (;;) {
      const auto id = static_cast<ndd_ring_id>(random.below(NDD_RINGS));
      const udd::RingMemory& ring = rings_[id];
      const std::uint32_t entry = id == NDD_RING_KTX || id == NDD_RING_KRX ? sizeof(ndd_desc) : sizeof(std::uint64_t);
      if (random.once_in(3000)) {
        std::uint32_t* const index = random.once_in(2) ? ring.producer : ring.consumer;
        End::store(index, random.once_in(2) ? End::load(index) + random.below(5) - 2
                                            : static_cast<std::uint32_t>(random.any()));
        figures_.indices.fetch_add(1, std::memory_order_relaxed);
      } else if (random.once_in(20)) {
        const std::uint32_t at = random.below(count);
        if (!is_index(words + at)) End::store(words + at, static_cast<std::uint32_t>(random.any()));
      } else if (random.once_in(4)) {
        buffer(random.below(held_.take.buf_count))[random.below(NDD_BUF_SIZE)] =
            static_cast<std::uint8_t>(random.any());
      } else {
        auto* const octets = reinterpret_cast<std::uint8_t*>(ring.entries);
        octets[random.below(ring.size * entry)] ^= static_cast<std::uint8_t>(1u << random.below(8));
      }
      figures_.words.fetch_add(1, std::memory_order_relaxed);
      if (random.once_in(64)) usleep(50);
    }
  }
  bool is_index(const std::uint32_t* word) const {
    for (const udd::RingMemory& ring : rings_) {
      if (word == ring.producer || word == ring.consumer) return true;
    }
    return false;
  }

  // Everything that a descriptor of the port's takes, in any order. Results don't matter, only that all of it returns.
  [[noreturn]] void call(Random random) const {
    for (;; figures_.calls.fetch_add(1, std::memory_order_relaxed)) {
      const int fds[] = {held_.node, held_.node, held_.device, held_.group, held_.container};
      const int fd = fds[random.below(std::size(fds))];
      alignas(8) std::array<std::uint8_t, 1024> argument{};
      for (std::size_t i = 0; i < 64; ++i) argument[i] = static_cast<std::uint8_t>(random.any());
      if (random.once_in(2)) {
        // a size that may be right
        const std::uint32_t size = 8 * random.below(40);
        std::memcpy(argument.data(), &size, sizeof(size));
        std::memset(argument.data() + 4, 0, 4);
      }
      switch (random.below(12)) {
        case 0:
          static_cast<void>(ioctl(held_.node, NDD_KICK, random.once_in(2) ? 0 : random.any()));
          break;
        case 1: {
          ndd_event event{.argsz = sizeof(ndd_event), .flags = 0, .queue = 0, .fd = eventfd(0, EFD_CLOEXEC)};
          static_cast<void>(ioctl(held_.node, NDD_SET_EVENT, &event));
          close(event.fd);
          break;
        }
        case 2:
        case 3: {
          const std::uint64_t area = std::array{NDD_MMAP_POOL, NDD_MMAP_CTRL, NDD_MMAP_STATE}[random.below(3)];
          const std::size_t pages = 1 + random.below(64);
          void* const p = mmap(nullptr, pages * kPage, static_cast<int>(random.below(4)), MAP_SHARED, held_.node,
                               static_cast<off_t>(area + kPage * random.below(4)));
          if (p == MAP_FAILED) break;
          static_cast<void>(madvise(p, kPage, static_cast<int>(random.below(26))));
          static_cast<void>(mprotect(p, kPage, static_cast<int>(random.below(8))));
          munmap(p, pages * kPage);
          break;
        }
        case 4:
          if (!random.once_in(40)) break;
          if (const pid_t child = fork(); child == 0) {
            _exit(0);
          } else if (child > 0) {
            waitpid(child, nullptr, 0);
          }
          break;
        case 5:
          if (random.once_in(500)) close(fd);
          break;
        case 6: {
          const int copy = dup(fd);
          static_cast<void>(ioctl(copy, NDD_GET_INFO, argument.data()));
          close(copy);
          break;
        }
        case 7:
          static_cast<void>(ioctl(fd, NDD_START));
          break;
        case 8:
          // of VFIO: its regions, interrupts and mappings
          static_cast<void>(ioctl(fd, _IO(VFIO_TYPE, VFIO_BASE + random.below(22)), argument.data()));
          break;
        case 9: {
          std::uint8_t octets[16] = {};
          static_cast<void>(pread(fd, octets, sizeof(octets), static_cast<off_t>(random.any() >> random.below(64))));
          break;
        }
        default:
          static_cast<void>(ioctl(fd,
                                  _IOC(random.below(4), NDD_IOC_MAGIC, 0x40 + random.below(8), 8 * random.below(64)),
                                  random.once_in(8) ? nullptr : argument.data()));
      }
      std::atomic_ref(health_->app_progress).fetch_add(1);
    }
  }

  Figures& figures_;
  std::uint64_t seed_;
  held::Held held_;
  std::array<udd::RingMemory, NDD_RINGS> rings_{};
  ndd_health* health_ = nullptr;
};

std::string ended() {
  std::ifstream file("/sys/class/net/ndd0/ndd/ended");
  std::string reason;
  file >> reason;
  return reason;
}

int run(const std::string& port, unsigned seconds, std::uint64_t seed) {
  auto* const memory = mmap(nullptr, kPage, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) held::die("mmap");
  auto& figures = *new (memory) Figures{};
  std::map<std::string, unsigned> reasons;
  unsigned holds = 0;
  const int node = held::open_node(port);
  const auto until = steady_clock::now() + std::chrono::seconds(seconds);
  for (; steady_clock::now() < until && held::failures == 0; ++holds) {
    const pid_t child = held::check(fork(), "fork");
    if (child == 0) Hold(port, figures, seed + 1000ull * holds).run();
    int status = 0;
    held::check(waitpid(child, &status, 0), "waitpid");
    if (WIFEXITED(status) && WEXITSTATUS(status) != 0) held::expect(false, "a hold begins");
    if (!held::back_in_direct(node, std::chrono::seconds(30))) {
      held::expect(false, "the port is back, seed " + std::to_string(seed + 1000ull * holds));
    }
    ++reasons[ended()];
  }
  std::string text;
  for (const auto& [reason, times] : reasons) text += " " + reason + " " + std::to_string(times);
  std::printf(
      "faults: seed %llu: %u holds in %u s: %llu descriptors, %llu returned, %llu words written, %llu of them "
      "indices, %llu calls; ended by%s\n",
      static_cast<unsigned long long>(seed), holds, seconds, static_cast<unsigned long long>(figures.descriptors),
      static_cast<unsigned long long>(figures.returned), static_cast<unsigned long long>(figures.words),
      static_cast<unsigned long long>(figures.indices), static_cast<unsigned long long>(figures.calls), text.c_str());
  // the lab's word for a kernel that checks itself, which is slow
  const char* const debug = std::getenv("lab_debug");
  const std::uint64_t least = debug != nullptr && *debug != '\0' ? 100 : 1000;
  held::expect(figures.descriptors + figures.returned > least * seconds, "faults enough to show something");
  return held::failures == 0 ? 0 : 1;
}

}  // namespace
}  // namespace hostile

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: see the head of faults.cc\n");
    return 2;
  }
  return hostile::run(argv[1], static_cast<unsigned>(std::strtoul(argv[2], nullptr, 10)),
                      std::strtoull(argv[3], nullptr, 10));
}
