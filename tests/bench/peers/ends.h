// SPDX-License-Identifier: Apache-2.0
// Command line of the peers: which two devices, and pingpong's options of an exchange that both ends share a thread
// for.
#pragma once

#include <optional>
#include <string>

#include "examples/pingpong/options.h"

namespace peers {

/// Exit status of a program whose peer can't run on this machine: the bench skips it, and says why.
inline constexpr int kCannotRun = 77;

struct Ends {
  std::string near;
  std::string far;
  pingpong::Options options;
};

/// Parses argv; prints help or what is wrong and returns the exit code instead.
/// @param path  what the peer is called in figures
std::optional<int> parse(int argc, char** argv, const std::string& path, const std::string& about, Ends& ends);

}  // namespace peers
