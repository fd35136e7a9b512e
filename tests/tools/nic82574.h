// SPDX-License-Identifier: Apache-2.0
// A held 82574L driven by hand, with the few registers that tests need (datasheet revision 3.4, chapter 10.2): its
// registers, and a transmit ring of legacy descriptors in the pool's first page.
#pragma once

#include <linux/vfio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "tests/tools/held.h"

namespace held {

inline constexpr std::size_t kPage = 4096;

class Registers {
 public:
  static constexpr std::uint32_t kCtrl = 0x0000, kStatus = 0x0008, kRctl = 0x0100, kTctl = 0x0400;
  static constexpr std::uint32_t kRdbal = 0x2800, kRdbah = 0x2804, kRdlen = 0x2808, kRdh = 0x2810, kRdt = 0x2818;
  static constexpr std::uint32_t kTdbal = 0x3800, kTdbah = 0x3804, kTdlen = 0x3808, kTdh = 0x3810, kTdt = 0x3818;
  static constexpr std::uint32_t kRfctl = 0x5008;
  static constexpr std::uint32_t kCtrlSetLinkUp = 1U << 6;
  static constexpr std::uint32_t kRctlOn = 1U << 1 | 1U << 3 | 1U << 4 | 1U << 15;  // EN, UPE, MPE, BAM; 2 KiB each
  static constexpr std::uint32_t kTctlOn = 1U << 1 | 1U << 3;                       // EN, PSP

  explicit Registers(void* base) : base_(static_cast<volatile std::uint8_t*>(base)) {}
  std::uint32_t get(std::uint32_t offset) const { return *at(offset); }
  void set(std::uint32_t offset, std::uint32_t value) const { *at(offset) = value; }

 private:
  volatile std::uint32_t* at(std::uint32_t offset) const {
    return reinterpret_cast<volatile std::uint32_t*>(const_cast<std::uint8_t*>(base_) + offset);
  }
  volatile std::uint8_t* base_;
};

/// BAR 0 of a held device.
inline void* map_registers(const Held& held) {
  vfio_region_info info{};
  info.argsz = sizeof(info);
  info.index = VFIO_PCI_BAR0_REGION_INDEX;
  check(ioctl(held.device, VFIO_DEVICE_GET_REGION_INFO, &info), "region info of BAR 0");
  return map(held.device, info.offset, info.size, "BAR 0");
}

struct LegacyDescriptor {
  std::uint64_t address;
  std::uint32_t length_and_command;
  std::uint32_t status;
};
inline constexpr std::uint32_t kDescriptors = kPage / sizeof(LegacyDescriptor);

/// One frame at a time.
class TransmitRing {
 public:
  TransmitRing(const Held& held, Registers registers)
      : ring_(reinterpret_cast<volatile LegacyDescriptor*>(held.pool)), registers_(registers) {
    std::memset(held.pool, 0, kPage);
    registers_.set(Registers::kCtrl, registers_.get(Registers::kCtrl) | Registers::kCtrlSetLinkUp);
    registers_.set(Registers::kTctl, 0);
    registers_.set(Registers::kTdbal, static_cast<std::uint32_t>(held.take.pool_iova));
    registers_.set(Registers::kTdbah, static_cast<std::uint32_t>(held.take.pool_iova >> 32));
    registers_.set(Registers::kTdlen, kPage);
    registers_.set(Registers::kTdh, 0);
    registers_.set(Registers::kTdt, 0);
    registers_.set(Registers::kTctl, Registers::kTctlOn);
  }

  /// A piece of the frame, where the NIC sees it.
  void add(std::uint64_t iova, std::uint32_t length, bool last) {
    constexpr std::uint32_t kEnd = 1U << 24, kInsertFcs = 1U << 25, kReport = 1U << 27;
    last_ = tail_;
    ring_[tail_].address = iova;
    ring_[tail_].length_and_command = length | kInsertFcs | (last ? kEnd | kReport : 0);
    ring_[tail_].status = 0;
    tail_ = (tail_ + 1) % kDescriptors;
  }

  /// What was added; false if the NIC has not written back within two seconds that it is done.
  [[nodiscard]] bool send() const {
    constexpr std::uint32_t kDone = 1;
    registers_.set(Registers::kTdt, tail_);
    for (int i = 0; i < 2000 && !(ring_[last_].status & kDone); ++i) usleep(1000);
    return ring_[last_].status & kDone;
  }

 private:
  volatile LegacyDescriptor* ring_;
  Registers registers_;
  std::uint32_t tail_ = 0;
  std::uint32_t last_ = 0;
};

}  // namespace held
