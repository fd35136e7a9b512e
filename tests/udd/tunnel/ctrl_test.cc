// SPDX-License-Identifier: Apache-2.0
// What the kernel publishes of its window is believed only where it makes sense.
#include "udd/tunnel/ctrl.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <functional>

#include "tests/fake/kernel_end.h"
#include "udd/base/error.h"

namespace udd {
namespace {

using fake::KernelEnd;

constexpr std::uint32_t kSlots = 4;

class CtrlWindow : public ::testing::Test {
 protected:
  CtrlWindow() : kernel_({.features = NDD_F_WINDOW, .window_slots = kSlots}) {}

  ndd_ctrl& header() { return *static_cast<ndd_ctrl*>(static_cast<void*>(kernel_.areas().ctrl.data())); }
  /// Would an area with this change be believed?
  bool good(const std::function<void(ndd_ctrl&)>& change) {
    const ndd_ctrl before = header();
    change(header());
    bool result = true;
    try {
      static_cast<void>(CtrlArea(kernel_.areas().ctrl));
    } catch (const Error& error) {
      EXPECT_EQ(error.error_number(), EPROTO);
      result = false;
    }
    header() = before;
    return result;
  }

  KernelEnd kernel_;
};

TEST_F(CtrlWindow, IsFoundWhereItIs) {
  const CtrlArea ctrl(kernel_.areas().ctrl);
  EXPECT_EQ(ctrl.header().window_iova, KernelEnd::kWindowIova);
  EXPECT_EQ(ctrl.header().window_size, kSlots * NDD_WINDOW_SLOT);
}

TEST_F(CtrlWindow, GoesWithItsFeature) {
  EXPECT_FALSE(good([](ndd_ctrl& ctrl) { ctrl.features = 0; }));
  EXPECT_FALSE(good([](ndd_ctrl& ctrl) { ctrl.window_size = 0; }));
  EXPECT_TRUE(good([](ndd_ctrl& ctrl) {
    ctrl.features = 0;
    ctrl.window_size = 0;
  }));
}

TEST_F(CtrlWindow, IsOfWholeSlots) {
  EXPECT_FALSE(good([](ndd_ctrl& ctrl) { ctrl.window_iova += 4096; }));
  EXPECT_FALSE(good([](ndd_ctrl& ctrl) { ctrl.window_size -= 1; }));
  EXPECT_FALSE(good([](ndd_ctrl& ctrl) { ctrl.window_iova = -std::uint64_t{NDD_WINDOW_SLOT}; })) << "wraps";
  EXPECT_FALSE(good([](ndd_ctrl& ctrl) { ctrl.window_size = 1ull << 48; })) << "more than a token can name";
}

TEST_F(CtrlWindow, IsNoneOfThePool) {
  const std::uint64_t pool = KernelEnd::kPoolIova;
  EXPECT_TRUE(good([&](ndd_ctrl& ctrl) { ctrl.window_iova = pool - ctrl.window_size; }));
  EXPECT_FALSE(good([&](ndd_ctrl& ctrl) { ctrl.window_iova = pool - ctrl.window_size + NDD_WINDOW_SLOT; }));
  EXPECT_FALSE(good([&](ndd_ctrl& ctrl) { ctrl.window_iova = pool + 1024 * NDD_BUF_SIZE - NDD_WINDOW_SLOT; }));
  EXPECT_TRUE(good([&](ndd_ctrl& ctrl) { ctrl.window_iova = pool + 1024 * NDD_BUF_SIZE; }));
}

TEST(Ctrl, FeaturesFollowWhatTheNicOffers) {
  EXPECT_EQ(features_of({}), 0u);
  EXPECT_EQ(features_of({.window = true}), NDD_F_WINDOW);
  EXPECT_EQ(features_of({.tx_checksum = true, .tso4 = true}), NDD_F_TX_CSUM | NDD_F_TSO4);
  EXPECT_EQ(features_of({.tso6 = true, .rx_checksum = true}), NDD_F_TSO6 | NDD_F_OFFLOAD);
}

}  // namespace
}  // namespace udd
