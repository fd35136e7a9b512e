// SPDX-License-Identifier: Apache-2.0
// Modes and reasons of ndd.h as words, for people; the kernel's sysfs files use the same.
#pragma once

#include <cstdint>
#include <string_view>

namespace udd {

/// "direct", "tunnel", …; "unknown" for a mode this build doesn't know.
[[nodiscard]] std::string_view mode_name(std::uint32_t ndd_mode) noexcept;
/// What changed the mode last, as half a sentence: "the process died".
[[nodiscard]] std::string_view reason_text(std::uint32_t ndd_reason) noexcept;

/// "kill", "signal", "report".
[[nodiscard]] std::string_view on_hang_name(std::uint32_t ndd_on_hang) noexcept;

}  // namespace udd
