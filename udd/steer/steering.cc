// SPDX-License-Identifier: Apache-2.0
// Steering: checks of the rules, and the addresses that are rarely met.
#include "udd/steer/steering.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

#include "udd/base/error.h"

namespace udd {
namespace {

// IEEE 802.3-2018 3.2.6: below this the field is a length.
constexpr std::uint16_t kFirstEtherType = 0x0600;

[[noreturn]] void throw_bad(const std::string& what, const std::string& why, const std::string& advice) {
  throw Error(EINVAL, {.what = what, .device = {}, .why = why, .advice = advice});
}

std::uint64_t as_word(const MacAddress& address) noexcept {
  std::uint64_t word = 0;
  std::memcpy(&word, address.data(), address.size());
  return word;
}

}  // namespace

Steering::Steering(std::span<const SteeringRule> rules) {
  if (rules.empty()) {
    throw_bad("set up steering", "no EtherType is the application's",
              "name at least one, such as 0x88B5 (IEEE 802: local experiments)");
  }
  if (rules.size() > kMaxRules) {
    throw_bad("set up steering", fmt::format("{} rules, at most {} are possible", rules.size(), kMaxRules),
              "use fewer EtherTypes and tell your messages apart in their payload");
  }
  for (const SteeringRule& rule : rules) {
    switch (rule.kind) {
      case SteeringRule::Kind::kEtherType: {
        const std::uint16_t type = wire_order(rule.ethertype);
        if (rule.ethertype < kFirstEtherType) {
          throw_bad("set up steering", fmt::format("0x{:04X} is a length, no EtherType", rule.ethertype),
                    "EtherTypes start at 0x0600");
        }
        if (std::ranges::find(kTagTypes, type) != std::end(kTagTypes)) {
          throw_bad("set up steering", fmt::format("0x{:04X} is a VLAN tag", rule.ethertype),
                    "name the EtherType behind the tag: one tag is looked through");
        }
        types_[type_count_++] = type;
        break;
      }
    }
  }
}

void Steering::set_mac(const MacAddress& mac) noexcept { mac_ = as_word(mac); }

bool Steering::join(const MacAddress& group) {
  if ((group[0] & 1) == 0) {
    throw_bad("join a group", "the address is a station's, not a group's", "a group address's first octet is odd");
  }
  if (std::ranges::find(groups_, group) != groups_.end()) return false;
  groups_.push_back(group);
  return true;
}

bool Steering::leave(const MacAddress& group) noexcept {
  const auto found = std::ranges::find(groups_, group);
  if (found == groups_.end()) return false;
  groups_.erase(found);
  return true;
}

bool Steering::is_joined(std::uint64_t address) const noexcept {
  if (address == kAddressMask) return true;  // broadcast
  return std::ranges::any_of(groups_, [address](const MacAddress& group) { return as_word(group) == address; });
}

}  // namespace udd
