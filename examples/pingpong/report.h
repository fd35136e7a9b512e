// SPDX-License-Identifier: Apache-2.0
// What pingpong prints of a run.
#pragma once

#include <string>

#include "examples/pingpong/run.h"

namespace pingpong {

/// Of the measured part: signal_pairs_udd_w32, with _s256 for messages of another size than by default, and _checked.
[[nodiscard]] std::string figure_name(const Options& options);
[[nodiscard]] std::string to_text(const Result& result);
[[nodiscard]] std::string to_json(const Result& result, const Options& options);

}  // namespace pingpong
