// SPDX-License-Identifier: Apache-2.0
// What the kernel leaves to the NIC of a frame in KTX, checked against the frame itself: between TunnelQueue, which has
// the descriptor, and the NIC's queue, which goes by it.
#pragma once

#include <linux/ndd.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "udd/mem/frame.h"

namespace udd {

/// @param first     the frame's first descriptor
/// @param head      the octets of its first piece
/// @param length    octets of the whole frame
/// @param features  NDD_F_* in force: nothing else is left to the NIC
/// @return nullopt if that is impossible, or not what the frame's headers say
[[nodiscard]] std::optional<TxOffload> check_offload(const ndd_desc& first, std::span<const std::byte> head,
                                                     std::uint32_t length, std::uint64_t features) noexcept;

}  // namespace udd
