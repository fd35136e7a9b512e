// SPDX-License-Identifier: Apache-2.0
// What pingpong prints of a run.
#pragma once

#include <string>

#include "examples/pingpong/run.h"

namespace pingpong {

/// "udd", "raw" or "udp": what the messages went over.
[[nodiscard]] const char* path_name(const Options& options);
[[nodiscard]] std::string to_text(const Result& result);
[[nodiscard]] std::string to_json(const Result& result, const Options& options);

}  // namespace pingpong
