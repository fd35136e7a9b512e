// SPDX-License-Identifier: Apache-2.0
// A process that plays its end of KTX with a window (NDD_F_WINDOW), with and without the NIC. "took" once it has the
// port, then "ok:" or "FAIL:" for each thing tried; exit status 1 after a failure.
//
//   window pieces PORT        what large, small, tagged and offloaded frames look like; tx-copybreak
//   window returns PORT       entries of KTX_DONE that are wrong, twice, in no order or late
//   window nic PORT           the 82574L fetches frames from the window, then from a slot that is not in flight
//   window fill PORT COUNT    takes COUNT frames with pages in the window and never returns them; "filled"
//   window receive DEV COUNT  at the far side: compares every octet of COUNT frames of `nic`
#include <arpa/inet.h>
#include <linux/errqueue.h>
#include <linux/ethtool.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <random>
#include <set>
#include <string>

#include "tests/kagent/hostile/counters.h"
#include "tests/kagent/window/ktx_end.h"
#include "tests/tools/nic82574.h"

namespace window {
namespace {

using held::expect;
using hostile::Counters;
using hostile::read_counters;
using std::chrono::steady_clock;

constexpr std::uint16_t kEthertype = 0x88b5;
constexpr std::size_t kLarge = 60'000;  // 15 pages at least
constexpr std::size_t kJumbo = 9'014;
constexpr std::uint16_t kMss = 1448;
constexpr std::uint32_t kPageRuns = 4096 - 128;  // a page counts as a run, even if the headers' copy begins in it
constexpr std::uint32_t kCopyAll = ~0U;
constexpr std::size_t kHead = 128;
constexpr std::size_t kPiecesMost = 33;  // 17 buffers, and a run and a buffer more for each of 8 runs

void set_copybreak(std::uint32_t octets) {
  // ends in an array
  std::uint32_t words[sizeof(ethtool_tunable) / sizeof(std::uint32_t) + 1] = {};
  auto* tunable = reinterpret_cast<ethtool_tunable*>(words);
  tunable->cmd = ETHTOOL_STUNABLE;
  tunable->id = ETHTOOL_TX_COPYBREAK;
  tunable->type_id = ETHTOOL_TUNABLE_U32;
  tunable->len = sizeof(octets);
  words[std::size(words) - 1] = octets;
  hostile::ethtool(words);
}

long number_in(const std::string& path) {
  long value = -1;
  std::ifstream(path) >> value;
  return value;
}
long live_skbs() { return number_in("/sys/module/kagent/parameters/live_skbs"); }
long inflight() { return number_in("/sys/class/net/ndd0/queues/tx-0/byte_queue_limits/inflight"); }

std::uint64_t slot_of(const held::Held& held, const ndd_desc& piece) {
  return (piece.addr - held.take.window_iova) / NDD_WINDOW_SLOT;
}

// What is true of every frame; `sent` is what must have arrived.
void expect_frame(const std::string& what, const held::Held& held, const KtxEnd& end, const Frame& frame,
                  const Octets& sent, bool mapped) {
  std::size_t at = 0;
  bool marks = true, same = true, in_slots = true;
  std::set<std::uint64_t> slots;
  for (const ndd_desc& piece : frame.pieces) {
    marks &= !(piece.flags & NDD_DESC_FIRST) == (&piece != &frame.pieces.front());
    marks &= !(piece.flags & NDD_DESC_LAST) == (&piece != &frame.pieces.back());
    if (piece.flags & NDD_DESC_WINDOW) {
      const std::uint64_t slot = slot_of(held, piece);
      in_slots &= piece.addr >= held.take.window_iova && slots.insert(slot).second &&
                  (slot + 1) * NDD_WINDOW_SLOT <= held.take.window_size &&
                  piece.addr % NDD_WINDOW_SLOT + piece.len <= NDD_WINDOW_SLOT;
    } else {
      same &= at + piece.len <= sent.size() &&
              std::ranges::equal(end.octets(piece), std::span(sent).subspan(at, piece.len));
    }
    at += piece.len;
  }
  std::string shape;
  for (const ndd_desc& piece : frame.pieces) {
    shape += (piece.flags & NDD_DESC_WINDOW ? " w" : " ") + std::to_string(piece.len);
  }
  expect(marks && at == sent.size() && frame.pieces.size() <= kPiecesMost, what + ": whole:" + shape);
  expect(same, what + ": copied octets are those sent");
  expect(in_slots, what + ": each run in a slot of its own");
  expect(!slots.empty() == mapped, what + (mapped ? ": pages are mapped" : ": nothing is mapped"));
  expect(!(frame.first().flags & NDD_DESC_WINDOW) && frame.first().len >= std::min(kHead, sent.size()),
         what + ": headers are in the first piece, copied");
}

Octets tagged(const Octets& frame, std::uint16_t tag) {
  Octets out(frame.begin(), frame.begin() + 12);
  for (const unsigned word : {0x8100U, unsigned{tag}}) {
    out.push_back(static_cast<std::uint8_t>(word >> 8));
    out.push_back(static_cast<std::uint8_t>(word));
  }
  out.insert(out.end(), frame.begin() + 12, frame.end());
  return out;
}

// One's complement sum from `start` on: 0xffff where a checksum of 0 was started from.
std::uint32_t sum_from(std::span<const std::uint8_t> frame, std::size_t start) {
  std::uint32_t sum = 0;
  for (std::size_t i = start; i < frame.size(); ++i) sum += (i - start) % 2 ? frame[i] : std::uint32_t{frame[i]} << 8;
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  return sum;
}

void expect_facts(const std::string& what, const ndd_desc& first, const Facts& facts, std::uint16_t tag) {
  const bool gso = facts.gso_type != NDD_GSO_NONE;
  expect(first.flags & NDD_DESC_NEEDS_CSUM && first.csum_start == facts.csum_start + tag &&
             first.csum_offset == facts.csum_offset && first.gso_type == facts.gso_type &&
             first.gso_size == facts.gso_size && first.hdr_len == (gso ? facts.hdr_len + tag : 0) &&
             !(first.flags & NDD_DESC_VLAN),
         what + ": offload facts");
}

class Session {
 public:
  /// As large as 1200 frames want, if none is returned.
  static constexpr std::uint32_t kRing = 8192;

