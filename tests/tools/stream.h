// SPDX-License-Identifier: Apache-2.0
// What the TCP tools send: streams in which every octet follows from its position, so that each end checks all of them
// by itself, with a count and a hash to compare. And the few socket calls that those tools share.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <system_error>

namespace stream {

[[noreturn]] inline void fail(const char* what) { throw std::system_error(errno, std::generic_category(), what); }

inline std::uint8_t octet_at(std::uint64_t position) noexcept {
  std::uint64_t word = position / 8 * 0x9E3779B97F4A7C15u;
  word ^= word >> 29;
  return static_cast<std::uint8_t>(word >> (position % 8 * 8));
}

/// One end's account of a stream: octets so far, a running hash (FNV-1a) over them, and how many were not what they
/// should be.
struct Stream {
  std::uint64_t first = 0;  ///< position of the stream's first octet
  std::uint64_t octets = 0;
  std::uint64_t hash = 0xcbf29ce484222325u;
  std::uint64_t wrong = 0;

  void add(std::uint8_t octet) noexcept {
    hash = (hash ^ octet) * 0x100000001b3u;
    ++octets;
  }
  void fill(std::span<std::uint8_t> out) const noexcept {
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = octet_at(first + octets + i);
  }
  void add_all(std::span<const std::uint8_t> data) noexcept {
    for (const std::uint8_t octet : data) {
      if (octet != octet_at(first + octets)) ++wrong;
      add(octet);
    }
  }
};

/// What the receiving end tells the sending one when the stream has ended.
struct Verdict {
  std::uint64_t octets = 0, hash = 0, wrong = 0;

  [[nodiscard]] static Verdict of(const Stream& stream) noexcept { return {stream.octets, stream.hash, stream.wrong}; }
  [[nodiscard]] bool good_for(const Stream& sent) const noexcept {
    return octets == sent.octets && hash == sent.hash && wrong == 0;
  }
};

inline void write_all(int fd, const void* data, std::size_t size) {
  const auto* at = static_cast<const std::uint8_t*>(data);
  while (size > 0) {
    const ssize_t n = ::send(fd, at, size, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) fail("send");
    at += n;
    size -= static_cast<std::size_t>(n);
  }
}

inline void read_all(int fd, void* data, std::size_t size) {
  auto* at = static_cast<std::uint8_t*>(data);
  while (size > 0) {
    const ssize_t n = ::recv(fd, at, size, 0);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail("receive");
    if (n == 0) throw std::runtime_error("the peer ended the connection early");
    at += n;
    size -= static_cast<std::size_t>(n);
  }
}

template <typename Address>
sockaddr* generic(Address* address) noexcept {
  return static_cast<sockaddr*>(static_cast<void*>(address));
}

}  // namespace stream
