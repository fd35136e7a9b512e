// SPDX-License-Identifier: Apache-2.0
// DeviceTunnel: the ioctls of linux/ndd.h, each with its error in words.
#include "udd/tunnel/device_tunnel.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <thread>
#include <utility>

#include "udd/base/error.h"
#include "udd/base/scope_exit.h"
#include "udd/base/units.h"
#include "udd/tunnel/ctrl.h"

namespace udd {
namespace {

using Clock = std::chrono::steady_clock;

// A restore takes some 200 ms; ten looks in that time neither delay the take nor burden the machine.
constexpr std::chrono::milliseconds kRetryEvery{20};

constexpr std::int64_t kPollMost = 1'000'000'000;  // milliseconds that fit an int

ndd_take empty_take() noexcept {
  ndd_take take{};
  take.argsz = sizeof(take);
  take.api_major = NDD_API_MAJOR;
  take.api_minor = NDD_API_MINOR;
  take.group_fd = -1;
  take.container_fd = -1;
  return take;
}

bool is_alive(pid_t pid) { return pid > 0 && (::kill(pid, 0) == 0 || errno != ESRCH); }

/// Could this end well if asked again a little later? A living owner keeps the port; all else is on its way.
bool worth_waiting(int error, const ndd_info& info) {
  if (error != EBUSY && error != EAGAIN) return false;
  switch (info.mode) {
    case NDD_MODE_TAKING:
    case NDD_MODE_TUNNEL:
      return !is_alive(info.owner_pid);
    default:
      return true;
  }
}

[[noreturn]] void throw_untaken(int error, const ndd_take& take, const ndd_info& info, const std::string& path) {
  std::string why = field_text(take.msg);
  std::string advice;
  if (error == EBUSY && info.owner_pid > 0 && (info.mode == NDD_MODE_TAKING || info.mode == NDD_MODE_TUNNEL)) {
    if (why.empty()) why = "process " + std::to_string(info.owner_pid) + " has it";
    advice = "end that process, the port is free as soon as it is gone";
  } else if (error == EBUSY && why.empty()) {
    why = std::string("it is in mode ") + mode_text(info.mode) + ": " + reason_sentence(info.reason);
    advice = "wait for direct mode (/sys/class/net/" + field_text(info.netdev) + "/ndd/mode), or raise take_timeout";
  } else if (error == EPROTO && why.empty()) {
    why = "the module speaks " + std::to_string(take.api_major) + "." + std::to_string(take.api_minor) +
          ", this library " + std::to_string(NDD_API_MAJOR) + "." + std::to_string(NDD_API_MINOR);
    advice = "use module and library of one version";
  }
  throw Error(error, {.what = "take the port", .device = path, .why = why, .advice = advice});
}

}  // namespace

DeviceTunnel::DeviceTunnel(PortNode node, const TakeRequest& request)
    : node_(std::move(node)), port_(node_.port()), netdev_(node_.netdev()) {
  take(request);
  // The areas are unmapped here, since no destructor runs for a constructor that throws; closing the node does the
  // rest.
  ScopeExit undo([this] { unmap(); });
  map_areas();
  set_event();
  undo.release();
}

DeviceTunnel::DeviceTunnel(PortNode node, const TakeRequest& request, Behind behind)
    : node_(std::move(node)), port_(node_.port()), netdev_(node_.netdev()), behind_(true) {
  stand_by(request, behind);
  ScopeExit undo([this] { unmap(); });
  map_areas();
  undo.release();
}

void DeviceTunnel::map_areas() {
  areas_.ctrl = map(NDD_MMAP_CTRL, taken_.ctrl_size, "the ctrl area");
  areas_.state = map(NDD_MMAP_STATE, taken_.state_size, "the state area");
  areas_.pool = map(NDD_MMAP_POOL, taken_.pool_size, "the pool");
  event_ = UniqueFd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (event_) return;
  const int error = errno;
  throw Error(error, {.what = "make an eventfd", .device = port_, .why = "", .advice = ""});
}

void DeviceTunnel::set_event() {
  ndd_event event{.argsz = sizeof(event), .flags = 0, .queue = 0, .fd = event_.get()};
  if (::ioctl(node_.fd.get(), NDD_SET_EVENT, &event) == 0) return;
  const int error = errno;
  throw Error(error, {.what = "hand the kernel an eventfd", .device = node_.path, .why = "", .advice = ""});
}

DeviceTunnel::~DeviceTunnel() { unmap(); }

void DeviceTunnel::take(const TakeRequest& request) {
  const Clock::time_point deadline = Clock::now() + request.timeout;
  for (;;) {
    ndd_take take = empty_take();
    take.queues = 1;
    take.features = request.features | NDD_F_STANDBY | (request.exchange_buffers != 0 ? NDD_F_EXCHANGE : 0);
    take.ring_size = request.ring_size;
    take.buf_count = request.buffers;
    take.kernel_bufs = request.kernel_buffers;
    take.exchange_bufs = request.exchange_buffers;
    take.nic_pages = request.nic_pages;
    take.state_pages = request.state_pages;
    take.watch = request.watch;
    if (::ioctl(node_.fd.get(), NDD_TAKE, &take) == 0) {
      group_ = UniqueFd(take.group_fd);
      container_ = UniqueFd(take.container_fd);
      taken_ = take;
      return;
    }
    const int error = errno;
    const ndd_info info = port_info(node_.fd.get(), node_.path);
    if (!worth_waiting(error, info) || Clock::now() >= deadline) throw_untaken(error, take, info, node_.path);
    std::this_thread::sleep_for(kRetryEvery);
  }
}

void DeviceTunnel::stand_by(const TakeRequest& request, Behind behind) {
  ndd_take take = empty_take();
  take.flags = behind.now ? NDD_STANDBY_NOW : 0;
  take.features = request.features | NDD_F_STANDBY | NDD_F_EXCHANGE;
  if (::ioctl(node_.fd.get(), NDD_STANDBY, &take) != 0) {
    const int error = errno;
    throw Error(error, {.what = "wait behind the port's owner",
                        .device = node_.path,
                        .why = field_text(take.msg),
                        .advice = error == ESRCH ? "take the port instead" : ""});
  }
  group_ = UniqueFd(take.group_fd);
  container_ = UniqueFd(take.container_fd);
  taken_ = take;
  if (taken_.nic_pages == request.nic_pages) return;
  throw Error(EPROTO, {.what = "wait behind the port's owner",
                       .device = node_.path,
                       .why = "it has other descriptor rings than this library makes",
                       .advice = "use applications built with one version of the library"});
}

void DeviceTunnel::ready() {
  if (::ioctl(node_.fd.get(), NDD_START) == 0) return;
  const int error = errno;
  throw Error(error, {.what = "wait behind the port's owner",
                      .device = node_.path,
                      .why = error == EIO ? "the hold has ended meanwhile" : "",
                      .advice = ""});
}

Succession DeviceTunnel::wait(std::chrono::milliseconds timeout) noexcept {
  pollfd node{.fd = node_.fd.get(), .events = POLLIN, .revents = 0};
  const int most = timeout.count() < 0 ? -1 : static_cast<int>(std::min<std::int64_t>(timeout.count(), kPollMost));
  if (::poll(&node, 1, most) <= 0) return Succession::kWaiting;
  if ((node.revents & (POLLHUP | POLLERR | POLLNVAL)) != 0) return Succession::kOver;
  return Succession::kOurs;
}

std::span<std::byte> DeviceTunnel::map(std::uint64_t offset, std::uint64_t size, const char* what) {
  void* const address =
      ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, node_.fd.get(), static_cast<off_t>(offset));
  if (address == MAP_FAILED) {
    const int error = errno;
    throw Error(error, {.what = std::string("map ") + what, .device = node_.path, .why = "", .advice = ""});
  }
  // The kernel marks the areas so, too; a child must not see them, whoever forgot it.
  static_cast<void>(::madvise(address, size, MADV_DONTFORK));
  const std::span<std::byte> area(static_cast<std::byte*>(address), size);
  // Fault every page in now rather than in the first polls.
  for (std::size_t at = 0; at < size; at += kPageSize) {
    static_cast<void>(std::atomic_ref(area[at]).load(std::memory_order_relaxed));
  }
  return area;
}

