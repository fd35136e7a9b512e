// SPDX-License-Identifier: Apache-2.0
// Sends Ethernet frames of any length and kind by an AF_PACKET socket, past every protocol's own sense.
//
//   frames DEV DESTINATION ETHERTYPE LENGTH [COUNT [VLAN]]
//
// LENGTH counts from the destination address to the last octet, without FCS, and with the tag if there is one. What the
// kernel refuses to send is told; exit status 1.
#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

namespace {

[[noreturn]] void die(const char* what) {
  std::fprintf(stderr, "frames: %s: %s\n", what, std::strerror(errno));
  std::exit(1);
}

void append16(std::vector<std::uint8_t>& frame, unsigned value) {
  frame.push_back(static_cast<std::uint8_t>(value >> 8));
  frame.push_back(static_cast<std::uint8_t>(value));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 5) {
    std::fprintf(stderr, "usage: frames DEV DESTINATION ETHERTYPE LENGTH [COUNT [VLAN]]\n");
    return 2;
  }
  std::uint8_t mac[6];
  if (std::sscanf(argv[2], "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", mac, mac + 1, mac + 2, mac + 3, mac + 4, mac + 5) != 6)
    die("destination");
  const auto length = std::strtoul(argv[4], nullptr, 0);
  const int count = argc > 5 ? std::atoi(argv[5]) : 1;

  const int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
  if (fd < 0) die("socket");
  ifreq request{};
  std::strncpy(request.ifr_name, argv[1], IFNAMSIZ - 1);
  if (ioctl(fd, SIOCGIFHWADDR, &request) != 0) die(argv[1]);

  std::vector<std::uint8_t> frame(mac, mac + 6);
  frame.insert(frame.end(), request.ifr_hwaddr.sa_data, request.ifr_hwaddr.sa_data + 6);
  if (argc > 6) {
    append16(frame, 0x8100);
    append16(frame, static_cast<unsigned>(std::atoi(argv[6])));
  }
  append16(frame, static_cast<unsigned>(std::strtoul(argv[3], nullptr, 0)));
  frame.resize(length, 0x5a);

  sockaddr_ll to{};
  to.sll_family = AF_PACKET;
  to.sll_ifindex = static_cast<int>(if_nametoindex(argv[1]));
  to.sll_halen = 6;
  std::copy_n(mac, 6, to.sll_addr);
  for (int i = 0; i < count;) {
    if (sendto(fd, frame.data(), frame.size(), 0, reinterpret_cast<sockaddr*>(&to), sizeof(to)) >= 0) {
      ++i;
    } else if (errno == ENOBUFS) {
      usleep(100);
    } else {
      die("send");
    }
  }
  return 0;
}
