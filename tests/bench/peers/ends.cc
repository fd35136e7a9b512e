// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/peers/ends.h"

#include <CLI/CLI.hpp>

#include "examples/pingpong/message.h"

namespace peers {

std::optional<int> parse(int argc, char** argv, const std::string& path, const std::string& about, Ends& ends) {
  pingpong::Options& options = ends.options;
  options.path = path;
  options.latency = false;
  CLI::App app{about};
  app.add_option("near", ends.near, "the client's device")->required();
  app.add_option("far", ends.far, "the other end's device")->required();
  app.add_option("--window", options.window, "messages outstanding")
      ->check(CLI::Range(std::size_t{1}, std::size_t{128}));
  app.add_option("--size", options.size, "octets of a message, without Ethernet header")
      ->check(CLI::Range(pingpong::kMessageMin, std::size_t{1500}));
  app.add_option("--count", options.count, "pairs")->required()->check(CLI::PositiveNumber);
  app.add_option("--warm-up", options.warm_up, "pairs before the measured part");
  app.add_flag("--check-all", options.check_all, "check every octet, not just counters");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error);
  }
  return std::nullopt;
}

}  // namespace peers
