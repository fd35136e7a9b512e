// SPDX-License-Identifier: Apache-2.0
// The one place where octets of a mapping (pool, state area) become typed objects.
#pragma once

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>

namespace udd {

/// `count` objects at `offset` of mapped memory. The caller has checked that they lie within it; the mapping holds
/// zeros or what an earlier view wrote, so T must be trivial.
template <typename T>
[[nodiscard]] T* mapped_at(std::span<std::byte> memory, std::size_t offset,
                           [[maybe_unused]] std::size_t count) noexcept {
  static_assert(std::is_trivially_copyable_v<T>);
  assert(offset + count * sizeof(T) <= memory.size());
  return reinterpret_cast<T*>(memory.data() + offset);
}

/// Objects that follow a header within the same section.
template <typename T, typename Header>
[[nodiscard]] T* mapped_behind(Header* header, std::size_t offset) noexcept {
  static_assert(std::is_trivially_copyable_v<T> && std::is_trivially_copyable_v<Header>);
  return reinterpret_cast<T*>(reinterpret_cast<std::byte*>(header) + offset);
}

}  // namespace udd
