// SPDX-License-Identifier: Apache-2.0
// Ends a piece of work after so many instructions, wherever it is then, as SIGKILL ends a process: what it has stored
// is stored, what it was about to do it never does. The processor's single step (trap flag) counts; one cut at a time.
#pragma once

#include <signal.h>
#include <ucontext.h>

#include <csetjmp>
#include <cstdint>

namespace udd::fake {

class CutOff {
 public:
  /// Runs work() for `instructions` of its own at most, and then until may_end() is true: not in the midst of what goes
  /// on when a process dies, such as a device.
  /// @return true: it was cut off. No destructor in it has run then, no lock was let go.
  template <typename Work>
  static bool run(std::uint64_t instructions, bool (*may_end)(), Work&& work) {
    struct sigaction action {};
    struct sigaction before {};
    action.sa_sigaction = on_step;
    action.sa_flags = SA_SIGINFO | SA_NODEFER;
    sigaction(SIGTRAP, &action, &before);
    left_ = instructions;
    may_end_ = may_end;
    bool cut = true;
    if (sigsetjmp(out_, 0) == 0) {
      set_trap_flag();
      work();
      clear_trap_flag();
      cut = false;
    }
    sigaction(SIGTRAP, &before, nullptr);
    return cut;
  }

 private:
  static constexpr greg_t kTrapFlag = 0x100;  // Intel SDM vol. 1, 3.4.3.3

  // Past the red zone, which the compiler may have in use.
  static void set_trap_flag() {
    asm volatile("lea -128(%%rsp), %%rsp\n\tpushfq\n\torq $0x100, (%%rsp)\n\tpopfq\n\tlea 128(%%rsp), %%rsp" ::
                     : "memory", "cc");
  }
  static void clear_trap_flag() {
    asm volatile("lea -128(%%rsp), %%rsp\n\tpushfq\n\tandq $~0x100, (%%rsp)\n\tpopfq\n\tlea 128(%%rsp), %%rsp" ::
                     : "memory", "cc");
  }

  static void on_step(int, siginfo_t*, void* context) {
    if (left_ != 0) left_ = left_ - 1;
    if (left_ != 0 || !may_end_()) return;
    static_cast<ucontext_t*>(context)->uc_mcontext.gregs[REG_EFL] &= ~kTrapFlag;
    siglongjmp(out_, 1);
  }

  static inline sigjmp_buf out_;
  static inline volatile std::uint64_t left_ = 0;
  static inline bool (*may_end_)() = nullptr;
};

}  // namespace udd::fake
