// SPDX-License-Identifier: Apache-2.0
// Finds a ring in the ctrl area by the layout the kernel published, and trusts none of its numbers.
#pragma once

#include <linux/ndd.h>

#include <cstddef>
#include <span>

#include "udd/ring/ring.h"

namespace udd {

/// @param ctrl        the mapped ctrl area, aligned to a cache line
/// @param entry_size  what the caller's entries measure, octets
/// Throws udd::Error (EPROTO) if an offset lies outside of `ctrl`, is misaligned, or sizes don't match.
[[nodiscard]] RingMemory ring_memory(std::span<std::byte> ctrl, const ndd_ring_layout& layout, std::size_t entry_size);

}  // namespace udd