  Session(const std::string& port, std::uint64_t features, std::uint32_t ring = kRing)
      : held_(start(port, features, ring)), end_(held_) {
    held::say("took");
  }
  [[nodiscard]] const held::Held& held() const { return held_; }
  [[nodiscard]] KtxEnd& end() { return end_; }

  /// Sends and takes one frame.
  [[nodiscard]] Frame pass(Sender& from, std::span<const std::uint8_t> octets, const Facts& facts = {}) {
    if (!from.send(octets, facts)) held::die("send");
    auto frame = end_.next();
    if (!frame) held::die("no frame comes");
    return *std::move(frame);
  }

 private:
  static held::Held start(const std::string& port, std::uint64_t features, std::uint32_t ring) {
    held::Held held(port);
    held.take.features = features;
    held.take.ring_size = ring;
    held.take.buf_count = 2 * ring;
    held.take.kernel_bufs = ring;
    held.take.watch.interval_us = 20'000'000;  // frames may wait while others are sent
    held.take_and_start();
    return held;
  }

  held::Held held_;
  KtxEnd end_;
};

constexpr std::uint64_t kAll = NDD_F_WINDOW | NDD_F_TX_CSUM | NDD_F_TSO4 | NDD_F_TSO6;

// The socket's completion of MSG_ZEROCOPY: true if it has come, and the kernel had not copied for itself.
bool pages_are_back(int fd) {
  alignas(cmsghdr) char control[256];
  msghdr message{};
  message.msg_control = control;
  message.msg_controllen = sizeof(control);
  if (recvmsg(fd, &message, MSG_ERRQUEUE | MSG_DONTWAIT) < 0) return false;
  const cmsghdr* first = CMSG_FIRSTHDR(&message);
  if (first == nullptr) return false;
  sock_extended_err error{};
  std::memcpy(&error, CMSG_DATA(first), sizeof(error));
  return error.ee_origin == SO_EE_ORIGIN_ZEROCOPY && !(error.ee_code & SO_EE_CODE_ZEROCOPY_COPIED);
}

// Pages of a user, by MSG_ZEROCOPY: no process may keep them.
void expect_users_pages_copied(Session& session) {
  constexpr std::size_t kLength = 2 * held::kPage + 500;
  const int fd = held::check(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), "socket");
  const int on = 1;
  held::check(setsockopt(fd, SOL_SOCKET, SO_ZEROCOPY, &on, sizeof(on)), "SO_ZEROCOPY");
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(9);
  held::check(inet_pton(AF_INET, "10.0.0.9", &to.sin_addr), "address");  // whose neighbour entry says kTo
  void* own = mmap(nullptr, 3 * held::kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  const auto* address = reinterpret_cast<const sockaddr*>(&to);
  held::check(static_cast<int>(sendto(fd, own, kLength, MSG_ZEROCOPY, address, sizeof(to))), "sendto");
  const auto frame = session.end().next();
  if (!frame) held::die("no datagram comes");
  expect(frame->mapped().empty() && live_skbs() == 0, "a user's pages are copied");
  expect(pages_are_back(fd), "and are the user's again before the process has sent the frame");
  session.end().give_back(*frame);
  munmap(own, 3 * held::kPage);
  close(fd);
}

void run_pieces(const std::string& port) {
  Session session(port, kAll);
  const held::Held& held = session.held();
  KtxEnd& end = session.end();
  expect(held.take.features == kAll && held.take.window_iova + held.take.window_size <= held.take.pool_iova &&
             held.take.window_size == std::uint64_t{3840} * NDD_WINDOW_SLOT,
         "a window below the pool");
  expect(held.ctrl()->window_iova == held.take.window_iova && held.ctrl()->window_size == held.take.window_size,
         "the ctrl area says the same");
  Sender plain("ndd0"), vlan("ndd0.5");

  for (const bool ipv6 : {false, true}) {
    const std::string name = ipv6 ? "TSO of IPv6" : "TSO of IPv4";
    const Offloaded tso = make_offloaded(ipv6, kLarge, kMss, 1);
    for (const std::uint32_t copybreak : {kPageRuns, kCopyAll}) {
      set_copybreak(copybreak);
      const std::string what = name + (copybreak == kCopyAll ? ", all copied" : "");
      const Counters before = read_counters();
      const Frame frame = session.pass(plain, tso.frame, tso.facts);
      expect_frame(what, held, end, frame, tso.frame, copybreak != kCopyAll);
      expect_facts(what, frame.first(), tso.facts, 0);
      std::uint64_t octets = 0;
      for (const ndd_desc& piece : frame.mapped()) octets += piece.len;
      const Counters after = read_counters();
      expect(after.at("ktx_window_octets") - before.at("ktx_window_octets") == octets &&
                 after.at("ktx_window_frames") - before.at("ktx_window_frames") == (octets ? 1 : 0),
             what + ": counted");
      expect(live_skbs() == (octets ? 1 : 0), what + ": held while pages are mapped");
      end.give_back(frame);
      expect(live_skbs() == 0 && inflight() == 0, what + ": freed when it has come back");
    }
    set_copybreak(kPageRuns);
    const Frame frame = session.pass(vlan, tso.frame, tso.facts);
    expect_frame(name + " on a VLAN", held, end, frame, tagged(tso.frame, 5), true);
    expect_facts(name + " on a VLAN", frame.first(), tso.facts, 4);
    end.give_back(frame);

    const Offloaded udp = make_offloaded(ipv6, kJumbo, 0, 2);
    const Frame sum = session.pass(plain, udp.frame, udp.facts);
    expect_frame("a UDP datagram to be summed", held, end, sum, udp.frame, true);
    expect_facts("a UDP datagram to be summed", sum.first(), udp.facts, 0);
    end.give_back(sum);

    for (const bool tag : {false, true}) {
      const Offloaded small = make_offloaded(ipv6, 200, 0, 3);
      const Frame summed = session.pass(tag ? vlan : plain, small.frame, small.facts);
      const std::size_t start = small.facts.csum_start + (tag ? 4U : 0U);
      expect(!(summed.first().flags & NDD_DESC_NEEDS_CSUM) && summed.pieces.size() == 1 &&
                 sum_from(end.octets(summed.first()), start) == 0xffff,
             std::string("a small one is summed while it is copied") + (tag ? ", and tagged" : ""));
      end.give_back(summed);
    }
  }
  // as many runs as a frame can have: single pages, and all else copied
  const Octets jumbo = make_frame(kEthertype, kJumbo, 4);
  const Frame frame = session.pass(plain, jumbo);
  expect_frame("a jumbo frame", held, end, frame, jumbo, true);
  expect(!(frame.first().flags & NDD_DESC_NEEDS_CSUM) && frame.first().gso_type == 0, "a jumbo frame: no facts");
  end.give_back(frame);
  const Octets small = make_frame(kEthertype, 1000, 5);
  const Frame copied = session.pass(plain, small);
  expect_frame("a small frame", held, end, copied, small, false);
  end.give_back(copied);
  expect_users_pages_copied(session);
  expect(live_skbs() == 0 && inflight() == 0, "nothing is left in flight");
}

std::uint64_t bad(const Counters& counters) { return counters.at("ktx_drop_bad_done"); }

// A slot that no piece of the frame is in.
std::uint64_t free_slot(const held::Held& held, const Frame& frame) {
  std::set<std::uint64_t> used;
  for (const ndd_desc& piece : frame.mapped()) used.insert(slot_of(held, piece));
  std::uint64_t slot = 0;
  while (used.contains(slot)) ++slot;
  return held.take.window_iova + slot * NDD_WINDOW_SLOT;
}

void run_wrong_returns(Session& session, Sender& sender) {
  const held::Held& held = session.held();
  KtxEnd& end = session.end();
  const Offloaded tso = make_offloaded(false, kLarge, kMss, 1);
  const Frame frame = session.pass(sender, tso.frame, tso.facts);
  const std::vector<ndd_desc> mapped = frame.mapped();
  const std::uint64_t iova = held.take.window_iova, size = held.take.window_size, first = mapped.front().addr;
  const std::uint64_t wrong[] = {NDD_DONE_WINDOW | free_slot(held, frame),
                                 NDD_DONE_WINDOW | (iova - 1),
                                 NDD_DONE_WINDOW | (iova + size),
                                 NDD_DONE_WINDOW | 1ULL << 62 | first,
                                 NDD_DONE_WINDOW | 1ULL << 32 | first,
                                 NDD_DONE_WINDOW,
                                 NDD_DONE_WINDOW | frame.first().addr,
                                 ~0ULL,
                                 first};
  Counters before = read_counters();
  end.give_back(wrong);
  expect(bad(read_counters()) - bad(before) == std::size(wrong) && live_skbs() == 1,
         "entries that are no slot in flight");

  // everything but the last slot, from behind, and each of them twice
  std::vector<std::uint64_t> entries;
  for (const ndd_desc& piece : frame.pieces) {
    if (&piece != &frame.pieces[1]) entries.insert(entries.begin(), 2, KtxEnd::entry(piece));
  }
  expect(frame.pieces[1].flags & NDD_DESC_WINDOW, "the second piece is in the window");
  before = read_counters();
  end.give_back(entries);
  expect(bad(read_counters()) - bad(before) == entries.size() / 2, "returned twice in the same batch");
  expect(live_skbs() == 1, "held as long as one slot is out");
  const std::uint64_t rest[] = {NDD_DONE_WINDOW |
                                (frame.pieces[1].addr / NDD_WINDOW_SLOT * NDD_WINDOW_SLOT + NDD_WINDOW_SLOT - 1)};
  end.give_back(rest);
  expect(live_skbs() == 0 && inflight() == 0, "any address in the slot gives it back");
  before = read_counters();
  end.give_back(rest);
  expect(bad(read_counters()) - bad(before) == 1, "returned again");
}

// Far more than fits; each time that no more come, all are returned by lot.
void run_random_returns(Session& session, Sender& sender) {
  constexpr int kFrames = 800;
  constexpr std::chrono::milliseconds kStarved{300};
  KtxEnd& end = session.end();
  std::mt19937 random(1);
  const Offloaded tso = make_offloaded(false, kLarge, kMss, 1);
  std::vector<std::uint64_t> out;
  int sent = 0, came = 0, rounds = 0;
  while (sent < kFrames && sender.send(tso.frame, tso.facts)) ++sent;
  for (bool any = true; any; ++rounds) {
    any = false;
    while (auto frame = end.next(kStarved)) {
      for (const ndd_desc& piece : frame->pieces) out.push_back(KtxEnd::entry(piece));
      ++came;
      any = true;
    }
    std::ranges::shuffle(out, random);
    for (std::span<const std::uint64_t> left(out); !left.empty();) {
      const auto some = left.first(std::min<std::size_t>(left.size(), 1 + random() % 500));
      end.give_back(some);
      left = left.subspan(some.size());
    }
    out.clear();
  }
  expect(sent == kFrames && came == sent && rounds > 2, "returned by lot: " + std::to_string(came) + " of " +
                                                            std::to_string(sent) + " frames, in " +
                                                            std::to_string(rounds) + " rounds");
  expect(live_skbs() == 0 && inflight() == 0, "nothing is left of them");
}

void run_returns(const std::string& port) {
  Session session(port, kAll, 1024);
  set_copybreak(kPageRuns);
  Sender sender("ndd0");
  run_wrong_returns(session, sender);
  run_random_returns(session, sender);
}

void run_nic(const std::string& port, int count) {
  Session session(port, NDD_F_WINDOW);
  const held::Held& held = session.held();
  KtxEnd& end = session.end();
  held::TransmitRing ring(held, held::Registers(held::map_registers(held)));
  set_copybreak(kPageRuns);
  Sender sender("ndd0");
  std::uint64_t last = 0;
  bool sent = true, mapped = true;
  for (int i = 0; i < count; ++i) {
    const Frame frame = session.pass(sender, make_frame(kEthertype, kJumbo, static_cast<std::uint8_t>(i)));
    for (const ndd_desc& piece : frame.pieces) ring.add(end.iova(piece), piece.len, piece.flags & NDD_DESC_LAST);
    sent &= ring.send();
    mapped &= !frame.mapped().empty();
    last = frame.mapped().back().addr;
    end.give_back(frame);
  }
  expect(mapped && sent, "the NIC has sent frames out of the window");
  held::say("sent");
  getchar();  // the far side has compared them
  ring.add(last, 60, true);
  static_cast<void>(ring.send());
  held::say("touched");
}

void run_receive(const std::string& device, int count) {
  const int fd = held::check(socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(kEthertype)), "packet socket");
  const int room = 1 << 24;
  held::check(setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)), "SO_RCVBUFFORCE");
  sockaddr_ll from{};
  from.sll_family = AF_PACKET;
  from.sll_protocol = htons(kEthertype);
  from.sll_ifindex = static_cast<int>(if_nametoindex(device.c_str()));
  held::check(bind(fd, reinterpret_cast<sockaddr*>(&from), sizeof(from)), "bind to " + device);
  packet_mreq all{};
  all.mr_ifindex = from.sll_ifindex;
  all.mr_type = PACKET_MR_PROMISC;
  held::check(setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &all, sizeof(all)), "promiscuous");
  held::say("listens");
  int good = 0;
  for (int i = 0; i < count; ++i) {
    constexpr int kPatienceMs = 20'000;
    pollfd wait{fd, POLLIN, 0};
    if (::poll(&wait, 1, kPatienceMs) <= 0) break;
    Octets frame(kJumbo + 1);
    frame.resize(static_cast<std::size_t>(std::max<ssize_t>(read(fd, frame.data(), frame.size()), 0)));
    if (frame == make_frame(kEthertype, kJumbo, static_cast<std::uint8_t>(i))) ++good;
  }
  expect(good == count, "octet for octet as sent: " + std::to_string(good) + " of " + std::to_string(count));
}

