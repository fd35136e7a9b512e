// SPDX-License-Identifier: Apache-2.0
// TCP segments as a sender makes them, and what merging made of them cut again: for the test and the fuzzer of merging.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "udd/mem/frame.h"

namespace udd::segments {

using Octets = std::vector<std::uint8_t>;

inline void put16(Octets& to, std::size_t at, unsigned value) {
  to[at] = static_cast<std::uint8_t>(value >> 8);
  to[at + 1] = static_cast<std::uint8_t>(value);
}
inline void put32(Octets& to, std::size_t at, std::uint32_t value) {
  put16(to, at, value >> 16);
  put16(to, at + 2, value & 0xffff);
}
inline unsigned get16(const Octets& from, std::size_t at) { return unsigned{from[at]} << 8 | from[at + 1]; }
inline std::uint32_t get32(const Octets& from, std::size_t at) { return get16(from, at) << 16 | get16(from, at + 2); }

/// RFC 1071, over octets [at, end).
inline std::uint32_t sum(const Octets& of, std::size_t at, std::size_t end, std::uint32_t total = 0) {
  for (; at < end; at += 2) total += unsigned{of[at]} << 8 | (at + 1 < end ? of[at + 1] : 0u);
  return total;
}
inline unsigned fold(std::uint32_t total) {
  while (total >> 16 != 0) total = (total & 0xffff) + (total >> 16);
  return total;
}

/// What a test says of a segment; the rest is the same in all.
struct Spec {
  unsigned connection = 1;
  std::uint32_t sequence = 1000;
  std::uint32_t payload = 1448;
  unsigned flags = 0x10;  // ACK
  std::uint32_t acknowledgement = 77;
  unsigned window = 501;
  unsigned urgent = 0;
  unsigned identification = 1;
  unsigned fragment = 0x4000;  // DF
  unsigned ttl = 64;
  unsigned tos = 0;
  std::uint32_t time_stamp = 5;
  bool v6 = false;
  unsigned vlan = 0;
  unsigned protocol = 6;
  unsigned options = 12;  // octets of TCP's: the time-stamp, and what fills them up
};

inline std::size_t network_of(const Octets& frame) { return get16(frame, 12) == 0x8100 ? 18 : 14; }
inline bool is_v6(const Octets& frame) { return frame[network_of(frame)] >> 4 == 6; }
inline std::size_t transport_of(const Octets& frame) { return network_of(frame) + (is_v6(frame) ? 40 : 20); }

/// The sum over TCP's pseudo-header for `length` octets of TCP.
inline std::uint32_t pseudo(const Octets& frame, std::size_t length) {
  const std::size_t ip = network_of(frame);
  return is_v6(frame) ? sum(frame, ip + 8, ip + 40, static_cast<std::uint32_t>(length + 6))
                      : sum(frame, ip + 12, ip + 20, static_cast<std::uint32_t>(length + 6));
}

inline void fill_sums(Octets& frame) {
  const std::size_t ip = network_of(frame);
  const std::size_t tcp = transport_of(frame);
  if (!is_v6(frame)) {
    put16(frame, ip + 10, 0);
    put16(frame, ip + 10, ~fold(sum(frame, ip, ip + 20)));
  }
  put16(frame, tcp + 16, 0);
  put16(frame, tcp + 16, ~fold(sum(frame, tcp, frame.size(), pseudo(frame, frame.size() - tcp))));
}

inline Octets segment(const Spec& spec) {
  const std::size_t ip = spec.vlan != 0 ? 18 : 14;
  const std::size_t tcp = ip + (spec.v6 ? 40 : 20);
  const std::size_t payload = tcp + 20 + spec.options;
  Octets frame(payload + spec.payload);
  for (std::size_t i = 0; i < 12; ++i) frame[i] = static_cast<std::uint8_t>(0x50 + i);
  if (spec.vlan != 0) {
    put16(frame, 12, 0x8100);
    put16(frame, 14, spec.vlan);
  }
  put16(frame, ip - 2, spec.v6 ? 0x86dd : 0x0800);
  if (spec.v6) {
    put32(frame, ip, 0x60000000u | spec.tos << 20);
    put16(frame, ip + 4, static_cast<unsigned>(frame.size() - tcp));
    frame[ip + 6] = static_cast<std::uint8_t>(spec.protocol);
    frame[ip + 7] = static_cast<std::uint8_t>(spec.ttl);
    put16(frame, ip + 8, 0xfe80);
    put16(frame, ip + 24, 0xfe80);
    put16(frame, ip + 38, spec.connection);
  } else {
    frame[ip] = 0x45;
    frame[ip + 1] = static_cast<std::uint8_t>(spec.tos);
    put16(frame, ip + 2, static_cast<unsigned>(frame.size() - ip));
    put16(frame, ip + 4, spec.identification);
    put16(frame, ip + 6, spec.fragment);
    frame[ip + 8] = static_cast<std::uint8_t>(spec.ttl);
    frame[ip + 9] = static_cast<std::uint8_t>(spec.protocol);
    put32(frame, ip + 12, 0x0a000001);
    put32(frame, ip + 16, 0x0a000002);
  }
  put16(frame, tcp, 4000);
  put16(frame, tcp + 2, 5000 + spec.connection);
  put32(frame, tcp + 4, spec.sequence);
  put32(frame, tcp + 8, spec.acknowledgement);
  frame[tcp + 12] = static_cast<std::uint8_t>((5 + spec.options / 4) << 4);
  frame[tcp + 13] = static_cast<std::uint8_t>(spec.flags);
  put16(frame, tcp + 14, spec.window);
  put16(frame, tcp + 18, spec.urgent);
  put32(frame, tcp + 20, 0x0101080a);
  put32(frame, tcp + 24, spec.time_stamp);
  std::fill(frame.begin() + static_cast<std::ptrdiff_t>(tcp + 32), frame.begin() + static_cast<std::ptrdiff_t>(payload),
            std::uint8_t{1});
  for (std::uint32_t i = 0; i < spec.payload; ++i) {
    frame[payload + i] = static_cast<std::uint8_t>((spec.sequence + i) * 7 >> 3);
  }
  fill_sums(frame);
  return frame;
}

/// A frame that came out.
struct Out {
  Octets octets;
  RxOffload offload;
  std::size_t pieces;
};

/// What is not true of what is told of it, as a sentence; empty if all is.
inline std::string wrong(const Out& out) {
  if (out.offload.segments == RxOffload::Segments::kNone) return {};
  const Octets& whole = out.octets;
  const std::size_t ip = network_of(whole);
  const std::size_t tcp = out.offload.checksum_start;
  if (out.offload.checksum_offset != 16) return "the checksum is elsewhere in TCP's header";
  if (tcp != transport_of(whole)) return "TCP begins elsewhere";
  if (out.offload.segments != (is_v6(whole) ? RxOffload::Segments::kTcp6 : RxOffload::Segments::kTcp4)) {
    return "it is of the other version of IP";
  }
  if (is_v6(whole)) {
    if (get16(whole, ip + 4) != whole.size() - tcp) return "IPv6 tells of another length";
  } else {
    if (get16(whole, ip + 2) != whole.size() - ip) return "IPv4 tells of another length";
    if (fold(sum(whole, ip, ip + 20)) != 0xffff) return "IPv4's sum";
  }
  if (get16(whole, tcp + 16) != fold(pseudo(whole, whole.size() - tcp))) return "the pseudo-header's sum";
  return {};
}

/// As a NIC or the kernel would; of one that nothing is wrong with.
inline std::vector<Octets> cut(const Out& out) {
  if (out.offload.segments == RxOffload::Segments::kNone) return {out.octets};
  const Octets& whole = out.octets;
  const std::size_t ip = network_of(whole);
  const std::size_t tcp = out.offload.checksum_start;
  const std::size_t header = out.offload.header_length;
  std::vector<Octets> segments;
  for (std::size_t at = header; at < whole.size(); at += out.offload.segment_size) {
    const std::size_t end = std::min<std::size_t>(at + out.offload.segment_size, whole.size());
    Octets one(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(header));
    one.insert(one.end(), whole.begin() + static_cast<std::ptrdiff_t>(at),
               whole.begin() + static_cast<std::ptrdiff_t>(end));
    put32(one, tcp + 4, get32(whole, tcp + 4) + static_cast<std::uint32_t>(at - header));
    if (end != whole.size()) one[tcp + 13] &= static_cast<std::uint8_t>(~0x08);
    if (is_v6(one)) {
      put16(one, ip + 4, static_cast<unsigned>(one.size() - tcp));
    } else {
      put16(one, ip + 2, static_cast<unsigned>(one.size() - ip));
      put16(one, ip + 4, get16(whole, ip + 4) + static_cast<unsigned>(segments.size()));
    }
    fill_sums(one);
    segments.push_back(std::move(one));
  }
  return segments;
}

}  // namespace udd::segments
