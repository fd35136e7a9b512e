// SPDX-License-Identifier: Apache-2.0
// The layout of the port's state area: what another process must know to go on where this one ended
// (design D4a). Library objects (Pool, a NIC's queue) are views on the sections described here.
//
//   StateHeader
//   section kPool     PoolState, then the stack of free buffers
//   section kNic      QueueState, then its three arrays
//   section kTunnel   the tunnel client's own
//
// Only the library reads and writes it; the kernel keeps it and never looks inside. A change of any layout here is a
// change of kStateVersion.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "udd/base/units.h"
#include "udd/mem/frame.h"

namespace udd {

inline constexpr std::uint32_t kStateMagic = 0x73646475;  // "udds"
inline constexpr std::uint32_t kStateVersion = 3;

enum class StateSection : std::uint32_t { kPool, kNic, kTunnel };
inline constexpr std::size_t kStateSections = 3;

/// Start of the state area.
struct StateHeader {
  struct Range {
    std::uint32_t offset;  ///< octets from the start of the area, a multiple of kCacheLineSize
    std::uint32_t size;    ///< octets
  };
  std::uint32_t magic;  ///< kStateMagic, stored last
  std::uint32_t version;
  std::array<Range, kStateSections> sections;
};

/// Section kPool. From the next cache line on: the stack, buffer_count indices, the first `free` of them valid.
struct PoolState {
  std::uint32_t buffer_count;
  std::uint32_t kernel_buffers;
  std::uint32_t exchange_buffers;
  std::uint32_t free;
};
static_assert(sizeof(PoolState) <= kCacheLineSize);

/// Which code understands a QueueState.
enum class NicFamily : std::uint32_t { kNone = 0, kSim = 1, kE1000 = 2 };

/// Section kNic: a queue pair's software side. Indices run freely over 32 bits; slot = index % size.
///
/// Receive: slots [rx_head, rx_tail) are the NIC's. Transmit: slots [tx_head, tx_tail) are.
/// Indices are stored before a burst returns, and after the arrays they refer to.
struct QueueState {
  NicFamily family;
  std::uint32_t rx_size;  ///< slots, a power of two
  std::uint32_t tx_size;
  std::uint32_t rx_in_frame;  ///< 1: the last received piece was not its frame's last
  std::uint32_t rx_head;      ///< next slot the NIC will have filled
  std::uint32_t rx_tail;      ///< next slot to give to the NIC
  std::uint32_t tx_head;      ///< oldest slot not reclaimed
  std::uint32_t tx_tail;      ///< next slot to queue in
  std::uint64_t family_word;  ///< the family's own (e1000: permanent MAC address)

  // Behind it, from the next cache line on: the buffer of each receive slot; the buffer or token of each transmit slot
  // (see kWindowToken); and at the transmit slot of a batch's first piece, the index behind its last piece, which is
  // the one the NIC reports on.

  [[nodiscard]] static constexpr std::size_t size(std::uint32_t rx_slots, std::uint32_t tx_slots) noexcept {
    return kCacheLineSize + (std::size_t{rx_slots} + 2 * std::size_t{tx_slots}) * sizeof(std::uint32_t);
  }
};
static_assert(sizeof(QueueState) <= kCacheLineSize);

/// View on a whole state area. Does not own the mapping.
class StateArea {
 public:
  /// Octets each section needs, in the order of StateSection.
  using Sizes = std::array<std::size_t, kStateSections>;

  /// Octets of state area for these sections.
  [[nodiscard]] static std::size_t required(const Sizes& sizes) noexcept;
  /// Lays out a fresh area. Throws udd::Error (ENOSPC) if it is too small.
  static StateArea format(std::span<std::byte> area, const Sizes& sizes);
  /// Finds the sections of a formatted area. Throws udd::Error (EPROTO) if it isn't one, or is of another version.
  static StateArea adopt(std::span<std::byte> area);
  /// Likewise, and its sections must have these sizes.
  static StateArea adopt(std::span<std::byte> area, const Sizes& sizes);

  [[nodiscard]] std::span<std::byte> section(StateSection which) const noexcept {
    return sections_[static_cast<std::size_t>(which)];
  }

 private:
  StateArea() = default;
  std::array<std::span<std::byte>, kStateSections> sections_;
};

}  // namespace udd