[[noreturn]] void run_fill(const std::string& port, int count) {
  Session session(port, kAll);
  set_copybreak(kPageRuns);
  Sender sender("ndd0");
  const Octets frame = make_frame(kEthertype, kJumbo, 1);
  // the byte limit is first computed when something comes back
  session.end().give_back(session.pass(sender, frame));
  for (int i = 0; i < count; ++i) {
    if (session.pass(sender, frame).mapped().empty()) break;  // out of slots
  }
  held::say("filled " + std::to_string(live_skbs()));
  for (;;) pause();
}

}  // namespace
}  // namespace window

int main(int argc, char** argv) {
  const std::string command = argc > 2 ? argv[1] : "";
  if (command == "pieces" && argc == 3) {
    window::run_pieces(argv[2]);
  } else if (command == "returns" && argc == 3) {
    window::run_returns(argv[2]);
  } else if (command == "nic" && argc == 4) {
    window::run_nic(argv[2], std::atoi(argv[3]));
  } else if (command == "receive" && argc == 4) {
    window::run_receive(argv[2], std::atoi(argv[3]));
  } else if (command == "fill" && argc == 4) {
    window::run_fill(argv[2], std::atoi(argv[3]));
  } else {
    std::fprintf(stderr, "usage: see the head of window.cc\n");
    return 2;
  }
  return held::failures != 0 ? 1 : 0;
}
