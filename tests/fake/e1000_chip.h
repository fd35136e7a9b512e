// SPDX-License-Identifier: Apache-2.0
// As much of an 82574L as its driver needs to start, over FakeMmio: a reset ends at once and loads what NVM says,
// requests stop when they are told to, the link is up.
#pragma once

#include <sys/eventfd.h>

#include <cstdint>

#include "tests/fake/fake_mmio.h"
#include "udd/base/unique_fd.h"
#include "udd/nic/e1000/regs.h"
#include "udd/vfio/irq.h"

namespace udd::fake {

class FakeLine final : public InterruptLine {
 public:
  [[nodiscard]] int fd() const noexcept override { return event_.get(); }
  void unmask() const noexcept override { ++unmasked; }
  mutable int unmasked = 0;

 private:
  UniqueFd event_{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
};

class E1000Chip {
 public:
  E1000Chip() {
    using namespace e1000;  // NOLINT(google-build-using-namespace)
    io_.on_write(Ctrl::kOffset, [this](std::uint32_t value) {
      io_.word(Status::kOffset) &= ~Status::GioMaster::kMask;
      if ((value & Ctrl::GioMasterDisable::kMask) == 0) io_.word(Status::kOffset) |= Status::GioMaster::kMask;
      if ((value & Ctrl::Rst::kMask) == 0) return;
      io_.word(Ctrl::kOffset) = 0;
      io_.word(Eec::kOffset) = Eec::AutoRd::kMask;
      io_.word(Ral::kOffset) = 0x12005452;
      io_.word(Rah::kOffset) = 0x80005634;
    });
    io_.word(Status::kOffset) = Status::Lu::kMask | Status::Fd::kMask | 2 << 6;
  }
  E1000Chip(const E1000Chip&) = delete;
  E1000Chip& operator=(const E1000Chip&) = delete;
  ~E1000Chip() = default;

  [[nodiscard]] FakeMmio& io() noexcept { return io_; }
  [[nodiscard]] FakeLine& line() noexcept { return line_; }

 private:
  FakeMmio io_{e1000::kBarSize};
  FakeLine line_;
};

}  // namespace udd::fake
