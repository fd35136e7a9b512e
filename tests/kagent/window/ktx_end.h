// SPDX-License-Identifier: Apache-2.0
// The process's end of KTX and KTX_DONE, by hand: takes frames as they come, piece by piece, and gives the pieces back
// in whatever order a test likes. And the other side: frames sent by a packet socket, with offload facts.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "tests/tools/held.h"
#include "udd/ring/ring.h"

namespace window {

using Octets = std::vector<std::uint8_t>;

/// Nobody has this address: whatever else the kernel sends is given back at once.
inline constexpr std::uint8_t kTo[6] = {0x02, 0, 0, 0, 0x77, 0x01};

struct Frame {
  std::vector<ndd_desc> pieces;
  [[nodiscard]] const ndd_desc& first() const { return pieces.front(); }
  [[nodiscard]] std::vector<ndd_desc> mapped() const;  ///< its pieces in the window
};

class KtxEnd {
 public:
  /// @param held  taken, its areas mapped
  explicit KtxEnd(const held::Held& held);

  /// The next frame to kTo, if there is one in time.
  [[nodiscard]] std::optional<Frame> next(std::chrono::milliseconds patience = std::chrono::seconds(5));

  /// Into KTX_DONE as they are, and a kick; waits until the kernel has read them.
  void give_back(std::span<const std::uint64_t> entries);
  void give_back(const Frame& frame);

  /// What gives a piece back.
  [[nodiscard]] static std::uint64_t entry(const ndd_desc& piece);
  /// A copied piece, in the pool.
  [[nodiscard]] std::span<const std::uint8_t> octets(const ndd_desc& piece) const;
  /// Where the NIC sees a piece.
  [[nodiscard]] std::uint64_t iova(const ndd_desc& piece) const;

 private:
  [[nodiscard]] std::optional<Frame> poll();

  const held::Held& held_;
  udd::RingMemory done_memory_;
  udd::Consumer<ndd_desc> ktx_;
  udd::Producer<std::uint64_t> done_;
  Frame open_;
};

/// struct virtio_net_hdr, whose own header no C++ compiler reads.
struct Facts {
  static constexpr std::uint8_t kNeedsCsum = 1;
  std::uint8_t flags = 0;
  std::uint8_t gso_type = NDD_GSO_NONE;
  std::uint16_t hdr_len = 0;
  std::uint16_t gso_size = 0;
  std::uint16_t csum_start = 0;
  std::uint16_t csum_offset = 0;
};
static_assert(sizeof(Facts) == 10);

class Sender {
 public:
  explicit Sender(const std::string& device);
  /// False if the kernel has no room for it.
  [[nodiscard]] bool send(std::span<const std::uint8_t> frame, const Facts& facts = {});

 private:
  int socket_;
};

/// To kTo, octets that depend on their place and `seed`.
[[nodiscard]] Octets make_frame(std::uint16_t ethertype, std::size_t length, std::uint8_t seed);

/// A frame whose sum, or whose cutting into segments, is left to the NIC.
struct Offloaded {
  Octets frame;
  Facts facts;
};
/// @param mss  payload of each segment; 0: UDP, of which only the sum is left
[[nodiscard]] Offloaded make_offloaded(bool ipv6, std::size_t length, std::uint16_t mss, std::uint8_t seed);

}  // namespace window
