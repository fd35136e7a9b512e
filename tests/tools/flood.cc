// SPDX-License-Identifier: Apache-2.0
// Takes a port and sends frames of 60 octets as fast as the port takes them, until SIGTERM.
//
//   flood PORT DESTINATION     "flooding" once the port is its own
#include <array>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstring>

#include "udd/port.h"

namespace {

constexpr std::uint16_t kLength = 60;
volatile std::sig_atomic_t stop_requested = 0;

void fill(udd::Frame& frame, const udd::MacAddress& to, const udd::MacAddress& from) {
  constexpr std::uint8_t kEtherType[] = {0x88, 0xB5};
  frame.resize(kLength);
  std::byte* const data = frame.data().data();
  std::memset(data, 0, kLength);
  std::memcpy(data, to.data(), to.size());
  std::memcpy(data + 6, from.data(), from.size());
  std::memcpy(data + 12, kEtherType, sizeof(kEtherType));
}

/// Each round is one poll and one batch, as an application that has always something to send would do it.
std::uint64_t flood(udd::Port& port, const udd::MacAddress& to) {
  udd::Queue& queue = port.queue(0);
  std::array<udd::Frame, 32> frames;
  std::uint64_t sent = 0;
  while (stop_requested == 0 && port.state() == udd::PortState::kTunnel) {
    queue.release({frames.data(), queue.rx(frames)});
    const std::size_t n = queue.alloc(frames);
    for (std::size_t i = 0; i < n; ++i) fill(frames[i], to, port.mac());
    const std::size_t taken = queue.tx({frames.data(), n});
    queue.release({frames.data() + taken, n - taken});
    sent += taken;
  }
  return sent;
}

}  // namespace

int main(int argc, char** argv) try {
  udd::MacAddress to{};
  if (argc != 3 ||
      std::sscanf(argv[2], "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", &to[0], &to[1], &to[2], &to[3], &to[4], &to[5]) != 6) {
    std::fprintf(stderr, "usage: flood PORT DESTINATION\n");
    return 2;
  }
  std::signal(SIGTERM, [](int) { stop_requested = 1; });
  udd::Port port = udd::Port::take(argv[1], {.ethertypes = {0x88B5}});
  std::puts("flooding");
  std::fflush(stdout);
  const std::uint64_t sent = flood(port, to);
  const udd::PortStats stats = port.stats();
  std::printf("sent %llu, kernel's %llu, ring full %llu times\n", static_cast<unsigned long long>(sent),
              static_cast<unsigned long long>(stats.kernel_tx_frames),
              static_cast<unsigned long long>(stats.tx_ring_full));
  return 0;
} catch (const udd::Error& error) {
  std::fprintf(stderr, "flood: %s\n", error.what());
  return 1;
}
