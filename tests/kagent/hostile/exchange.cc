// SPDX-License-Identifier: Apache-2.0
// NDD_F_EXCHANGE against a process that names buffers which are not its own any more, and writes in those that the
// stack is reading.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "tests/kagent/hostile/commands.h"
#include "tests/kagent/hostile/counters.h"
#include "tests/kagent/hostile/entries.h"
#include "tests/kagent/hostile/mirror.h"

namespace hostile {
namespace {

constexpr std::uint32_t kLength = 1000;
/// Not the mirror's (mirror.cc), and the process's from the start.
constexpr std::uint32_t kFirst = 256;
constexpr std::uint32_t kBuffers = 64;

/// What is given for a buffer that is copied.
std::vector<std::uint32_t> the_same(std::uint32_t index, std::size_t times) {
  return std::vector<std::uint32_t>(times, index);
}

bool moved(const Counters& before, const Counters& after, const char* name, std::uint64_t by) {
  return after.at(name) == before.at(name) + by;
}

/// Buffers are the process's, the stock's or the stack's, and only the first may be named.
void try_owners(Mirror& mirror, const held::Held& held) {
  const std::uint32_t stock = mirror.first_kernel_buffer() - held.take.exchange_bufs;
  Counters before = read_counters();
  const ndd_desc good[] = {piece(kWhole, kFirst, kLength)};
  held::expect(mirror.inject(good), "a segment");
  std::vector<std::uint32_t> given = mirror.given();
  held::expect(given.size() == 1 && given[0] >= stock && given[0] < mirror.first_kernel_buffer() &&
                   moved(before, read_counters(), "krx_zero_copy", 1),
               "is kept, and one of the stock is given for it");
  before = read_counters();
  expect_drop("the one that is kept", mirror.inject(good), before, "krx_drop_not_owned+1 ");
  held::expect(mirror.given().empty(), "is worth nothing a second time");
  before = read_counters();
  const ndd_desc stocked[] = {piece(kWhole, stock + 1, kLength)};
  expect_drop("one that is in stock", mirror.inject(stocked), before, "krx_drop_not_owned+1 ");
  held::expect(mirror.given().empty(), "is worth nothing");

  // One buffer, twice in a frame: its page must not be the stack's twice.
  constexpr std::uint32_t kTwice = kFirst + 1;
  write_tcp(mirror.buffer(kTwice), 2 * kLength, false);
  before = read_counters();
  const ndd_desc twice[] = {piece(NDD_DESC_FIRST, kTwice, kLength), piece(NDD_DESC_LAST, kTwice, kLength, kLength)};
  held::expect(mirror.inject(twice), "a frame with one buffer twice");
  held::expect(moved(before, read_counters(), "krx_copied_kind", 1) && mirror.given() == the_same(kTwice, 2),
               "is copied, and its buffer is still the process's");

  // Only the header of the first, nothing else in it: copied, and given back.
  before = read_counters();
  const ndd_desc split[] = {piece(NDD_DESC_FIRST, kTwice, 54), piece(NDD_DESC_LAST, kFirst + 2, 2 * kLength - 54)};
  held::expect(mirror.inject(split), "a frame with its header apart");
  given = mirror.given();
  held::expect(given.size() == 2 && given[0] == kTwice && given[1] >= stock &&
                   moved(before, read_counters(), "krx_zero_copy", 1),
               "is kept but for the header's buffer");
}

/// As merged by a process: more pieces than an skb has room for.
void try_most_pieces(Mirror& mirror) {
  Descriptors all;
  for (std::uint32_t i = 0; i < NDD_PIECES_MAX; ++i) all.push_back(piece(0, kFirst + 3 + i, kLength));
  write_tcp(mirror.buffer(kFirst + 3), NDD_PIECES_MAX * kLength, false);
  all.back().flags = NDD_DESC_LAST;
  ndd_desc& first = all.front();
  first.flags = NDD_DESC_FIRST | NDD_DESC_NEEDS_CSUM;
  first.gso_type = NDD_GSO_TCPV4;
  first.gso_size = kLength;
  first.hdr_len = 54;
  first.csum_start = 34;
  first.csum_offset = 16;
  const Counters before = read_counters();
  held::expect(mirror.inject(all), "a frame of the most pieces there may be");
  const Counters after = read_counters();
  std::vector<std::uint32_t> given = mirror.given();
  std::ranges::sort(given);
  held::expect(given.size() == NDD_PIECES_MAX && std::ranges::adjacent_find(given) == given.end() &&
                   moved(before, after, "krx_zero_copy", 1) && moved(before, after, "krx_frames", 1),
               "is kept, and as many others are given: " + drops(before, after));
}

/// Frames from the buffers that were last given, while another thread writes into all of them.
void try_rewriting(Mirror& mirror, const held::Held& held) {
  constexpr auto kTime = std::chrono::milliseconds(1500);
  std::atomic<bool> over{false};
  std::jthread writer([&] {
    // headers, offsets and sums among them
    for (std::uint32_t seed = 1; !over; seed = seed * 1664525u + 1013904223u) {
      std::uint8_t* const at = mirror.buffer(seed % mirror.first_kernel_buffer()) + (seed >> 16) % kLength;
      std::atomic_ref(*at).store(static_cast<std::uint8_t>(seed >> 8), std::memory_order_relaxed);
    }
  });
  std::vector<std::uint32_t> own;
  for (std::uint32_t i = 0; i < kBuffers; ++i) own.push_back(kFirst + kBuffers + i);
  const Counters before = read_counters();
  std::size_t frames = 0;
  bool once_each = true;
  for (const auto end = std::chrono::steady_clock::now() + kTime; std::chrono::steady_clock::now() < end;) {
    Descriptors all;
    for (std::size_t i = 0; i < own.size(); ++i) {
      // addressed to the netdev, or routed on; whole frames, or two buffers each
      write_tcp(mirror.buffer(own[i]), 2 * kLength, i % 4 == 0);
      const bool first = i % 2 == 0, last = !first || i + 1 == own.size();
      all.push_back(piece(static_cast<std::uint16_t>((first ? NDD_DESC_FIRST : 0) | (last ? NDD_DESC_LAST : 0)), own[i],
                          kLength));
    }
    if (!mirror.inject(all)) {
      held::expect(false, "frames of memory that changes are consumed");
      break;
    }
    frames += all.size();
    own = mirror.given();
    std::vector<std::uint32_t> sorted = own;
    std::ranges::sort(sorted);
    once_each = once_each && own.size() == all.size() && std::ranges::adjacent_find(sorted) == sorted.end() &&
                sorted.back() < mirror.first_kernel_buffer();
  }
  over = true;
  writer.join();
  const Counters after = read_counters();
  const std::uint64_t kept = after.at("krx_zero_copy") - before.at("krx_zero_copy");
  held::expect(once_each && drops(before, after).empty(),
               "each buffer is answered by one, and none is given twice: " + drops(before, after));
  held::expect(
      kept > 100 && after.at("krx_with_stack") <= held.take.exchange_bufs,
      std::to_string(frames) + " buffers rewritten while the stack had them, frames kept: " + std::to_string(kept));
}

}  // namespace

void run_exchange(const std::string& port) {
  held::Held held(port);
  held.take.features = NDD_F_EXCHANGE | NDD_F_OFFLOAD;
  held.take.buf_count = 1024;
  held.take.exchange_bufs = 128;
  held.take.watch.interval_us = kWatchUs;
  held.take_and_start();
  held::expect((held.take.features & NDD_F_EXCHANGE) != 0 && held.take.exchange_bufs == 128, "exchange is granted");
  Mirror mirror(held);
  held::say("took");
  held::expect(mirror.serve_until_answered(2), "the rings carry frames");
  mirror.set_answering(false);
  for (std::uint32_t i = kFirst; i < kFirst + kBuffers; ++i) write_tcp(mirror.buffer(i), kLength, false);
  static_cast<void>(mirror.given());
  try_owners(mirror, held);
  try_most_pieces(mirror);
  try_rewriting(mirror, held);
  mirror.set_answering(true);
  held::expect(mirror.serve_until_answered(3), "the rings still carry frames");
  held::say("done");
  for (;;) mirror.serve();
}

}  // namespace hostile
