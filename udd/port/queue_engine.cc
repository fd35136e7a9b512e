// SPDX-License-Identifier: Apache-2.0
// QueueEngine: what is rare on the service path, and the way to sleep.
#include "udd/port/queue_engine.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>
#include <x86intrin.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>

#include "udd/base/error.h"
#include "udd/mem/mapped.h"

namespace udd {
namespace {

// Configuration and warnings are looked at this often by a busy poller: far below what a person or the watchdog
// (1 ms at least) can notice, and three loads less on most polls.
constexpr std::chrono::microseconds kLookEvery{50};
// Counters for ethtool -S.
constexpr std::chrono::milliseconds kStatsEvery{100};
// Sent frames are looked after while the port sleeps: first after the time that a few full frames take on 1 Gbit/s,
// then less and less often, since only a link that is down makes them wait longer.
constexpr std::chrono::microseconds kFirstNap{50};
constexpr std::chrono::milliseconds kLongestNap{100};

constexpr std::uint32_t kTagAndHeader = 18;  // Ethernet header and one VLAN tag

UniqueFd duplicate(int fd) {
  UniqueFd copy(::fcntl(fd, F_DUPFD_CLOEXEC, 0));
  if (copy) return copy;
  const int error = errno;
  throw Error(error, {.what = "duplicate an eventfd", .device = {}, .why = {}, .advice = {}});
}

/// Reads an eventfd's count away. Another sleeper may have been faster.
void drain(int fd) noexcept {
  std::uint64_t count = 0;
  static_cast<void>(::read(fd, &count, sizeof(count)) == sizeof(count));
}

}  // namespace

QueueEngine::QueueEngine(const Parts& parts)
    : health_(&parts.ctrl.health()),
      gap_span_(ticks_per_microsecond()),
      microsecond_(gap_span_),
      look_every_(to_ticks(kLookEvery)),
      poll_interval_(to_ticks(parts.options.poll_interval)),
      flush_interval_(to_ticks(parts.options.flush_interval)),
      pool_(&parts.pool),
      steering_(&parts.steering),
      commonest_(parts.steering.commonest()),
      state_(mapped_at<TunnelState>(parts.state, 0, 1)),
      tunnel_(parts.tunnel, parts.queue, parts.ctrl, parts.pool,
              {.krx_written = &state_->krx_written,
               .with_kernel = {mapped_behind<std::uint8_t>(state_, sizeof(TunnelState)), parts.pool.buffer_count()}}),
      parts_(parts),
      interrupt_(duplicate(parts.nic.interrupt_fd())),
      event_(duplicate(parts.tunnel.event_fd())),
      spin_(to_ticks(parts.options.spin)) {
  if (!parts.adopting) tunnel_.begin();
  now_ = looked_at_ = ticks_now();
  refresh();
}

bool QueueEngine::still_ours() noexcept {
  const std::uint32_t mode = load_shared(health_->mode);
  if (mode == NDD_MODE_TUNNEL || mode == NDD_MODE_TAKING) return true;
  gate_.shut_from_inside();
  parts_.on_lost();
  return false;
}

void QueueEngine::note_gap() noexcept {
  // Below zero: another thread served last, on a CPU whose counter runs a little ahead.
  const Ticks gap = static_cast<std::int64_t>(odd_gap_) < 0 ? 0 : odd_gap_;
  odd_gap_ = kNoGap;
  // A poller's gaps are much the same for long: they are counted by the round, until one comes that is not.
  const std::uint64_t before = rounds_ - 1;
  gaps_[gap_bucket_] += before - noted_;
  noted_ = before;
  gap_bucket_ = std::min<std::size_t>(static_cast<std::size_t>(std::bit_width(gap / microsecond_)), gaps_.size() - 1);
  gap_low_ = gap_bucket_ == 0 ? 0 : microsecond_ << (gap_bucket_ - 1);
  gap_span_ = gap_bucket_ == 0 ? microsecond_ : gap_low_;
}

GapHistogram QueueEngine::gaps() const noexcept {
  GapHistogram gaps = gaps_;
  gaps[gap_bucket_] += rounds_ - noted_;
  return gaps;
}

void QueueEngine::look() noexcept {
  looked_at_ = now_;
  if (parts_.control.look(now_)) refresh();
  if (now_ >= next_stats_) {
    next_stats_ = now_ + to_ticks(kStatsEvery);
    ndd_stats own{};
    add_ndd_stats(own);
    parts_.control.publish_stats(own);
  }
  if (tunnel_.broken() && !told_broken_) {
    told_broken_ = true;
    parts_.log.write(LogLevel::kError, "tunnel-broken", "the kernel's ring indices are impossible: its traffic stands");
  }
}

void QueueEngine::refresh() noexcept {
  link_up_ = parts_.control.link_up();
  merging_ = parts_.control.rx_merge();
  max_frame_ = parts_.control.mtu() + kTagAndHeader;
  longest_single_ = std::min<std::uint32_t>(max_frame_, kBufferSize) - NDD_FRAME_MIN;
  commonest_ = steering_->commonest();
  settle_tx();
}

void QueueEngine::tell_misuse() noexcept {
  parts_.log.write(LogLevel::kError, "queue-two-threads",
                   "two threads are inside one queue: give each its own, or let them take turns");
}

bool QueueEngine::serve_unattended() noexcept {
  if (!still_ours()) return false;
  const bool moved = serve();
  if (moved) ++backup_services_;
  return moved;
}

bool QueueEngine::arm() noexcept {
  looked_at_ = now_ - look_every_;  // what changed rarely must not wait for the next event
  const bool nothing_from_kernel = tunnel_.arm();
  parts_.nic.unmask_interrupt();
  if (nothing_from_kernel && !pending()) return true;
  disarm({});
  return false;
}

void QueueEngine::disarm(Woken by) noexcept {
  tunnel_.disarm();
  if (by.by_nic) parts_.control.link_may_have_changed();
  parts_.nic.mask_interrupt();  // an MSI does not mask itself
}

void QueueEngine::set_asleep(bool asleep) noexcept {
  store_shared(health_->service_state, asleep ? NDD_ASLEEP : NDD_AWAKE);
}

Ticks QueueEngine::nap() noexcept {
  const std::uint32_t in_flight = tunnel_.in_flight() + (holding_ ? 1 : 0);
  if (in_flight == 0) {
    nap_ = 0;
    return to_ticks(std::chrono::hours{1});
  }
  nap_ = nap_ == 0 || in_flight != napped_for_ ? to_ticks(kFirstNap) : std::min(2 * nap_, to_ticks(kLongestNap));
  napped_for_ = in_flight;
  return nap_;
}

QueueEngine::Woken QueueEngine::sleep(Ticks most, int extra_fd) noexcept {
  std::array<pollfd, 3> fds{{{.fd = interrupt_.get(), .events = POLLIN, .revents = 0},
                             {.fd = event_.get(), .events = POLLIN, .revents = 0},
                             {.fd = extra_fd, .events = POLLIN, .revents = 0}}};
  constexpr std::uint64_t kMicro = 1'000'000;
  constexpr long kNanoPerMicro = 1000;
  const std::uint64_t microseconds = most / microsecond_ + 1;
  const timespec time{.tv_sec = static_cast<time_t>(microseconds / kMicro),
                      .tv_nsec = static_cast<long>(microseconds % kMicro) * kNanoPerMicro};
  if (::ppoll(fds.data(), fds.size(), &time, nullptr) <= 0) return {};
  for (const pollfd& fd : fds) {
    if ((fd.revents & POLLIN) != 0) drain(fd.fd);
  }
  return {.by_nic = fds[0].revents != 0, .by_other = (fds[1].revents | fds[2].revents) != 0};
}

void QueueEngine::signal() noexcept {
  constexpr std::uint64_t kOne = 1;
  static_cast<void>(::write(event_.get(), &kOne, sizeof(kOne)) == sizeof(kOne));  // full: signalled already
}

void QueueEngine::abandon() noexcept {
  gate_.shut_from_inside();
  interrupt_.reset();
  event_.reset();
}

bool QueueEngine::something_for_the_application() noexcept {
  const std::uint32_t events = parts_.events.pushed();
  const bool news = events != events_seen_;
  events_seen_ = events;
  return news || has_parked_;
}

bool QueueEngine::wait(std::chrono::nanoseconds timeout) noexcept {
  const Ticks now = ticks_now();
  const Ticks deadline =
      timeout < timeout.zero() ? now + to_ticks(std::chrono::hours{24 * 365}) : now + to_ticks(timeout);
  waiting_.store(true, std::memory_order_seq_cst);
  const bool result = wait_until(deadline);
  waiting_.store(false, std::memory_order_seq_cst);
  parts_.on_wait_over();
  return result;
}

bool QueueEngine::wait_until(Ticks deadline) noexcept {
  Ticks spin_until = ticks_now() + spin_;
  for (;;) {
    if (!enter()) return something_for_the_application();
    store_shared(health_->app_state, NDD_ASLEEP);
    const bool moved = serve();
    const Ticks now = ticks_now();
    const bool ready = something_for_the_application();
    if (ready || now >= deadline) {
      store_shared(health_->app_state, NDD_AWAKE);
      store_shared(health_->app_progress, static_cast<std::uint32_t>(rounds_));  // serve() has counted a round
      leave();
      return ready;
    }
    if (moved) spin_until = now + spin_;
    if (now < spin_until || !arm()) {
      leave();
      _mm_pause();
      continue;
    }
    const Ticks most = std::min(deadline - now, nap());
    set_asleep(true);
    leave();

    const Woken woken = sleep(most, -1);

    if (!enter()) return something_for_the_application();
    set_asleep(false);
    disarm(woken);
    ++wakeups_;
    leave();
    if (woken.by_nic || woken.by_other) spin_until = ticks_now() + spin_;
  }
}

}  // namespace udd
