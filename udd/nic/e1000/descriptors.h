// SPDX-License-Identifier: Apache-2.0
// Legacy descriptors of the e1000 NICs (82574 datasheet §7.1.4 receive, §7.2.10 transmit): 16 octets, address, then one
// 64-bit word. Legacy and not extended: the receive address stays in the descriptor, both directions are one word to
// test, and every chip since the 82542 has them.
#pragma once

#include <cstdint>

#include "udd/mem/state_layout.h"

namespace udd {

/// See RingQueue for what each name means there.
struct E1000Format {
  static constexpr NicFamily kFamily = NicFamily::kE1000;

  // Receive word: length 15:0, checksum 31:16, status 39:32, errors 47:40, VLAN tag 63:48.
  static constexpr std::uint64_t kRxDone = 1ull << 32;  ///< STA.DD
  static constexpr std::uint64_t kRxLast = 1ull << 33;  ///< STA.EOP
  /// ERR.CE (bad FCS), SE (symbol), SEQ (sequence), CXE (carrier extension), RXE (data). Not TCPE and IPE: a wrong
  /// checksum above Ethernet is the kernel's to judge.
  static constexpr std::uint64_t kRxError = 0x97ull << 40;

  // Transmit word: length 15:0, checksum offset 23:16, command 31:24, status 35:32, checksum start 47:40, VLAN tag
  // 63:48.
  static constexpr std::uint64_t kTxLast = 1ull << 24;    ///< CMD.EOP
  static constexpr std::uint64_t kTxIfcs = 1ull << 25;    ///< CMD.IFCS: the NIC appends the FCS
  static constexpr std::uint64_t kTxReport = 1ull << 27;  ///< CMD.RS
  static constexpr std::uint64_t kTxDone = 1ull << 32;    ///< STA.DD

  [[nodiscard]] static constexpr std::uint32_t rx_length(std::uint64_t word) noexcept { return word & 0xffff; }
  [[nodiscard]] static constexpr std::uint64_t tx_word(std::uint16_t length, bool last) noexcept {
    return length | kTxIfcs | (last ? kTxLast : 0);
  }
};

}  // namespace udd
