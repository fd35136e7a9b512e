// SPDX-License-Identifier: Apache-2.0
// Typed registers: a NIC's datasheet as types, so that a field of one register can't be written to another, a constant
// that doesn't fit its field doesn't compile, and a read of a write-only register doesn't either.
//
//   struct Rctl : Reg<0x00100, Access::kReadWrite> {   // receive control
//     using En = Field<1, 1>;                          // bits [1:1]
//     using Bsize = Field<17, 16>;
//   };
//   modify<Rctl>(io, Rctl::En(1), Rctl::Bsize(3));     // other bits as they were
//   if (read_reg<Rctl>(io).get<Rctl::En>() != 0) ...
#pragma once

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <string>
#include <thread>
#include <type_traits>

#include "udd/base/error.h"

namespace udd {

enum class Access { kReadOnly, kWriteOnly, kReadWrite, kReadClear };

/// What a register of a device that is gone, or powered down, reads.
inline constexpr std::uint32_t kAllOnes = ~std::uint32_t{0};

/// `Count` registers of one kind, `Stride` octets apart.
template <std::uint32_t Offset, Access Mode, std::uint32_t Count = 1, std::uint32_t Stride = 4>
struct Reg {
  using Base = Reg;
  static constexpr std::uint32_t kOffset = Offset;
  static constexpr std::uint32_t kCount = Count;
  static constexpr std::uint32_t kStride = Stride;
  static constexpr Access kAccess = Mode;
  static constexpr bool kReadable = Mode != Access::kWriteOnly;
  static constexpr bool kWritable = Mode == Access::kWriteOnly || Mode == Access::kReadWrite;
  static_assert(Offset % 4 == 0 && Stride % 4 == 0 && Count > 0);

  /// Bits [Hi:Lo], both included, as datasheets write them.
  template <unsigned Hi, unsigned Lo>
  class Field {
   public:
    using Register = Base;
    static_assert(Lo <= Hi && Hi < 32);
    static constexpr std::uint32_t kMax = (Hi - Lo == 31) ? kAllOnes : (std::uint32_t{1} << (Hi - Lo + 1)) - 1;
    static constexpr std::uint32_t kMask = kMax << Lo;

    /// A constant; one that doesn't fit is a compile error.
    explicit consteval Field(std::uint32_t value) : bits_(value << Lo) {
      if (value > kMax) throw "value does not fit the field";
    }
    /// A value known at run time only; bits that don't fit are cut off.
    [[nodiscard]] static constexpr Field from(std::uint32_t value) noexcept {
      return Field{Shifted{(value & kMax) << Lo}};
    }
    [[nodiscard]] constexpr std::uint32_t bits() const noexcept { return bits_; }
    [[nodiscard]] static constexpr std::uint32_t get(std::uint32_t raw) noexcept { return (raw & kMask) >> Lo; }

   private:
    struct Shifted {
      std::uint32_t bits;
    };
    explicit constexpr Field(Shifted shifted) noexcept : bits_(shifted.bits) {}

    std::uint32_t bits_;
  };
};

/// A register's contents at one moment.
template <typename R>
class Value {
 public:
  explicit constexpr Value(std::uint32_t raw) noexcept : raw_(raw) {}
  [[nodiscard]] constexpr std::uint32_t raw() const noexcept { return raw_; }
  template <typename F>
  [[nodiscard]] constexpr std::uint32_t get() const noexcept {
    static_assert(std::is_same_v<typename F::Register, typename R::Base>, "field of another register");
    return F::get(raw_);
  }

 private:
  std::uint32_t raw_;
};

template <typename R, typename... Fields>
[[nodiscard]] constexpr std::uint32_t compose(Fields... fields) noexcept {
  static_assert((std::is_same_v<typename Fields::Register, typename R::Base> && ...), "field of another register");
  return (0u | ... | fields.bits());
}

template <typename R>
[[nodiscard]] constexpr std::uint32_t offset_of(std::uint32_t index) noexcept {
  return R::kOffset + (index % R::kCount) * R::kStride;
}

template <typename R, typename Io>
[[nodiscard]] Value<R> read_reg(Io& io, std::uint32_t index = 0) {
  static_assert(R::kReadable);
  return Value<R>(io.read32(offset_of<R>(index)));
}

/// Writes these fields, and zero to all others.
template <typename R, typename Io, typename... Fields>
void write_reg(Io& io, Fields... fields) {
  static_assert(R::kWritable && R::kCount == 1);
  io.write32(R::kOffset, compose<R>(fields...));
}

/// Writes a register that is one number.
template <typename R, typename Io>
void write_raw(Io& io, std::uint32_t value, std::uint32_t index = 0) {
  static_assert(R::kWritable);
  io.write32(offset_of<R>(index), value);
}

/// Replaces these fields and keeps all other bits.
template <typename R, typename Io, typename... Fields>
void modify(Io& io, Fields... fields) {
  static_assert(R::kReadable && R::kWritable && R::kCount == 1);
  const std::uint32_t mask = (0u | ... | Fields::kMask);
  io.write32(R::kOffset, (io.read32(R::kOffset) & ~mask) | compose<R>(fields...));
}

/// Waits until field F of R has this value. @return false when the time is over.
/// Throws udd::Error (ENODEV) if the register reads all ones: the device is gone.
template <typename R, typename F, typename Io>
[[nodiscard]] bool poll_until(Io& io, std::uint32_t wanted, std::chrono::microseconds timeout,
                              const std::string& device) {
  constexpr std::chrono::microseconds kPause{50};  // short against every timeout in use, long against a PCIe read, 1 us
  const auto end = std::chrono::steady_clock::now() + timeout;
  for (;;) {
    const bool over = std::chrono::steady_clock::now() >= end;  // before the read: one more after the last pause
    const Value<R> value = read_reg<R>(io);
    if (value.raw() == kAllOnes) {
      throw Error(ENODEV, {.what = "wait for the NIC",
                           .device = device,
                           .why = "its registers read all ones: it was removed or is powered down",
                           .advice = "check that the device is still listed by lspci"});
    }
    if (value.template get<F>() == wanted) return true;
    if (over) return false;
    std::this_thread::sleep_for(kPause);
  }
}

}  // namespace udd
