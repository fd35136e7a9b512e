// SPDX-License-Identifier: Apache-2.0
// ring_memory(): every offset and size is checked before it becomes a pointer.
#include "udd/ring/ring_memory.h"

#include <bit>
#include <cerrno>
#include <string>

#include "udd/base/error.h"
#include "udd/base/units.h"

namespace udd {

static_assert(kRingNeedWakeup == NDD_RING_NEED_WAKEUP);

namespace {

[[noreturn]] void throw_bad(const std::string& why) {
  throw Error(EPROTO, {.what = "find a ring of the tunnel",
                       .device = {},
                       .why = why,
                       .advice = "the module and the library disagree: check their versions"});
}

std::byte* at(std::span<std::byte> ctrl, std::uint32_t offset, std::size_t size, std::size_t alignment,
              const char* what) {
  if (offset > ctrl.size() || size > ctrl.size() - offset) {
    throw_bad(std::string(what) + " at " + std::to_string(offset) + " lies outside of the " +
              std::to_string(ctrl.size()) + " octets mapped");
  }
  if (offset % alignment != 0) throw_bad(std::string(what) + " at " + std::to_string(offset) + " is misaligned");
  return ctrl.data() + offset;
}

std::uint32_t* word(std::byte* address) { return static_cast<std::uint32_t*>(static_cast<void*>(address)); }

}  // namespace

RingMemory ring_memory(std::span<std::byte> ctrl, const ndd_ring_layout& layout, std::size_t entry_size) {
  if (!std::has_single_bit(layout.size) || layout.size < NDD_RING_MIN || layout.size > NDD_RING_MAX) {
    throw_bad("its size of " + std::to_string(layout.size) + " entries is impossible");
  }
  if (layout.entry_size != entry_size) {
    throw_bad("its entries have " + std::to_string(layout.entry_size) + " octets instead of " +
              std::to_string(entry_size));
  }
  RingMemory memory;
  memory.producer = word(at(ctrl, layout.producer, kCacheLineSize, kCacheLineSize, "the producer's line"));
  memory.consumer = word(at(ctrl, layout.consumer, kCacheLineSize, kCacheLineSize, "the consumer's line"));
  memory.flags = memory.consumer + 1;
  memory.entries =
      at(ctrl, layout.entries, std::size_t{layout.size} * entry_size, sizeof(std::uint64_t), "the first entry");
  memory.size = layout.size;
  return memory;
}

}  // namespace udd
