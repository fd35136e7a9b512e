// SPDX-License-Identifier: Apache-2.0
// Kills a program in the middle of taking a port: at entry or exit of the N-th system call of take, or some time after
// its begin. Stands beside the application in a guest; the script that runs it then looks whether the kernel has its
// port back.
//
//   syscall_killer count COMMAND...           lets take run, kills the program, prints "calls N"
//   syscall_killer entry|exit N COMMAND...    kills there; prints which call that was
//   syscall_killer after MICROSECONDS COMMAND...   kills so long after take has begun, wherever the program then is
//
// Take is what the program's first thread does from opening a node below /dev/ndd to the end of NDD_START. Exit status:
// 0 killed as asked; 3 the program ended, or finished its take, before that; 1 an error.
#include <fcntl.h>
#include <linux/ndd.h>
#include <sys/ioctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

namespace {

using std::uint64_t;

constexpr int kSyscallStop = SIGTRAP | 0x80;  // with PTRACE_O_TRACESYSGOOD

enum class Mode { kCount, kEntry, kExit, kAfter };

[[noreturn]] void die(const char* what) {
  std::fprintf(stderr, "syscall_killer: %s: %s\n", what, std::strerror(errno));
  std::exit(1);
}

std::string read_path(pid_t pid, uint64_t address) {
  std::array<char, 32> text{};
  const iovec here{text.data(), text.size() - 1};
  const iovec there{reinterpret_cast<void*>(address), text.size() - 1};
  // near the end of a page less can be had; what there is is enough for the comparison
  if (process_vm_readv(pid, &here, 1, &there, 1, 0) <= 0) return {};
  return text.data();
}

class Traced {
 public:
  explicit Traced(char** command) : pid_(fork()) {
    if (pid_ < 0) die("fork");
    if (pid_ == 0) {
      if (ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) _exit(127);
      execvp(command[0], command);
      _exit(127);
    }
    if (!wait_stop()) die("the program did not start");
    if (ptrace(PTRACE_SETOPTIONS, pid_, nullptr, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL) != 0)
      die("PTRACE_SETOPTIONS");
  }

  /// Runs to the next entry or exit of a system call. False: the program has ended.
  bool next_call(__ptrace_syscall_info& info) {
    for (int signal = 0;; signal = delivered()) {
      if (ptrace(PTRACE_SYSCALL, pid_, nullptr, static_cast<long>(signal)) != 0) return false;
      if (!wait_stop()) return false;
      if (WSTOPSIG(status_) == kSyscallStop) break;
    }
    return ptrace(PTRACE_GET_SYSCALL_INFO, pid_, sizeof(info), &info) > 0;
  }

  void let_go() { ptrace(PTRACE_DETACH, pid_, nullptr, nullptr); }

  void kill() {
    ::kill(pid_, SIGKILL);
    while (waitpid(pid_, &status_, 0) > 0 && !WIFSIGNALED(status_) && !WIFEXITED(status_)) {
    }
  }

  [[nodiscard]] pid_t pid() const { return pid_; }

 private:
  [[nodiscard]] int delivered() const { return WSTOPSIG(status_) == SIGTRAP ? 0 : WSTOPSIG(status_); }
  bool wait_stop() { return waitpid(pid_, &status_, 0) == pid_ && WIFSTOPPED(status_); }

  pid_t pid_;
  int status_ = 0;
};

/// Follows the program's system calls and says which of them belong to take.
class TakeWindow {
 public:
  explicit TakeWindow(Traced& traced) : traced_(traced) {}

  /// Runs to the next stop within take. False: take is over, or the program is.
  bool next() {
    for (;;) {
      __ptrace_syscall_info info{};
      if (starting_ && !entry_) return false;
      if (!traced_.next_call(info)) return false;
      entry_ = info.op == PTRACE_SYSCALL_INFO_ENTRY;
      if (entry_) {
        number_ = info.entry.nr;
        argument_ = info.entry.args[1];
        began_ = began_ || (number_ == SYS_openat && read_path(traced_.pid(), argument_).starts_with("/dev/ndd"));
        starting_ = number_ == SYS_ioctl && argument_ == NDD_START;
        if (began_) ++calls_;
      }
      if (began_) return true;
    }
  }

  [[nodiscard]] bool at_entry() const { return entry_; }
  [[nodiscard]] bool started() const { return starting_; }
  [[nodiscard]] unsigned calls() const { return calls_; }
  void print(const char* where) const {
    std::printf("killed at %s of call %u: number %llu, second argument 0x%llx\n", where, calls_,
                static_cast<unsigned long long>(number_), static_cast<unsigned long long>(argument_));
  }

 private:
  Traced& traced_;
  bool began_ = false, entry_ = false, starting_ = false;
  unsigned calls_ = 0;
  uint64_t number_ = 0, argument_ = 0;
};

int run(Mode mode, unsigned long n, char** command) {
  Traced traced(command);
  TakeWindow window(traced);
  while (window.next()) {
    if (mode == Mode::kAfter) {
      traced.let_go();
      usleep(static_cast<useconds_t>(n));
      traced.kill();
      std::printf("killed %lu us after take's begin\n", n);
      return 0;
    }
    if (mode != Mode::kCount && window.calls() == n && window.at_entry() == (mode == Mode::kEntry)) {
      traced.kill();
      window.print(mode == Mode::kEntry ? "entry" : "exit");
      return 0;
    }
  }
  traced.kill();
  std::printf("calls %u\n", window.calls());
  return mode == Mode::kCount && window.started() ? 0 : 3;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view mode = argc > 2 ? argv[1] : "";
  if (mode == "count") return run(Mode::kCount, 0, argv + 2);
  if (argc > 3) {
    const unsigned long n = std::strtoul(argv[2], nullptr, 0);
    if (mode == "entry") return run(Mode::kEntry, n, argv + 3);
    if (mode == "exit") return run(Mode::kExit, n, argv + 3);
    if (mode == "after") return run(Mode::kAfter, n, argv + 3);
  }
  std::fprintf(stderr, "usage: see the head of syscall_killer.cc\n");
  return 1;
}
