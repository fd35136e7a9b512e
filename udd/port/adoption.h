// SPDX-License-Identifier: Apache-2.0
// Who has which buffer, when a process goes on where another ended: worked out from the NIC's rings, the tunnel's and
// the notes in the state area. What is named nowhere was with the application, or on its way, and is free.
// Between QueueEngine's set-up and its first round.
#pragma once

#include <cstddef>
#include <span>

#include "udd/mem/pool.h"
#include "udd/port/tunnel_state.h"
#include "udd/tunnel/tunnel_queue.h"

namespace udd {

/// Adopts the tunnel and rebuilds the pool's stack. Frames that were parked, held or in part go on if the owner left
/// them in order, and are dropped if it was cut off. Throws udd::Error (EPROTO) if one buffer is in two places, or none
/// of the port's.
/// @param receiving  buffers in the NIC's receive ring
/// @param sending    buffers and tokens in its transmit ring, kNoBuffer for slots without
/// @return slots of the transmit ring that are the kernel's.
std::size_t adopt_buffers(Pool& pool, TunnelState& state, TunnelQueue& tunnel, std::span<const BufferIndex> receiving,
                          std::span<const BufferIndex> sending);

}  // namespace udd
