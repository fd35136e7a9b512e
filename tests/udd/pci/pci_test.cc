// SPDX-License-Identifier: Apache-2.0
// PCI addresses as text, and a sysfs made of files.
#include <gtest/gtest.h>
#include <stdlib.h>

#include <cerrno>
#include <filesystem>
#include <fstream>

#include "udd/base/error.h"
#include "udd/pci/bdf.h"
#include "udd/pci/sysfs.h"

namespace udd {
namespace {

namespace fs = std::filesystem;

TEST(Bdf, RoundTrips) {
  const auto bdf = Bdf::parse("0001:0a:1f.7");
  ASSERT_TRUE(bdf);
  EXPECT_EQ(*bdf, (Bdf{.domain = 1, .bus = 10, .device = 31, .function = 7}));
  EXPECT_EQ(bdf->to_string(), "0001:0a:1f.7");
}

TEST(Bdf, RefusesEverythingElse) {
  for (const char* text : {"", "00:03.0", "0000:00:03", "0000:00:20.0", "0000:00:03.8", "0000:00:03.0 ", "0000-00:03.0",
                           "000g:00:03.0", "0x00:00:03.0", "0000:-1:03.0", "eth0"}) {
    EXPECT_FALSE(Bdf::parse(text)) << text;
  }
}

TEST(PciId, IsTextAsLspciShowsIt) { EXPECT_EQ((PciId{.vendor = 0x8086, .device = 0x10d3}).to_string(), "8086:10d3"); }

class SysfsTest : public ::testing::Test {
 protected:
  SysfsTest() {
    char name[] = "/tmp/udd-sysfs-XXXXXX";
    root_ = mkdtemp(name);
    const fs::path device = root_ / "devices/pci0000:00/0000:00:03.0";
    fs::create_directories(device);
    fs::create_directories(root_ / "bus/pci/devices");
    fs::create_directories(root_ / "bus/pci/drivers/e1000e");
    fs::create_directories(root_ / "class/net/eth0");
    fs::create_directories(root_ / "class/net/ndd0");
    fs::create_directories(root_ / "class/net/lo");
    fs::create_directory_symlink(device, root_ / "bus/pci/devices/0000:00:03.0");
    fs::create_directory_symlink(root_ / "bus/pci/drivers/e1000e", device / "driver");
    fs::create_directory_symlink(device, root_ / "class/net/eth0/device");
    fs::create_directory_symlink(root_ / "class/net/eth0", root_ / "class/net/ndd0/lower_eth0");
    std::ofstream(device / "vendor") << "0x8086\n";
    std::ofstream(device / "device") << "0x10d3\n";
  }
  ~SysfsTest() override { fs::remove_all(root_); }

  const Bdf bdf_{.device = 3};
  fs::path root_;
};

TEST_F(SysfsTest, FindsTheDeviceBehindANetdev) {
  const Sysfs sysfs(root_);
  EXPECT_EQ(sysfs.pci_of_netdev("eth0"), bdf_);
  EXPECT_EQ(sysfs.pci_of_netdev("ndd0"), bdf_) << "stacked on eth0";
  EXPECT_EQ(sysfs.pci_of_netdev("lo"), std::nullopt);
  EXPECT_EQ(sysfs.pci_of_netdev("nothing"), std::nullopt);
  EXPECT_EQ(sysfs.pci_of_netdev("../net/eth0"), std::nullopt);
  EXPECT_EQ(sysfs.pci_of_netdev(""), std::nullopt);
}

TEST_F(SysfsTest, ReadsIdAndDriver) {
  const Sysfs sysfs(root_);
  EXPECT_EQ(sysfs.id(bdf_), (PciId{.vendor = 0x8086, .device = 0x10d3}));
  EXPECT_EQ(sysfs.driver(bdf_), "e1000e");
  fs::remove(root_ / "devices/pci0000:00/0000:00:03.0/driver");
  EXPECT_EQ(sysfs.driver(bdf_), "");
}

TEST_F(SysfsTest, SaysThatADeviceIsNotThere) {
  try {
    static_cast<void>(Sysfs(root_).id({.device = 4}));
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.error_number(), ENODEV);
    EXPECT_EQ(error.info().device, "0000:00:04.0");
  }
}

}  // namespace
}  // namespace udd
