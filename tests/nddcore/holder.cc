// SPDX-License-Identifier: Apache-2.0
// Takes a port with bare ioctls, no library: what nddcore hands out, what it refuses, and how the end looks.
//
//   holder take PORT            take, open the device, map its registers, start, sleep; "ready" once there
//   holder unopened PORT        take, and open nothing
//   holder forked PORT          as take; then a child that has inherited everything stays, its pid in /run/lab/child
//   holder leaving PORT SECONDS   take with a watchdog of 200 ms, give back, and sleep before the end
//   holder checks PORT          try what the VFIO device must refuse, and what VFIO mappings must not change; give back
//   holder armed PORT PHYS      point the receive ring at that physical address and arm it, start, sleep
//   holder info PORT            open the node, wait until nddcore has been unloaded, and ask the node what it is
//   holder canary               keep two pages: receive descriptors, and the page that they point at; print the
//                               physical address of the first, and "changed" once one of them is not what it was
//
// PORT is a PCI address. Failures go to stderr; exit status 1.
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <span>
#include <string>
#include <vector>

#include "tests/tools/held.h"
#include "tests/tools/nic82574.h"

namespace {

using held::check;
using held::die;
using held::expect;
using held::expect_errno;
using held::kDescriptors;
using held::kPage;
using held::LegacyDescriptor;
using held::Registers;
using held::say;

constexpr uint64_t kForeignIova = 0x10000000;  // of the process's own making, outside pool and window

[[noreturn]] void sleep_for_good() {
  say("ready");
  for (;;) pause();
}

struct Held : held::Held {
  void* bar = nullptr;

  explicit Held(const std::string& port) : held::Held(port) {
    take.features = NDD_F_WINDOW;
    // it services nothing; what ends it is the test, not the watchdog
    take.watch.interval_us = 60'000'000;
  }

  void take_port() {
    held::Held::take_port();
    say("taken");
    map_areas();
  }

  void open_device() {
    held::Held::open_device();
    bar = held::map_registers(*this);
  }

  void map_dma(uint64_t iova, void* memory, size_t size, bool wanted) {
    vfio_iommu_type1_dma_map dma{};
    dma.argsz = sizeof(dma);
    dma.flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE;
    dma.vaddr = reinterpret_cast<uint64_t>(memory);
    dma.iova = iova;
    dma.size = size;
    if (ioctl(container, VFIO_IOMMU_MAP_DMA, &dma) < 0 && wanted) die("VFIO_IOMMU_MAP_DMA");
  }

  void unmap_dma(uint64_t iova, size_t size, uint32_t flags = 0) {
    vfio_iommu_type1_dma_unmap dma{};
    dma.argsz = sizeof(dma);
    dma.flags = flags;
    dma.iova = iova;
    dma.size = size;
    check(ioctl(container, VFIO_IOMMU_UNMAP_DMA, &dma), "VFIO_IOMMU_UNMAP_DMA");
  }

