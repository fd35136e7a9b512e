// SPDX-License-Identifier: Apache-2.0
// tcpshapes: TCP connections of every shape. Writes and reads of 1 to 70 000 octets by send(), MSG_MORE, MSG_ZEROCOPY,
// sendfile(), splice() and vmsplice(), with TCP_NODELAY and TCP_CORK toggled; read by recv(), splice() and tee(). Both
// ends check every octet and compare counts and hashes. Used where the kernel's pages may meet the NIC, or the NIC's
// the stack.
//
//   tcpshapes serve PORT [--hold late|pipes] [--receive-buffer N]
//       answers any number of connections, until killed. --hold: what clients send stays in the sockets, or in pipes
//       that nobody empties, until SIGUSR1; then it is read and judged, and "held N octets: kept" printed.
//   tcpshapes send|receive HOST PORT [--octets N] [--connections N] [--seed N]
//
// Prints one line for all connections. Exit code 0: nothing differed.
#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <map>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/tools/shapes.h"

namespace {

using shapes::Reader;
using shapes::Source;
using shapes::Writer;
using stream::fail;
using stream::generic;
using stream::read_all;
using stream::Stream;
using stream::Verdict;
using stream::write_all;

/// Streams of neighbouring connections begin so far apart: what lands in the wrong one is seen.
constexpr std::uint64_t kApart = 77'777;

std::atomic<bool> go_on{false};

/// The client's first octets: what it wants.
struct Request {
  char kind = 0;  ///< 'S' client sends, 'R' client receives
  std::array<char, 7> reserved{};
  std::uint64_t seed = 0, first = 0, octets = 0;
};

sockaddr_in6 internet(const std::string& host, std::uint16_t port) {
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_port = htons(port);
  const std::string mapped = host.find(':') == std::string::npos ? "::ffff:" + host : host;
  if (inet_pton(AF_INET6, mapped.c_str(), &address.sin6_addr) != 1) throw std::runtime_error(host + " is no address");
  return address;
}

// ---- server ----

enum class Hold { kNo, kLate, kPipes };

void serve_sender(int fd, const Request& request, Hold hold) {
  Reader reader{fd, request.seed};
  Stream stream{.first = request.first};
  if (hold == Hold::kPipes) {
    reader.fill_pipes();
    fmt::print("in pipes: {} octets\n", reader.in_pipe());
    std::fflush(stdout);
  }
  if (hold != Hold::kNo) go_on.wait(false);
  reader.receive(stream);
  const Verdict verdict = Verdict::of(stream);
  if (hold != Hold::kNo) {
    fmt::print("held {} octets: {}\n", stream.octets, stream.wrong == 0 ? "kept" : "BROKEN");
    std::fflush(stdout);
  }
  write_all(fd, &verdict, sizeof verdict);
}

void serve_one(udd::UniqueFd fd, Hold hold) try {
  Request request{};
  read_all(fd.get(), &request, sizeof request);
  if (request.kind == 'S') {
    serve_sender(fd.get(), request, hold);
  } else if (request.kind == 'R') {
    const Source source{request.first + request.octets};
    Stream stream{.first = request.first};
    Writer{fd.get(), source, request.seed}.send(stream, request.octets);
    ::shutdown(fd.get(), SHUT_WR);
  }
} catch (const std::exception& error) {
  fmt::print(stderr, "tcpshapes: a connection failed: {}\n", error.what());
}

/// SIGUSR1 comes to a thread of its own, which may notify.
void await_signal() {
  sigset_t set{};
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  std::thread{[set] {
    int signal = 0;
    sigwait(&set, &signal);
    go_on = true;
    go_on.notify_all();
  }}.detach();
}

int serve(std::uint16_t port, Hold hold, int receive_buffer) {
  await_signal();
  const udd::UniqueFd listener{socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  const int on = 1;
  setsockopt(listener.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (receive_buffer > 0 &&
      setsockopt(listener.get(), SOL_SOCKET, SO_RCVBUFFORCE, &receive_buffer, sizeof receive_buffer) != 0) {
    fail("enlarge the receive buffer");
  }
  sockaddr_in6 address = internet("::", port);
  if (bind(listener.get(), generic(&address), sizeof address) != 0) fail("bind");
  if (listen(listener.get(), SOMAXCONN) != 0) fail("listen");
  for (;;) {
    udd::UniqueFd fd{accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC)};
    if (fd) std::thread(serve_one, std::move(fd), hold).detach();
  }
}

// ---- client ----

struct Order {
  char kind = 0;
  std::string host{};
  std::uint16_t port = 0;
  std::uint64_t octets = 4 << 20;
  unsigned connections = 4;
  std::uint64_t seed = 1;
};

/// One connection's stream, and whether the two ends agree.
struct Outcome {
  Stream stream{};
  bool same = false;
  std::string error{};
};

void run_one(const Order& order, const Source& source, unsigned number, Outcome& outcome) try {
  const udd::UniqueFd fd{socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  sockaddr_in6 address = internet(order.host, order.port);
  if (connect(fd.get(), generic(&address), sizeof address) != 0) fail("connect");
  const Request request{
      .kind = order.kind, .seed = order.seed + number, .first = number * kApart, .octets = order.octets};
  write_all(fd.get(), &request, sizeof request);
  Stream& stream = outcome.stream;
  stream.first = request.first;
  if (order.kind == 'S') {
    Writer{fd.get(), source, request.seed}.send(stream, order.octets);
    ::shutdown(fd.get(), SHUT_WR);
    Verdict verdict{};
    read_all(fd.get(), &verdict, sizeof verdict);
    outcome.same = verdict.good_for(stream);
  } else {
    Reader{fd.get(), request.seed}.receive(stream);
    outcome.same = stream.octets == order.octets && stream.wrong == 0;
  }
} catch (const std::exception& error) {
  outcome.error = error.what();
}

int run(const Order& order) {
  const Source source{order.connections * kApart + order.octets};
  std::vector<Outcome> outcomes(order.connections);
  const auto start = std::chrono::steady_clock::now();
  {
    std::vector<std::jthread> threads;
    for (unsigned i = 0; i < order.connections; ++i) {
      threads.emplace_back([&, i] { run_one(order, source, i, outcomes[i]); });
    }
  }
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - start);
  std::uint64_t octets = 0, hash = 0, wrong = 0;
  bool kept = true;
  for (const Outcome& outcome : outcomes) {
    octets += outcome.stream.octets;
    wrong += outcome.stream.wrong;
    hash ^= outcome.stream.hash;
    kept = kept && outcome.same;
    if (!outcome.error.empty()) fmt::print("tcpshapes: {}\n", outcome.error);
  }
  fmt::print("tcpshapes {}: {} connections, {} octets, hash {:016x}, {} wrong, {} ms: {}\n",
             order.kind == 'S' ? "send" : "receive", order.connections, octets, hash, wrong, ms.count(),
             kept ? "kept" : "BROKEN");
  return kept ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"TCP connections of every shape: all ways of sending and receiving, every octet checked at both ends."};
  app.require_subcommand(1);
  Order order;
  Hold hold = Hold::kNo;
  int receive_buffer = 0;
  auto* server = app.add_subcommand("serve", "answer connections until killed");
  server->add_option("port", order.port, "TCP port")->required();
  server->add_option("--hold", hold, "leave what comes where it is until SIGUSR1")
      ->transform(CLI::CheckedTransformer(std::map<std::string, Hold>{{"late", Hold::kLate}, {"pipes", Hold::kPipes}}));
  server->add_option("--receive-buffer", receive_buffer, "octets of each socket's");
  auto* sender = app.add_subcommand("send", "send streams");
  auto* receiver = app.add_subcommand("receive", "have streams sent");
  for (auto* command : {sender, receiver}) {
    command->add_option("host", order.host, "IPv4 or IPv6 address")->required();
    command->add_option("port", order.port, "TCP port")->required();
    command->add_option("--octets", order.octets, "of each connection")->capture_default_str();
    command->add_option("--connections", order.connections, "at the same time")->capture_default_str();
    command->add_option("--seed", order.seed, "of sizes and ways")->capture_default_str();
  }
  CLI11_PARSE(app, argc, argv);
  order.kind = sender->parsed() ? 'S' : 'R';
  try {
    return server->parsed() ? serve(order.port, hold, receive_buffer) : run(order);
  } catch (const std::exception& error) {
    fmt::print("tcpshapes: BROKEN: {}\n", error.what());
    return 1;
  }
}
