// SPDX-License-Identifier: Apache-2.0
// Each way a GoogleTest case can end; the lab must tell them apart, and go on after a crash.
#include <gtest/gtest.h>

#include <cstdlib>
#include <thread>

TEST(Outcome, Fine) {}
TEST(Outcome, Failed) { EXPECT_EQ(1, 2) << "as expected"; }
TEST(Outcome, Skipped) { GTEST_SKIP() << "no such thing here"; }
TEST(Outcome, Crashed) { abort(); }
TEST(Outcome, Hung) { std::this_thread::sleep_for(std::chrono::hours(1)); }
TEST(Outcome, FineAfterwards) {}
