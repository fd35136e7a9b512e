// SPDX-License-Identifier: Apache-2.0
// An application of the library on ndd0 in whose memory a second thread writes what it likes, while the first one
// serves real traffic: whatever the kernel reads twice, or before it checked, it reads differently.
//
//   flipper entries    what stands in the rings' entries, flags, statistics, buffers; "took", and goes on for good
//   flipper indices    for half a second; then the rings' indices and what only the kernel writes, too, and nobody
//   serves
//                      any more, so that it is the kernel who sees it first; has to be killed for it
#include <dirent.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <climits>
#include <functional>
#include <random>
#include <string>
#include <thread>

#include "tests/tools/held.h"
#include "udd/port.h"

namespace {

using namespace std::chrono_literals;
using std::chrono::steady_clock;

// The library keeps its descriptor of the port for itself.
int find_node() {
  DIR* all = opendir("/proc/self/fd");
  for (const dirent* entry = nullptr; all != nullptr && (entry = readdir(all)) != nullptr;) {
    std::array<char, PATH_MAX> target{};
    const std::string name = std::string("/proc/self/fd/") + entry->d_name;
    if (readlink(name.c_str(), target.data(), target.size() - 1) > 0 &&
        std::string(target.data()).starts_with("/dev/ndd/")) {
      return std::atoi(entry->d_name);
    }
  }
  errno = ENOENT;
  held::die("descriptor of the port");
}

class Flipper {
 public:
  explicit Flipper(int node) {
    auto* head = static_cast<ndd_ctrl*>(held::map(node, NDD_MMAP_CTRL, 4096, "ctrl"));
    ctrl_ = *head;
    for (std::size_t i = 0; i < NDD_RINGS; ++i) {
      rings_[i] = reinterpret_cast<const ndd_ring_layout*>(reinterpret_cast<std::uint8_t*>(head) + ctrl_.rings)[i];
    }
    const ndd_ring_layout& last = rings_[NDD_RINGS - 1];
    area_ =
        static_cast<std::uint8_t*>(held::map(node, NDD_MMAP_CTRL, last.entries + last.size * last.entry_size, "ctrl"));
    pool_ = static_cast<std::uint8_t*>(
        held::map(node, NDD_MMAP_POOL, std::uint64_t{ctrl_.nic_pages + ctrl_.buf_count} * NDD_BUF_SIZE, "pool"));
  }

  // Of the pool only buffers: the NIC's own rings are between the process, the NIC and the IOMMU.
  void flip_entries() {
    const ndd_ring_layout& ring = rings_[random_() % NDD_RINGS];
    switch (random_() % 5) {
      case 0:  // a whole word of an entry
        word(ring.entries + any(ring.size * ring.entry_size)) = value();
        break;
      case 1: {  // one bit of an entry near the consumer
        auto& near =
            word(ring.entries + (word(ring.consumer) + any(4)) % ring.size * ring.entry_size + any(ring.entry_size));
        near = near ^ 1u << any(32);
        break;
      }
      case 2:
        word(ring.consumer + 4) = value();
        break;
      case 3:
        word(ctrl_.stats + any(sizeof(ndd_stats))) = value();
        break;
      default:  // headers of frames, mostly
        pool_[std::uint64_t{ctrl_.nic_pages + any(ctrl_.buf_count)} * NDD_BUF_SIZE + any(64)] =
            static_cast<std::uint8_t>(random_());
    }
  }

  void flip_indices() {
    const ndd_ring_layout& ring = rings_[random_() % NDD_RINGS];
    auto& index = word(random_() % 2 == 0 ? ring.producer : ring.consumer);
    index = random_() % 2 == 0 ? value() : index + any(3);
    word(ctrl_.health + any(sizeof(ndd_health))) = value();
    word(ctrl_.config + any(sizeof(ndd_config))) = value();
    word(any(ctrl_.health)) = value();  // the head, and the rings' layout
  }

 private:
  volatile std::uint32_t& word(std::uint32_t offset) {
    return *reinterpret_cast<volatile std::uint32_t*>(area_ + offset / 4 * 4);
  }
  std::uint32_t any(std::size_t below) { return static_cast<std::uint32_t>(random_() % below); }
  std::uint32_t value() {
    const std::uint32_t values[] = {0, 1, 3, ~0u, 0x80000000u, static_cast<std::uint32_t>(random_())};
    return values[any(std::size(values))];
  }

  std::mt19937 random_{1};
  ndd_ctrl ctrl_{};
  std::array<ndd_ring_layout, NDD_RINGS> rings_{};
  std::uint8_t* area_ = nullptr;
  std::uint8_t* pool_ = nullptr;
};

void flip(int node, const std::atomic<bool>& indices) {
  Flipper flipper(node);
  for (unsigned i = 0;; ++i) {
    flipper.flip_entries();
    if (indices) {
      flipper.flip_indices();
      static_cast<void>(ioctl(node, NDD_KICK, 0));
    }
    // leave it the time to get anywhere
    if (i % 16 == 15) std::this_thread::sleep_for(50us);
  }
}

}  // namespace

int main(int argc, char** argv) {
  const bool flip_indices = argc > 1 && std::string(argv[1]) == "indices";
  try {
    udd::PortOptions options{.ethertypes = {0x88B5}};
    options.backup_after.reset();
    udd::Port port = udd::Port::take("ndd0", std::move(options));
    std::atomic<bool> indices = false;
    std::thread(flip, find_node(), std::cref(indices)).detach();
    held::say("took");
    const auto until = steady_clock::now() + (flip_indices ? 500ms : 1h);
    std::array<udd::Frame, 32> frames;
    while (steady_clock::now() < until) {
      port.queue(0).wait(10ms);
      const std::size_t got = port.queue(0).rx(frames);
      port.queue(0).release({frames.data(), got});
    }
    held::expect(port.state() == udd::PortState::kTunnel, "the port is still ours");
    indices = true;
    for (;;) pause();
  } catch (const udd::Error& error) {
    std::fprintf(stderr, "flipper: %s\n", error.what());
    return 1;
  }
}
