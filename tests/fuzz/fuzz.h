// SPDX-License-Identifier: Apache-2.0
// What every fuzz target says when something is not as it must be: one sentence, and the end that libFuzzer looks for.
#pragma once

#include <cstdio>
#include <cstdlib>

namespace udd::fuzz {

inline void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "FAIL: %s\n", what);
  std::abort();
}

}  // namespace udd::fuzz
