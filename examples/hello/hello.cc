// SPDX-License-Identifier: Apache-2.0
// The smallest application: sends every frame of its EtherType back. Usage: hello [PORT], by default ndd0.
#include <array>
#include <cstdio>
#include <cstring>

#include "udd/port.h"

int main(int argc, char** argv) try {
  udd::Port port = udd::Port::take(argc > 1 ? argv[1] : "ndd0", {.ethertypes = {0x88B5}});
  udd::Queue& queue = port.queue(0);
  std::array<udd::Frame, 32> frames;
  while (port.state() == udd::PortState::kTunnel) {
    queue.wait();
    const std::size_t n = queue.rx(frames);
    for (std::size_t i = 0; i < n; ++i) {
      std::byte* const header = frames[i].data().data();
      std::memcpy(header, header + 6, 6);             // to whom it came from
      std::memcpy(header + 6, port.mac().data(), 6);  // from us
    }
    const std::size_t sent = queue.tx({frames.data(), n});
    queue.release({frames.data() + sent, n - sent});
  }
  std::fprintf(stderr, "hello: the port is lost: %s\n", port.lost_reason().c_str());
  return 1;
} catch (const udd::Error& error) {
  std::fprintf(stderr, "hello: %s\n", error.what());
  return 1;
}
