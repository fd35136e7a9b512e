// SPDX-License-Identifier: Apache-2.0
// What the simulated NIC does to frames for the kernel: sums, cuts into segments, and checks sums.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <vector>

#include "udd/mem/frame.h"

namespace udd {

/// Does to `frame` what the offload says, and calls wire(octets) for each frame that comes of it.
void sim_send(std::vector<std::byte>& frame, const TxOffload& offload,
              const std::function<void(std::span<const std::byte>)>& wire);

/// An unfragmented TCP or UDP frame over IPv4 or IPv6, tagged once at most, with the right checksums.
[[nodiscard]] bool sim_checked(std::span<const std::byte> frame) noexcept;

}  // namespace udd
