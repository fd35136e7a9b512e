// SPDX-License-Identifier: Apache-2.0
// Holds clones of all frames of a netdev, both ways: an AF_PACKET socket with a big buffer that is read late or never.
//
//   hoard DEV MIB FILE...    a socket of MIB per FILE; "hoarding" once there. SIGUSR1: reads them and writes what they
//                            have to the FILEs, as tcpdump would; SIGTERM: lets it all go.
//
// Unlike tcpdump's ring, into which the kernel copies at once, such a socket keeps the frames' own memory.
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <pcap/pcap.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#include "udd/base/unique_fd.h"

namespace {

constexpr int kLongest = 1 << 17;

[[noreturn]] void die(const char* what) {
  std::fprintf(stderr, "hoard: %s: %s\n", what, std::strerror(errno));
  std::exit(1);
}

udd::UniqueFd open_socket(const char* dev, int octets) {
  udd::UniqueFd fd{socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0)};
  if (!fd) die("socket");
  if (setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUFFORCE, &octets, sizeof octets) != 0) die("SO_RCVBUFFORCE");
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(ETH_P_ALL);
  address.sll_ifindex = static_cast<int>(if_nametoindex(dev));
  if (bind(fd.get(), static_cast<sockaddr*>(static_cast<void*>(&address)), sizeof address) != 0) die(dev);
  return fd;
}

struct CloseDumper {
  void operator()(pcap_dumper_t* dumper) const { pcap_dump_close(dumper); }
};
struct ClosePcap {
  void operator()(pcap_t* pcap) const { pcap_close(pcap); }
};

/// All that waits in the socket. Return: frames
int write_out(int fd, const char* file) {
  const std::unique_ptr<pcap_t, ClosePcap> pcap{pcap_open_dead(DLT_EN10MB, kLongest)};
  const std::unique_ptr<pcap_dumper_t, CloseDumper> dumper{pcap_dump_open(pcap.get(), file)};
  if (!dumper) die(file);
  std::vector<std::uint8_t> frame(kLongest);
  int frames = 0;
  for (;; ++frames) {
    const ssize_t n = recv(fd, frame.data(), frame.size(), MSG_DONTWAIT);
    if (n < 0 && errno == EAGAIN) return frames;
    if (n < 0) die("receive");
    const pcap_pkthdr header{.ts = {}, .caplen = static_cast<bpf_u_int32>(n), .len = static_cast<bpf_u_int32>(n)};
    pcap_dump(static_cast<u_char*>(static_cast<void*>(dumper.get())), &header, frame.data());
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) {
    std::fprintf(stderr, "usage: hoard DEV MIB FILE...\n");
    return 2;
  }
  sigset_t set{};
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  sigaddset(&set, SIGTERM);
  sigprocmask(SIG_BLOCK, &set, nullptr);
  std::vector<udd::UniqueFd> sockets;
  for (int i = 3; i < argc; ++i) sockets.push_back(open_socket(argv[1], std::atoi(argv[2]) << 20));
  std::puts("hoarding");
  std::fflush(stdout);
  int signal = 0;
  sigwait(&set, &signal);
  if (signal == SIGTERM) return 0;
  for (std::size_t i = 0; i < sockets.size(); ++i) {
    std::printf("%s: %d frames\n", argv[i + 3], write_out(sockets[i].get(), argv[i + 3]));
  }
  return 0;
}
