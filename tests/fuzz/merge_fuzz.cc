// SPDX-License-Identifier: Apache-2.0
// Frames from the wire into the merging of TCP segments (udd/merge). What a NIC verified and merging put together must
// be, cut again, what came in, in the order of its connection. And whatever a hostile NIC says it verified: each piece
// comes out once.
#include <fuzzer/FuzzedDataProvider.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <span>
#include <vector>

#include "tests/fake/port_memory.h"
#include "tests/fuzz/fuzz.h"
#include "tests/udd/merge/segments.h"
#include "udd/merge/tcp_merge.h"

namespace {

using namespace udd;            // NOLINT(google-build-using-namespace)
using namespace udd::segments;  // NOLINT(google-build-using-namespace)
using fuzz::require;

constexpr std::uint32_t kBuffers = 256;
constexpr std::uint32_t kOwn = kBuffers - 64;
constexpr std::uint16_t kOffset = 34;
constexpr std::size_t kPiecesInPoll = 128;  // below kOwn: no buffer is named twice at a time

struct Memory {
  fake::PortMemory memory{1, kBuffers, 64, 64};
  std::unique_ptr<fake::PortView> view{memory.map()};
  StateArea state{StateArea::format(view->state(), memory.sizes())};
  Pool pool{Pool::create(memory.geometry(*view), state.section(StateSection::kPool))};
};

Pool& pool() {
  static Memory memory;
  return memory.pool;
}

/// Plain TCP whose lengths are true: only of that a NIC can say that it has verified it.
bool plain_tcp(const Octets& frame) {
  if (frame.size() < 54) return false;
  const std::size_t ip = network_of(frame);
  const unsigned type = get16(frame, ip - 2);
  if (frame.size() < ip + 60) return false;
  if (type == 0x0800) {
    return frame[ip] == 0x45 && frame[ip + 9] == 6 && (get16(frame, ip + 6) & 0xbfff) == 0 &&
           get16(frame, ip + 2) == frame.size() - ip;
  }
  return type == 0x86dd && frame[ip] >> 4 == 6 && frame[ip + 6] == 6 && get16(frame, ip + 4) == frame.size() - ip - 40;
}

/// What makes a connection, of plain TCP; empty of anything else.
Octets connection_of(const Octets& frame) {
  if (!plain_tcp(frame)) return {};
  const auto from = static_cast<std::ptrdiff_t>(network_of(frame) + (is_v6(frame) ? 8 : 12));
  const auto to = static_cast<std::ptrdiff_t>(transport_of(frame) + 4);
  Octets key(frame.begin() + 12, frame.begin() + static_cast<std::ptrdiff_t>(network_of(frame)));
  key.insert(key.end(), frame.begin() + from, frame.begin() + to);
  return key;
}

/// Without what need not be the same: identification that means nothing (RFC 6864 section 4.1), and the sums over it.
Octets comparable(Octets frame) {
  if (!plain_tcp(frame) || is_v6(frame)) return frame;
  const std::size_t ip = network_of(frame);
  if ((frame[ip + 6] & 0x40) != 0) {
    put16(frame, ip + 4, 0);
    put16(frame, ip + 10, 0);
  }
  return frame;
}

class Wire {
 public:
  explicit Wire(FuzzedDataProvider& data) : data_(data), honest_(data.ConsumeBool()) {}

  void run() {
    while (data_.remaining_bytes() != 0) {
      if (data_.ConsumeIntegralInRange(0, 15) == 0) {
        flush();
      } else {
        add(frame());
      }
    }
    flush();
    if (honest_) require(in_ == out_, "what came out is not what went in");
  }

 private:
  Octets frame() {
    Spec& spec = specs_[data_.ConsumeIntegralInRange<std::size_t>(0, specs_.size() - 1)];
    // mostly the next one of its connection
    if (data_.ConsumeIntegralInRange(0, 3) == 0) change(spec);
    Octets octets = segment(spec);
    spec.sequence += spec.payload;
    ++spec.identification;
    if (data_.ConsumeIntegralInRange(0, 7) == 0) {
      // in the headers, or cut short
      const std::size_t at = data_.ConsumeIntegralInRange<std::size_t>(0, 80) % octets.size();
      octets[at] ^= data_.ConsumeIntegral<std::uint8_t>();
      if (data_.ConsumeBool()) octets.resize(data_.ConsumeIntegralInRange<std::size_t>(14, octets.size()));
    }
    if (plain_tcp(octets)) fill_sums(octets);
    return octets;
  }

