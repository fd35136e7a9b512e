// SPDX-License-Identifier: Apache-2.0
// PortImpl: set-up in the order of the data path, and the way back.
#include "udd/port/port_impl.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "udd/base/error.h"
#include "udd/base/scope_exit.h"
#include "udd/port/tunnel_state.h"

namespace udd {
namespace {

// struct ndd_watch's bounds
constexpr std::chrono::milliseconds kWatchdogMin{1};
constexpr std::chrono::seconds kWatchdogMax{60};
// Half for the NIC's receive ring, some in reserve for what is parked, the rest to send from.
constexpr std::uint32_t kOwnBuffersLeast = 256;
// Of the pool, in the kernel's stock: received pieces that sockets may have at the same time without a copy.
constexpr std::uint32_t kExchangeShare = 4;

std::vector<SteeringRule> rules_of(const PortOptions& options) {
  std::vector<SteeringRule> rules;
  rules.reserve(options.ethertypes.size());
  for (const std::uint16_t ethertype : options.ethertypes) {
    rules.push_back({.kind = SteeringRule::Kind::kEtherType, .ethertype = ethertype});
  }
  return rules;
}

Steering steering_of(const PortOptions& options) {
  return options.ethertypes.empty() ? Steering() : Steering(rules_of(options));
}

[[noreturn]] void refuse_options(const std::string& why, const char* advice) {
  throw Error(EINVAL, {.what = "use these options", .device = {}, .why = why, .advice = advice});
}

StateArea::Sizes section_sizes(const NicNeeds& needs, std::uint32_t buffers) noexcept {
  return {Pool::state_size(buffers), needs.state_size, TunnelState::size(buffers)};
}

}  // namespace

std::size_t PortImpl::state_size(const NicNeeds& needs, std::uint32_t buffers) noexcept {
  return StateArea::required(section_sizes(needs, buffers));
}

std::uint32_t PortImpl::exchange_buffers(std::uint32_t buffers, std::uint32_t kernel_buffers) noexcept {
  const std::uint32_t kept = kernel_buffers + kOwnBuffersLeast;
  return std::min(buffers / kExchangeShare, buffers - std::min(buffers, kept));
}

void PortImpl::check(const PortOptions& options) {
  static_cast<void>(Steering(rules_of(options)));
  check_times(options);
  if (options.kernel_buffers > options.buffers && options.buffers != 0) {
    refuse_options("kernel_buffers are part of buffers, and more than these", "raise buffers");
  }
}

void PortImpl::check_times(const PortOptions& options) {
  if (options.watchdog < kWatchdogMin || options.watchdog > kWatchdogMax) {
    refuse_options(fmt::format("a watchdog of {} us", options.watchdog.count()), "choose 1 ms to 60 s");
  }
  if (options.poll_interval.count() < 0 || options.flush_interval.count() < 0 || options.spin.count() < 0 ||
      options.app_deadline.count() < 0 || options.take_timeout.count() < 0) {
    refuse_options("a time is negative", "0 means at once, or none");
  }
  if (options.app_deadline > kWatchdogMax) {
    refuse_options("app_deadline is longer than 60 s", "choose less, or 0 for none");
  }
  if (options.backup_after && *options.backup_after <= std::chrono::microseconds{0}) {
    refuse_options("backup_after is not above zero", "choose some 1 ms, or nullopt for no backup thread");
  }
}

PortImpl::PortImpl(std::unique_ptr<Tunnel> tunnel, PortOptions options, const NicNeeds& needs, const OpenNic& open_nic,
                   From from)
    : options_(std::move(options)),
      log_(options_.log),
      tunnel_(std::move(tunnel)),
      name_(tunnel_->port()),
      netdev_(tunnel_->netdev()),
      steering_(steering_of(options_)) {
  enlist();
  prepare(from, needs, open_nic);
  if (from == From::kNothing) begin(from);
}

void PortImpl::go_on() { begin(From::kAnother); }

void PortImpl::prepare(From from, const NicNeeds& needs, const OpenNic& open_nic) {
  const Tunnel::Areas& areas = tunnel_->areas();
  for (const std::span<std::byte> area : {areas.ctrl, areas.state, areas.pool}) {
    area_guards_.emplace_back(area, FaultGuard::Fill::kZeros);
  }
  ctrl_.emplace(areas.ctrl);
  const ndd_ctrl& ctrl = ctrl_->header();
  constexpr std::uint64_t kNics = NDD_F_WINDOW | NDD_F_OFFLOAD | NDD_F_TX_CSUM | NDD_F_TSO4 | NDD_F_TSO6;
  if ((ctrl.features & kNics & ~features_of(needs.offloads)) != 0) {
    throw Error(EPROTO, {.what = "set up the NIC",
                         .device = name_,
                         .why = fmt::format("the kernel goes by features {:#x}, the NIC has {:#x}", ctrl.features,
                                            features_of(needs.offloads)),
                         .advice = "the module and the library disagree: check their versions"});
  }
  if (ctrl.buf_count - ctrl.kernel_bufs - ctrl.exchange_bufs < kOwnBuffersLeast) {
    throw Error(EINVAL, {.what = "use the pool",
                         .device = name_,
                         .why = fmt::format("{} of its {} buffers are the kernel's, which leaves the process too few",
                                            ctrl.kernel_bufs + ctrl.exchange_bufs, ctrl.buf_count),
                         .advice = fmt::format("let buffers exceed kernel_buffers by {} at least", kOwnBuffersLeast)});
  }
  const StateArea::Sizes sizes = section_sizes(needs, ctrl.buf_count);
  area_.emplace(from == From::kNothing ? StateArea::format(areas.state, sizes) : StateArea::adopt(areas.state, sizes));
  const Pool::Geometry geometry{.memory = areas.pool,
                                .iova = Iova{ctrl.pool_iova},
                                .nic_pages = ctrl.nic_pages,
                                .buffer_count = ctrl.buf_count,
                                .kernel_buffers = ctrl.kernel_bufs,
                                .exchange_buffers = ctrl.exchange_bufs};
  const std::span<std::byte> pool_state = area_->section(StateSection::kPool);
  pool_.emplace(from == From::kNothing ? Pool::create(geometry, pool_state) : Pool::behind(geometry, pool_state));
  nic_ = open_nic(*pool_, area_->section(StateSection::kNic));
  if (!nic_->registers().empty()) register_guard_.emplace(nic_->registers(), FaultGuard::Fill::kOnes);
}

void PortImpl::begin(From from) {
  // If this fails the kernel stops the NIC, as it does whenever the device is closed; so do we, if we started it.
  ScopeExit stop([&] {
    if (from == From::kNothing) nic_->nic().stop();
  });
  nic_->enable_interrupt();
  if (from == From::kNothing) {
    nic_->nic().start();
  } else {
    nic_->nic().adopt();
  }
  control_.emplace(Control::Parts{
      .tunnel = *tunnel_, .ctrl = *ctrl_, .nic = nic_->nic(), .steering = steering_, .events = events_, .log = log_});
  control_->begin();
  engine_ = nic_->make_engine({.tunnel = *tunnel_,
                               .ctrl = *ctrl_,
                               .pool = *pool_,
                               .nic = nic_->nic(),
                               .steering = steering_,
                               .control = *control_,
                               .events = events_,
                               .log = log_,
                               .state = area_->section(StateSection::kTunnel),
                               .options = options_,
                               .adopting = from == From::kAnother,
                               .queue = 0,
                               .on_lost = [this] { on_lost(); },
                               .on_wait_over =
                                   [this] {
                                     if (backup_) backup_->resume();
                                   }});
  queue_ = std::make_unique<Queue>(engine_.get());
  tunnel_->start();
  if (options_.backup_after) backup_ = std::make_unique<BackupThread>(*engine_, *options_.backup_after);
  stop.release();
  log_.write(LogLevel::kInfo, from == From::kNothing ? "port-taken" : "port-adopted",
             fmt::format("{} ({}) is in tunnel mode", name_, netdev_));
}

PortImpl::~PortImpl() {
  give_back();
  withdraw();
}

void PortImpl::give_back() noexcept {
  if (abandoned_) return;
  const std::lock_guard lock(ending_);
  if (backup_) backup_->stop();
  if (!engine_ || !tunnel_) return;
  engine_->gate().shut();
  engine_->signal();
  // Inside the gate from here on, and nobody else ever again.
  if (nic_) {
    if (load_shared(ctrl_->health().waiting) != 0) {
      engine_->leave_behind();
      nic_->leave();
    } else {
      nic_->nic().stop();
      engine_->reclaim_all();
    }
    tunnel_->give_back();
    let_nic_go();
    state_.store(PortState::kGivenBack, std::memory_order_release);
  }
  area_guards_.clear();
  tunnel_.reset();
}

void PortImpl::let_nic_go() noexcept {
  register_guard_.reset();
  nic_.reset();
}

void PortImpl::on_lost() noexcept {
  std::uint32_t reason = load_shared(ctrl_->health().reason);
  if (reason == NDD_REASON_NONE) reason = tunnel_->last_reason();  // the area itself may be gone
  try {
    const std::lock_guard lock(reason_mutex_);
    lost_reason_ = fmt::format("the kernel took {} ({}) back: {}", name_, netdev_, reason_sentence(reason));
    log_.write(LogLevel::kError, "port-lost", lost_reason_);
  } catch (...) {  // no memory for a sentence: the state says it, too
  }
  state_.store(PortState::kLost, std::memory_order_release);
  events_.push(PortEvent::Kind::kLost);
  // The kernel can't have its driver back before we let go of the device.
  let_nic_go();
  engine_->signal();
}

std::string PortImpl::lost_reason() const {
  const std::lock_guard lock(reason_mutex_);
  return lost_reason_;
}

Queue& PortImpl::queue(unsigned index) {
  if (index == 0) return *queue_;
  throw Error(EINVAL, {.what = fmt::format("use queue {}", index),
                       .device = name_,
                       .why = "the port has one queue pair",
                       .advice = "use queue 0"});
}

void PortImpl::join(const MacAddress& group) {
  Gate& gate = engine_->gate();
  gate.lock();
  const ScopeExit unlock([&gate] { gate.unlock(); });
  if (steering_.join(group) && !gate.is_shut()) control_->apply_groups();
}

void PortImpl::leave(const MacAddress& group) {
  Gate& gate = engine_->gate();
  gate.lock();
  const ScopeExit unlock([&gate] { gate.unlock(); });
  if (steering_.leave(group) && !gate.is_shut()) control_->apply_groups();
}

PortStats PortImpl::stats() noexcept {
  const std::lock_guard lock(ending_);
  Gate& gate = engine_->gate();
  gate.lock();
  PortStats stats;
  engine_->add_stats(stats);
  stats.nic = gate.is_shut() ? control_->nic_stats() : nic_->nic().stats();
  gate.unlock();
  return stats;
}

GapHistogram PortImpl::gaps() noexcept {
  Gate& gate = engine_->gate();
  gate.lock();
  const GapHistogram gaps = engine_->gaps();
  gate.unlock();
  return gaps;
}

void PortImpl::in_child() noexcept {
  abandoned_ = true;
  if (engine_) engine_->abandon();
  if (backup_) backup_->abandon();
  if (tunnel_) tunnel_->abandon();
  if (nic_) {
    for (const int fd : nic_->descriptors()) ::close(fd);
  }
}

}  // namespace udd
