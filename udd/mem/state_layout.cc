// SPDX-License-Identifier: Apache-2.0
// StateArea: lays sections out one behind the other, each on a cache line of its own.
#include "udd/mem/state_layout.h"

#include <cerrno>
#include <string>

#include "udd/base/error.h"
#include "udd/mem/mapped.h"

namespace udd {
namespace {

constexpr std::size_t align_up(std::size_t octets) noexcept {
  return (octets + kCacheLineSize - 1) & ~(kCacheLineSize - 1);
}

[[noreturn]] void throw_foreign(const std::string& why) {
  throw Error(EPROTO, {.what = "go on from the port's state",
                       .device = {},
                       .why = why,
                       .advice = "take the port afresh, or use the library version that wrote the state"});
}

}  // namespace

std::size_t StateArea::required(const Sizes& sizes) noexcept {
  std::size_t total = align_up(sizeof(StateHeader));
  for (std::size_t size : sizes) total += align_up(size);
  return total;
}

StateArea StateArea::format(std::span<std::byte> area, const Sizes& sizes) {
  if (area.size() < required(sizes)) {
    throw Error(ENOSPC, {.what = "lay out the port's state",
                         .device = {},
                         .why = std::to_string(area.size()) + " octets are mapped, " + std::to_string(required(sizes)) +
                                " needed",
                         .advice = "ask NDD_TAKE for more state_pages"});
  }
  StateArea result;
  auto* header = mapped_at<StateHeader>(area, 0, 1);
  header->magic = 0;
  header->version = kStateVersion;
  std::size_t offset = align_up(sizeof(StateHeader));
  for (std::size_t i = 0; i < kStateSections; ++i) {
    header->sections[i] = {static_cast<std::uint32_t>(offset), static_cast<std::uint32_t>(sizes[i])};
    result.sections_[i] = area.subspan(offset, sizes[i]);
    offset += align_up(sizes[i]);
  }
  header->magic = kStateMagic;
  return result;
}

StateArea StateArea::adopt(std::span<std::byte> area) {
  if (area.size() < sizeof(StateHeader)) throw_foreign("the state area is too small");
  const StateHeader header = *mapped_at<StateHeader>(area, 0, 1);
  if (header.magic != kStateMagic) throw_foreign("nobody has laid it out");
  if (header.version != kStateVersion) {
    throw_foreign("it is of version " + std::to_string(header.version) + ", this library writes " +
                  std::to_string(kStateVersion));
  }
  StateArea result;
  for (std::size_t i = 0; i < kStateSections; ++i) {
    const auto [offset, size] = header.sections[i];
    if (offset % kCacheLineSize != 0 || offset > area.size() || size > area.size() - offset) {
      throw_foreign("section " + std::to_string(i) + " lies outside of it");
    }
    result.sections_[i] = area.subspan(offset, size);
  }
  return result;
}

StateArea StateArea::adopt(std::span<std::byte> area, const Sizes& sizes) {
  StateArea result = adopt(area);
  for (std::size_t i = 0; i < kStateSections; ++i) {
    if (result.sections_[i].size() != sizes[i]) {
      throw_foreign("section " + std::to_string(i) + " has another size than this library's");
    }
  }
  return result;
}

}  // namespace udd
