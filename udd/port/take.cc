// SPDX-License-Identifier: Apache-2.0
// take_port(): what can be refused is refused before anything changes hands.
#include "udd/port/take.h"

#include <cerrno>
#include <optional>
#include <utility>

#include "udd/base/error.h"
#include "udd/base/units.h"
#include "udd/pci/bdf.h"
#include "udd/pci/sysfs.h"
#include "udd/port/log.h"
#include "udd/port/nic_families.h"
#include "udd/tunnel/ctrl.h"
#include "udd/tunnel/device_tunnel.h"
#include "udd/tunnel/port_node.h"

namespace udd {
namespace {

// 16 MiB of buffers: half are for both rings of the NIC (512 each), KRX, and parked frames at the same time.
constexpr std::uint32_t kBuffers = 4096;
// An owner that yields does so at its next round: some milliseconds on a machine that is busy.
constexpr std::chrono::milliseconds kYield{500};
// Of them the kernel's, for what it sends.
constexpr std::uint32_t kKernelShare = 4;

PciId id_of(const PortNode& node) {
  const std::optional<Bdf> bdf = Bdf::parse(node.port());
  if (!bdf) {
    throw Error(EOPNOTSUPP, {.what = "take the port",
                             .device = node.port(),
                             .why = "it is no PCI device",
                             .advice = "create the stable netdev over a PCI NIC"});
  }
  return Sysfs().id(*bdf);
}

TakeRequest request_of(const PortOptions& options, const NicNeeds& needs) {
  TakeRequest request;
  request.features = features_of(needs.offloads);
  request.ring_size = options.ring_size;
  request.buffers = options.buffers != 0 ? options.buffers : kBuffers;
  request.kernel_buffers = options.kernel_buffers != 0 ? options.kernel_buffers : request.buffers / kKernelShare;
  request.exchange_buffers = PortImpl::exchange_buffers(request.buffers, request.kernel_buffers);
  request.nic_pages = needs.nic_pages;
  request.state_pages =
      static_cast<std::uint32_t>((PortImpl::state_size(needs, request.buffers) + kPageSize - 1) / kPageSize);
  request.watch.interval_us = static_cast<std::uint32_t>(options.watchdog.count());
  request.watch.app_deadline_us = static_cast<std::uint32_t>(options.app_deadline.count());
  request.watch.on_debugger = options.on_debugger == OnDebugger::kHold ? NDD_ON_DEBUGGER_HOLD : NDD_ON_DEBUGGER_REVOKE;
  request.timeout = options.take_timeout;
  return request;
}

/// Takes the port, or waits behind the process that has it.
Waiting open(std::string_view name, PortOptions options, const std::optional<Behind>& behind) {
  PortNode node = open_port(name);
  const std::string port = node.port();
  const NicFamilyEntry& family = nic_family(id_of(node), port);
  const NicNeeds needs = family.needs();

  const TakeRequest request = request_of(options, needs);
  auto tunnel = behind ? std::make_unique<DeviceTunnel>(std::move(node), request, *behind)
                       : std::make_unique<DeviceTunnel>(std::move(node), request);
  DeviceTunnel& kernel = *tunnel;
  VfioFiles files{.group = tunnel->take_group(), .container = tunnel->take_container(), .in_use = behind.has_value()};
  auto impl = std::make_unique<PortImpl>(
      std::move(tunnel), std::move(options), needs,
      [&](Pool& pool, std::span<std::byte> state) { return family.open(std::move(files), port, pool, state); },
      behind ? PortImpl::From::kAnother : PortImpl::From::kNothing);
  return {.tunnel = &kernel, .port = std::move(impl)};
}

/// Of an owner that only keeps the port for others, such as ndd-keeper. @return null: it keeps it for itself.
std::unique_ptr<PortImpl> ask_for_port(std::string_view name, const PortOptions& options) noexcept {
  try {
    Waiting waiting = stand_by(name, options, {.now = true});
    if (waiting.tunnel->wait(kYield) != Succession::kOurs) return nullptr;
    waiting.port->go_on();
    return std::move(waiting.port);
  } catch (const std::exception& error) {
    // What is told is why the port could not be taken.
    Log(options.log).write(LogLevel::kWarning, "port-not-passed-on", error.what());
    return nullptr;
  }
}

}  // namespace

std::unique_ptr<PortImpl> take_port(std::string_view name, PortOptions options) {
  PortImpl::check(options);
  try {
    return open(name, options, std::nullopt).port;
  } catch (const Error& taken) {
    if (taken.error_number() != EBUSY) throw;
    if (std::unique_ptr<PortImpl> port = ask_for_port(name, options)) return port;
    throw;
  }
}

Waiting stand_by(std::string_view name, PortOptions options, Behind behind) {
  PortImpl::check_times(options);
  Waiting waiting = open(name, std::move(options), behind);
  waiting.tunnel->ready();
  return waiting;
}

}  // namespace udd
