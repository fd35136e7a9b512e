// SPDX-License-Identifier: Apache-2.0
// pingpong's two loops, compiled against the link they run over: the measured part holds no virtual call.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>

#include "examples/pingpong/histogram.h"
#include "examples/pingpong/message.h"
#include "examples/pingpong/options.h"
#include "tests/lab/plugin/mark.h"

namespace pingpong {

/// Set by SIGINT and SIGTERM.
extern std::atomic<bool> stop_requested;

/// What the ports' side of an exchange cost besides instructions.
struct PortCosts {
  std::uint64_t doorbells = 0;  ///< MMIO writes that told a NIC to send
  std::uint64_t kicks = 0;      ///< system calls that woke the kernel
  std::uint64_t wakeups = 0;    ///< returns from sleep, each by an interrupt, an event or a time limit

  PortCosts operator-(const PortCosts& before) const noexcept {
    return {
        .doorbells = doorbells - before.doorbells, .kicks = kicks - before.kicks, .wakeups = wakeups - before.wakeups};
  }
};

struct Result {
  std::uint64_t sent = 0;
  std::uint64_t received = 0;
  std::uint64_t lost = 0;          ///< given up after --loss-timeout
  std::uint64_t out_of_order = 0;  ///< also counts duplicates
  std::uint64_t damaged = 0;       ///< --check-all
  std::chrono::nanoseconds time{0};
  Histogram latency_ns;
  std::optional<PortCosts> costs;  ///< of taken ports
};

/// Asked before and after what is measured.
using Costs = std::function<PortCosts()>;

/// Told every --progress: pairs of the last interval and its length.
using Progress = std::function<void(std::uint64_t, std::chrono::nanoseconds)>;

using Clock = std::chrono::steady_clock;
inline constexpr std::chrono::milliseconds kWait{100};  // how soon a signal is noticed

inline std::uint64_t now_ns() noexcept { return static_cast<std::uint64_t>(Clock::now().time_since_epoch().count()); }

/// Does what --hang-after and --compute-after ask for, once each: stays away from the port.
class Distraction {
 public:
  explicit Distraction(const Options& options)
      : hang_at_(from_now(options.hang_after)),
        compute_at_(from_now(options.compute_after)),
        compute_for_(options.compute_for) {}

  void maybe() noexcept {
    if (Clock::now() > compute_at_) {
      compute_at_ = Clock::time_point::max();
      const auto until = Clock::now() + compute_for_;
      while (Clock::now() < until) {
      }
    }
    if (Clock::now() > hang_at_) {
      while (!stop_requested.load(std::memory_order_relaxed)) {
      }
    }
  }

 private:
  static Clock::time_point from_now(const std::optional<std::chrono::microseconds>& time) {
    return time ? Clock::now() + *time : Clock::time_point::max();
  }

  Clock::time_point hang_at_, compute_at_;
  std::chrono::microseconds compute_for_;
};

/// Sends every message back until a signal, the port's end, or with --yield until another process wants the port;
/// returns how many. What was received and not yet answered is the next one's to answer.
template <typename Link>
std::uint64_t run_server(Link& link, const Options& options) {
  Distraction distraction{options};
  std::uint64_t echoed = 0;
  while (!stop_requested.load(std::memory_order_relaxed) && link.alive()) {
    const std::size_t got = link.echo([](std::span<std::byte>) {});
    echoed += got;
    if (got == 0 && options.blocking) link.wait(kWait);
    if (options.hang_after || options.compute_after) distraction.maybe();
    if (options.yield && link.wanted()) break;
  }
  return echoed;
}

/// One client's exchange over `link`. `other_end()` is run once per round: the server, when it is in this thread.
template <typename Link, typename OtherEnd>
class Client {
 public:
  Client(Link& link, const Options& options, OtherEnd other_end, Progress progress)
      : link_(link), options_(options), other_end_(other_end), progress_(std::move(progress)), distraction_(options) {}

  /// Exchanges pairs until `count` are back (0: until --duration, a signal or the port's end).
  Result run(std::uint64_t count) {
    result_ = {};
    seen_received_ = progress_received_ = 0;
    const auto start = Clock::now();
    const auto end = options_.duration.count() > 0 ? start + options_.duration : Clock::time_point::max();
    last_reply_ = last_progress_ = start;
    unsent_ = count != 0 ? count : std::numeric_limits<std::uint64_t>::max();
    const bool timed = count == 0 || options_.rate != 0 || options_.progress.count() > 0 || options_.blocking;
    if (timed || options_.latency || options_.check_all) {
      exchange<false>(start, end, timed);
    } else {
      exchange<true>(start, end, false);
    }
    result_.sent = next_ - first_;
    result_.time = Clock::now() - start;
    return result_;
  }

