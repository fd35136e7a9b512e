// SPDX-License-Identifier: Apache-2.0
// Whose frame is it: EtherTypes, one VLAN tag, addresses and groups; and rules that are refused.
#include "udd/steer/steering.h"

#include <gtest/gtest.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "udd/base/error.h"

namespace udd {
namespace {

using Verdict = Steering::Verdict;

constexpr MacAddress kOwn = {0x52, 0x54, 0x00, 0x00, 0x00, 0x00};
constexpr MacAddress kOther = {0x52, 0x54, 0x00, 0x00, 0x00, 0x01};
constexpr MacAddress kGroup = {0x01, 0x00, 0x5e, 0x11, 0x22, 0x33};
constexpr MacAddress kBroadcast = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
constexpr std::uint16_t kMine = 0x88b5;

SteeringRule ethertype(std::uint16_t type) { return {SteeringRule::Kind::kEtherType, type}; }

// Exactly as long as it must be: AddressSanitizer sees who reads further.
std::vector<std::byte> frame(const MacAddress& to, std::vector<std::uint16_t> types) {
  std::vector<std::byte> octets;
  for (const auto octet : to) octets.push_back(std::byte{octet});
  for (int i = 0; i < 6; ++i) octets.push_back(std::byte{0x02});
  for (std::size_t i = 0; i < types.size(); ++i) {
    if (i != 0) octets.insert(octets.end(), {std::byte{0x00}, std::byte{0x05}});  // the tag's VLAN id
    octets.push_back(static_cast<std::byte>(types[i] >> 8));
    octets.push_back(static_cast<std::byte>(types[i] & 0xff));
  }
  return octets;
}

Steering steering(std::vector<SteeringRule> rules = {ethertype(kMine)}) {
  Steering result(rules);
  result.set_mac(kOwn);
  return result;
}

Verdict verdict(const Steering& steering, const MacAddress& to, std::vector<std::uint16_t> types) {
  const std::vector<std::byte> octets = frame(to, std::move(types));
  return steering.classify(octets.data(), octets.size());
}

TEST(Steering, EtherTypeDecides) {
  const Steering s = steering();
  EXPECT_EQ(verdict(s, kOwn, {kMine}), Verdict::kApplication);
  for (const std::uint16_t type :
       std::to_array<std::uint16_t>({0x0800, 0x0806, 0x86dd, 0x88b6, 0xb588, 0x88b4, 0x0000, 0xffff, 0x05dc})) {
    EXPECT_EQ(verdict(s, kOwn, {type}), Verdict::kKernel) << type;
  }
}

TEST(Steering, AddressDecidesWhetherItIsForUs) {
  const Steering s = steering();
  EXPECT_EQ(verdict(s, kBroadcast, {kMine}), Verdict::kApplication);
  EXPECT_EQ(verdict(s, kOther, {kMine}), Verdict::kForeign);
  EXPECT_EQ(verdict(s, kGroup, {kMine}), Verdict::kForeign);
  EXPECT_EQ(verdict(s, kOther, {0x0800}), Verdict::kKernel) << "foreign is only what a rule matches";
  // each octet of the address counts, and none of the source's
  for (std::size_t i = 0; i < kOwn.size(); ++i) {
    MacAddress nearly = kOwn;
    nearly[i] ^= 0x40;
    EXPECT_EQ(verdict(s, nearly, {kMine}), Verdict::kForeign) << i;
  }
}

TEST(Steering, AddressChanges) {
  Steering s = steering();
  s.set_mac(kOther);
  EXPECT_EQ(verdict(s, kOther, {kMine}), Verdict::kApplication);
  EXPECT_EQ(verdict(s, kOwn, {kMine}), Verdict::kForeign);
}

TEST(Steering, LooksThroughOneTag) {
  const Steering s = steering();
  EXPECT_EQ(verdict(s, kOwn, {0x8100, kMine}), Verdict::kApplication);
  EXPECT_EQ(verdict(s, kOwn, {0x88a8, kMine}), Verdict::kApplication);
  EXPECT_EQ(verdict(s, kOther, {0x8100, kMine}), Verdict::kForeign);
  EXPECT_EQ(verdict(s, kOwn, {0x8100, 0x0800}), Verdict::kKernel);
  EXPECT_EQ(verdict(s, kOwn, {0x88a8, 0x8100, kMine}), Verdict::kKernel) << "two tags are the kernel's";
  EXPECT_EQ(verdict(s, kOwn, {0x9100, kMine}), Verdict::kKernel) << "no tag that IEEE knows";
}

TEST(Steering, TagWithoutATypeBehindIt) {
  const Steering s = steering();
  std::vector<std::byte> octets = frame(kOwn, {0x8100, kMine});
  while (octets.size() > Steering::kHeaderLength) {
    octets.pop_back();
    const std::vector<std::byte> piece(octets);  // of this very length
    EXPECT_EQ(s.classify(piece.data(), piece.size()), Verdict::kKernel) << piece.size();
  }
}

TEST(Steering, EveryRuleOfManyCounts) {
  std::vector<SteeringRule> rules;
  for (std::size_t i = 0; i < Steering::kMaxRules; ++i)
    rules.push_back(ethertype(static_cast<std::uint16_t>(kMine + i)));
  const Steering s = steering(rules);
  for (const SteeringRule& rule : rules) {
    EXPECT_EQ(verdict(s, kOwn, {rule.ethertype}), Verdict::kApplication) << rule.ethertype;
    EXPECT_EQ(verdict(s, kOwn, {0x8100, rule.ethertype}), Verdict::kApplication) << rule.ethertype;
  }
  EXPECT_EQ(verdict(s, kOwn, {static_cast<std::uint16_t>(kMine + Steering::kMaxRules)}), Verdict::kKernel);
  // places of the table that hold no rule match nothing, type 0 neither
  EXPECT_EQ(verdict(steering(), kOwn, {0x0000}), Verdict::kKernel);
}

TEST(Steering, GroupsAreJoinedAndLeft) {
  Steering s = steering();
  EXPECT_TRUE(s.join(kGroup));
  EXPECT_FALSE(s.join(kGroup)) << "joined already";
  EXPECT_EQ(s.groups().size(), 1u);
  EXPECT_EQ(verdict(s, kGroup, {kMine}), Verdict::kApplication);
  EXPECT_EQ(verdict(s, kGroup, {0x8100, kMine}), Verdict::kApplication);
  EXPECT_EQ(verdict(s, kGroup, {0x0800}), Verdict::kKernel);
  MacAddress neighbour = kGroup;
  neighbour[5] ^= 1;
  EXPECT_EQ(verdict(s, neighbour, {kMine}), Verdict::kForeign);
  EXPECT_FALSE(s.leave(neighbour));
  EXPECT_TRUE(s.leave(kGroup));
  EXPECT_FALSE(s.leave(kGroup)) << "left already";
  EXPECT_EQ(verdict(s, kGroup, {kMine}), Verdict::kForeign);
}

// ---- refusals: code EINVAL, and a sentence that names the culprit ----

template <typename F>
void expect_refused(F&& f, const std::string& said) {
  try {
    f();
    ADD_FAILURE() << "accepted: " << said;
  } catch (const Error& error) {
    EXPECT_EQ(error.code().value(), EINVAL);
    EXPECT_NE(std::string(error.what()).find(said), std::string::npos) << error.what();
  }
}

TEST(Steering, RefusesRulesThatCannotWork) {
  expect_refused([] { steering({}); }, "no EtherType");
  expect_refused([] { steering(std::vector<SteeringRule>(Steering::kMaxRules + 1, ethertype(kMine))); }, "17 rules");
  for (const std::uint16_t length : std::to_array<std::uint16_t>({0x0000, 0x0001, 0x05dc, 0x05ff})) {
    expect_refused([length] { steering({ethertype(length)}); }, "is a length");
  }
  for (const std::uint16_t tag : std::to_array<std::uint16_t>({0x8100, 0x88a8})) {
    expect_refused([tag] { steering({ethertype(kMine), ethertype(tag)}); }, "VLAN tag");
  }
  EXPECT_NO_THROW(steering({ethertype(0x0600)}));
}

TEST(Steering, RefusesToJoinAStation) {
  Steering s = steering();
  expect_refused([&s] { s.join(kOwn); }, "a station's");
  EXPECT_TRUE(s.groups().empty());
}

}  // namespace
}  // namespace udd
