// SPDX-License-Identifier: Apache-2.0
// An application that takes a port, serves it for a moment, and ends in one of the ways in which applications end.
//
//   ends HOW [PORT [BUFFERS [WATCHDOG]]]   PORT: ndd0; BUFFERS of its pool, 0 for the usual number; WATCHDOG in ms
//     close | destroy    gives the port back, by give_back() or by the Port's destructor, and lives on
//     return | exit      leaves main(), or calls exit() below it
//     throw | catch      an exception that nobody catches; one that is caught outside the Port's scope, and lives on
//     abort | segv       dies with a core dump
//     exec               becomes another program, which sleeps
//     fork               dies while a forked child lives on
//     clone              the same, where the child was made behind the C library's back and has every descriptor
//     stop               stops by SIGSTOP
//     spin | deadlock | fault   without a backup thread: computes for good, waits for a lock that it has itself, or
//                        touches a page that never comes
//     mute | stray | deaf   behind the library's back has an Intel NIC send no more, look for its frames where nothing
//                        is mapped for it, or interrupt no more; and goes on serving
//     serve              goes on serving
//     follow             waits behind the owner of the port first ("waits"), and goes on serving where that ends
//
// Prints "took" once the port is its own, and what it does then. Exit status 4: it lost the port.
#include <fcntl.h>
#include <linux/sched.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>

#include "udd/nic/e1000/regs.h"
#include "udd/port.h"
#include "udd/standby.h"

namespace {

using namespace std::chrono_literals;

constexpr auto kServe = 300ms;

void say(const char* text) {
  std::puts(text);
  std::fflush(stdout);
}

void serve(udd::Port& port, std::optional<std::chrono::milliseconds> time) {
  std::array<udd::Frame, 32> frames;
  const auto end = std::chrono::steady_clock::now() + time.value_or(0ms);
  while (port.state() == udd::PortState::kTunnel && (!time || std::chrono::steady_clock::now() < end)) {
    port.queue(0).wait(50ms);
    const std::size_t got = port.queue(0).rx(frames);
    port.queue(0).release({frames.data(), got});
  }
}

[[noreturn]] void live_on() {
  say("living on");
  for (;;) pause();
}

[[noreturn]] void die() {
  kill(getpid(), SIGKILL);
  for (;;) pause();
}

void deadlock() {
  pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
  pthread_mutex_lock(&lock);
  pthread_mutex_lock(&lock);
}

/// userfaultfd(2): whoever should fill the page has hung himself.
void fault_for_ever() {
  const auto fd = static_cast<int>(syscall(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY));
  const auto size = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  void* const page = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  uffdio_api api{.api = UFFD_API, .features = 0, .ioctls = 0};
  uffdio_register range{.range = {.start = reinterpret_cast<std::uintptr_t>(page), .len = size},
                        .mode = UFFDIO_REGISTER_MODE_MISSING,
                        .ioctls = 0};
  if (fd < 0 || page == MAP_FAILED || ioctl(fd, UFFDIO_API, &api) < 0 || ioctl(fd, UFFDIO_REGISTER, &range) < 0) {
    std::perror("ends: userfaultfd");
    return;
  }
  *static_cast<volatile char*>(page) = 1;
}

struct Meddling {
  std::size_t at;
  std::uint32_t value;
};
const std::map<std::string, Meddling> kMeddlings = {
    {"mute", {udd::e1000::Tctl::kOffset, 0}},             // transmitter off
    {"stray", {udd::e1000::Tdbal::kOffset, 0xf0000000}},  // the descriptor ring is elsewhere
    {"deaf", {udd::e1000::Imc::kOffset, 0xffffffff}},     // every cause masked
};

/// The NIC's registers are wherever the library has mapped them.
void meddle(const Meddling& how) {
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    if (line.find("vfio-device") == std::string::npos) continue;
    const std::uintptr_t registers = std::stoul(line, nullptr, 16);
    *reinterpret_cast<volatile std::uint32_t*>(registers + how.at) = how.value;
    return;
  }
  say("ends: no registers found");
}

/// With all descriptors and none of pthread_atfork()'s handlers.
long fork_behind_libc() { return syscall(SYS_clone, SIGCHLD, nullptr, nullptr, nullptr, 0); }

void end(const std::string& how, std::optional<udd::Port>& port) {
  if (how == "close") {
    port->give_back();
    live_on();
  } else if (how == "destroy") {
    port.reset();
    live_on();
  } else if (how == "exit") {
    std::exit(0);
  } else if (how == "throw" || how == "catch") {
    throw std::runtime_error("as asked");
  } else if (how == "abort") {
    std::abort();
  } else if (how == "segv") {
    *static_cast<volatile int*>(nullptr) = 1;
  } else if (how == "exec") {
    execlp("sleep", "sleep", "1000", nullptr);
    std::perror("ends: exec");
  } else if (how == "fork" || how == "clone") {
    const long child = how == "fork" ? fork() : fork_behind_libc();
    if (child == 0) {
      for (;;) pause();
    }
    std::printf("child %ld\n", child);
    std::fflush(stdout);
    die();
  } else if (how == "stop") {
    raise(SIGSTOP);
  } else if (how == "spin") {
    for (volatile bool on = true; on;) {
    }
  } else if (how == "deadlock") {
    deadlock();
  } else if (how == "fault") {
    fault_for_ever();
  } else if (const auto meddling = kMeddlings.find(how); meddling != kMeddlings.end()) {
    meddle(meddling->second);
    serve(*port, std::nullopt);
  } else if (how == "serve" || how == "follow") {
    serve(*port, std::nullopt);
  }
}

std::optional<udd::Port> follow(const char* name, udd::PortOptions options) {
  udd::Standby standby = udd::Standby::join(name, std::move(options));
  say("waits");
  return standby.wait();
}

udd::PortOptions options_of(std::span<char*> arguments) {
  udd::PortOptions options{.ethertypes = {0x88B5}};
  options.log = [](const udd::LogRecord& record) {
    if (record.level >= udd::LogLevel::kWarning) std::printf("log: %s\n", std::string(record.text).c_str());
  };
  const auto number = [&](std::size_t at) { return std::strtoul(arguments[at], nullptr, 10); };
  if (arguments.size() > 3) options.buffers = static_cast<unsigned>(number(3));
  if (arguments.size() > 4) options.watchdog = std::chrono::milliseconds(number(4));
  return options;
}

int run(const std::string& how, const char* name, udd::PortOptions options) {
  if (how == "spin" || how == "deadlock" || how == "fault") options.backup_after.reset();
  std::optional<udd::Port> port =
      how == "follow" ? follow(name, std::move(options)) : udd::Port::take(name, std::move(options));
  say("took");
  serve(*port, kServe);
  end(how, port);
  if (!port || port->state() != udd::PortState::kLost) return 0;
  std::printf("lost: %s\n", port->lost_reason().c_str());
  return 4;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string how = argc > 1 ? argv[1] : "";
  const char* port = argc > 2 ? argv[2] : "ndd0";
  udd::PortOptions options = options_of({argv, static_cast<std::size_t>(argc)});
  if (how == "throw") return run(how, port, std::move(options));
  try {
    return run(how, port, std::move(options));
  } catch (const udd::Error& error) {
    std::fprintf(stderr, "ends: %s\n", error.what());
    return 1;
  } catch (const std::exception& error) {
    std::printf("caught: %s\n", error.what());
    live_on();
  }
}
