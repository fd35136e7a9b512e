// SPDX-License-Identifier: Apache-2.0
// TCP and UDP frames as the kernel leaves them to a NIC, and what must come out at the other end.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "udd/base/internet_sum.h"
#include "udd/mem/frame.h"
#include "udd/nic/nic.h"

namespace udd::fake {

/// A frame with facts about it, which are those of struct virtio_net_hdr.
class IpFrame {
 public:
  struct Options {
    bool v4 = true;
    bool tcp = true;
    int vlan = -1;
    std::size_t payload = 100;
    std::uint32_t mark = 1;  ///< what the payload follows from
  };
  static constexpr std::uint8_t kFlags = 0x99;  ///< CWR, ACK, PSH, FIN
  static constexpr std::uint8_t kAck = 0x10;
  static constexpr std::uint8_t kPushAndFin = 0x09;
  static constexpr std::uint32_t kSequence = 0xffff'ff00;
  static constexpr std::uint16_t kId = 0xfffe;

  /// Addressed, with all lengths in it, and the pseudo header's sum where the checksum is to be.
  IpFrame(const MacAddress& to, const MacAddress& from, const Options& options) : options_(options) {
    for (const auto octet : to) put(octet, 1);
    for (const auto octet : from) put(octet, 1);
    if (options.vlan >= 0) {
      put(0x8100, 2);
      put(static_cast<std::uint64_t>(options.vlan), 2);
    }
    put(options.v4 ? 0x0800 : 0x86dd, 2);
    ip_ = octets_.size();
    const std::size_t length = (options.tcp ? kTcpHeader : kUdpHeader) + options.payload;
    if (options.v4) {
      put(0x4500'0000 | (kIpv4Header + length), 4);
      put(std::uint64_t{kId} << 16 | 0x4000, 4);  // don't fragment
      put(64ull << 24 | std::uint64_t{protocol()} << 16, 4);
      put(0x0a00'0001, 4);
      put(0x0a00'0002, 4);
      set(ip_ + 10, static_cast<std::uint16_t>(~internet_sum(view(ip_))));
    } else {
      put(0x6000'0000, 4);
      put(std::uint64_t{length} << 16 | std::uint64_t{protocol()} << 8 | 64, 4);
      for (std::uint64_t host : {1, 2}) {
        put(0xfd00'0000'0000'0000, 8);
        put(host, 8);
      }
    }
    start_ = octets_.size();
    put(0x1234'5678, 4);  // ports
    if (options.tcp) {
      put(kSequence, 4);
      put(0, 4);
      put(0x8000 | kFlags, 2);
      put(1024, 2);
      put(0, 4);
      put(0x0101'080a, 4);  // two NOPs, time-stamps
      put(0x0102'0304'0506'0708, 8);
    } else {
      put(length, 2);
      put(0, 2);
    }
    header_ = octets_.size();
    for (std::size_t i = 0; i < options.payload; ++i) put(options.mark * 31 + i * 7 + i / 256, 1);
    set(start_ + sum_offset(), pseudo_sum(octets_, length));
  }

  [[nodiscard]] std::span<const std::byte> octets() const noexcept { return octets_; }
  [[nodiscard]] std::vector<std::byte>& raw() noexcept { return octets_; }
  [[nodiscard]] std::uint16_t ip() const noexcept { return static_cast<std::uint16_t>(ip_); }
  [[nodiscard]] std::uint16_t start() const noexcept { return static_cast<std::uint16_t>(start_); }
  [[nodiscard]] std::uint16_t sum_offset() const noexcept { return options_.tcp ? 16 : 6; }
  [[nodiscard]] std::uint16_t header() const noexcept { return static_cast<std::uint16_t>(header_); }

  /// The facts as the queues get them. @param segment  0: not to be cut
  [[nodiscard]] TxOffload offload(std::uint16_t segment) const {
    TxOffload offload{.kind = TxOffload::Kind::kChecksum,
                      .tcp = options_.tcp,
                      .sum_from = static_cast<std::uint8_t>(start_),
                      .sum_to = static_cast<std::uint8_t>(start_ + sum_offset())};
    if (segment == 0) return offload;
    offload.kind = options_.v4 ? TxOffload::Kind::kTcp4 : TxOffload::Kind::kTcp6;
    offload.ip = static_cast<std::uint8_t>(ip_);
    offload.header_length = static_cast<std::uint8_t>(header_);
    offload.segment_size = segment;
    return offload;
  }

  /// The frame with its checksum in it, as it must look on the wire when it is not cut.
  [[nodiscard]] std::vector<std::byte> summed() const {
    IpFrame copy = *this;
    copy.set(start_ + sum_offset(), static_cast<std::uint16_t>(~internet_sum(view(start_))));
    return copy.octets_;
  }

  /// That `frames` are this one's segments: headers, sums, payload, in order.
  /// @param last_flags  PSH and FIN of the last: some emulated NIC clears them there, too
  void expect_segments(std::span<const std::vector<std::byte>> frames, std::size_t segment,
                       std::uint8_t last_flags = kPushAndFin) const {
    ASSERT_EQ(frames.size(), (options_.payload + segment - 1) / segment);
    std::size_t sent = 0;
    for (std::size_t number = 0; number < frames.size(); ++number) {
      SCOPED_TRACE(number);
      const std::span<const std::byte> frame = frames[number];
      const std::size_t size = std::min(segment, options_.payload - sent);
      ASSERT_EQ(frame.size(), header_ + size);
      EXPECT_TRUE(std::equal(frame.begin(), frame.begin() + static_cast<std::ptrdiff_t>(ip_), octets_.begin()));
      if (options_.v4) {
        EXPECT_EQ(get(frame, ip_ + 2, 2), frame.size() - ip_);
        EXPECT_EQ(get(frame, ip_ + 4, 2), (kId + number) & 0xffff);
        EXPECT_EQ(internet_sum(frame.subspan(ip_, kIpv4Header)), 0xffff) << "IPv4's sum";
      } else {
        EXPECT_EQ(get(frame, ip_ + 4, 2), frame.size() - ip_ - kIpv6Header);
      }
      const bool last = number + 1 == frames.size();
      EXPECT_EQ(get(frame, start_ + 4, 4), (kSequence + sent) & 0xffff'ffff);
      EXPECT_EQ(get(frame, start_ + 13, 1) & (kAck | kPushAndFin), kAck | (last ? last_flags : 0u));
      EXPECT_EQ(internet_sum(frame.subspan(start_), pseudo_sum(frame, frame.size() - start_)), 0xffff) << "TCP's sum";
      EXPECT_TRUE(std::equal(frame.begin() + static_cast<std::ptrdiff_t>(header_), frame.end(),
                             octets_.begin() + static_cast<std::ptrdiff_t>(header_ + sent)));
      sent += size;
    }
  }

 private:
  static constexpr std::size_t kIpv4Header = 20;
  static constexpr std::size_t kIpv6Header = 40;
  static constexpr std::size_t kTcpHeader = 32;
  static constexpr std::size_t kUdpHeader = 8;

  [[nodiscard]] std::uint8_t protocol() const noexcept { return options_.tcp ? 6 : 17; }
  [[nodiscard]] std::span<const std::byte> view(std::size_t from) const { return octets().subspan(from); }
  void put(std::uint64_t value, std::size_t size) {
    while (size-- != 0) octets_.push_back(static_cast<std::byte>(value >> (8 * size)));
  }
  void set(std::size_t at, std::uint16_t value) {
    octets_[at] = static_cast<std::byte>(value >> 8);
    octets_[at + 1] = static_cast<std::byte>(value);
  }
  [[nodiscard]] static std::uint64_t get(std::span<const std::byte> octets, std::size_t at, std::size_t size) {
    std::uint64_t value = 0;
    for (const std::byte octet : octets.subspan(at, size)) value = value << 8 | std::to_integer<std::uint64_t>(octet);
    return value;
  }
  [[nodiscard]] std::uint16_t pseudo_sum(std::span<const std::byte> frame, std::size_t length) const {
    const auto addresses = options_.v4 ? frame.subspan(ip_ + 12, 8) : frame.subspan(ip_ + 8, 32);
    return internet_sum(addresses, protocol() + static_cast<std::uint32_t>(length));
  }

  Options options_;
  std::vector<std::byte> octets_;
  std::size_t ip_ = 0;
  std::size_t start_ = 0;
  std::size_t header_ = 0;
};

}  // namespace udd::fake
