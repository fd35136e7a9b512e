// SPDX-License-Identifier: Apache-2.0
// UniqueFd and ScopeExit release exactly once; units don't mix.
#include <fcntl.h>
#include <gtest/gtest.h>

#include <type_traits>

#include "udd/base/scope_exit.h"
#include "udd/base/unique_fd.h"
#include "udd/base/units.h"

namespace udd {
namespace {

bool is_open(int fd) { return fcntl(fd, F_GETFD) != -1; }

TEST(UniqueFd, ClosesWhatItHolds) {
  const int raw = open("/dev/null", O_RDONLY | O_CLOEXEC);
  {
    const UniqueFd fd(raw);
    EXPECT_TRUE(is_open(raw));
  }
  EXPECT_FALSE(is_open(raw));
}

TEST(UniqueFd, MovesAndReleases) {
  UniqueFd first(open("/dev/null", O_RDONLY | O_CLOEXEC));
  const int raw = first.get();
  UniqueFd second(std::move(first));
  EXPECT_EQ(second.get(), raw);
  UniqueFd third(open("/dev/null", O_RDONLY | O_CLOEXEC));
  const int replaced = third.get();
  third = std::move(second);
  EXPECT_FALSE(is_open(replaced));
  EXPECT_EQ(third.release(), raw);
  EXPECT_FALSE(third);
  EXPECT_TRUE(is_open(raw));
  close(raw);
}

TEST(UniqueFd, NoneIsNotZero) {
  const UniqueFd none;
  EXPECT_EQ(none.get(), -1);
  EXPECT_FALSE(none);
}

TEST(ScopeExit, UndoesUnlessReleased) {
  int undone = 0;
  {
    const ScopeExit undo([&] { ++undone; });
  }
  EXPECT_EQ(undone, 1);
  {
    ScopeExit undo([&] { ++undone; });
    undo.release();
  }
  EXPECT_EQ(undone, 1);
}

TEST(Units, DoNotMix) {
  static_assert(!std::is_convertible_v<std::uint64_t, Iova> && !std::is_convertible_v<std::uint64_t, Bytes>);
  static_assert(!std::is_convertible_v<Iova, Bytes> && !std::is_convertible_v<Iova, std::uint64_t>);
  EXPECT_EQ(Iova{0x1000} + Bytes{16} * 2, Iova{0x1020});
  EXPECT_EQ(Iova{0x1020} - Iova{0x1000}, Bytes{0x20});
  EXPECT_LT(Iova{1}, Iova{2});
}

}  // namespace
}  // namespace udd
