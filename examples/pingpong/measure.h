// SPDX-License-Identifier: Apache-2.0
// One measured exchange: the client's loop between the marks, with the other end in another process or in this thread.
// The peers that pingpong's figures are compared with (tests/bench/peers) run through here too: the same work, other
// links.
#pragma once

#include <fmt/core.h>

#include <cstdint>
#include <cstdio>

#include "examples/pingpong/message.h"
#include "examples/pingpong/options.h"
#include "examples/pingpong/report.h"
#include "examples/pingpong/run.h"
#include "tests/lab/plugin/mark.h"

namespace pingpong {

/// The other end in the client's thread, a round at a time: checks each message's counter and writes each answer anew.
template <typename Link>
class FarEnd {
 public:
  FarEnd(Link& link, const Options& options) : link_(link), check_all_(options.check_all) {}

  void operator()() noexcept {
    // locals, which the compiler keeps in registers: a store to a message could be one to a member
    std::uint64_t expected = expected_, faults = 0;
    const auto answer = [&expected, &faults](std::span<std::byte> message) {
      const MessageHead head = read_head(message);
      faults += head.counter != expected;
      expected = head.counter + 1;
      write_message(message, head);
    };
    if (check_all_) [[unlikely]] {
      link_.echo([&answer, &faults](std::span<std::byte> message) {
        faults += !intact(message);
        answer(message);
      });
    } else {
      link_.echo(answer);
    }
    expected_ = expected;
    faults_ += faults;
  }

  /// Messages that were not the next one, or damaged (--check-all).
  [[nodiscard]] std::uint64_t faults() const noexcept { return faults_; }

 private:
  Link& link_;
  bool check_all_;
  std::uint64_t expected_ = 0;
  std::uint64_t faults_ = 0;
};

/// The other end is another process.
struct Elsewhere {
  void operator()() const noexcept {}
  [[nodiscard]] std::uint64_t faults() const noexcept { return 0; }
};

/// Warms up, measures, prints. @return the exit code: 0, 2 the link is dead, 3 messages were lost or damaged.
template <typename Link, typename OtherEnd>
int measure(Link& link, const Options& options, OtherEnd other_end, Progress progress = {}, const Costs& costs = {}) {
  Client<Link, OtherEnd&> client{link, options, other_end, std::move(progress)};
  if (options.warm_up != 0) client.run(options.warm_up);
  const PortCosts before = costs ? costs() : PortCosts{};
  MARK_START();
  Result result = client.run(options.count);
  MARK_STOP();
  mark_figure(figure_name(options).c_str(), "pair", static_cast<long>(result.received));
  if (costs) result.costs = costs() - before;
  fmt::print("{}\n", options.json ? to_json(result, options) : to_text(result));
  if (!link.alive()) {
    fmt::print(stderr, "pingpong: the port is lost: {}\n", link.why_dead());
    return 2;
  }
  if (other_end.faults() != 0) fmt::print(stderr, "pingpong: {} faults at the other end\n", other_end.faults());
  return result.lost + result.out_of_order + result.damaged + other_end.faults() == 0 ? 0 : 3;
}

}  // namespace pingpong
