// SPDX-License-Identifier: Apache-2.0
// tcpstream: TCP connections that notice everything. Each octet of a stream follows from its position, both ends check
// all of it, and compare counts and a hash at the end. Used wherever a connection must survive a change of mode.
//
//   tcpstream serve PORT                     answers any number of connections, until killed
//   tcpstream send HOST PORT [options]       sends until SIGTERM or --seconds
//   tcpstream receive HOST PORT [options]    lets the server send
//   tcpstream talk HOST PORT [options]       one octet there and back per --interval-ms: interactive traffic
//
// Prints one line: what was kept, octets, hash, longest stall. Exit code 0: the connection lived and nothing differed.
#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/core.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/tools/stream.h"
#include "udd/base/unique_fd.h"

namespace {

using stream::fail;
using stream::generic;
using stream::octet_at;
using stream::read_all;
using stream::Stream;
using stream::Verdict;
using stream::write_all;
using Clock = std::chrono::steady_clock;
std::atomic<bool> stop_requested{false};

sockaddr_in internet(const std::string& host, std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  if (inet_pton(AF_INET, host.c_str(), &address.sin_addr) != 1) throw std::runtime_error(host + " is no IPv4 address");
  return address;
}

// ---- the two halves, the same on client and server ----

constexpr std::size_t kChunk = 16 * 1024;

struct Limits {
  std::uint64_t octets_per_s = 0;  ///< 0: as fast as it goes
  std::chrono::milliseconds time{0};
  std::string status{};  ///< file that always has the octets so far
};

/// Longest time between two steps forward.
class Stall {
 public:
  void step() noexcept {
    const auto now = Clock::now();
    longest_ = std::max(longest_, now - last_);
    last_ = now;
  }
  [[nodiscard]] double ms() const noexcept { return std::chrono::duration<double, std::milli>(longest_).count(); }

 private:
  Clock::time_point last_ = Clock::now();
  Clock::duration longest_{0};
};

/// Keeps the file of --status; rarely, since it is a system call or three.
class Status {
 public:
  explicit Status(std::string path) : path_(std::move(path)) {}
  void tell(std::uint64_t octets) {
    const auto now = Clock::now();
    if (path_.empty() || now - last_ < std::chrono::milliseconds{50}) return;
    last_ = now;
    const std::string fresh = path_ + ".new";
    if (std::FILE* file = std::fopen(fresh.c_str(), "we")) {
      fmt::print(file, "{}\n", octets);
      std::fclose(file);
      std::rename(fresh.c_str(), path_.c_str());
    }
  }

 private:
  std::string path_;
  Clock::time_point last_;
};

bool over(Clock::time_point start, const Limits& limits) {
  return stop_requested || (limits.time.count() > 0 && Clock::now() - start >= limits.time);
}

template <typename More>
void send_while(More more, int fd, const Limits& limits, Stream& stream, Stall& stall) {
  std::vector<std::uint8_t> chunk(kChunk);
  const auto start = Clock::now();
  Status status{limits.status};
  while (more()) {
    stream.fill(chunk);
    write_all(fd, chunk.data(), chunk.size());
    stream.add_all(chunk);
    stall.step();
    status.tell(stream.octets);
    if (limits.octets_per_s != 0) {
      const std::chrono::duration<double> due{static_cast<double>(stream.octets) /
                                              static_cast<double>(limits.octets_per_s)};
      std::this_thread::sleep_until(start + std::chrono::duration_cast<Clock::duration>(due));
    }
  }
}

/// Fills a pipe with the pages that the socket has, and only then reads it. @return as recv().
class Pipe {
 public:
  Pipe() {
    std::array<int, 2> ends{};
    if (pipe2(ends.data(), O_CLOEXEC) != 0) fail("make a pipe");
    out_ = udd::UniqueFd(ends[0]);
    in_ = udd::UniqueFd(ends[1]);
  }
  ssize_t receive(int fd, std::span<std::uint8_t> out) {
    if (left_ == 0) left_ = ::splice(fd, nullptr, in_.get(), nullptr, out.size(), SPLICE_F_MOVE);
    if (left_ <= 0) return std::exchange(left_, 0);
    const ssize_t n = ::read(out_.get(), out.data(), out.size());
    left_ -= std::max<ssize_t>(n, 0);
    return n;
  }

