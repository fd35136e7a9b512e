// SPDX-License-Identifier: Apache-2.0
// many_ports NAME --pair PORT PEER [--pair …]: messages to and fro between the two ports of each pair, all of them
// served by one thread in turn, as a figure for the lab's counting plugin. What pingpong measures of one pair, this
// does of any number of them, and with pools and rings of any size.
#include <CLI/CLI.hpp>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "examples/pingpong/link_udd.h"
#include "examples/pingpong/message.h"
#include "tests/bench/kernel_segments.h"
#include "tests/lab/plugin/mark.h"
#include "udd/base/error.h"
#include "udd/port.h"

namespace {

constexpr std::uint16_t kEthertype = 0x88B5;
constexpr std::size_t kMessage = 50;
constexpr unsigned kPatience = 10'000;  // rounds without an answer: some milliseconds
constexpr int kLost = 3;                // exit status

/// Two ports and what is under way between them.
class Pair {
 public:
  Pair(const std::string& port, const std::string& peer, const udd::PortOptions& options)
      : near_port_(udd::Port::take(port, options)),
        far_port_(udd::Port::take(peer, options)),
        near_(near_port_, kEthertype, far_port_.mac(), kMessage),
        far_(far_port_, kEthertype, near_port_.mac(), kMessage) {}

  /// Fills the window, answers, receives. @return answers received.
  std::uint64_t round(std::size_t window) noexcept {
    next_ += near_.send(window - (next_ - expected_), [this](std::span<std::byte> message, std::size_t i) {
      pingpong::write_message(message, {next_ + i, 0});
    });
    far_.echo([](std::span<std::byte>) {});
    std::uint64_t received = 0;
    near_.receive([&](std::span<const std::byte> message) {
      const std::uint64_t counter = pingpong::read_head(message).counter;
      if (counter < expected_) return;  // given up
      lost_ += counter - expected_;
      expected_ = counter + 1;
      ++received;
    });
    return received;
  }
  void give_up() noexcept {
    lost_ += next_ - expected_;
    expected_ = next_;
  }
  [[nodiscard]] std::uint64_t lost() const noexcept { return lost_; }
  /// That went to the kernel, at both ends.
  [[nodiscard]] std::uint64_t segments() const {
    return kernel_segments(near_port_.stats()) + kernel_segments(far_port_.stats());
  }

 private:
  udd::Port near_port_;
  udd::Port far_port_;
  pingpong::UddLink near_;
  pingpong::UddLink far_;
  std::uint64_t next_ = 0;      ///< counter of the next message
  std::uint64_t expected_ = 0;  ///< counter of the next answer
  std::uint64_t lost_ = 0;
};

/// At least `count` answers, over all pairs. @return how many.
std::uint64_t exchange(std::vector<std::unique_ptr<Pair>>& pairs, std::size_t window, std::uint64_t count) {
  std::uint64_t done = 0;
  unsigned empty_rounds = 0;
  while (done < count) {
    std::uint64_t got = 0;
    for (const auto& pair : pairs) got += pair->round(window);
    done += got;
    if (got != 0) {
      empty_rounds = 0;
    } else {
      MARK_IDLE();
      if (++empty_rounds % kPatience == 0) {
        for (const auto& pair : pairs) pair->give_up();
      }
    }
  }
  return done;
}

std::uint64_t segments(const std::vector<std::unique_ptr<Pair>>& pairs) {
  std::uint64_t sum = 0;
  for (const auto& pair : pairs) sum += pair->segments();
  return sum;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"Signal pairs between pairs of ports, all in one thread."};
  std::string name;
  std::vector<std::vector<std::string>> names;
  std::size_t window = 32;
  std::uint64_t count = 8192;
  std::uint64_t warm_up = 2048;
  udd::PortOptions options{.ethertypes = {kEthertype}};
  app.add_option("name", name, "of the figure")->required();
  app.add_option("--pair", names, "two ports, back to back")->required()->expected(2)->take_all();
  app.add_option("--window", window, "messages outstanding of each pair")->capture_default_str();
  app.add_option("--count", count, "messages there and back, over all pairs")->capture_default_str();
  app.add_option("--warm-up", warm_up, "messages before them")->capture_default_str();
  app.add_option("--buffers", options.buffers, "of each port's pool (the module's default)");
  app.add_option("--kernel-buffers", options.kernel_buffers, "of them the kernel's (the module's default)");
  app.add_option("--ring-size", options.ring_size, "of the tunnel's rings (the module's default)");
  CLI11_PARSE(app, argc, argv);

  try {
    std::vector<std::unique_ptr<Pair>> pairs;
    for (const auto& pair : names) pairs.push_back(std::make_unique<Pair>(pair[0], pair[1], options));
    exchange(pairs, window, warm_up);
    const std::uint64_t before = segments(pairs);
    MARK_START();
    const std::uint64_t done = exchange(pairs, window, count);
    MARK_STOP();
    mark_figure_and(name.c_str(), "pair", static_cast<long>(done), "segments",
                    static_cast<long>(segments(pairs) - before));
    std::uint64_t lost = 0;
    for (const auto& pair : pairs) lost += pair->lost();
    std::printf("many_ports: %s: %lu messages, %lu lost, warm-up included\n", name.c_str(), done, lost);
    return lost == 0 ? 0 : kLost;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "many_ports: %s\n", error.what());
    return 1;
  }
}
