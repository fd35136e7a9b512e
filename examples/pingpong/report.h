// SPDX-License-Identifier: Apache-2.0
// What pingpong prints of a run.
#pragma once

#include <string>

#include "examples/pingpong/run.h"

namespace pingpong {

[[nodiscard]] std::string to_text(const Result& result);
[[nodiscard]] std::string to_json(const Result& result, const Options& options);

}  // namespace pingpong
