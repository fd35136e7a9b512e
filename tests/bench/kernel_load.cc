// SPDX-License-Identifier: Apache-2.0
// kernel_load: the kernel's own traffic between two network namespaces, both ends forked by one program, and what it
// costs as a figure for the lab's counting plugin. What the octets are is of no interest here: tests/tools/tcpstream
// checks them.
//
//   kernel_load bulk NAME ADDRESS --to far --count 32      a TCP stream, M octets after --warm-up M octets
//   kernel_load round NAME ADDRESS --to far --count 1000   one octet there and back over TCP; --connections take turns
//   kernel_load datagram NAME ADDRESS --to far             50 octets there and back over UDP
//   kernel_load flow ADDRESS --to far                      a TCP stream until killed, uncounted: load for something
//   else
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <array>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <string>
#include <system_error>
#include <vector>

#include "tests/lab/plugin/mark.h"
#include "udd/base/unique_fd.h"

namespace {

constexpr std::size_t kChunk = 128 * 1024;  // one system call moves so much at most: the program's own part is small
constexpr std::int64_t kMega = 1'000'000;
constexpr std::size_t kMessage = 50;  // as pingpong's messages
constexpr unsigned kLimit_s = 300;    // both ends give up

struct Options {
  std::string name;     ///< of the figure
  std::string address;  ///< of the end that listens
  std::string from;     ///< network namespace of the end that connects, empty: this one
  std::string to;       ///< ... that listens
  std::uint16_t port = 7001;
  std::int64_t count = 32;
  std::int64_t warm_up = 8;
  unsigned connections = 1;
};

[[noreturn]] void fail(const char* what) { throw std::system_error(errno, std::generic_category(), what); }

void enter_namespace(const std::string& name) {
  if (name.empty()) return;
  const udd::UniqueFd fd{open(("/run/netns/" + name).c_str(), O_RDONLY | O_CLOEXEC)};
  if (!fd || setns(fd.get(), CLONE_NEWNET) != 0) fail("enter the network namespace");
}

sockaddr* generic(sockaddr_in* address) noexcept { return static_cast<sockaddr*>(static_cast<void*>(address)); }

sockaddr_in address_of(const Options& options) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(options.port);
  if (inet_pton(AF_INET, options.address.c_str(), &address.sin_addr) != 1) {
    errno = EINVAL;
    fail("read the IPv4 address");
  }
  return address;
}

void send_at_once(const udd::UniqueFd& fd) {
  const int on = 1;
  setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

enum class What : std::uint8_t { kBulk, kRound, kDatagram, kFlow };

int type_of(What what) noexcept { return what == What::kDatagram ? SOCK_DGRAM : SOCK_STREAM; }

udd::UniqueFd listen_at(What what, const Options& options) {
  udd::UniqueFd fd{socket(AF_INET, type_of(what) | SOCK_CLOEXEC, 0)};
  const int on = 1;
  setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address = address_of(options);
  if (bind(fd.get(), generic(&address), sizeof address) != 0) fail("bind");
  if (what != What::kDatagram && listen(fd.get(), SOMAXCONN) != 0) fail("listen");
  return fd;
}

/// Connections of one end, in the same order at both.
using Connections = std::vector<udd::UniqueFd>;

Connections accept_all(const udd::UniqueFd& listener, unsigned count) {
  Connections result;
  while (result.size() < count) {
    udd::UniqueFd fd{accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC)};
    if (!fd) fail("accept");
    send_at_once(fd);
    result.push_back(std::move(fd));
  }
  return result;
}

Connections connect_all(What what, const Options& options) {
  Connections result;
  while (result.size() < options.connections) {
    udd::UniqueFd fd{socket(AF_INET, type_of(what) | SOCK_CLOEXEC, 0)};
    sockaddr_in address = address_of(options);
    if (connect(fd.get(), generic(&address), sizeof address) != 0) fail("connect");
    if (what != What::kDatagram) send_at_once(fd);
    result.push_back(std::move(fd));
  }
  return result;
}

// ---- bulk ----

void receive(int fd, std::vector<char>& buffer, std::int64_t octets) {
  while (octets > 0) {
    const ssize_t n = recv(fd, buffer.data(), std::min<std::size_t>(buffer.size(), octets), 0);
    if (n <= 0) fail("receive");
    octets -= n;
  }
}

void receive_bulk(int fd, const Options& options) {
  std::vector<char> buffer(kChunk);
  receive(fd, buffer, options.warm_up * kMega);
  MARK_START();
  receive(fd, buffer, options.count * kMega);
  MARK_STOP();
  mark_figure(options.name.c_str(), "MB", options.count);
}

void receive_flow(int fd) {
  std::vector<char> buffer(kChunk);
  for (;;) receive(fd, buffer, kMega);
}

