// SPDX-License-Identifier: Apache-2.0
// The ways in which tcpshapes puts octets into a socket and takes them out again: every one that Linux has, in random
// order and sizes, because each hands the kernel pages of another kind, and gives them back at another time.
#pragma once

#include <fcntl.h>
#include <linux/errqueue.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <deque>
#include <random>
#include <thread>
#include <utility>
#include <vector>

#include "tests/tools/stream.h"
#include "udd/base/unique_fd.h"

namespace shapes {

using stream::fail;
using stream::Stream;

constexpr std::size_t kLargest = 70'000;  // of one write or read

class Random {
 public:
  explicit Random(std::uint64_t seed) : engine_(seed) {}
  /// 0 … below - 1
  std::size_t operator()(std::size_t below) { return engine_() % below; }
  /// As many of a few octets as of a frame's and of tens of thousands.
  std::size_t size() {
    const std::size_t log2 = (*this)(18);
    return log2 == 17 ? 1 + (*this)(kLargest) : 1 + (*this)(std::size_t{1} << log2);
  }

 private:
  std::mt19937_64 engine_;
};

class Pipe {
 public:
  explicit Pipe(int size) {
    std::array<int, 2> ends{};
    if (pipe2(ends.data(), O_CLOEXEC) != 0) fail("make a pipe");
    out.reset(ends[0]);
    in.reset(ends[1]);
    if (fcntl(in.get(), F_SETPIPE_SZ, size) < 0) fail("enlarge a pipe");
  }
  udd::UniqueFd out, in;
};

/// A file that has the stream's first octets, and a mapping of it. Its pages never change, so they may be on their way
/// for as long as they like.
class Source {
 public:
  explicit Source(std::size_t size) : size_(size), file_(memfd_create("stream", MFD_CLOEXEC)) {
    if (!file_ || ftruncate(file_.get(), static_cast<off_t>(size)) != 0) fail("make a file");
    void* const at = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, file_.get(), 0);
    if (at == MAP_FAILED) fail("map a file");
    data_ = static_cast<std::uint8_t*>(at);
    Stream{}.fill({data_, size});
  }
  Source(const Source&) = delete;
  Source& operator=(const Source&) = delete;
  ~Source() { munmap(data_, size_); }

  [[nodiscard]] int file() const noexcept { return file_.get(); }
  [[nodiscard]] std::span<const std::uint8_t> at(std::uint64_t position, std::size_t n) const {
    if (position + n > size_) throw std::out_of_range("beyond the source");
    return {data_ + position, n};
  }

 private:
  std::size_t size_;
  udd::UniqueFd file_;
  std::uint8_t* data_ = nullptr;
};

/// MSG_ZEROCOPY: the kernel sends from our pages until it says that it is done. At that moment they are overwritten.
class ZeroCopy {
 public:
  explicit ZeroCopy(int fd) : fd_(fd) {
    const int on = 1;
    if (setsockopt(fd, SOL_SOCKET, SO_ZEROCOPY, &on, sizeof on) != 0) fail("turn MSG_ZEROCOPY on");
  }

  std::size_t send(const Stream& stream, std::size_t size) {
    std::vector<std::uint8_t> buffer(size);
    stream.fill(buffer);
    wait_until_away(kMost - 1);
    ssize_t n = 0;
    while ((n = ::send(fd_, buffer.data(), size, MSG_ZEROCOPY | MSG_NOSIGNAL)) < 0 &&
           (errno == ENOBUFS || errno == EINTR)) {
      wait_until_away(away_.empty() ? 0 : away_.size() - 1);
    }
    if (n < 0) fail("send without copying");
    away_.push_back({next_++, std::move(buffer)});
    return static_cast<std::size_t>(n);
  }
  void finish() { wait_until_away(0); }

 private:
  static constexpr std::size_t kMost = 8;
  struct Away {
    std::uint32_t id;
    std::vector<std::uint8_t> buffer;
  };