  void change(Spec& spec) {
    switch (data_.ConsumeIntegralInRange(0, 10)) {
      case 0:
        spec.connection = data_.ConsumeIntegralInRange(0u, 15u);
        break;
      case 1:
        spec.payload = data_.ConsumeIntegralInRange(0u, 5000u);
        break;
      case 2:
        spec.flags = data_.ConsumeIntegral<std::uint8_t>();
        break;
      case 3:
        spec.sequence = data_.ConsumeIntegral<std::uint32_t>();
        break;
      case 4:
        spec.v6 = data_.ConsumeBool();
        break;
      case 5:
        spec.vlan = data_.ConsumeIntegralInRange(0u, 2u);
        break;
      case 6:
        spec.fragment = data_.ConsumeBool() ? 0x4000 : data_.ConsumeIntegral<std::uint16_t>();
        break;
      case 7:
        spec.identification = data_.ConsumeIntegral<std::uint16_t>();
        break;
      case 8:
        spec.options = 4 * data_.ConsumeIntegralInRange(3u, 10u);
        break;
      case 9:
        spec.time_stamp = data_.ConsumeIntegral<std::uint32_t>();
        break;
      default:
        spec.window = data_.ConsumeIntegral<std::uint16_t>();
        spec.flags = 0x10;
    }
  }

  auto sink() {
    return [this](std::span<const Piece> frame, const RxOffload& offload) {
      Out out{.octets = {}, .offload = offload, .pieces = frame.size()};
      require(!frame.empty() && frame.size() <= NDD_PIECES_MAX, "a frame of more pieces than one may have");
      for (std::size_t i = 0; i < frame.size(); ++i) {
        const Piece& piece = frame[i];
        require(piece.buffer < kOwn && --held_[piece.buffer] == 0, "a piece came out twice");
        require(piece.length != 0 && std::size_t{piece.offset} + piece.length <= kBufferSize, "a piece over its end");
        require(((piece.flags & Piece::kFirst) != 0) == (i == 0), "FIRST is elsewhere");
        require(((piece.flags & Piece::kLast) != 0) == (i + 1 == frame.size()), "LAST is elsewhere");
        if (!honest_) continue;
        const auto* const from = reinterpret_cast<const std::uint8_t*>(pool().data(piece.buffer) + piece.offset);
        out.octets.insert(out.octets.end(), from, from + piece.length);
      }
      if (!honest_) return;
      const std::string why = wrong(out);
      require(why.empty(), why.c_str());
      for (const Octets& one : cut(out)) out_[connection_of(one)].push_back(comparable(one));
    };
  }

  void add(const Octets& octets) {
    const bool verified = honest_ ? plain_tcp(octets) : data_.ConsumeBool();
    const auto first = data_.ConsumeBool() ? kBufferSize - kOffset
                                           : data_.ConsumeIntegralInRange<std::size_t>(14, kBufferSize - kOffset);
    std::vector<Piece> pieces;
    for (std::size_t at = 0; at < octets.size();) {
      const std::size_t length = std::min(octets.size() - at, at == 0 ? first : kBufferSize - kOffset);
      const BufferIndex buffer = next_++ % kOwn;
      std::memcpy(pool().data(buffer) + kOffset, octets.data() + at, length);
      pieces.push_back({.buffer = buffer, .offset = kOffset, .length = static_cast<std::uint16_t>(length)});
      at += length;
      ++held_[buffer];
      ++count_;
    }
    pieces.front().flags |= Piece::kFirst | (verified ? Piece::kChecksumOk : 0);
    pieces.back().flags |= Piece::kLast;
    if (honest_) in_[connection_of(octets)].push_back(comparable(octets));
    const Piece& head = pieces.front();
    if (pieces.size() != 1 || !merge_.append(head, pool().data(head.buffer) + head.offset)) merge_.add(pieces, sink());
    // the device goes on writing while the frame is looked at
    if (!honest_ && data_.ConsumeBool()) {
      pool().data(head.buffer)[kOffset + data_.ConsumeIntegralInRange(0, 80)] ^= std::byte{0x55};
    }
    if (count_ >= kPiecesInPoll) flush();
  }

  void flush() {
    merge_.flush(sink());
    require(merge_.empty(), "a frame stayed behind");
    require(std::ranges::all_of(held_, [](int times) { return times == 0; }), "a piece stayed behind");
    count_ = 0;
  }

  FuzzedDataProvider& data_;
  bool honest_;
  TcpMerge merge_{pool()};
  std::array<Spec, 3> specs_{Spec{.connection = 1}, Spec{.connection = 2, .payload = 500}, Spec{.v6 = true}};
  std::array<int, kOwn> held_{};
  std::size_t count_ = 0;
  BufferIndex next_ = 0;
  std::map<Octets, std::vector<Octets>> in_, out_;  ///< by connection
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* octets, std::size_t size) {
  FuzzedDataProvider data(octets, size);
  Wire(data).run();
  return 0;
}
