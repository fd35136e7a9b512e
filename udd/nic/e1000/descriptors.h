// SPDX-License-Identifier: Apache-2.0
// Descriptors of the e1000 NICs (82574 datasheet §7.1.4 receive, §7.2.9 to §7.2.11 transmit): 16 octets, two
// 64-bit words.
//
// Legacy ones for what is received and for the application's frames: the receive address stays in the descriptor, both
// directions are one word to test, and every chip since the 82542 has them. For frames of the kernel's that are to be
// summed or cut, a context descriptor and extended data descriptors behind it; a ring may mix all of these, a frame may
// not.
#pragma once

#include <cstdint>

#include "udd/mem/frame.h"
#include "udd/mem/state_layout.h"
#include "udd/nic/ring_descriptor.h"

namespace udd {

/// See RingQueue for what each name means there.
struct E1000Format {
  static constexpr NicFamily kFamily = NicFamily::kE1000;

  // Receive word: length 15:0, checksum 31:16, status 39:32, errors 47:40, VLAN tag 63:48.
  static constexpr std::uint64_t kRxDone = 1ull << 32;   ///< STA.DD
  static constexpr std::uint64_t kRxLast = 1ull << 33;   ///< STA.EOP
  static constexpr std::uint64_t kRxIxsm = 1ull << 34;   ///< STA.IXSM: the other checksum bits say nothing
  static constexpr std::uint64_t kRxTcpcs = 1ull << 37;  ///< STA.TCPCS: a TCP or UDP checksum was calculated
  /// ERR.CE (bad FCS), SE (symbol), SEQ (sequence), CXE (carrier extension), RXE (data). Not TCPE and IPE: a wrong
  /// checksum above Ethernet is the kernel's to judge.
  static constexpr std::uint64_t kRxError = 0x97ull << 40;
  static constexpr std::uint64_t kRxTcpe = 1ull << 45;  ///< ERR.TCPE: TCP's or UDP's is wrong
  static constexpr std::uint64_t kRxIpe = 1ull << 46;   ///< ERR.IPE: IPv4's is wrong

  // Legacy transmit word: length 15:0, checksum offset 23:16, command 31:24, status 35:32, checksum start 47:40, VLAN
  // tag 63:48. In the extended ones, both words:
  //   context  TUCSE 63:48, TUCSO 47:40, TUCSS 39:32, IPCSE 31:16, IPCSO 15:8, IPCSS 7:0
  //            MSS 63:48, HDRLEN 47:40, status 35:32, TUCMD 31:24, type 23:20, PAYLEN 19:0
  //   data     address
  //            VLAN tag 63:48, POPTS 47:40, status 35:32, command 31:24, type 23:20, length 19:0
  static constexpr std::uint64_t kTxLast = 1ull << 24;    ///< CMD.EOP
  static constexpr std::uint64_t kTxIfcs = 1ull << 25;    ///< CMD.IFCS: the NIC appends the FCS
  static constexpr std::uint64_t kTxReport = 1ull << 27;  ///< CMD.RS
  static constexpr std::uint64_t kTxDone = 1ull << 32;    ///< STA.DD
  static constexpr std::uint64_t kTxData = 1ull << 20;    ///< type 1; 0 is a context
  static constexpr std::uint64_t kTxTcp = 1ull << 24;     ///< TUCMD.TCP
  static constexpr std::uint64_t kTxIpv4 = 1ull << 25;    ///< TUCMD.IP
  static constexpr std::uint64_t kTxTse = 1ull << 26;     ///< CMD.TSE and TUCMD.TSE: cut into segments
  static constexpr std::uint64_t kTxDext = 1ull << 29;    ///< CMD.DEXT and TUCMD.DEXT: extended
  static constexpr std::uint64_t kTxIxsm = 1ull << 40;    ///< POPTS.IXSM: put in IPv4's checksum
  static constexpr std::uint64_t kTxTxsm = 1ull << 41;    ///< POPTS.TXSM: put in TCP's or UDP's

  /// What the kernel's driver leaves of the packet buffer to transmission (register PBA), and so its limit, too.
  static constexpr std::uint32_t kTxPieceMax = 8192;

  [[nodiscard]] static constexpr std::uint32_t rx_length(std::uint64_t word) noexcept { return word & 0xffff; }
  /// Of a fragment only UDPCS is set, for a sum over that part: not TCPCS.
  [[nodiscard]] static constexpr bool rx_checked(std::uint64_t word) noexcept {
    return (word & (kRxIxsm | kRxTcpcs | kRxTcpe | kRxIpe)) == kRxTcpcs;
  }

  [[nodiscard]] static constexpr std::uint64_t tx_word(std::uint16_t length, bool last) noexcept {
    return length | kTxIfcs | (last ? kTxLast : 0);
  }
  [[nodiscard]] static constexpr std::uint64_t tx_word(std::uint32_t length, bool last,
                                                       const TxOffload& offload) noexcept {
    return length | kTxData | kTxDext | kTxIfcs | kTxTxsm | (last ? kTxLast : 0) | (offload.segments() ? kTxTse : 0) |
           (offload.kind == TxOffload::Kind::kTcp4 ? kTxIxsm : 0);
  }
  [[nodiscard]] static constexpr RingDescriptor tx_context(const TxFrame& frame) noexcept {
    const TxOffload& offload = frame.offload;
    // TUCSE 0: to the end of the frame.
    RingDescriptor context{
        .address = std::uint64_t{offload.sum_from} << 32 | std::uint64_t{offload.sum_to} << 40,
        .word = kTxDext | (offload.tcp ? kTxTcp : 0),
    };
    if (!offload.segments()) return context;
    context.address |= offload.ip;
    context.word |= kTxTse | (frame.length - offload.header_length) | std::uint64_t{offload.header_length} << 40 |
                    std::uint64_t{offload.segment_size} << 48;
    if (offload.kind == TxOffload::Kind::kTcp4) {
      // IPCSE is the last octet that is summed.
      context.address |= std::uint64_t{offload.ip + kIpv4Checksum} << 8 | std::uint64_t{offload.sum_from - 1u} << 16;
      context.word |= kTxIpv4;
    }
    return context;
  }
  /// The header of which those of all segments are made (82574 datasheet §7.3): no length in it, neither as such nor
  /// in the sum of TCP's pseudo header, and no IPv4 checksum.
  static void tx_prepare(const TxFrame& frame) noexcept;

 private:
  static constexpr unsigned kIpv4Checksum = 10;  ///< where it is in the header
};

}  // namespace udd
