// SPDX-License-Identifier: Apache-2.0
// Whose frame is it, the application's or the kernel's? Asked for every frame between the NIC's receive ring and the
// two sides. Rules are data, and this is the one place where they are checked.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "udd/nic/nic.h"

namespace udd {

/// One thing that makes a frame the application's. New kinds get a new enumerator and a case in Steering.
struct SteeringRule {
  enum class Kind : std::uint8_t { kEtherType };
  Kind kind = Kind::kEtherType;
  std::uint16_t ethertype = 0;  ///< host order; looked for behind one VLAN tag, too
};

/// A 16-bit field as it is loaded from a frame.
[[nodiscard]] constexpr std::uint16_t wire_order(std::uint16_t value) noexcept {
  static_assert(std::endian::native == std::endian::little);
  return static_cast<std::uint16_t>(value << 8 | value >> 8);
}

/// Thread: one at a time (whoever services the port).
class Steering {
 public:
  enum class Verdict : std::uint8_t {
    kKernel,       ///< no rule matches
    kApplication,  ///< a rule matches, and the frame is addressed to the application
    kForeign,      ///< a rule matches, but it is addressed to somebody else: the kernel's, and worth counting
  };
  static constexpr std::size_t kMaxRules = 16;

  /// No rule: every frame is the kernel's.
  Steering() noexcept = default;
  /// Throws udd::Error (EINVAL): no rule, too many, or an EtherType that is a length or a VLAN tag.
  explicit Steering(std::span<const SteeringRule> rules);

  [[nodiscard]] bool empty() const noexcept { return type_count_ == 0; }

  void set_mac(const MacAddress& mac) noexcept;
  /// @return false if the group was joined (left) already. Throws udd::Error (EINVAL) if it is no group address.
  bool join(const MacAddress& group);
  bool leave(const MacAddress& group) noexcept;
  [[nodiscard]] std::span<const MacAddress> groups() const noexcept { return groups_; }

  /// The frames that most are: of the first EtherType, to the port's own address. The service loop keeps a copy.
  class Commonest {
   public:
    Commonest(std::uint16_t type, std::uint64_t mac) noexcept : type_(type), mac_(mac) {}
    /// @param frame  kHeaderLength octets at least. False says nothing: ask classify().
    [[nodiscard]] bool matches(const std::byte* frame) const noexcept {
      return load<std::uint16_t>(frame + kTypeOffset) == type_ &&
             (load<std::uint64_t>(frame) ^ mac_) << kBehindAddress == 0;
    }

   private:
    std::uint16_t type_;
    std::uint64_t mac_;
  };
  [[nodiscard]] Commonest commonest() const noexcept { return {types_[0], mac_}; }

  /// @param frame   from the destination address on
  /// @param length  octets of it in this piece, at least kHeaderLength
  /// Cost for a single EtherType: 8 instructions for a frame of the application's.
  [[nodiscard]] Verdict classify(const std::byte* frame, std::size_t length) const noexcept {
    const std::uint16_t type = load<std::uint16_t>(frame + kTypeOffset);
    if (type != types_[0] && !matches_otherwise(type, frame, length)) return Verdict::kKernel;
    if ((load<std::uint64_t>(frame) & kAddressMask) == mac_) [[likely]]
      return Verdict::kApplication;
    return is_joined(load<std::uint64_t>(frame) & kAddressMask) ? Verdict::kApplication : Verdict::kForeign;
  }

  static constexpr std::size_t kHeaderLength = 14;

 private:
  static constexpr std::uint16_t kNoType = 0xffff;  ///< reserved (IANA, IEEE 802 numbers): nobody's
  static constexpr std::size_t kTypeOffset = 12;
  static constexpr std::size_t kTagLength = 4;
  /// The first six octets of eight, which is also the broadcast address.
  static constexpr std::uint64_t kAddressMask = 0xffff'ffff'ffffull;
  static constexpr unsigned kBehindAddress = 16;  ///< bits

  static constexpr std::uint16_t kTagTypes[] = {wire_order(0x8100), wire_order(0x88a8)};  // IEEE 802.1Q-2018 table 9-1

  template <typename T>
  static T load(const std::byte* from) noexcept {
    T value;
    std::memcpy(&value, from, sizeof(value));
    return value;
  }

  [[nodiscard]] bool matches_otherwise(std::uint16_t type, const std::byte* frame, std::size_t length) const noexcept {
    if (type == kTagTypes[0] || type == kTagTypes[1]) {
      if (length < kHeaderLength + kTagLength) return false;
      type = load<std::uint16_t>(frame + kTypeOffset + kTagLength);
      if (type == types_[0]) return true;
    }
    for (std::size_t i = 1; i < type_count_; ++i) {
      if (type == types_[i]) return true;
    }
    return false;
  }
  [[nodiscard]] bool is_joined(std::uint64_t address) const noexcept;

  std::uint64_t mac_ = 0;                                ///< as it stands in a frame's first eight octets
  std::array<std::uint16_t, kMaxRules> types_{kNoType};  ///< in wire order
  std::size_t type_count_ = 0;
  std::vector<MacAddress> groups_;
};

}  // namespace udd
