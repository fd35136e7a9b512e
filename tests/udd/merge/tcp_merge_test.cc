// SPDX-License-Identifier: Apache-2.0
// Merging of TCP segments. The yardstick: whatever comes out, cut again into segments, is octet by octet what went in,
// in the order of each connection.
#include "udd/merge/tcp_merge.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "tests/fake/port_memory.h"
#include "tests/udd/merge/segments.h"

namespace udd {
namespace {

using namespace segments;  // NOLINT(google-build-using-namespace)

class TcpMergeTest : public testing::Test {
 protected:
  static constexpr std::uint32_t kBuffers = 256;

  TcpMergeTest()
      : memory_(1, kBuffers, 64, 64),
        view_(memory_.map()),
        state_(StateArea::format(view_->state(), memory_.sizes())),
        pool_(Pool::create(memory_.geometry(*view_), state_.section(StateSection::kPool))),
        merge_(pool_) {}

  /// In buffers, `first` octets in the first of them, at an odd place.
  std::vector<Piece> pieces(const Octets& frame, std::size_t first, bool verified) {
    std::vector<Piece> result;
    for (std::size_t at = 0; at < frame.size();) {
      const std::size_t length = std::min(frame.size() - at, at == 0 ? first : kBufferSize - kOffset);
      const BufferIndex buffer = next_++ % (kBuffers - 64);
      std::memcpy(pool_.data(buffer) + kOffset, frame.data() + at, length);
      result.push_back({.buffer = buffer,
                        .offset = kOffset,
                        .length = static_cast<std::uint16_t>(length),
                        .flags = 0,
                        .vlan_tci = 0});
      at += length;
    }
    result.front().flags |= Piece::kFirst | (verified ? Piece::kChecksumOk : 0);
    result.back().flags |= Piece::kLast;
    return result;
  }

  auto sink() {
    return [this](std::span<const Piece> frame, const RxOffload& offload) {
      Out out{.octets = {}, .offload = offload, .pieces = frame.size()};
      for (std::size_t i = 0; i < frame.size(); ++i) {
        const Piece& piece = frame[i];
        EXPECT_NE(piece.length, 0);
        EXPECT_EQ((piece.flags & Piece::kFirst) != 0, i == 0);
        EXPECT_EQ((piece.flags & Piece::kLast) != 0, i + 1 == frame.size());
        const auto* const data = reinterpret_cast<const std::uint8_t*>(pool_.data(piece.buffer) + piece.offset);
        out.octets.insert(out.octets.end(), data, data + piece.length);
      }
      EXPECT_EQ(wrong(out), "");
      outs_.push_back(std::move(out));
    };
  }

  void add(const Octets& frame, bool verified = true, std::size_t first = kBufferSize - kOffset) {
    const std::vector<Piece> in = pieces(frame, first, verified);
    const Piece& head = in.front();
    if (in.size() == 1 && merge_.append(head, pool_.data(head.buffer) + head.offset)) {
      ++foreseen_;
    } else {
      merge_.add(in, sink());
    }
  }
  void add(const Spec& spec) { add(segment(spec)); }
  void flush() { merge_.flush(sink()); }

  /// Segments in a row of a connection.
  void add_train(unsigned count, Spec spec = {}) {
    for (; count != 0; --count) {
      add(spec);
      spec.sequence += spec.payload;
      ++spec.identification;
    }
  }

  /// Two segments, the second one changed, must not become one frame, whether another comes before them or not: in a
  /// row from the third on they are looked at in another way.
  void expect_apart(const std::string& why, const Spec& first, const Spec& second) {
    Spec before = first;
    before.sequence -= first.payload;
    --before.identification;
    for (const bool in_a_row : {false, true}) {
      outs_.clear();
      if (in_a_row) add(before);
      add(first);
      add(second);
      flush();
      ASSERT_EQ(outs_.size(), 2u) << why;
      EXPECT_EQ(cut(outs_[0]).back(), segment(first)) << why;
      EXPECT_EQ(outs_[1].octets, segment(second)) << why;
      EXPECT_EQ(outs_[1].offload.segments, RxOffload::Segments::kNone) << why;
    }
  }

  static constexpr std::uint16_t kOffset = 34;

