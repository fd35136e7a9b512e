// SPDX-License-Identifier: Apache-2.0
// Registers without hardware: keeps what is written, remembers every access in order, and lets a test say what a read
// gives or a write does.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <vector>

#include "udd/mmio/mmio.h"

namespace udd::fake {

class FakeMmio final : public RegisterIo {
 public:
  struct Write {
    std::uint32_t offset;
    std::uint32_t value;
    bool operator==(const Write&) const = default;
  };

  explicit FakeMmio(std::size_t size) : size_(size), words_(size / 4) {}

  std::uint32_t read32(std::uint32_t offset) override {
    reads_.push_back(offset);
    if (gone_) return ~std::uint32_t{0};
    const auto hook = on_read_.find(offset);
    return hook != on_read_.end() ? hook->second() : words_.at(offset / 4);
  }
  void write32(std::uint32_t offset, std::uint32_t value) override {
    writes_.push_back({offset, value});
    if (gone_) return;
    words_.at(offset / 4) = value;
    const auto hook = on_write_.find(offset);
    if (hook != on_write_.end()) hook->second(value);
  }
  Doorbell32 doorbell(std::uint32_t offset) override { return Doorbell32(&words_.at(offset / 4)); }
  std::size_t size() const noexcept override { return size_; }

  // What a test does.

  /// A register's contents without an access.
  std::uint32_t& word(std::uint32_t offset) { return words_.at(offset / 4); }
  void on_read(std::uint32_t offset, std::function<std::uint32_t()> hook) { on_read_[offset] = std::move(hook); }
  void on_write(std::uint32_t offset, std::function<void(std::uint32_t)> hook) { on_write_[offset] = std::move(hook); }
  void set_gone(bool gone) { gone_ = gone; }
  [[nodiscard]] const std::vector<Write>& writes() const { return writes_; }
  [[nodiscard]] const std::vector<std::uint32_t>& reads() const { return reads_; }
  void forget() {
    writes_.clear();
    reads_.clear();
  }

 private:
  std::size_t size_;
  std::vector<std::uint32_t> words_;
  std::vector<Write> writes_;
  std::vector<std::uint32_t> reads_;
  std::map<std::uint32_t, std::function<std::uint32_t()>> on_read_;
  std::map<std::uint32_t, std::function<void(std::uint32_t)>> on_write_;
  bool gone_ = false;
};

}  // namespace udd::fake
