// SPDX-License-Identifier: Apache-2.0
// What the kernel has received through a port, as the benches count it beside their figures.
#pragma once

#include <cstdint>

#include "udd/port.h"

/// Frames as they came from the wire, before any were merged.
inline std::uint64_t kernel_segments(const udd::PortStats& stats) noexcept {
  return stats.kernel_rx_frames - stats.kernel_rx_merged + stats.kernel_rx_segments;
}
