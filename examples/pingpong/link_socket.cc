// SPDX-License-Identifier: Apache-2.0
#include "examples/pingpong/link_socket.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>

#include <cerrno>
#include <optional>
#include <utility>

#include "udd/base/error.h"

namespace pingpong {
namespace {

[[noreturn]] void fail(const char* what, const std::string& where, const char* advice = "") {
  const int error_number = errno;
  throw udd::Error(error_number, {.what = what, .device = where, .why = "", .advice = advice});
}

udd::UniqueFd open_socket(int domain, int type, int protocol, const std::string& where) {
  udd::UniqueFd fd{socket(domain, type | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol)};
  if (fd.get() < 0) fail("open a socket", where, domain == AF_PACKET ? "run as root (CAP_NET_RAW)" : "");
  return fd;
}

template <typename Address>
const sockaddr* generic(const Address* address) noexcept {
  return static_cast<const sockaddr*>(static_cast<const void*>(address));
}

sockaddr_in internet(const std::string& address, std::uint16_t port) {
  sockaddr_in in{};
  in.sin_family = AF_INET;
  in.sin_port = htons(port);
  if (inet_pton(AF_INET, address.c_str(), &in.sin_addr) != 1) {
    errno = EINVAL;
    fail("read an address", address, "give an IPv4 address");
  }
  return in;
}

/// This thread is in another network namespace while it lives: a socket belongs to where it was opened.
class Visit {
 public:
  explicit Visit(const std::string& name) : home_(open_namespace("/proc/thread-self/ns/net")) {
    if (setns(open_namespace("/run/netns/" + name).get(), CLONE_NEWNET) != 0) {
      fail("enter the network namespace", name, "run as root (CAP_SYS_ADMIN)");
    }
  }
  Visit(const Visit&) = delete;
  Visit& operator=(const Visit&) = delete;
  ~Visit() { setns(home_.get(), CLONE_NEWNET); }

 private:
  static udd::UniqueFd open_namespace(const std::string& path) {
    udd::UniqueFd fd{open(path.c_str(), O_RDONLY | O_CLOEXEC)};
    if (fd.get() < 0) fail("open the network namespace", path, "see `ip netns`");
    return fd;
  }

  udd::UniqueFd home_;
};

}  // namespace

SocketLink SocketLink::raw(const std::string& netdev, std::uint16_t ethertype, const udd::MacAddress& peer,
                           std::size_t message_size) {
  SocketLink link{open_socket(AF_PACKET, SOCK_RAW, 0, netdev), kEthernetHeader, message_size};
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(ethertype);
  address.sll_ifindex = static_cast<int>(if_nametoindex(netdev.c_str()));
  if (address.sll_ifindex == 0) fail("find the netdev", netdev, "see `ip link`");
  if (bind(link.fd_.get(), generic(&address), sizeof address) != 0) fail("bind to the netdev", netdev);

  const udd::MacAddress mac = mac_of(netdev);
  std::memcpy(link.header_.data(), peer.data(), peer.size());
  std::memcpy(link.header_.data() + 6, mac.data(), mac.size());
  link.header_[12] = static_cast<std::byte>(ethertype >> 8);
  link.header_[13] = static_cast<std::byte>(ethertype & 0xff);
  return link;
}

SocketLink SocketLink::udp_client(const std::string& address, std::uint16_t port, std::size_t message_size) {
  SocketLink link{open_socket(AF_INET, SOCK_DGRAM, 0, address), 0, message_size};
  const sockaddr_in server = internet(address, port);
  if (connect(link.fd_.get(), generic(&server), sizeof server) != 0) fail("connect to the server", address);
  return link;
}

SocketLink SocketLink::udp_server(const std::string& address, std::uint16_t port, std::size_t message_size,
                                  const std::string& netns) {
  std::optional<Visit> visit;
  if (!netns.empty()) visit.emplace(netns);
  SocketLink link{open_socket(AF_INET, SOCK_DGRAM, 0, address), 0, message_size};
  const sockaddr_in local = internet(address, port);
  if (bind(link.fd_.get(), generic(&local), sizeof local) != 0) fail("bind to the address", address);
  link.many_clients_ = true;
  return link;
}

void SocketLink::share_thread(SocketLink& other) {
  const timeval limit{.tv_sec = 0, .tv_usec = 500'000};
  if (fcntl(fd_.get(), F_SETFL, 0) != 0 || setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) != 0) {
    fail("have a socket sleep", "");
  }
  other_ = &other;
}

void SocketLink::serve_only(const SocketLink& client) {
  sockaddr_storage address{};
  socklen_t length = sizeof address;
  auto* const own = static_cast<sockaddr*>(static_cast<void*>(&address));
  if (getsockname(client.fd_.get(), own, &length) != 0 || connect(fd_.get(), own, length) != 0) {
    fail("connect to the client", "UDP");
  }
  many_clients_ = false;
}

void SocketLink::wait(std::chrono::milliseconds timeout) noexcept {
  pollfd readable{.fd = fd_.get(), .events = POLLIN, .revents = 0};
  poll(&readable, 1, static_cast<int>(timeout.count()));
}

std::size_t SocketLink::fetch(std::span<std::byte> buffer) noexcept {
  last_sender_length_ = sizeof last_sender_;
  auto* const sender = many_clients_ ? static_cast<sockaddr*>(static_cast<void*>(&last_sender_)) : nullptr;
  const ssize_t length =
      recvfrom(fd_.get(), buffer.data(), buffer.size(), 0, sender, sender != nullptr ? &last_sender_length_ : nullptr);
  return length > 0 ? static_cast<std::size_t>(length) : 0;
}

bool SocketLink::transmit(std::span<const std::byte> packet, bool to_last_sender) noexcept {
  const ssize_t sent =
      sendto(fd_.get(), packet.data(), packet.size(), 0, to_last_sender ? generic(&last_sender_) : nullptr,
             to_last_sender ? last_sender_length_ : 0);
  if (sent != static_cast<ssize_t>(packet.size())) return false;
  if (other_ != nullptr) ++other_->due_;
  return true;
}

udd::MacAddress mac_of(const std::string& netdev) {
  const udd::UniqueFd fd = open_socket(AF_INET, SOCK_DGRAM, 0, netdev);
  ifreq request{};
  netdev.copy(request.ifr_name, sizeof request.ifr_name - 1);
  if (ioctl(fd.get(), SIOCGIFHWADDR, &request) != 0) fail("read the MAC address", netdev, "see `ip link`");
  udd::MacAddress mac{};
  std::memcpy(mac.data(), request.ifr_hwaddr.sa_data, mac.size());
  return mac;
}

}  // namespace pingpong