void DeviceTunnel::unmap() noexcept {
  for (std::span<std::byte>* area : {&areas_.ctrl, &areas_.state, &areas_.pool}) {
    if (!area->empty()) ::munmap(area->data(), area->size());
    *area = {};
  }
}

void DeviceTunnel::start() {
  if (behind_) return set_event();
  if (::ioctl(node_.fd.get(), NDD_START) == 0) return;
  const int error = errno;
  throw Error(error, {.what = "start to serve the tunnel",
                      .device = node_.path,
                      .why = error == ETIMEDOUT ? "the set-up took longer than the kernel waits" : "",
                      .advice = "see the kernel log"});
}

void DeviceTunnel::kick(unsigned queue) noexcept {
  static_cast<void>(::ioctl(node_.fd.get(), NDD_KICK, static_cast<unsigned long>(queue)));
}

void DeviceTunnel::set_link(const LinkState& link) noexcept {
  ndd_link told{};
  told.argsz = sizeof(told);
  switch (link.status) {
    case LinkState::Status::kUnknown:
      told.link = NDD_LINK_UNKNOWN;
      break;
    case LinkState::Status::kDown:
      told.link = NDD_LINK_DOWN;
      break;
    case LinkState::Status::kUp:
      told.link = NDD_LINK_UP;
      break;
  }
  switch (link.duplex) {
    case LinkState::Duplex::kUnknown:
      told.duplex = NDD_DUPLEX_UNKNOWN;
      break;
    case LinkState::Duplex::kHalf:
      told.duplex = NDD_DUPLEX_HALF;
      break;
    case LinkState::Duplex::kFull:
      told.duplex = NDD_DUPLEX_FULL;
      break;
  }
  told.speed_mbps = link.speed_mbps;
  static_cast<void>(::ioctl(node_.fd.get(), NDD_SET_LINK, &told));
}

void DeviceTunnel::give_back() noexcept {
  if (std::exchange(given_back_, true)) return;
  static_cast<void>(::ioctl(node_.fd.get(), NDD_GIVE_BACK));
}

std::uint32_t DeviceTunnel::last_reason() noexcept {
  ndd_info info{};
  info.argsz = sizeof(info);
  return ::ioctl(node_.fd.get(), NDD_GET_INFO, &info) == 0 ? info.reason : static_cast<std::uint32_t>(NDD_REASON_NONE);
}

void DeviceTunnel::abandon() noexcept {
  node_.fd.reset();
  event_.reset();
  group_.reset();
  container_.reset();
}

}  // namespace udd
