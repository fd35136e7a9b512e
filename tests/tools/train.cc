// SPDX-License-Identifier: Apache-2.0
// A train of small datagrams, one each millisecond, and what its receiver misses of it: for how long the kernel's
// traffic pauses.
//
//   train send ADDRESS PORT      until it is killed
//   train receive PORT           until it is killed; says "receiving" first. At each SIGUSR1 a line
//                                "longest US lost N of M": since the last such signal, the longest time between two
//                                datagrams, and those missed among those sent; and with "reordered N" if any were
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>

#include "tests/tools/stream.h"

namespace {

using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

sockaddr_in address(const char* host, const char* port) {
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(static_cast<std::uint16_t>(std::atoi(port)));
  if (inet_pton(AF_INET, host, &to.sin_addr) != 1) stream::fail(host);
  return to;
}

int send_train(const char* host, const char* port) {
  const int fd = socket(AF_INET, SOCK_DGRAM, 0);
  const sockaddr_in to = address(host, port);
  auto next = Clock::now();
  for (std::uint64_t number = 0;; ++number) {
    // What has no way out now is a datagram lost, as it were.
    static_cast<void>(
        sendto(fd, &number, sizeof(number), MSG_DONTWAIT, reinterpret_cast<const sockaddr*>(&to), sizeof(to)));
    std::this_thread::sleep_until(next += 1ms);
  }
}

struct Account {
  Clock::duration longest{0};
  std::uint64_t received = 0;
  std::uint64_t reordered = 0;
  std::uint64_t first = 0;
};

int receive_train(const char* port) {
  const int fd = socket(AF_INET, SOCK_DGRAM, 0);
  const sockaddr_in at = address("0.0.0.0", port);
  if (bind(fd, reinterpret_cast<const sockaddr*>(&at), sizeof(at)) != 0) stream::fail("bind");
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGUSR1);
  sigprocmask(SIG_BLOCK, &signals, nullptr);
  std::array<pollfd, 2> fds{
      {{.fd = fd, .events = POLLIN, .revents = 0}, {.fd = signalfd(-1, &signals, 0), .events = POLLIN, .revents = 0}}};
  std::puts("receiving");
  std::fflush(stdout);
  Account account;
  std::uint64_t next = 0;
  Clock::time_point last = Clock::now();
  for (;;) {
    if (poll(fds.data(), fds.size(), -1) < 0) stream::fail("poll");
    if ((fds[1].revents & POLLIN) != 0) {
      signalfd_siginfo info;
      if (read(fds[1].fd, &info, sizeof(info)) != sizeof(info)) stream::fail("read");
      const std::uint64_t sent = next - account.first;
      std::printf(
          "longest %lld lost %llu of %llu",
          static_cast<long long>(std::chrono::duration_cast<std::chrono::microseconds>(account.longest).count()),
          static_cast<unsigned long long>(sent - std::min(sent, account.received)),
          static_cast<unsigned long long>(sent));
      if (account.reordered != 0) std::printf(" reordered %llu", static_cast<unsigned long long>(account.reordered));
      std::puts("");
      std::fflush(stdout);
      account = {};
      account.first = next;
    }
    if ((fds[0].revents & POLLIN) == 0) continue;
    std::uint64_t number = 0;
    if (recv(fd, &number, sizeof(number), 0) != sizeof(number)) continue;
    const Clock::time_point now = Clock::now();
    if (next != 0) {
      account.longest = std::max(account.longest, now - last);
    } else {
      account.first = number;
    }
    last = now;
    ++account.received;
    if (number < next) {
      ++account.reordered;
    } else {
      next = number + 1;
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const std::string what = argc > 1 ? argv[1] : "";
    if (what == "send" && argc == 4) return send_train(argv[2], argv[3]);
    if (what == "receive" && argc == 3) return receive_train(argv[2]);
    std::fputs("train send ADDRESS PORT | train receive PORT\n", stderr);
    return 2;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "train: %s\n", error.what());
    return 1;
  }
}