 private:
  static constexpr std::uint32_t kEmptyRoundsMask = 0xfff;  // without a clock: how many make a look at the time due

  /// @tparam kPlain  messages and their counters are all there is: no clock, no rate, no second look
  template <bool kPlain>
  void exchange(Clock::time_point start, Clock::time_point end, bool timed) {
    std::uint32_t empty_rounds = 0;
    while ((unsent_ | outstanding_) != 0) {
      const std::size_t got = round<kPlain>();
      if (got != 0) {
        MARK_BUSY();
        empty_rounds = 0;
      } else {
        MARK_IDLE();
        ++empty_rounds;
      }
      if (timed || (empty_rounds & kEmptyRoundsMask) == kEmptyRoundsMask) {
        if (!look_around(start, end, got)) break;
      }
    }
  }

  template <bool kPlain>
  std::size_t round() {
    const bool paced = !kPlain && options_.rate != 0;
    const bool latency = !kPlain && options_.latency;
    const bool check_all = !kPlain && options_.check_all;

    std::size_t room = std::min<std::uint64_t>(options_.window - outstanding_, unsent_);
    if (paced) room = std::min<std::size_t>(room, allowed_);
    const std::uint64_t stamp = latency && room != 0 ? now_ns() : 0;
    while (room != 0) {  // a window may take several bursts
      const std::size_t sent = link_.send(room, [first = next_, stamp](std::span<std::byte> message, std::size_t i) {
        write_message(message, {first + i, stamp});
      });
      if (sent == 0) break;
      next_ += sent;
      outstanding_ += sent;
      unsent_ -= sent;
      room -= sent;
      if (paced) allowed_ -= sent;
    }
    other_end_();
    std::size_t got = 0;
    std::uint64_t expected = expected_;
    std::uint64_t now = 0;
    link_.receive([&](std::span<const std::byte> message) {
      const MessageHead head = read_head(message);
      if (head.counter != expected) [[unlikely]] {
        ++result_.out_of_order;
        if (head.counter < expected) return;  // a reply given up as lost
      }
      expected = head.counter + 1;
      ++got;
      if (check_all && !intact(message)) ++result_.damaged;
      if (latency) {
        if (now == 0) now = now_ns();
        result_.latency_ns.add(now - head.sent_ns);
      }
    });
    expected_ = expected;
    result_.received += got;
    outstanding_ -= std::min(outstanding_, got);
    return got;
  }

  // False when it is time to end.
  bool look_around(Clock::time_point start, Clock::time_point end, std::size_t got) {
    const auto now = Clock::now();
    if (stop_requested.load(std::memory_order_relaxed) || now >= end || !link_.alive()) return false;
    if (result_.received != seen_received_) {  // since the last look, which may be many rounds ago
      seen_received_ = result_.received;
      last_reply_ = now;
    } else if (outstanding_ != 0 && now - last_reply_ > options_.loss_timeout) {
      result_.lost += outstanding_;
      outstanding_ = 0;
      expected_ = next_;
      last_reply_ = now;
    }
    if (options_.rate != 0) {
      const auto due = static_cast<std::uint64_t>(std::chrono::duration<double>(now - start).count() *
                                                  static_cast<double>(options_.rate));
      const std::uint64_t sent = next_ - first_;
      allowed_ = due > sent ? static_cast<std::size_t>(due - sent) : 0;
    }
    if (options_.progress.count() > 0 && now - last_progress_ >= options_.progress) {
      progress_(result_.received - progress_received_, now - last_progress_);
      progress_received_ = result_.received;
      last_progress_ = now;
    }
    if (got == 0 && options_.blocking) link_.wait(options_.rate != 0 ? std::chrono::milliseconds{1} : kWait);
    if (options_.hang_after || options_.compute_after) distraction_.maybe();
    return true;
  }

  Link& link_;
  const Options& options_;
  OtherEnd other_end_;
  Progress progress_;
  Distraction distraction_;
  std::uint64_t unsent_ = 0;  ///< messages still to send
  Result result_;
  std::uint64_t first_ = 0;     ///< counter of this run's first message
  std::uint64_t next_ = 0;      ///< counter of the next one
  std::uint64_t expected_ = 0;  ///< counter of the next reply
  std::size_t outstanding_ = 0;
  std::size_t allowed_ = 0;  ///< --rate: of them due
  std::uint64_t progress_received_ = 0;
  std::uint64_t seen_received_ = 0;  ///< when last_reply_ was set
  Clock::time_point last_reply_, last_progress_;
};

}  // namespace pingpong
