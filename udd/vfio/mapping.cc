// SPDX-License-Identifier: Apache-2.0
// Mapping: mmap and madvise.
#include "udd/vfio/mapping.h"

#include <sys/mman.h>

#include <cerrno>

#include "udd/base/error.h"

namespace udd {

Mapping::Mapping(int fd, off_t offset, std::size_t size, const std::string& what, const std::string& device) {
  void* const address = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, offset);
  if (address == MAP_FAILED) {
    const int code = errno;
    throw Error(code, {.what = "map " + what, .device = device, .why = {}, .advice = {}});
  }
  memory_ = {static_cast<std::byte*>(address), size};
  // A forked child that kept it would keep the device open after our death (lab: the hand-back waits for it).
  if (madvise(address, size, MADV_DONTFORK) != 0) {
    const int code = errno;
    reset();
    throw Error(code, {.what = "keep " + what + " from forked children", .device = device, .why = {}, .advice = {}});
  }
}

Mapping& Mapping::operator=(Mapping&& other) noexcept {
  if (this != &other) {
    reset();
    memory_ = std::exchange(other.memory_, {});
  }
  return *this;
}

void Mapping::reset() noexcept {
  if (!memory_.empty()) munmap(memory_.data(), memory_.size());
  memory_ = {};
}

}  // namespace udd
