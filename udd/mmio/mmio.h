// SPDX-License-Identifier: Apache-2.0
// Access to a NIC's registers: the only volatile in the tree.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "udd/mmio/barrier.h"

namespace udd {

/// One 32-bit register that bursts write: where the NIC learns of new descriptors.
class Doorbell32 {
 public:
  explicit Doorbell32(volatile std::uint32_t* address) noexcept : address_(address) {}
  /// Tells the NIC; everything stored before is visible to it by then.
  void ring(std::uint32_t value) const noexcept {
    dma_write_barrier();
    *address_ = value;
  }

 private:
  volatile std::uint32_t* address_;
};

/// Registers by octet offset, for the control half of a NIC: virtual, so that a test can stand in for the hardware.
/// Offsets are multiples of 4 within size(); the caller has checked the size once.
class RegisterIo {
 public:
  virtual ~RegisterIo() = default;
  [[nodiscard]] virtual std::uint32_t read32(std::uint32_t offset) = 0;
  virtual void write32(std::uint32_t offset, std::uint32_t value) = 0;
  [[nodiscard]] virtual Doorbell32 doorbell(std::uint32_t offset) = 0;
  [[nodiscard]] virtual std::size_t size() const noexcept = 0;

 protected:
  RegisterIo() = default;
  RegisterIo(const RegisterIo&) = default;
  RegisterIo& operator=(const RegisterIo&) = default;
};

/// A mapped BAR. A view; does not own the mapping.
class Mmio final : public RegisterIo {
 public:
  explicit Mmio(std::span<std::byte> bar) noexcept : base_(bar.data()), size_(bar.size()) {}

  [[nodiscard]] std::uint32_t read32(std::uint32_t offset) override { return *at(offset); }
  void write32(std::uint32_t offset, std::uint32_t value) override {
    dma_write_barrier();
    *at(offset) = value;
  }
  [[nodiscard]] Doorbell32 doorbell(std::uint32_t offset) override { return Doorbell32(at(offset)); }
  [[nodiscard]] std::size_t size() const noexcept override { return size_; }

 private:
  [[nodiscard]] volatile std::uint32_t* at(std::uint32_t offset) const noexcept {
    return reinterpret_cast<volatile std::uint32_t*>(base_ + offset);
  }

  std::byte* base_;
  std::size_t size_;
};

}  // namespace udd
