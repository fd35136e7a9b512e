// SPDX-License-Identifier: Apache-2.0
// A clock that costs four instructions: the CPU's time-stamp counter, for what is measured or due on every poll.
#pragma once

#include <x86intrin.h>

#include <chrono>
#include <cstdint>

namespace udd {

/// Units of the time-stamp counter. Counters of different CPUs may differ a little: never subtract without a thought
/// for a result below zero.
using Ticks = std::uint64_t;

[[nodiscard]] inline Ticks ticks_now() noexcept { return __rdtsc(); }

/// Measured against CLOCK_MONOTONIC at the first call, which takes 2 ms; at least 1. Thread-safe.
[[nodiscard]] Ticks ticks_per_microsecond() noexcept;

/// Saturates; negative is 0.
[[nodiscard]] Ticks to_ticks(std::chrono::nanoseconds time) noexcept;

}  // namespace udd
