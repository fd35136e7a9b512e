// SPDX-License-Identifier: Apache-2.0
// pingpong's client over a link without a wire: what it counts as lost, and what not.
#include "examples/pingpong/run.h"

#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <deque>
#include <span>

namespace pingpong {

std::atomic<bool> stop_requested{false};

namespace {

/// Answers each message after so many empty polls, but the first `silent` never.
class SlowLink {
 public:
  SlowLink(std::uint32_t polls, std::size_t silent) : polls_(polls), silent_(silent) {}

  template <typename Fill>
  std::size_t send(std::size_t count, Fill fill) {
    for (std::size_t i = 0; i < count; ++i) {
      Message message{};
      fill(std::span<std::byte>{message}, i);
      if (silent_ != 0) {
        --silent_;
      } else {
        messages_.push_back(message);
      }
    }
    return count;
  }

  template <typename Use>
  std::size_t receive(Use use) {
    if (messages_.empty() || ++polled_ <= polls_) return 0;
    polled_ = 0;
    use(std::span<const std::byte>{messages_.front()});
    messages_.pop_front();
    return 1;
  }

  void wait(std::chrono::milliseconds) {}
  [[nodiscard]] bool alive() const { return true; }

 private:
  using Message = std::array<std::byte, 50>;
  std::uint32_t polls_;
  std::uint32_t polled_ = 0;
  std::size_t silent_;
  std::deque<Message> messages_;
};

Options options_for(std::size_t window) {
  Options options;
  options.window = window;
  options.latency = false;
  return options;
}

TEST(Client, LosesNothingOverALinkThatIsSlowForLong) {
  // Each reply takes more empty rounds than the client makes between two looks at the time.
  const Options options = options_for(1);
  SlowLink link{10'000, 0};
  Client client{link, options, [] {}, {}};
  constexpr std::uint64_t kTry = 1'000;
  const auto per_try = client.run(kTry).time;
  // One run well longer than the time after which a silent peer's messages are given up.
  const auto pairs = static_cast<std::uint64_t>(kTry * (options.loss_timeout * 2 / per_try + 1));
  const Result result = client.run(pairs);
  EXPECT_GT(result.time, options.loss_timeout);
  EXPECT_EQ(result.received, pairs);
  EXPECT_EQ(result.lost, 0U);
}

TEST(Client, GivesUpWhatASilentPeerNeverAnswers) {
  const Options options = options_for(4);
  SlowLink link{0, 4};
  Client client{link, options, [] {}, {}};
  const Result result = client.run(100);
  EXPECT_EQ(result.lost, 4U);
  EXPECT_EQ(result.received, 96U);
  EXPECT_GE(result.time, options.loss_timeout);
}

}  // namespace
}  // namespace pingpong