  fake::PortMemory memory_;
  std::unique_ptr<fake::PortView> view_;
  StateArea state_;
  Pool pool_;
  TcpMerge merge_;
  std::vector<Out> outs_;
  unsigned foreseen_ = 0;  ///< frames that append() took
  BufferIndex next_ = 0;
};

Spec next_of(Spec spec) {
  spec.sequence += spec.payload;
  ++spec.identification;
  return spec;
}

TEST_F(TcpMergeTest, SegmentsInARowBecomeOneFrame) {
  for (const bool v6 : {false, true}) {
    for (const unsigned vlan : {0u, 5u}) {
      outs_.clear();
      const Spec spec{.v6 = v6, .vlan = vlan};
      add_train(10, spec);
      EXPECT_TRUE(outs_.empty());
      flush();
      ASSERT_EQ(outs_.size(), 1u);
      EXPECT_EQ(outs_[0].pieces, 10u);
      EXPECT_EQ(outs_[0].offload.segment_size, 1448);
      EXPECT_EQ(outs_[0].octets.size(), segment(spec).size() + 9 * 1448u);
      const std::vector<Octets> again = cut(outs_[0]);
      ASSERT_EQ(again.size(), 10u);
      Spec each = spec;
      for (const Octets& one : again) {
        EXPECT_EQ(one, segment(each));
        each = next_of(each);
      }
      EXPECT_TRUE(merge_.empty());
    }
  }
  EXPECT_EQ(foreseen_, 4 * 8u);  // from the third on
  EXPECT_EQ(merge_.counters().merged, 4u);
  EXPECT_EQ(merge_.counters().segments, 40u);
}

TEST_F(TcpMergeTest, OneSegmentGoesOnUntouched) {
  add(Spec{});
  flush();
  ASSERT_EQ(outs_.size(), 1u);
  EXPECT_EQ(outs_[0].octets, segment({}));
  EXPECT_EQ(outs_[0].offload.segments, RxOffload::Segments::kNone);
}

TEST_F(TcpMergeTest, PushEndsAFrameAtOnceAndIsKept) {
  add(Spec{});
  Spec second = next_of({});
  second.flags |= 0x08;
  add(second);
  ASSERT_EQ(outs_.size(), 1u);
  const std::vector<Octets> again = cut(outs_[0]);
  ASSERT_EQ(again.size(), 2u);
  EXPECT_EQ(again[0], segment({}));
  EXPECT_EQ(again[1], segment(second));
}

TEST_F(TcpMergeTest, AShortSegmentIsAFramesLast) {
  add(Spec{});
  Spec second = next_of({});
  second.payload = 9;
  add(second);
  ASSERT_EQ(outs_.size(), 1u);
  EXPECT_EQ(cut(outs_[0]).back(), segment(second));
  // and a longer one than the first never joins
  Spec longer = next_of({.payload = 100});
  longer.payload = 101;
  expect_apart("longer", {.payload = 100}, longer);
}

TEST_F(TcpMergeTest, NothingGrowsBeyondWhatADescriptorChainOrIpCanSay) {
  add_train(NDD_PIECES_MAX + 1, {.payload = 100});
  flush();
  ASSERT_EQ(outs_.size(), 2u);
  EXPECT_EQ(outs_[0].pieces, static_cast<std::size_t>(NDD_PIECES_MAX));
  outs_.clear();
  add_train(46, {.payload = 1448});  // 46 * 1448 + 52 > 65535
  flush();
  ASSERT_EQ(outs_.size(), 2u);
  EXPECT_EQ(cut(outs_[0]).size(), 45u);
}

TEST_F(TcpMergeTest, WhatDiffersStaysApart) {
  const Spec first;
  const auto change = [&](auto what) {
    Spec second = next_of(first);
    what(second);
    return second;
  };
  expect_apart("a gap", first, change([](Spec& s) { s.sequence += 1; }));
  expect_apart("out of order", first, change([](Spec& s) { s.sequence -= 2 * 1448; }));
  expect_apart("acknowledgement", first, change([](Spec& s) { s.acknowledgement += 1; }));
  expect_apart("window", first, change([](Spec& s) { s.window += 1; }));
  expect_apart("urgent pointer, without URG", first, change([](Spec& s) { s.urgent = 108; }));
  expect_apart("time-stamp", first, change([](Spec& s) { s.time_stamp += 1; }));
  expect_apart("identification", first, change([](Spec& s) { s.identification += 1; }));
  expect_apart("don't fragment", first, change([](Spec& s) { s.fragment = 0; }));
  expect_apart("time to live", first, change([](Spec& s) { s.ttl -= 1; }));
  expect_apart("congestion experienced", first, change([](Spec& s) { s.tos = 3; }));
  expect_apart("hop limit", {.v6 = true}, next_of({.ttl = 63, .v6 = true}));
  expect_apart("traffic class", {.v6 = true}, next_of({.tos = 3, .v6 = true}));
  for (const unsigned flags : {0x11u, 0x12u, 0x14u, 0x30u, 0x50u, 0x90u, 0x00u}) {
    expect_apart("flags " + std::to_string(flags), first, change([&](Spec& s) { s.flags = flags; }));
  }
  expect_apart("no payload", first, change([](Spec& s) { s.payload = 0; }));
  // other connections end when the poll does
  expect_apart("port", first, change([](Spec& s) { s.connection += 1; }));
  expect_apart("VLAN", {.vlan = 5}, next_of({.vlan = 6}));
}

TEST_F(TcpMergeTest, EveryBitThatMattersKeepsASegmentApart) {
  for (const bool v6 : {false, true}) {
    for (const unsigned vlan : {0u, 5u}) {
      const Spec first{.v6 = v6, .vlan = vlan};
      const Octets good = segment(next_of(next_of(first)));
      const std::size_t ip = network_of(good);
      const std::size_t tcp = transport_of(good);
      for (std::size_t bit = 0; bit < (tcp + 32) * 8; ++bit) {
        const std::size_t at = bit / 8;
        // the sums, which the NIC has found right; the urgent pointer, which means nothing
        if ((at >= tcp + 16 && at < tcp + 20) || (!v6 && (at == ip + 10 || at == ip + 11))) continue;
        Octets changed = good;
        changed[at] ^= static_cast<std::uint8_t>(1u << bit % 8);
        // that of the first, see IdentificationMayStayWithDontFragmentOnly
        if (!v6 && get16(changed, ip + 4) == first.identification) continue;
        outs_.clear();
        add(segment(first));
        add(segment(next_of(first)));
        add(changed);
        flush();
        std::vector<Octets> again;
        for (const Out& out : outs_) {
          for (Octets& one : cut(out)) again.push_back(std::move(one));
        }
        ASSERT_EQ(again.size(), 3u) << "bit " << bit;
        // with PSH it is merged, and summed anew
        if (outs_.size() == 1) fill_sums(changed);
        EXPECT_NE(std::find(again.begin(), again.end(), changed), again.end()) << "bit " << bit;
      }
    }
  }
}

TEST_F(TcpMergeTest, IdentificationMayStayWithDontFragmentOnly) {
  Spec second = next_of({});
  second.identification = 1;
  add(Spec{});
  add(second);
  flush();
  EXPECT_EQ(outs_.size(), 1u);
  second.fragment = 0;
  expect_apart("it means something", {.fragment = 0}, second);
}

TEST_F(TcpMergeTest, IdentificationStaysOrGoesOnInARow) {
  const auto train = [&](const std::vector<unsigned>& identifications) {
    outs_.clear();
    Spec spec;
    for (const unsigned identification : identifications) {
      spec.identification = identification;
      add(spec);
      spec.sequence += spec.payload;
    }
    flush();
    std::vector<std::size_t> pieces;
    for (const Out& out : outs_) pieces.push_back(out.pieces);
    return pieces;
  };
  using Pieces = std::vector<std::size_t>;
  EXPECT_EQ(train({7, 7, 7, 7, 7, 7}), Pieces{6});
  EXPECT_EQ(train({0xfffd, 0xfffe, 0xffff, 0, 1}), Pieces{5});
  EXPECT_EQ(train({7, 8, 9, 9, 10, 11}), (Pieces{3, 3}));
  EXPECT_EQ(train({7, 7, 7, 8, 9}), (Pieces{3, 2}));
  // may be cut from one frame either way: RFC 6864 gives it no meaning
  EXPECT_EQ(train({7, 7, 9, 10, 11}), Pieces{5});
}

TEST_F(TcpMergeTest, LongHeadersAndShortFramesAreMergedToo) {
  // longer headers than NextSegment looks at, and frames shorter than that
  for (const Spec& spec : {Spec{.v6 = true, .vlan = 5, .options = 40}, Spec{.payload = 20}}) {
    outs_.clear();
    add_train(6, spec);
    flush();
    ASSERT_EQ(outs_.size(), 1u);
    EXPECT_EQ(outs_[0].pieces, 6u);
    Spec each = spec;
    for (const Octets& one : cut(outs_[0])) {
      EXPECT_EQ(one, segment(each));
      each = next_of(each);
    }
  }
}

TEST_F(TcpMergeTest, UnverifiedChecksumsAreNobodysToMerge) {
  for (unsigned before = 1; before <= 3; ++before) {  // in a row they are looked at in another way
    outs_.clear();
    Spec unverified;
    for (unsigned i = 0; i < before; ++i) unverified = next_of(unverified);
    add_train(before);
    add(segment(unverified), false);
    flush();
    ASSERT_EQ(outs_.size(), 2u);
    EXPECT_EQ(outs_[1].octets, segment(unverified));
  }
}

TEST_F(TcpMergeTest, OtherConnectionsGoOnMeanwhile) {
  for (unsigned i = 0; i < 5; ++i) {
    for (unsigned connection = 1; connection <= TcpMerge::kFlows; ++connection) {
      add(Spec{.connection = connection, .sequence = 1000 + 1448 * i, .identification = i});
    }
  }
  add(Spec{.protocol = 17});  // UDP passes by
  ASSERT_EQ(outs_.size(), 1u);
  flush();
  ASSERT_EQ(outs_.size(), 1u + TcpMerge::kFlows);
  for (std::size_t i = 1; i < outs_.size(); ++i) EXPECT_EQ(cut(outs_[i]).size(), 5u);
}

TEST_F(TcpMergeTest, OneConnectionMoreEndsTheOldest) {
  for (unsigned connection = 1; connection <= TcpMerge::kFlows + 1; ++connection) add(Spec{.connection = connection});
  ASSERT_EQ(outs_.size(), 1u);
  EXPECT_EQ(outs_[0].octets, segment({.connection = 1}));
}

TEST_F(TcpMergeTest, FragmentsEndEverythingBeforeThem) {
  add(Spec{.connection = 1});
  add(Spec{.connection = 2});
  add(Spec{.fragment = 0x2000});
  ASSERT_EQ(outs_.size(), 3u);
  EXPECT_EQ(outs_[2].octets, segment({.fragment = 0x2000}));
}

TEST_F(TcpMergeTest, JumboFramesOfSeveralPieces) {
  const Spec spec{.payload = 8948};
  add_train(5, spec);
  flush();
  ASSERT_EQ(outs_.size(), 1u);
  EXPECT_EQ(outs_[0].pieces, 15u);
  EXPECT_EQ(cut(outs_[0])[4], segment({.sequence = 1000 + 4 * 8948, .payload = 8948, .identification = 5}));
}

TEST_F(TcpMergeTest, HeadersOnlyInTheFirstPieceAreLeftAlone) {
  const Octets first = segment({});
  add(first, true, 66);
  add(segment(next_of({})), true, 66);
  flush();
  ASSERT_EQ(outs_.size(), 2u);
  EXPECT_EQ(outs_[0].octets, first);
}

TEST_F(TcpMergeTest, PaddingOfShortFramesIsNoPayload) {
  Octets padded = segment({.payload = 1});
  padded.resize(padded.size() + 5);
  add(padded);
  ASSERT_EQ(outs_.size(), 1u);
  EXPECT_EQ(outs_[0].octets, padded);
}

TEST_F(TcpMergeTest, CutShortAnywhereNothingIsReadBehindTheEnd) {
  // AddressSanitizer sees it: the frame ends where its memory does
  for (const bool v6 : {false, true}) {
    const Octets whole = segment({.payload = 20, .v6 = v6, .vlan = 7});
    for (std::size_t size = 14; size < whole.size(); ++size) {
      const Octets part(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
      const TcpSegment got = parse_tcp(std::as_bytes(std::span(part)), size);
      EXPECT_FALSE(got.kind == TcpSegment::Kind::kTcp && got.mergeable) << size;
    }
  }
}

TEST_F(TcpMergeTest, RandomTrafficCutAgainIsWhatWentIn) {
  std::mt19937 engine(20);
  const auto below = [&](unsigned end) { return std::uniform_int_distribution<unsigned>(0, end - 1)(engine); };
  const auto chance = [&](unsigned of) { return below(of) == 0; };
  std::map<unsigned, Spec> next;
  std::map<unsigned, std::vector<Octets>> in;
  std::map<unsigned, std::vector<Octets>> out;
  const auto collect = [&] {
    for (const Out& frame : outs_) {
      for (Octets& one : cut(frame)) out[get16(one, transport_of(one) + 2) - 5000].push_back(std::move(one));
    }
    outs_.clear();
  };
  std::size_t frames = 0;
  for (unsigned i = 0; i < 20000; ++i) {
    const unsigned connection = 1 + below(12);
    auto [at, fresh] = next.try_emplace(connection);
    Spec& spec = at->second;
    if (fresh) spec = {.connection = connection, .v6 = connection % 3 == 0, .vlan = connection % 4 == 0 ? 9u : 0u};
    if (chance(20)) spec.sequence += below(3000);
    if (chance(20)) spec.acknowledgement += 1448;
    if (chance(20)) ++spec.time_stamp;
    if (chance(30)) ++spec.identification;
    spec.payload = chance(15) ? below(1448) : 1448;
    spec.flags = chance(15) ? 0x18 : chance(40) ? 0x11 : 0x10;
    const Octets frame = segment(spec);
    in[connection].push_back(frame);
    add(frame, !chance(50));
    spec = next_of(spec);
    if (chance(32)) flush();
    frames += outs_.size();
    collect();
  }
  flush();
  frames += outs_.size();
  collect();
  EXPECT_EQ(in, out);
  EXPECT_LT(frames, 16000u) << "hardly anything was merged";
}

}  // namespace
}  // namespace udd
