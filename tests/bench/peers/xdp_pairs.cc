// SPDX-License-Identifier: Apache-2.0
// Signal pairs between two netdevs over AF_XDP, both ends polled in one thread:  xdp_pairs eth0 eth1 --count N …
#include <fmt/core.h>

#include "examples/pingpong/link_socket.h"
#include "examples/pingpong/measure.h"
#include "tests/bench/peers/ends.h"
#include "tests/bench/peers/link_xdp.h"
#include "udd/base/error.h"

namespace pingpong {
std::atomic<bool> stop_requested{false};
}

int main(int argc, char** argv) {
  peers::Ends ends;
  if (const auto exit_code = peers::parse(argc, argv, "xdp", "Signal pairs between two netdevs over AF_XDP.", ends)) {
    return *exit_code;
  }
  const pingpong::Options& options = ends.options;
  try {
    const udd::MacAddress near = pingpong::mac_of(ends.near), far = pingpong::mac_of(ends.far);
    peers::XdpLink link{ends.near, near, far, options.ethertype, options.size};
    peers::XdpLink other{ends.far, far, near, options.ethertype, options.size};
    return pingpong::measure(link, options, pingpong::FarEnd{other, options});
  } catch (const udd::Error& error) {
    fmt::print(stderr, "xdp_pairs: {}\n", error.what());
    return peers::kCannotRun;
  }
}
