// SPDX-License-Identifier: Apache-2.0
// Calibration of the time-stamp counter.
#include "udd/base/ticks.h"

#include <algorithm>
#include <limits>

namespace udd {
namespace {

// The two clocks are read within some 100 ns of each other: 0.01 % of this.
constexpr std::chrono::milliseconds kCalibrationTime{2};

double calibrate() noexcept {
  using Clock = std::chrono::steady_clock;
  const Clock::time_point start = Clock::now();
  const Ticks first = ticks_now();
  Clock::time_point now;
  do {
    now = Clock::now();
  } while (now - start < kCalibrationTime);
  const Ticks last = ticks_now();
  const double microseconds = std::chrono::duration<double, std::micro>(now - start).count();
  return std::max(1.0, static_cast<double>(last - first) / microseconds);
}

double rate() noexcept {
  static const double calibrated = calibrate();
  return calibrated;
}

}  // namespace

Ticks ticks_per_microsecond() noexcept { return static_cast<Ticks>(rate()); }

Ticks to_ticks(std::chrono::nanoseconds time) noexcept {
  const double ticks = std::chrono::duration<double, std::micro>(time).count() * rate();
  if (ticks <= 0) return 0;
  // 2^63 ticks are some 100 years; doubles beyond would not convert.
  constexpr double kMost = 9.2e18;
  return ticks >= kMost ? std::numeric_limits<Ticks>::max() / 2 : static_cast<Ticks>(ticks);
}

}  // namespace udd