 private:
  udd::UniqueFd out_;
  udd::UniqueFd in_;
  ssize_t left_ = 0;
};

/// Receives until the sender ends the stream.
void receive_stream(int fd, const std::string& status_path, Stream& stream, Stall& stall, Pipe* pipe = nullptr) {
  std::vector<std::uint8_t> chunk(4 * kChunk);
  Status status{status_path};
  for (;;) {
    const ssize_t n = pipe != nullptr ? pipe->receive(fd, chunk) : ::recv(fd, chunk.data(), chunk.size(), 0);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail("receive");
    if (n == 0) return;
    stream.add_all({chunk.data(), static_cast<std::size_t>(n)});
    stall.step();
    status.tell(stream.octets);
  }
}

// ---- server ----

/// The client's first octets: what it wants.
struct Request {
  char kind = 0;  ///< 'S' client sends, 'R' client receives, 'T' talk
  std::array<char, 7> reserved{};
  std::uint64_t octets_per_s = 0;
};

void serve_one(udd::UniqueFd fd) try {
  Request request{};
  read_all(fd.get(), &request, sizeof request);
  Stream stream;
  Stall stall;
  if (request.kind == 'S') {
    receive_stream(fd.get(), {}, stream, stall);
    const Verdict verdict = Verdict::of(stream);
    write_all(fd.get(), &verdict, sizeof verdict);
  } else if (request.kind == 'R') {
    Limits limits{.octets_per_s = request.octets_per_s};
    // the client asks for the end by ending its own direction
    std::atomic<bool> ended{false};
    const std::jthread watch([&ended, raw = fd.get()] {
      char octet = 0;
      while (::recv(raw, &octet, 1, 0) < 0 && errno == EINTR) {
      }
      ended = true;
    });
    send_while([&ended] { return !ended; }, fd.get(), limits, stream, stall);
    ::shutdown(fd.get(), SHUT_WR);
  } else if (request.kind == 'T') {
    char octet = 0;
    while (::recv(fd.get(), &octet, 1, 0) == 1) write_all(fd.get(), &octet, 1);
  }
} catch (const std::exception& error) {
  fmt::print(stderr, "tcpstream: a connection failed: {}\n", error.what());
}

int serve(std::uint16_t port) {
  const udd::UniqueFd listener{socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  const int on = 1;
  setsockopt(listener.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address = internet("0.0.0.0", port);
  if (bind(listener.get(), generic(&address), sizeof address) != 0) fail("bind");
  if (listen(listener.get(), SOMAXCONN) != 0) fail("listen");
  for (;;) {
    udd::UniqueFd fd{accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC)};
    if (fd) std::thread(serve_one, std::move(fd)).detach();
  }
}

// ---- client ----

udd::UniqueFd connect_to(const std::string& host, std::uint16_t port, const Request& request) {
  udd::UniqueFd fd{socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  if (!fd) fail("open a socket");
  sockaddr_in address = internet(host, port);
  if (connect(fd.get(), generic(&address), sizeof address) != 0) fail("connect");
  const int on = 1;
  setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  write_all(fd.get(), &request, sizeof request);
  return fd;
}

int report(const char* what, const Stream& stream, bool same, const Stall& stall) {
  const bool kept = same && stream.wrong == 0;
  fmt::print("tcpstream {}: {} octets, hash {:016x}, {} wrong, longest stall {:.0f} ms: {}\n", what, stream.octets,
             stream.hash, stream.wrong, stall.ms(), kept ? "kept" : "BROKEN");
  return kept ? 0 : 1;
}

int send_to(const std::string& host, std::uint16_t port, const Limits& limits) {
  const udd::UniqueFd fd = connect_to(host, port, {.kind = 'S'});
  Stream stream;
  Stall stall;
  const auto start = Clock::now();
  send_while([&] { return !over(start, limits); }, fd.get(), limits, stream, stall);
  ::shutdown(fd.get(), SHUT_WR);
  Verdict verdict{};
  read_all(fd.get(), &verdict, sizeof verdict);
  return report("send", stream, verdict.good_for(stream), stall);
}

int receive_from(const std::string& host, std::uint16_t port, const Limits& limits, bool spliced) {
  const udd::UniqueFd fd = connect_to(host, port, {.kind = 'R', .octets_per_s = limits.octets_per_s});
  Stream stream;
  Stall stall;
  const auto start = Clock::now();
  std::jthread watch([&](const std::stop_token& ended) {
    while (!over(start, limits) && !ended.stop_requested()) std::this_thread::sleep_for(std::chrono::milliseconds{20});
    ::shutdown(fd.get(), SHUT_WR);
  });
  std::optional<Pipe> pipe;
  if (spliced) pipe.emplace();
  receive_stream(fd.get(), limits.status, stream, stall, pipe ? &*pipe : nullptr);
  const bool asked_for = over(start, limits);  // otherwise the peer gave up
  return report("receive", stream, asked_for, stall);
}

int talk_to(const std::string& host, std::uint16_t port, const Limits& limits, std::chrono::milliseconds interval) {
  const udd::UniqueFd fd = connect_to(host, port, {.kind = 'T'});
  Status status{limits.status};
  Stream stream;
  Stall stall;
  std::vector<double> round_trips_us;
  const auto start = Clock::now();
  while (!over(start, limits)) {
    const auto sent = Clock::now();
    std::uint8_t octet = octet_at(stream.octets);
    write_all(fd.get(), &octet, 1);
    read_all(fd.get(), &octet, 1);
    stream.add_all({&octet, 1});
    stall.step();
    status.tell(stream.octets);
    round_trips_us.push_back(std::chrono::duration<double, std::micro>(Clock::now() - sent).count());
    std::this_thread::sleep_until(sent + interval);
  }
  if (!round_trips_us.empty()) {
    std::ranges::sort(round_trips_us);
    const auto at = [&](double f) {
      return round_trips_us[static_cast<std::size_t>(f * static_cast<double>(round_trips_us.size() - 1))];
    };
    fmt::print("tcpstream talk: round trip us: p50 {:.0f}, p99 {:.0f}, max {:.0f}\n", at(0.5), at(0.99), at(1));
  }
  return report("talk", stream, true, stall);
}

void request_stop(int) { stop_requested = true; }

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"TCP connections that notice everything: every octet is checked, counted and hashed at both ends."};
  app.require_subcommand(1);
  std::string host;
  std::uint16_t port = 0;
  Limits limits;
  double seconds = 0;
  unsigned interval_ms = 10;
  const auto client = [&](const char* name, const char* text) {
    auto* command = app.add_subcommand(name, text);
    command->add_option("host", host, "IPv4 address")->required();
    command->add_option("port", port, "TCP port")->required();
    command->add_option("--seconds", seconds, "end after so long (at SIGTERM)");
    command->add_option("--status", limits.status, "file that always has the octets so far");
    return command;
  };
  auto* server = app.add_subcommand("serve", "answer connections until killed");
  server->add_option("port", port, "TCP port")->required();
  auto* sender = client("send", "send a stream");
  auto* receiver = client("receive", "have a stream sent");
  for (auto* command : {sender, receiver}) {
    command->add_option("--rate", limits.octets_per_s, "octets a second (as fast as it goes)");
  }
  bool spliced = false;
  receiver->add_flag("--splice", spliced, "through a pipe, without a copy into memory of its own");
  auto* talker = client("talk", "one octet there and back at a time");
  talker->add_option("--interval-ms", interval_ms, "between two")->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  limits.time = std::chrono::milliseconds{static_cast<std::int64_t>(seconds * 1000)};

  std::signal(SIGTERM, request_stop);
  std::signal(SIGINT, request_stop);
  try {
    if (server->parsed()) {
      std::signal(SIGTERM, SIG_DFL);
      return serve(port);
    }
    if (sender->parsed()) return send_to(host, port, limits);
    if (receiver->parsed()) return receive_from(host, port, limits, spliced);
    return talk_to(host, port, limits, std::chrono::milliseconds{interval_ms});
  } catch (const std::exception& error) {
    fmt::print("tcpstream: BROKEN: {}\n", error.what());
    return 1;
  }
}
