// SPDX-License-Identifier: Apache-2.0
// Mirror: the far side, played by the process that holds the port.
#include "tests/kagent/hostile/mirror.h"

#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstring>
#include <utility>

#include "tests/tools/held_rings.h"

namespace hostile {
namespace {

using std::chrono::steady_clock;

constexpr std::chrono::seconds kPatience{5};
constexpr useconds_t kNap = 200;  // between two rounds
/// The first buffers are the tests' own; the mirror answers with others.
constexpr std::uint32_t kFirstOwn = 64;
constexpr std::uint32_t kOwn = 64;

constexpr std::size_t kType = 12, kArpOperation = 20, kIpProtocol = 23, kIcmpType = 34, kIcmpSum = 36;

bool is_arp_request(const std::vector<std::uint8_t>& f) {
  return f.size() >= 42 && f[kType] == 0x08 && f[kType + 1] == 0x06 && f[kArpOperation + 1] == 1;
}

bool is_echo_request(const std::vector<std::uint8_t>& f) {
  return f.size() >= 42 && f[kType] == 0x08 && f[kType + 1] == 0x00 && f[kIpProtocol] == 1 && f[kIcmpType] == 8;
}

}  // namespace

Mirror::Mirror(const held::Held& held)
    : held_(held),
      rings_{held::ring(held, NDD_RING_KTX), held::ring(held, NDD_RING_KTX_DONE), held::ring(held, NDD_RING_KRX),
             held::ring(held, NDD_RING_KRX_FREE)},
      ktx_(rings_[NDD_RING_KTX]),
      ktx_done_(rings_[NDD_RING_KTX_DONE]),
      krx_(rings_[NDD_RING_KRX]),
      krx_free_(rings_[NDD_RING_KRX_FREE]) {
  for (std::uint32_t i = 0; i < kOwn; ++i) free_.push_back(kFirstOwn + i);
}

std::uint8_t* Mirror::buffer(std::uint32_t index) const {
  return held_.pool + (std::size_t{held_.take.nic_pages} + index) * NDD_BUF_SIZE;
}

void Mirror::kick() const { held::check(ioctl(held_.node, NDD_KICK, 0), "NDD_KICK"); }

// Turns a request into its reply and gives it to the kernel; everything else is dropped, as by a wire.
void Mirror::answer(std::vector<std::uint8_t>& frame) {
  if (is_arp_request(frame)) {
    std::uint8_t sender[10];
    std::memcpy(sender, &frame[22], 10);     // who asked: MAC and IP
    std::memcpy(&frame[22], kFarMac, 6);     // the answer's sender: us,
    std::memcpy(&frame[28], &frame[38], 4);  // with the address that was asked for
    std::memcpy(&frame[32], sender, 10);
    frame[kArpOperation + 1] = 2;
  } else if (is_echo_request(frame)) {
    for (std::size_t i = 0; i < 4; ++i) std::swap(frame[26 + i], frame[30 + i]);
    frame[kIcmpType] = 0;
    // RFC 1624: 0x0800 less in the sum of the words
    const std::uint32_t sum = (std::uint32_t{frame[kIcmpSum]} << 8 | frame[kIcmpSum + 1]) + 0x0800u;
    const std::uint32_t folded = (sum & 0xffff) + (sum >> 16);
    frame[kIcmpSum] = static_cast<std::uint8_t>(folded >> 8);
    frame[kIcmpSum + 1] = static_cast<std::uint8_t>(folded);
    ++answered_;
  } else {
    return;
  }
  std::memcpy(frame.data(), kOwnMac, 6);
  std::memcpy(&frame[6], kFarMac, 6);
  if (free_.empty() || frame.size() > NDD_BUF_SIZE || krx_.reserve(1) == 0) return;
  const std::uint32_t index = free_.back();
  free_.pop_back();
  std::memcpy(buffer(index), frame.data(), frame.size());
  ndd_desc desc{};
  desc.addr = index;
  desc.len = static_cast<std::uint32_t>(frame.size());
  desc.flags = NDD_DESC_FIRST | NDD_DESC_LAST;
  krx_.write(0, desc);
  krx_.submit(1);
}

void Mirror::collect() {
  const std::uint32_t back = krx_free_.peek(krx_free_.size());
  for (std::uint32_t i = 0; i < back; ++i) {
    const auto index = static_cast<std::uint32_t>(krx_free_.read(i) & NDD_ADDR_INDEX_MASK);
    (index >= kFirstOwn && index < kFirstOwn + kOwn ? free_ : given_).push_back(index);
  }
  krx_free_.release(back);
}

std::vector<std::uint32_t> Mirror::given() {
  collect();
  return std::exchange(given_, {});
}

void Mirror::serve() {
  const std::uint32_t there = ktx_.peek(32);
  const std::uint32_t room = ktx_done_.reserve(there);
  for (std::uint32_t i = 0; i < room; ++i) {
    const ndd_desc desc = ktx_.read(i);
    if (desc.flags & NDD_DESC_FIRST) frame_.clear();
    const bool window = desc.flags & NDD_DESC_WINDOW;  // for the NIC to read, not for the process
    const auto index = static_cast<std::uint32_t>(desc.addr & NDD_ADDR_INDEX_MASK);
    if (!window) frame_.insert(frame_.end(), buffer(index), buffer(index) + desc.len);
    ktx_done_.write(i, window ? desc.addr | NDD_DONE_WINDOW : desc.addr);
    if (answering_ && (desc.flags & NDD_DESC_LAST)) answer(frame_);
  }
  ktx_.release(room);
  ktx_done_.submit(room);
  if (krx_.must_wake() || ktx_done_.must_wake()) kick();
  collect();
  std::atomic_ref(held_.health()->progress).fetch_add(1, std::memory_order_relaxed);
  if (there == 0) usleep(kNap);
}

bool Mirror::serve_until_answered(unsigned count) {
  const unsigned wanted = answered_ + count;
  for (const auto until = steady_clock::now() + kPatience; answered_ < wanted && steady_clock::now() < until;) serve();
  return answered_ >= wanted;
}

bool Mirror::consumed(ndd_ring_id id) {
  const udd::RingMemory& ring = rings_[id];
  for (const auto until = steady_clock::now() + kPatience; steady_clock::now() < until; serve()) {
    if (std::atomic_ref(*ring.producer).load() == std::atomic_ref(*ring.consumer).load()) return true;
  }
  return false;
}

bool Mirror::inject(std::span<const ndd_desc> descriptors) {
  for (std::size_t at = 0; at < descriptors.size();) {
    const std::uint32_t room = krx_.reserve(static_cast<std::uint32_t>(descriptors.size() - at));
    for (std::uint32_t i = 0; i < room; ++i) krx_.write(i, descriptors[at + i]);
    krx_.submit(room);
    at += room;
    kick();
    if (!consumed(NDD_RING_KRX)) return false;
  }
  return true;
}

bool Mirror::inject_done(std::span<const std::uint64_t> entries) {
  const std::uint32_t room = ktx_done_.reserve(static_cast<std::uint32_t>(entries.size()));
  for (std::uint32_t i = 0; i < room; ++i) ktx_done_.write(i, entries[i]);
  ktx_done_.submit(room);
  kick();
  return room == entries.size() && consumed(NDD_RING_KTX_DONE);
}

}  // namespace hostile
