// SPDX-License-Identifier: Apache-2.0
#include "udd/ctl/names.h"

#include <linux/ndd.h>

#include <array>

namespace udd {
namespace {

constexpr std::array<std::string_view, 8> kModes = {
    "none", "direct", "taking", "tunnel", "restoring", "lost", "held", "unbound",
};
static_assert(kModes.size() == NDD_MODE_UNBOUND + 1);

constexpr std::array<std::string_view, 20> kReasons = {
    "nothing happened yet",
    "the port was created",
    "a process asked for the port",
    "the process services the port",
    "the process gave the port back",
    "the process ended without giving the port back",
    "a step of taking the port failed",
    "the process took the port but never started it",
    "nobody serviced the port within the watchdog's interval",
    "the application missed its deadline",
    "the process was stopped by a signal",
    "the process was stopped by a debugger",
    "the process broke the rules of the shared rings",
    "the in-kernel driver is serving again",
    "the in-kernel driver could not be restored; it will be retried",
    "the device is gone",
    "the netdev was deleted while the port was taken",
    "an administrator asked for the port",
    "a process that waited goes on with the port",
    "the kernel's frames did not come back as sent: a process or a NIC that does nothing",
};
static_assert(kReasons.size() == NDD_REASON_STALLED + 1);

constexpr std::array<std::string_view, 3> kOnHang = {"kill", "signal", "report"};
static_assert(kOnHang.size() == NDD_ON_HANG_REPORT + 1);

}  // namespace

std::string_view mode_name(std::uint32_t ndd_mode) noexcept {
  return ndd_mode < kModes.size() ? kModes[ndd_mode] : "unknown";
}

std::string_view reason_text(std::uint32_t ndd_reason) noexcept {
  return ndd_reason < kReasons.size() ? kReasons[ndd_reason] : "for a reason this program is too old to know";
}

std::string_view on_hang_name(std::uint32_t ndd_on_hang) noexcept {
  return ndd_on_hang < kOnHang.size() ? kOnHang[ndd_on_hang] : "unknown";
}

}  // namespace udd
