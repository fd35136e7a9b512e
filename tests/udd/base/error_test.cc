// SPDX-License-Identifier: Apache-2.0
// udd::Error says all it was given, in one sentence.
#include "udd/base/error.h"

#include <gtest/gtest.h>

#include <cerrno>

namespace udd {
namespace {

TEST(Error, SaysWhatOnWhichDeviceWhyAndWhatToDo) {
  const Error error(EBUSY, {.what = "open the group", .device = "0000:00:03.0", .why = "taken", .advice = "wait"});
  EXPECT_STREQ(error.what(), "open the group (0000:00:03.0): taken [Device or resource busy]; wait");
  EXPECT_EQ(error.error_number(), EBUSY);
  EXPECT_EQ(error.code(), std::errc::device_or_resource_busy);
  EXPECT_EQ(error.info().device, "0000:00:03.0");
}

TEST(Error, LeavesOutWhatIsUnknown) {
  const Error error(ENOENT, {.what = "open it", .device = {}, .why = {}, .advice = {}});
  EXPECT_STREQ(error.what(), "open it: No such file or directory");
}

TEST(Error, IsASystemError) {
  try {
    throw Error(ENODEV, {.what = "a", .device = {}, .why = {}, .advice = {}});
  } catch (const std::system_error& error) {
    EXPECT_EQ(error.code().value(), ENODEV);
  }
}

}  // namespace
}  // namespace udd
