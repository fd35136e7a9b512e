// SPDX-License-Identifier: Apache-2.0
// The rings of a port that is held by bare ioctls (held.h).
#pragma once

#include <cstddef>
#include <cstdint>

#include "tests/tools/held.h"
#include "udd/ring/ring.h"
#include "udd/ring/ring_memory.h"

namespace held {

/// Of queue 0.
inline udd::RingMemory ring(const Held& held, ndd_ring_id id) {
  const auto* layout = reinterpret_cast<const ndd_ring_layout*>(held.area + held.ctrl()->rings) + id;
  const std::size_t entry = id == NDD_RING_KTX || id == NDD_RING_KRX ? sizeof(ndd_desc) : sizeof(std::uint64_t);
  return udd::ring_memory({reinterpret_cast<std::byte*>(held.area), held.take.ctrl_size}, *layout, entry);
}

}  // namespace held
