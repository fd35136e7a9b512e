// SPDX-License-Identifier: Apache-2.0
// Entries of KRX and KTX_DONE that are wrong in one thing each, with the counter that must tell, then many at random.
#include <algorithm>
#include <chrono>
#include <functional>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "tests/kagent/hostile/commands.h"
#include "tests/kagent/hostile/counters.h"
#include "tests/kagent/hostile/entries.h"
#include "tests/kagent/hostile/mirror.h"

namespace hostile {
namespace {

constexpr std::uint32_t kFullPieces = 17;  // as many full buffers are more than a frame may have
constexpr std::uint64_t kFeatures =
    NDD_F_WINDOW | NDD_F_OFFLOAD | NDD_F_STANDBY | NDD_F_TX_CSUM | NDD_F_TSO4 | NDD_F_TSO6;
constexpr std::uint32_t kTestBuffers = 32;

ndd_desc changed(const std::function<void(ndd_desc&)>& change) {
  ndd_desc desc = piece(kWhole);
  change(desc);
  return desc;
}

Descriptors chain(std::uint32_t count, std::uint32_t length, bool ends) {
  Descriptors all;
  for (std::uint32_t i = 0; i < count; ++i) {
    std::uint16_t flags = i == 0 ? NDD_DESC_FIRST : 0;
    if (ends && i + 1 == count) flags |= NDD_DESC_LAST;
    all.push_back(piece(flags, i % kTestBuffers, length));
  }
  return all;
}

struct Case {
  const char* what;
  Descriptors descriptors;
  const char* counter;  ///< steps by one, and no other drop does
};

std::vector<Case> cases(const Mirror& mirror, const ndd_take& take) {
  const auto one = [](const std::function<void(ndd_desc&)>& change) { return Descriptors{changed(change)}; };
  const auto gso = [&](std::uint8_t type) {
    return [type](ndd_desc& d) {
      d.len = 1000;
      d.flags |= NDD_DESC_NEEDS_CSUM;
      d.gso_type = type;
      d.gso_size = 500;
      d.hdr_len = 54;
      d.csum_start = 34;
      d.csum_offset = 16;
    };
  };
  const auto gso_but = [&](const std::function<void(ndd_desc&)>& change) {
    return one([&](ndd_desc& d) {
      gso(NDD_GSO_TCPV4)(d);
      change(d);
    });
  };
  return {
      {"index behind the pool", one([&](auto& d) { d.addr = take.buf_count; }), "krx_drop_bad_index"},
      {"index of all ones", one([](auto& d) { d.addr = 0xffffffff; }), "krx_drop_bad_index"},
      {"address bits that mean nothing", one([](auto& d) { d.addr = 1ull << 44; }), "krx_drop_bad_index"},
      {"address of all ones", one([](auto& d) { d.addr = ~0ull; }), "krx_drop_bad_index"},
      {"a buffer of the kernel's", one([&](auto& d) { d.addr = mirror.first_kernel_buffer(); }), "krx_drop_not_owned"},
      {"the last buffer", one([&](auto& d) { d.addr = take.buf_count - 1; }), "krx_drop_not_owned"},
      {"no octet", one([](auto& d) { d.len = 0; }), "krx_drop_short"},
      {"13 octets", one([](auto& d) { d.len = 13; }), "krx_drop_short"},
      {"one octet more than a buffer", one([](auto& d) { d.len = NDD_BUF_SIZE + 1; }), "krx_drop_long"},
      {"over the end of its buffer", {piece(kWhole, 0, 17, NDD_BUF_SIZE - 16)}, "krx_drop_long"},
      {"2^32 - 1 octets", one([](auto& d) { d.len = 0xffffffff; }), "krx_drop_long"},
      {"17 full pieces, longer than any frame", chain(kFullPieces, NDD_BUF_SIZE, true), "krx_drop_long"},
      {"an unknown flag", one([](auto& d) { d.flags |= 0x40; }), "krx_drop_bad_flags"},
      {"all flags", one([](auto& d) { d.flags = 0xffff; }), "krx_drop_bad_flags"},
      {"the window's flag", one([](auto& d) { d.flags |= NDD_DESC_WINDOW; }), "krx_drop_bad_flags"},
      {"first reserved field", one([](auto& d) { d.reserved0 = 1; }), "krx_drop_bad_flags"},
      {"last reserved octet", one([](auto& d) { d.reserved1[5] = 0x80; }), "krx_drop_bad_flags"},
      {"a frame without FIRST", {piece(NDD_DESC_LAST)}, "krx_drop_bad_chain"},
      {"FIRST after FIRST", {piece(NDD_DESC_FIRST), piece(kWhole)}, "krx_drop_bad_chain"},
      {"one piece too many", chain(NDD_PIECES_MAX + 1, 100, true), "krx_drop_bad_chain"},
      {"a chain of 3000 that ends at last", chain(3000, 1, true), "krx_drop_bad_chain"},
      {"UFO", one(gso(3)), "krx_drop_bad_offload"},
      {"UDP_L4", one(gso(5)), "krx_drop_bad_offload"},
      {"a GSO type of all ones", one(gso(0xff)), "krx_drop_bad_offload"},
      {"ECN alone", one(gso(NDD_GSO_ECN)), "krx_drop_bad_offload"},
      {"GSO without a checksum to be made", gso_but([](auto& d) { d.flags = kWhole; }), "krx_drop_bad_offload"},
      {"GSO of size 0", gso_but([](auto& d) { d.gso_size = 0; }), "krx_drop_bad_offload"},
      {"a segment more than there may be", gso_but([](auto& d) { d.gso_size = 19; }), "krx_drop_bad_offload"},
      {"a header longer than any", gso_but([](auto& d) { d.hdr_len = NDD_HEADERS_MAX + 1; }), "krx_drop_bad_offload"},
      {"a header longer than the frame", gso_but([](auto& d) { d.hdr_len = 1001; }), "krx_drop_bad_offload"},
      {"checksum behind the frame", gso_but([](auto& d) { d.csum_start = 0xffff; }), "krx_drop_bad_offload"},
      {"checksum over the end", gso_but([](auto& d) { d.csum_offset = 965; }), "krx_drop_bad_offload"},
      {"checksum offsets that overflow", gso_but([](auto& d) { d.csum_start = d.csum_offset = 0xffff; }),
       "krx_drop_bad_offload"},
      {"offload facts not on FIRST",
       {piece(NDD_DESC_FIRST, 0, 60), piece(NDD_DESC_LAST | NDD_DESC_NEEDS_CSUM, 1, 60)},
       "krx_drop_bad_offload"},
  };
}

// A buffer of the kernel's may be in flight just then: what names it here is taken, and it is the mirror's own entry
// for it, written when it comes to that frame, that is one too many. In the end the count is the same.
void expect_bad_done(Mirror& mirror, const char* what, std::span<const std::uint64_t> entries) {
  const Counters before = read_counters();
  const std::string wanted = "ktx_drop_bad_done+" + std::to_string(entries.size()) + " ";
  const bool consumed = mirror.inject_done(entries);
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(5);
  while (drops(before, read_counters()) != wanted && std::chrono::steady_clock::now() < until) mirror.serve();
  expect_drop(what, consumed, before, wanted);
}

void try_done(Mirror& mirror, const held::Held& held) {
  const std::uint64_t wrong[] = {0,
                                 held.take.buf_count,
                                 ~0ull,
                                 0xffffffffull,
                                 mirror.first_kernel_buffer() + 0x100000000ull,
                                 held.take.buf_count - 1ull,
                                 mirror.first_kernel_buffer() - 1ull,
                                 NDD_DONE_WINDOW | held.take.window_iova,
                                 NDD_DONE_WINDOW | (held.take.window_iova + held.take.window_size),
                                 NDD_DONE_WINDOW | (held.take.window_iova - 1)};
  expect_bad_done(mirror, "buffers returned that are not in flight", wrong);
  const std::vector<std::uint64_t> many(500, held.take.buf_count - 1ull);
  expect_bad_done(mirror, "the same buffer returned 500 times", many);
}

// A flag here, a length there: most are wrong in several things, some are right and go far up or, routed and segmented
// by what their offload facts say, out of another netdev. The kernel only has to live.
void try_random(Mirror& mirror, const held::Held& held) {
  std::mt19937 random(1);
  const auto any = [&](std::uint32_t below) { return static_cast<std::uint32_t>(random() % below); };
  const auto small = [&](std::uint32_t below) { return static_cast<std::uint16_t>(any(below)); };
  const Counters before = read_counters();
  for (int round = 0; round < 60; ++round) {
    std::vector<std::uint32_t> lengths;
    for (std::uint32_t i = 0; i < kTestBuffers; ++i) {
      lengths.push_back(60 + any(2000));
      write_tcp(mirror.buffer(i), lengths[i], any(2) == 0);
      for (std::uint32_t octets = any(4); octets != 0; --octets) {
        mirror.buffer(i)[(any(2) == 0 ? 34 : 12) + any(30)] = static_cast<std::uint8_t>(random());
      }
    }
    Descriptors all;
    for (int i = 0; i < 50; ++i) {
      const std::uint32_t index = any(kTestBuffers);
      // right, but for a GSO size that may be odd
      ndd_desc desc = piece(kWhole | NDD_DESC_NEEDS_CSUM, index, lengths[index]);
      desc.gso_type = NDD_GSO_TCPV4;
      // as many segments as there may be, or all in one
      desc.gso_size = static_cast<std::uint16_t>(any(2) == 0 ? 2060 / NDD_PIECES_MAX + any(8) : 1 + any(0xffff));
      desc.hdr_len = 54;
      desc.csum_start = 34;
      desc.csum_offset = 16;
      const std::uint8_t types[] = {NDD_GSO_NONE, NDD_GSO_TCPV4, NDD_GSO_TCPV6, NDD_GSO_TCPV4 | NDD_GSO_ECN, 3, 5};
      if (any(3) == 0) desc.gso_type = types[any(std::size(types))];
      if (any(4) == 0) desc.hdr_len = small(0x10000);
      if (any(4) == 0) desc.csum_start = small(100);
      if (any(4) == 0) desc.csum_offset = small(40);
      if (any(6) == 0) desc.flags = small(0x40);
      if (any(6) == 0) desc.len = 14 + any(2100);
      if (any(8) == 0) desc.vlan_tci = small(0x10000);
      if (any(20) == 0) desc.addr = random();
      if (any(20) == 0) desc.len = static_cast<std::uint32_t>(random());
      all.push_back(desc);
    }
    if (!mirror.inject(all)) {
      held::expect(false, "random descriptors are consumed");
      return;
    }
  }
  const ndd_desc end = piece(kWhole, held.take.buf_count);  // a chain that is open ends here
  const bool consumed = mirror.inject({&end, 1});
  const Counters after = read_counters();
  const std::uint64_t frames = after.at("krx_frames") - before.at("krx_frames");
  held::expect(consumed && frames > 500,
               "random descriptors: frames+" + std::to_string(frames) + " " + drops(before, after));
}

// The longest frames there are, to be cut into segments of `size`: the softirq must not be busy for seconds.
void try_longest(Mirror& mirror, std::uint16_t size, const std::string& what, const std::string& dropped) {
  constexpr std::uint32_t kLength = 65000;
  write_tcp(mirror.buffer(0), kLength, true);
  Descriptors all;
  for (int frame = 0; frame < 32; ++frame) {
    Descriptors pieces = chain(kFullPieces - 1, NDD_BUF_SIZE, true);
    pieces.back().len = kLength - (kFullPieces - 2) * NDD_BUF_SIZE;
    ndd_desc& first = pieces.front();
    first.flags |= NDD_DESC_NEEDS_CSUM;
    first.gso_type = NDD_GSO_TCPV4;
    first.gso_size = size;
    first.hdr_len = 54;
    first.csum_start = 34;
    first.csum_offset = 16;
    all.insert(all.end(), pieces.begin(), pieces.end());
  }
  const Counters before = read_counters();
  const auto begin = std::chrono::steady_clock::now();
  const bool consumed = mirror.inject(all);
  const auto took = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin);
  const std::string got = drops(before, read_counters());
  held::expect(consumed && took < std::chrono::seconds(10) && got == dropped,
               "32 frames to be cut into " + what + ": " + std::to_string(took.count()) + " s " + got);
}

}  // namespace