  // Have the NIC send one frame from the pool; whether it fetched the descriptor there and wrote back that it is done.
  bool nic_reaches_pool() {
    held::TransmitRing ring(*this, Registers(bar));
    uint8_t* frame = pool + kPage;
    std::memset(frame, 0xff, 12);
    frame[12] = 0x88;
    frame[13] = 0xb5;
    ring.add(take.pool_iova + kPage, 60, true);
    return ring.send();
  }
};

void check_config_space(const Held& held) {
  vfio_region_info info{};
  info.argsz = sizeof(info);
  info.index = VFIO_PCI_CONFIG_REGION_INDEX;
  check(ioctl(held.device, VFIO_DEVICE_GET_REGION_INFO, &info), "region info of configuration space");
  expect(info.flags == VFIO_REGION_INFO_FLAG_READ, "configuration space says it is read only");
  const auto at = static_cast<off_t>(info.offset);
  uint32_t id = 0;
  expect(pread(held.device, &id, sizeof(id), at) == sizeof(id) && (id & 0xffff) == 0x8086, "vendor id is readable");
  uint16_t command = 0;
  expect(pread(held.device, &command, sizeof(command), at + 4) == 2, "command register is readable");
  expect(command & 4, "bus mastering is on");
  const uint16_t off = 0;
  expect_errno(static_cast<int>(pwrite(held.device, &off, sizeof(off), at + 4)), EPERM,
               "write of the command register");
  const uint16_t d3 = 3;
  expect_errno(static_cast<int>(pwrite(held.device, &d3, sizeof(d3), at + 0xcc)), EPERM, "write of the power state");
}

void check_allow_list(const Held& held) {
  for (uint32_t index : {VFIO_PCI_BAR1_REGION_INDEX, VFIO_PCI_BAR2_REGION_INDEX, VFIO_PCI_BAR3_REGION_INDEX,
                         VFIO_PCI_ROM_REGION_INDEX, VFIO_PCI_VGA_REGION_INDEX}) {
    const std::string name = "region " + std::to_string(index);
    vfio_region_info info{};
    info.argsz = sizeof(info);
    info.index = index;
    expect(ioctl(held.device, VFIO_DEVICE_GET_REGION_INFO, &info) == 0 && info.size == 0, name + " has no size");
    const uint64_t offset = static_cast<uint64_t>(index) << 40;
    uint32_t value = 0;
    expect_errno(static_cast<int>(pread(held.device, &value, 4, static_cast<off_t>(offset))), EINVAL, name + " read");
    expect_errno(static_cast<int>(pwrite(held.device, &value, 4, static_cast<off_t>(offset))), EINVAL, name + " write");
    void* p = mmap(nullptr, kPage, PROT_READ, MAP_SHARED, held.device, static_cast<off_t>(offset));
    expect(p == MAP_FAILED, name + " mmap is refused");
  }
  expect_errno(ioctl(held.device, VFIO_DEVICE_RESET), ENOTTY, "VFIO_DEVICE_RESET");
  vfio_pci_hot_reset_info hot{};
  hot.argsz = sizeof(hot);
  expect_errno(ioctl(held.device, VFIO_DEVICE_GET_PCI_HOT_RESET_INFO, &hot), ENOTTY, "hot reset info");
  vfio_device_ioeventfd ioeventfd{};
  ioeventfd.argsz = sizeof(ioeventfd);
  expect_errno(ioctl(held.device, VFIO_DEVICE_IOEVENTFD, &ioeventfd), ENOTTY, "VFIO_DEVICE_IOEVENTFD");
  vfio_device_feature feature{};
  feature.argsz = sizeof(feature);
  feature.flags = VFIO_DEVICE_FEATURE_SET | VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY;
  expect_errno(ioctl(held.device, VFIO_DEVICE_FEATURE, &feature), ENOTTY, "low power entry");
  vfio_irq_info irq{};
  irq.argsz = sizeof(irq);
  irq.index = VFIO_PCI_MSIX_IRQ_INDEX;
  expect(ioctl(held.device, VFIO_DEVICE_GET_IRQ_INFO, &irq) == 0 && irq.count >= 1, "interrupts are offered");
}

void run_checks(const std::string& port) {
  Held held(port);
  held.take_port();
  held.set_container();
  void* own = mmap(nullptr, held.take.pool_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  std::memset(own, 0x55, held.take.pool_size);
  // Before the open: type 1's domain is still in place. Afterwards: it is in no device's way.
  held.map_dma(held.take.pool_iova, own, held.take.pool_size, true);
  if (held.take.window_size) held.map_dma(held.take.window_iova, own, kPage, true);
  held.open_device();
  Registers regs(held.bar);
  expect(regs.get(Registers::kStatus) != UINT32_MAX, "registers answer");
  expect((regs.get(Registers::kRctl) & 2) == 0 && (regs.get(Registers::kTctl) & 2) == 0,
         "engines are off at the start");
  check_config_space(held);
  check_allow_list(held);
  expect(held.nic_reaches_pool(), "NIC reaches the pool behind a mapping made before the open");
  held.unmap_dma(held.take.pool_iova, held.take.pool_size);
  expect(held.nic_reaches_pool(), "... and after that mapping was removed");
  held.map_dma(held.take.pool_iova, own, held.take.pool_size, true);
  expect(held.nic_reaches_pool(), "... and behind one made after the open");
  held.unmap_dma(0, 0, VFIO_DMA_UNMAP_FLAG_ALL);
  expect(held.nic_reaches_pool(), "... and after everything was unmapped");
  held.map_dma(kForeignIova, own, kPage, true);
  // each octet as the one before it: the start must come within seconds, on a slow machine and without optimization too
  const auto* octets = static_cast<const uint8_t*>(own);
  expect(octets[0] == 0x55 && std::memcmp(octets, octets + 1, held.take.pool_size - 1) == 0,
         "the process's own mapping was never written by the NIC");
  expect_errno(ioctl(held.group, VFIO_GROUP_GET_DEVICE_FD, "0000:00:1f.0"), ENODEV, "another device of the group");
  held.start();
  check(ioctl(held.node, NDD_GIVE_BACK), "NDD_GIVE_BACK");
}

// Inside the port's domain the address means nothing, or a page of the pool; where the IOMMU passes addresses through
// it is a canary's ring, and valid.
void run_armed(const std::string& port, uint64_t phys) {
  Held held(port);
  held.take_port();
  held.set_container();
  held.open_device();
  Registers regs(held.bar);
  regs.set(Registers::kCtrl, regs.get(Registers::kCtrl) | Registers::kCtrlSetLinkUp);
  regs.set(Registers::kRfctl, 0);
  regs.set(Registers::kRdbal, static_cast<uint32_t>(phys));
  regs.set(Registers::kRdbah, static_cast<uint32_t>(phys >> 32));
  regs.set(Registers::kRdlen, kDescriptors * sizeof(LegacyDescriptor));
  regs.set(Registers::kRdh, 0);
  regs.set(Registers::kRdt, kDescriptors - 1);
  regs.set(Registers::kRctl, Registers::kRctlOn);
  expect(regs.get(Registers::kRctl) & 2, "receiver is on");
  held.start();
  sleep_for_good();
}

uint64_t physical_address(const volatile void* page) {
  const int pagemap = check(open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC), "pagemap");
  uint64_t entry = 0;
  const auto offset = static_cast<off_t>(reinterpret_cast<uintptr_t>(page) / kPage * sizeof(entry));
  if (pread(pagemap, &entry, sizeof(entry), offset) != sizeof(entry)) die("pagemap");
  close(pagemap);
  constexpr uint64_t kFrameMask = (1ULL << 55) - 1;
  return (entry & kFrameMask) * kPage;
}

void run_canary() {
  auto* pages = static_cast<uint8_t*>(
      mmap(nullptr, 2 * kPage, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_LOCKED, -1, 0));
  if (pages == MAP_FAILED) die("canary");
  for (size_t i = 0; i < kPage; ++i) pages[kPage + i] = static_cast<uint8_t>(i * 31);
  auto* ring = reinterpret_cast<LegacyDescriptor*>(pages);
  for (uint32_t i = 0; i < kDescriptors; ++i) ring[i].address = physical_address(pages + kPage);
  const std::vector<uint8_t> original(pages, pages + 2 * kPage);
  char text[32];
  std::snprintf(text, sizeof(text), "0x%llx", static_cast<unsigned long long>(physical_address(pages)));
  say(text);
  for (;; usleep(2000)) {
    std::atomic_thread_fence(std::memory_order_seq_cst);
    if (std::ranges::equal(original, std::span(pages, 2 * kPage))) continue;
    say("changed");
    std::exit(1);
  }
}

void run_take(const std::string& port) {
  Held held(port);
  held.take_port();
  held.set_container();
  held.open_device();
  held.start();
  sleep_for_good();
}

// No exec: close-on-exec closes nothing.
void run_forked(const std::string& port) {
  Held held(port);
  held.take_port();
  held.set_container();
  held.open_device();
  held.start();
  const pid_t child = check(fork(), "fork");
  if (child == 0) {
    for (;;) pause();
  }
  FILE* file = std::fopen("/run/lab/child", "w");
  if (file == nullptr) die("/run/lab/child");
  std::fprintf(file, "%d\n", child);
  std::fclose(file);
  sleep_for_good();
}

// The NIC's own end and that of the mappings take a while, in which nobody serves.
void run_leaving(const std::string& port, unsigned seconds) {
  Held held(port);
  held.take.watch.interval_us = 200'000;
  held.take_port();
  held.set_container();
  held.open_device();
  held.start();
  check(ioctl(held.node, NDD_GIVE_BACK), "NDD_GIVE_BACK");
  say("ready");
  sleep(seconds);
}

void run_unopened(const std::string& port) {
  Held held(port);
  held.take_port();
  sleep_for_good();
}

// Asks the node after the module behind the port has gone.
void run_info(const std::string& port) {
  const int node = held::open_node(port);
  say("ready");
  while (access("/sys/module/nddcore", F_OK) == 0) usleep(10'000);
  usleep(200'000);
  const ndd_info info = held::info_of(node);
  std::printf("info: mode %u, driver '%s'\n", info.mode, reinterpret_cast<const char*>(info.driver));
}

}  // namespace

int main(int argc, char** argv) {
  // what a shell script starts in the background ignores it
  std::signal(SIGINT, SIG_DFL);
  const std::span arguments(argv, static_cast<size_t>(argc));
  const std::string command = argc > 1 ? arguments[1] : "";
  if (command == "take" && argc == 3) run_take(arguments[2]);
  if (command == "forked" && argc == 3) run_forked(arguments[2]);
  if (command == "leaving" && argc == 4) {
    run_leaving(arguments[2], static_cast<unsigned>(std::strtoul(arguments[3], nullptr, 10)));
    return 0;
  }
  if (command == "unopened" && argc == 3) run_unopened(arguments[2]);
  if (command == "armed" && argc == 4) run_armed(arguments[2], std::strtoull(arguments[3], nullptr, 0));
  if (command == "info" && argc == 3) {
    run_info(arguments[2]);
    return 0;
  }
  if (command == "canary" && argc == 2) run_canary();
  if (command == "checks" && argc == 3) {
    run_checks(arguments[2]);
    return held::failures ? 1 : 0;
  }
  std::fprintf(stderr, "usage: see the head of holder.cc\n");
  return 2;
}
