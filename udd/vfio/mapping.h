// SPDX-License-Identifier: Apache-2.0
// Owner of one mapping that forked children don't inherit.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <span>
#include <string>
#include <utility>

namespace udd {

class Mapping {
 public:
  Mapping() = default;
  /// Maps `size` octets of `fd` at `offset`, shared, readable and writable, not inherited by fork.
  /// `what` and `device` go into the error. Throws udd::Error.
  Mapping(int fd, off_t offset, std::size_t size, const std::string& what, const std::string& device);
  Mapping(Mapping&& other) noexcept : memory_(std::exchange(other.memory_, {})) {}
  Mapping& operator=(Mapping&& other) noexcept;
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  ~Mapping() { reset(); }

  [[nodiscard]] std::span<std::byte> memory() const noexcept { return memory_; }
  void reset() noexcept;

 private:
  std::span<std::byte> memory_;
};

}  // namespace udd
