// SPDX-License-Identifier: Apache-2.0
// VFIO objects on descriptors that aren't VFIO's: they say so and leak nothing. On real ones they run in
// tests/contract.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "udd/base/error.h"
#include "udd/vfio/container.h"
#include "udd/vfio/group.h"
#include "udd/vfio/mapping.h"

namespace udd {
namespace {

UniqueFd dev_null() { return UniqueFd(open("/dev/null", O_RDWR | O_CLOEXEC)); }
bool is_open(int fd) { return fcntl(fd, F_GETFD) != -1; }

TEST(VfioContainer, RefusesOtherDescriptorsAndClosesThem) {
  UniqueFd fd = dev_null();
  const int raw = fd.get();
  try {
    const VfioContainer container(std::move(fd));
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.error_number(), ENOTTY);
  }
  EXPECT_FALSE(is_open(raw));
}

TEST(VfioGroup, RefusesOtherDescriptorsAndNamesTheDevice) {
  try {
    const VfioGroup group(dev_null(), "0000:00:03.0");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.error_number(), ENOTTY);
    EXPECT_EQ(error.info().device, "0000:00:03.0");
  }
}

class MappingTest : public ::testing::Test {
 protected:
  MappingTest() : fd_(memfd_create("mapping", MFD_CLOEXEC)) {
    if (ftruncate(fd_.get(), kSize) != 0) throw std::system_error(errno, std::generic_category());
  }
  static constexpr std::size_t kSize = 8192;
  UniqueFd fd_;
};

TEST_F(MappingTest, IsShared) {
  const Mapping one(fd_.get(), 0, kSize, "test", "memfd");
  const Mapping two(fd_.get(), 0, kSize, "test", "memfd");
  one.memory()[kSize - 1] = std::byte{42};
  EXPECT_EQ(two.memory()[kSize - 1], std::byte{42});
}

TEST_F(MappingTest, ForkedChildrenDoNotHaveIt) {
  const Mapping mapping(fd_.get(), 0, kSize, "test", "memfd");
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    // mincore fails with ENOMEM where nothing is mapped, without touching it.
    unsigned char pages[2];
    _exit(mincore(mapping.memory().data(), kSize, pages) == -1 && errno == ENOMEM ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

TEST_F(MappingTest, MovesAndUnmaps) {
  Mapping one(fd_.get(), 0, kSize, "test", "memfd");
  std::byte* const address = one.memory().data();
  Mapping two(std::move(one));
  EXPECT_TRUE(one.memory().empty());  // NOLINT(bugprone-use-after-move): that is the test
  EXPECT_EQ(two.memory().data(), address);
  two.reset();
  unsigned char pages[2];
  EXPECT_EQ(mincore(address, kSize, pages), -1);
}

TEST(Mapping, SaysWhatItCouldNotMap) {
  try {
    const Mapping mapping(-1, 0, 4096, "BAR 0", "0000:00:03.0");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.error_number(), EBADF);
    EXPECT_EQ(error.info().what, "map BAR 0");
  }
}

}  // namespace
}  // namespace udd
