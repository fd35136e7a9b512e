// SPDX-License-Identifier: Apache-2.0
// Looks into a capture (pcap file, Ethernet, IPv4) whether the segments of tcpstream's bulk connections carry what was
// sent, octet by octet. The capture has to contain their SYNs: positions count from there.
//
//   capcheck FILE PORT [FROM_OCTETS]    PORT: the server's
//
// Prints one line. Exit code 1: an octet differs, or fewer than FROM_OCTETS (1) were there to be looked at each way.
#include <pcap/pcap.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <optional>
#include <span>
#include <utility>

#include "tests/tools/stream.h"

namespace {

constexpr std::size_t kEthernet = 14;
constexpr std::uint32_t kRequest = 16;  // what a client of tcpstream says first

std::uint16_t read16(std::span<const std::uint8_t> at) { return static_cast<std::uint16_t>(at[0] << 8 | at[1]); }
std::uint32_t read32(std::span<const std::uint8_t> at) {
  return std::uint32_t{read16(at)} << 16 | read16(at.subspan(2));
}

struct Segment {
  std::uint16_t from = 0, to = 0;
  std::uint32_t sequence = 0;
  bool syn = false;
  std::span<const std::uint8_t> payload{};
};

std::optional<Segment> parse(std::span<const std::uint8_t> frame) {
  if (frame.size() < kEthernet + 20 || read16(frame.subspan(12)) != 0x0800) return std::nullopt;
  std::span<const std::uint8_t> ip = frame.subspan(kEthernet);
  const std::size_t header = std::size_t{ip[0] & 15U} * 4, length = read16(ip.subspan(2));
  if (ip[9] != IPPROTO_TCP || length > ip.size() || length < header + 20) return std::nullopt;
  const std::span<const std::uint8_t> tcp = ip.subspan(header, length - header);
  const std::size_t offset = std::size_t{tcp[12]} / 16 * 4;
  if (offset > tcp.size()) return std::nullopt;
  return Segment{.from = read16(tcp),
                 .to = read16(tcp.subspan(2)),
                 .sequence = read32(tcp.subspan(4)),
                 .syn = (tcp[13] & 2U) != 0,
                 .payload = tcp.subspan(offset)};
}

struct Direction {
  std::uint64_t frames = 0, octets = 0, wrong = 0;
};

class Check {
 public:
  explicit Check(std::uint16_t port) : port_(port) {}

  void add(const Segment& segment) {
    if (segment.from != port_ && segment.to != port_) return;
    const bool from_client = segment.to == port_;
    Connection& connection = connections_[from_client ? segment.from : segment.to];
    if (segment.syn) {
      // the position of a client's stream begins behind its request
      (from_client ? connection.client_start : connection.server_start) =
          segment.sequence + 1 + (from_client ? kRequest : 0);
    }
    const auto start = from_client ? connection.client_start : connection.server_start;
    if (!start || segment.payload.empty()) return;
    // less than 2 GiB of a stream is captured: a negative position is the request's
    const auto position = static_cast<std::int32_t>(segment.sequence - *start);
    if (from_client && position == -static_cast<std::int32_t>(kRequest))
      connection.kind = static_cast<char>(segment.payload[0]);
    // the other direction has a verdict or nothing
    if (connection.kind == (from_client ? 'S' : 'R')) look(segment.payload, position, from_client ? client_ : server_);
  }
  [[nodiscard]] const Direction& client() const noexcept { return client_; }
  [[nodiscard]] const Direction& server() const noexcept { return server_; }

 private:
  struct Connection {
    std::optional<std::uint32_t> client_start{}, server_start{};  ///< sequence numbers of position 0
    char kind = 0;                                                ///< as the client's request says
  };

  static void look(std::span<const std::uint8_t> payload, std::int64_t position, Direction& direction) {
    ++direction.frames;
    for (std::size_t i = position < 0 ? static_cast<std::size_t>(-position) : 0; i < payload.size(); ++i) {
      ++direction.octets;
      const std::int64_t at = position + static_cast<std::int64_t>(i);
      direction.wrong += payload[i] != stream::octet_at(static_cast<std::uint64_t>(at));
    }
  }

  std::uint16_t port_;
  std::map<std::uint16_t, Connection> connections_;  // by the client's port
  Direction client_, server_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: capcheck FILE PORT [FROM_OCTETS]\n");
    return 2;
  }
  char error[PCAP_ERRBUF_SIZE];
  pcap_t* const pcap = pcap_open_offline(argv[1], error);
  if (pcap == nullptr) {
    std::fprintf(stderr, "capcheck: %s\n", error);
    return 1;
  }
  Check check{static_cast<std::uint16_t>(std::atoi(argv[2]))};
  pcap_pkthdr* header = nullptr;
  const u_char* data = nullptr;
  while (pcap_next_ex(pcap, &header, &data) == 1) {
    if (const auto segment = parse({data, header->caplen})) check.add(*segment);
  }
  pcap_close(pcap);
  const std::uint64_t least = argc > 3 ? std::strtoull(argv[3], nullptr, 0) : 1;
  bool fine = true;
  for (const auto& [name, d] : {std::pair{"client's", check.client()}, std::pair{"server's", check.server()}}) {
    std::printf("%s %llu segments, %llu octets, %llu wrong; ", name, static_cast<unsigned long long>(d.frames),
                static_cast<unsigned long long>(d.octets), static_cast<unsigned long long>(d.wrong));
    fine = fine && d.wrong == 0 && d.octets >= least;
  }
  std::puts(fine ? "unaltered" : "BROKEN");
  return fine ? 0 : 1;
}
