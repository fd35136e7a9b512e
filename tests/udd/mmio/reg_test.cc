// SPDX-License-Identifier: Apache-2.0
// Typed registers: fields land where they belong and nothing else is written.
#include "udd/mmio/reg.h"

#include <gtest/gtest.h>

#include <array>
#include <cerrno>

#include "tests/fake/fake_mmio.h"

namespace udd {
namespace {

struct Control : Reg<0x10, Access::kReadWrite> {
  using Enable = Field<1, 1>;
  using Size = Field<17, 16>;
  using All = Field<31, 0>;
};
struct Table : Reg<0x20, Access::kReadWrite, 4, 8> {};

class RegTest : public ::testing::Test {
 protected:
  fake::FakeMmio io_{0x100};
};

TEST_F(RegTest, ModifyKeepsOtherBits) {
  io_.word(0x10) = 0xfff00000;
  modify<Control>(io_, Control::Enable(1), Control::Size(2));
  EXPECT_EQ(io_.word(0x10), 0xfff20002u);
  modify<Control>(io_, Control::Size(1));
  EXPECT_EQ(io_.word(0x10), 0xfff10002u);
  EXPECT_EQ(io_.writes().size(), 2u);
}

TEST_F(RegTest, WriteClearsOtherBits) {
  io_.word(0x10) = 0xffffffff;
  write_reg<Control>(io_, Control::Enable(1));
  EXPECT_EQ(io_.word(0x10), 2u);
  EXPECT_TRUE(io_.reads().empty());
}

TEST_F(RegTest, ValuesFromRunTimeAreCutToTheField) {
  write_reg<Control>(io_, Control::Size::from(7));
  EXPECT_EQ(io_.word(0x10), 0x30000u);
  static_assert(Control::All::kMax == 0xffffffff);
  EXPECT_EQ(read_reg<Control>(io_).get<Control::Size>(), 3u);
}

TEST_F(RegTest, TablesHaveTheirStrideAndStayInside) {
  write_raw<Table>(io_, 7, 3);
  EXPECT_EQ(io_.word(0x38), 7u);
  write_raw<Table>(io_, 9, 4);
  EXPECT_EQ(io_.word(0x20), 9u) << "an index too large wraps";
}

TEST_F(RegTest, PollWaitsForTheFieldOnly) {
  int reads = 0;
  io_.on_read(0x10, [&] { return ++reads < 4 ? 0x40u : 0x42u; });
  EXPECT_TRUE((poll_until<Control, Control::Enable>(io_, 1, std::chrono::seconds(5), "test")));
  EXPECT_EQ(reads, 4);
}

TEST_F(RegTest, PollEnds) {
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_FALSE((poll_until<Control, Control::Enable>(io_, 1, std::chrono::milliseconds(2), "test")));
  EXPECT_GE(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(2));
}

TEST_F(RegTest, PollTellsThatTheDeviceIsGone) {
  io_.set_gone(true);
  try {
    static_cast<void>(poll_until<Control, Control::Enable>(io_, 1, std::chrono::seconds(5), "0000:00:03.0"));
    FAIL() << "all ones has the wanted bit set, and must not be believed";
  } catch (const Error& error) {
    EXPECT_EQ(error.error_number(), ENODEV);
    EXPECT_EQ(error.info().device, "0000:00:03.0");
  }
}

TEST(Mmio, ReachesTheMappingsWords) {
  alignas(4) std::array<std::byte, 64> bar{};
  Mmio io(bar);
  io.write32(8, 0x11223344);
  EXPECT_EQ(io.read32(8), 0x11223344u);
  EXPECT_EQ(bar[8], std::byte{0x44});
  io.doorbell(12).ring(5);
  EXPECT_EQ(io.read32(12), 5u);
  EXPECT_EQ(io.read32(4), 0u);
  EXPECT_EQ(io.size(), bar.size());
}

}  // namespace
}  // namespace udd
