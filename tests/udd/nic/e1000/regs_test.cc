// SPDX-License-Identifier: Apache-2.0
// The register table: no two registers at one place, all of them aligned and within the BAR.
#include "udd/nic/e1000/regs.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

namespace udd::e1000 {
namespace {

TEST(E1000Regs, EveryRegisterHasAPlaceOfItsOwn) {
  std::map<std::uint32_t, std::string> taken;
  for_each_register([&]<typename R>(const char* name) {
    for (std::uint32_t i = 0; i < R::kCount; ++i) {
      const std::uint32_t offset = offset_of<R>(i);
      EXPECT_EQ(offset % 4, 0u) << name;
      EXPECT_LE(offset + 4, kBarSize) << name;
      const auto [place, is_new] = taken.emplace(offset, name);
      EXPECT_TRUE(is_new) << name << " and " << place->second << " at " << offset;
    }
  });
  EXPECT_GT(taken.size(), 300u) << "tables included";
}

}  // namespace
}  // namespace udd::e1000