/// Past the counted part, until the receiver hangs up: the end of a stream is no part of its cost.
void send_bulk(int fd) {
  const std::vector<char> buffer(kChunk);
  while (send(fd, buffer.data(), buffer.size(), MSG_NOSIGNAL) > 0) {
  }
}

// ---- there and back ----

template <std::size_t kSize>
void send_rounds(const Connections& connections, const Options& options, const char* unit) {
  std::array<char, kSize> message{};
  const auto round = [&](std::int64_t i) {
    const int fd = connections[i % connections.size()].get();
    if (send(fd, message.data(), kSize, MSG_NOSIGNAL) != kSize || recv(fd, message.data(), kSize, 0) != kSize) {
      fail("exchange a message");
    }
  };
  for (std::int64_t i = 0; i < options.warm_up; ++i) round(i);
  MARK_START();
  for (std::int64_t i = 0; i < options.count; ++i) round(options.warm_up + i);
  MARK_STOP();
  mark_figure(options.name.c_str(), unit, options.count);
}

/// Until the other end hangs up.
void send_octets_back(const Connections& connections) {
  char octet = 0;
  for (std::size_t i = 0;; i = (i + 1) % connections.size()) {
    const int fd = connections[i].get();
    if (recv(fd, &octet, 1, 0) != 1) return;
    if (send(fd, &octet, 1, MSG_NOSIGNAL) != 1) fail("send the octet back");
  }
}

void send_datagrams_back(const udd::UniqueFd& fd, const Options& options) {
  std::array<char, kMessage> message{};
  for (std::int64_t i = 0; i < options.warm_up + options.count; ++i) {
    sockaddr_in sender{};
    socklen_t length = sizeof sender;
    if (recvfrom(fd.get(), message.data(), kMessage, 0, generic(&sender), &length) != kMessage ||
        sendto(fd.get(), message.data(), kMessage, 0, generic(&sender), length) != kMessage) {
      fail("send a datagram back");
    }
  }
}

// ---- both ends ----

void listening_end(const udd::UniqueFd& listener, What what, const Options& options) {
  if (what == What::kDatagram) return send_datagrams_back(listener, options);
  const Connections connections = accept_all(listener, options.connections);
  if (what == What::kRound) return send_octets_back(connections);
  if (what == What::kBulk) return receive_bulk(connections[0].get(), options);
  receive_flow(connections[0].get());
}

void connecting_end(What what, const Options& options) {
  enter_namespace(options.from);
  const Connections connections = connect_all(what, options);
  if (what == What::kRound) return send_rounds<1>(connections, options, "round");
  if (what == What::kDatagram) return send_rounds<kMessage>(connections, options, "pair");
  send_bulk(connections[0].get());
}

/// Runs both ends, the listening one in a child. @return the exit status.
int run(What what, const Options& options) {
  const udd::UniqueFd home{open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC)};
  enter_namespace(options.to);
  const udd::UniqueFd listener = listen_at(what, options);
  const pid_t child = fork();
  if (child < 0) fail("fork");
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    alarm(kLimit_s);
    listening_end(listener, what, options);
    return 0;
  }
  if (setns(home.get(), CLONE_NEWNET) != 0) fail("go back to the network namespace");
  connecting_end(what, options);
  int status = 0;
  if (waitpid(child, &status, 0) != child) fail("wait for the other end");
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"The kernel's traffic between two network namespaces, counted by the lab's plugin."};
  app.require_subcommand(1);
  Options options;
  const auto command = [&](const char* name, const char* text, bool counted) {
    auto* sub = app.add_subcommand(name, text);
    if (counted) sub->add_option("name", options.name, "of the figure")->required();
    sub->add_option("address", options.address, "of the end that listens")->required();
    sub->add_option("--from", options.from, "network namespace of the end that connects (this one)");
    sub->add_option("--to", options.to, "network namespace of the end that listens (this one)");
    sub->add_option("--port", options.port, "TCP port")->capture_default_str();
    if (counted) {
      sub->add_option("--count", options.count, "M octets, or rounds")->capture_default_str();
      sub->add_option("--warm-up", options.warm_up, "M octets, or rounds, before them")->capture_default_str();
    }
    return sub;
  };
  auto* bulk = command("bulk", "a stream; the receiver counts", true);
  auto* round = command("round", "one octet there and back over TCP", true);
  round->add_option("--connections", options.connections, "that take turns")->check(CLI::PositiveNumber);
  auto* datagram = command("datagram", "50 octets there and back over UDP", true);
  command("flow", "a stream until killed", false);
  CLI11_PARSE(app, argc, argv);

  alarm(kLimit_s);
  try {
    return run(bulk->parsed()       ? What::kBulk
               : round->parsed()    ? What::kRound
               : datagram->parsed() ? What::kDatagram
                                    : What::kFlow,
               options);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "kernel_load: %s\n", error.what());
    return 1;
  }
}