  void wait_until_away(std::size_t most) {
    reap();
    while (away_.size() > most) {
      pollfd wait{.fd = fd_, .events = 0, .revents = 0};
      // the debug kernel takes its time; whoever runs this gives up after 100 s
      if (poll(&wait, 1, 90'000) == 0) throw std::runtime_error("the kernel keeps pages for 90 s");
      reap();
    }
  }

  void reap() {
    alignas(cmsghdr) std::array<char, 128> control{};
    msghdr message{};
    for (;;) {
      message.msg_control = control.data();
      message.msg_controllen = control.size();
      if (recvmsg(fd_, &message, MSG_ERRQUEUE | MSG_DONTWAIT) < 0) {
        if (errno == EAGAIN) return;
        fail("read completions");
      }
      for (cmsghdr* c = CMSG_FIRSTHDR(&message); c != nullptr; c = CMSG_NXTHDR(&message, c)) {
        sock_extended_err done{};
        std::copy_n(CMSG_DATA(c), sizeof done, static_cast<unsigned char*>(static_cast<void*>(&done)));
        if (done.ee_origin == SO_EE_ORIGIN_ZEROCOPY) scribble(done.ee_info, done.ee_data);
      }
    }
  }

  void scribble(std::uint32_t from, std::uint32_t to) {
    std::erase_if(away_, [&](Away& away) {
      if (away.id - from > to - from) return false;
      std::ranges::fill(away.buffer, std::uint8_t{0xEE});
      return true;
    });
  }

  int fd_;
  std::uint32_t next_ = 0;
  std::deque<Away> away_;
};

inline void set_tcp(int fd, int option, int value) { setsockopt(fd, IPPROTO_TCP, option, &value, sizeof value); }

/// Sends `octets` of the stream, each write another way. The receiving end sees one stream.
class Writer {
 public:
  Writer(int fd, const Source& source, std::uint64_t seed) : fd_(fd), source_(source), random_(seed), zero_copy_(fd) {}

  void send(Stream& stream, std::uint64_t octets) {
    while (stream.octets < octets) {
      if (random_(4) == 0) set_tcp(fd_, random_(2) == 0 ? TCP_NODELAY : TCP_CORK, random_(2) == 0);
      const std::size_t most = std::min<std::uint64_t>(random_.size(), octets - stream.octets);
      stream.add_all(source_.at(stream.first + stream.octets, one(stream, most)));
    }
    set_tcp(fd_, TCP_CORK, 0);
    zero_copy_.finish();
  }

 private:
  std::size_t one(const Stream& stream, std::size_t most) {
    const std::uint64_t position = stream.first + stream.octets;
    switch (random_(6)) {
      case 0: {
        auto offset = static_cast<off_t>(position);
        return sent(sendfile(fd_, source_.file(), &offset, most), "sendfile");
      }
      case 1: {
        auto offset = static_cast<loff_t>(position);
        const std::size_t n = sent(splice(source_.file(), &offset, pipe_.in.get(), nullptr, most, 0), "splice a file");
        return from_pipe(n);
      }
      case 2: {
        const auto data = source_.at(position, most);
        const iovec piece{const_cast<std::uint8_t*>(data.data()), data.size()};
        return from_pipe(sent(vmsplice(pipe_.in.get(), &piece, 1, 0), "vmsplice"));
      }
      case 3:
        // what waits for its completion must not wait for more to send
        set_tcp(fd_, TCP_CORK, 0);
        return zero_copy_.send(stream, most);
      default: {
        const auto data = source_.at(position, most);
        const int flags = MSG_NOSIGNAL | (random_(3) == 0 && most > 1 ? MSG_MORE : 0);
        return sent(::send(fd_, data.data(), data.size(), flags), "send");
      }
    }
  }

  std::size_t from_pipe(std::size_t n) {
    const unsigned more = random_(2) == 0 ? SPLICE_F_MORE : 0;
    for (std::size_t left = n; left > 0;) {
      left -= sent(splice(pipe_.out.get(), nullptr, fd_, nullptr, left, more), "splice to a socket");
    }
    return n;
  }

  static std::size_t sent(ssize_t n, const char* what) {
    if (n <= 0) fail(what);
    return static_cast<std::size_t>(n);
  }

  int fd_;
  const Source& source_;
  Random random_;
  ZeroCopy zero_copy_;
  Pipe pipe_{1 << 20};
};

/// Receives until the sender ends the stream: copies, or pages that stay in pipes for a while, twice by tee().
class Reader {
 public:
  Reader(int fd, std::uint64_t seed) : fd_(fd), random_(seed) {}

  /// What the socket has into a pipe, until the pipe is full or has got nothing for a second; and into a second one by
  /// tee().
  void fill_pipes() {
    pollfd wait{.fd = fd_, .events = POLLIN, .revents = 0};
    while (poll(&wait, 1, 1'000) > 0) {
      const ssize_t n = splice(fd_, nullptr, pipe_.in.get(), nullptr, kPipe, SPLICE_F_NONBLOCK);
      if (n <= 0) break;
      in_pipe_ += static_cast<std::size_t>(n);
    }
    tee_all();
  }
  [[nodiscard]] std::size_t in_pipe() const noexcept { return in_pipe_; }

  void receive(Stream& stream) {
    empty_pipes(stream);
    for (std::vector<std::uint8_t> buffer(kLargest);;) {
      const std::size_t most = random_.size();
      ssize_t n = 0;
      if (random_(2) == 0) {
        n = ::recv(fd_, buffer.data(), most, 0);
        if (n > 0) stream.add_all({buffer.data(), static_cast<std::size_t>(n)});
      } else {
        n = splice(fd_, nullptr, pipe_.in.get(), nullptr, most, 0);
        if (n > 0) in_pipe_ = static_cast<std::size_t>(n);
        if (n > 0 && random_(4) == 0) linger();
        if (n > 0) empty_pipes(stream);
      }
      if (n < 0 && errno != EINTR) fail("receive");
      if (n == 0) return;
    }
  }

 private:
  static constexpr int kPipe = 1 << 20;

  void linger() {
    tee_all();
    std::this_thread::sleep_for(std::chrono::milliseconds{random_(10)});
  }

  void tee_all() {
    if (in_pipe_ == 0) return;
    const ssize_t n = tee(pipe_.out.get(), second_.in.get(), in_pipe_, SPLICE_F_NONBLOCK);
    if (n < 0) fail("tee");
    in_second_ = static_cast<std::size_t>(n);
  }

  void empty_pipes(Stream& stream) {
    Stream again = stream;
    const std::uint64_t before = again.wrong;
    drain(pipe_, in_pipe_, stream);
    drain(second_, in_second_, again);
    stream.wrong += again.wrong - before;
  }

  static void drain(Pipe& pipe, std::size_t& left, Stream& stream) {
    std::array<std::uint8_t, 16'384> buffer;
    while (left > 0) {
      const ssize_t n = read(pipe.out.get(), buffer.data(), std::min(left, buffer.size()));
      if (n <= 0) fail("read a pipe");
      stream.add_all({buffer.data(), static_cast<std::size_t>(n)});
      left -= static_cast<std::size_t>(n);
    }
  }

  int fd_;
  Random random_;
  Pipe pipe_{kPipe}, second_{kPipe};
  std::size_t in_pipe_ = 0, in_second_ = 0;
};

}  // namespace shapes
