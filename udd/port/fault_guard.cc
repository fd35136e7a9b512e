// SPDX-License-Identifier: Apache-2.0
// FaultGuard: a table of ranges that a signal handler can read, and the handler.
#include "udd/port/fault_guard.h"

#include <sys/mman.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <mutex>
#include <utility>

#include "udd/base/error.h"

namespace udd {
namespace {

struct Slot {
  std::atomic<std::uintptr_t> begin{0};  ///< 0: free
  std::atomic<std::size_t> size{0};
  std::atomic<FaultGuard::Fill> fill{FaultGuard::Fill::kZeros};
};

// Four areas a port; more ports than a machine has slots for NICs.
constexpr std::size_t kSlots = 256;
std::array<Slot, kSlots> g_slots;
std::mutex g_mutex;  // of those who change the table
struct sigaction g_previous;
bool g_installed = false;

/// Async-signal-safe. Two threads that fault at once both replace the range: the second wipes what nobody reads.
bool replace(std::uintptr_t address) noexcept {
  for (Slot& slot : g_slots) {
    const std::uintptr_t begin = slot.begin.load(std::memory_order_acquire);
    const std::size_t size = slot.size.load(std::memory_order_relaxed);
    if (begin == 0 || address - begin >= size) continue;
    // The range was registered as numbers, for an atomic that a signal handler may read.
    auto* const start = reinterpret_cast<void*>(begin);  // NOLINT(performance-no-int-to-ptr)
    if (::mmap(start, size, PROT_READ | PROT_WRITE, MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0) ==
        MAP_FAILED) {
      return false;
    }
    if (slot.fill.load(std::memory_order_relaxed) == FaultGuard::Fill::kOnes) std::memset(start, 0xff, size);
    return true;
  }
  return false;
}

void pass_on(int signal, siginfo_t* info, void* context) noexcept {
  if ((g_previous.sa_flags & SA_SIGINFO) != 0 && g_previous.sa_sigaction != nullptr) {
    g_previous.sa_sigaction(signal, info, context);
  } else if (g_previous.sa_handler != SIG_DFL && g_previous.sa_handler != SIG_IGN) {
    g_previous.sa_handler(signal);
  } else {
    // The instruction faults again on return, and the process ends as it would have without us, core dump included.
    ::signal(signal, SIG_DFL);
  }
}

void on_fault(int signal, siginfo_t* info, void* context) {
  const int saved = errno;
  if (!replace(reinterpret_cast<std::uintptr_t>(info->si_addr))) pass_on(signal, info, context);
  errno = saved;
}

void install() {
  if (g_installed) return;
  struct sigaction action {};
  action.sa_sigaction = on_fault;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  sigemptyset(&action.sa_mask);
  if (::sigaction(SIGBUS, &action, &g_previous) != 0) {
    const int error = errno;
    throw Error(error, {.what = "handle SIGBUS", .device = {}, .why = {}, .advice = {}});
  }
  g_installed = true;
}

}  // namespace

FaultGuard::FaultGuard(std::span<std::byte> range, Fill fill) : slot_(-1) {
  const std::lock_guard lock(g_mutex);
  install();
  for (std::size_t i = 0; i < kSlots; ++i) {
    if (g_slots[i].begin.load(std::memory_order_relaxed) != 0) continue;
    g_slots[i].size.store(range.size(), std::memory_order_relaxed);
    g_slots[i].fill.store(fill, std::memory_order_relaxed);
    g_slots[i].begin.store(reinterpret_cast<std::uintptr_t>(range.data()), std::memory_order_release);
    slot_ = static_cast<int>(i);
    return;
  }
  throw Error(ENOMEM, {.what = "guard a mapping against the loss of its port",
                       .device = {},
                       .why = "too many ports are taken by this process",
                       .advice = "give some back"});
}

FaultGuard::FaultGuard(FaultGuard&& other) noexcept : slot_(std::exchange(other.slot_, -1)) {}

FaultGuard::~FaultGuard() {
  if (slot_ < 0) return;
  const std::lock_guard lock(g_mutex);
  g_slots[static_cast<std::size_t>(slot_)].begin.store(0, std::memory_order_release);
}

}  // namespace udd