void run_descriptors(const std::string& port) {
  held::Held held(port);
  // what the module does not have it must not grant; its buffers come back the same here (exchange.cc has the rest)
  held.take.features = ~std::uint64_t{NDD_F_EXCHANGE};
  held.take.watch.interval_us = kWatchUs;
  held.take_and_start();
  held::expect(held.take.features == kFeatures, "of all feature bits only the module's own are granted");
  Mirror mirror(held);
  held::say("took");
  held::expect(mirror.serve_until_answered(2), "the rings carry frames");
  for (std::uint32_t i = 0; i < kTestBuffers; ++i) write_tcp(mirror.buffer(i), 1000, false);

  mirror.set_answering(false);
  for (const Case& c : cases(mirror, held.take)) {
    const Counters before = read_counters();
    const bool consumed = mirror.inject(c.descriptors);
    expect_drop(c.what, consumed, before, std::string(c.counter) + "+1 ");
  }
  // A ring full of one chain that never ends: dropped once, and only the end of it makes room for another frame.
  Counters before = read_counters();
  expect_drop("a chain that never ends", mirror.inject(chain(5000, 1, false)), before, "krx_drop_bad_chain+1 ");
  before = read_counters();
  const ndd_desc last[] = {piece(NDD_DESC_LAST), piece(kWhole)};
  const bool consumed = mirror.inject(last);
  const Counters after = read_counters();
  held::expect(consumed && after.at("krx_frames") == before.at("krx_frames") + 1 && drops(before, after).empty(),
               "its end at last, and a good frame behind it: " + drops(before, after));
  try_done(mirror, held);
  try_longest(mirror, 1, "crumbs", "krx_drop_bad_offload+32 ");
  try_longest(mirror, 65000 / NDD_PIECES_MAX, "as many segments as there may be", "");
  try_random(mirror, held);
  mirror.set_answering(true);
  held::expect(mirror.serve_until_answered(3), "the rings still carry frames");
  held::say("done");
  for (;;) mirror.serve();
}

}  // namespace hostile
