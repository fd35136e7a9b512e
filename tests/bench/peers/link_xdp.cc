// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/peers/link_xdp.h"

#include <linux/bpf.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <cerrno>
#include <thread>

#include "udd/base/error.h"

namespace peers {
namespace {

[[noreturn]] void fail(const char* what, const std::string& netdev) {
  throw udd::Error(errno, {.what = what, .device = netdev, .why = "", .advice = ""});
}

int check(long result, const char* what, const std::string& netdev = {}) {
  if (result < 0) fail(what, netdev);
  return static_cast<int>(result);
}

template <typename T>
std::uint64_t address_of(const T& object) {
  return reinterpret_cast<std::uintptr_t>(&object);
}

int bpf(bpf_cmd command, bpf_attr& attributes, const char* what) {
  return check(syscall(SYS_bpf, command, &attributes, sizeof attributes), what);
}

std::span<std::byte> map(std::size_t size, int flags, int fd, off_t offset) {
  void* const memory = mmap(nullptr, size, PROT_READ | PROT_WRITE, flags | MAP_POPULATE, fd, offset);
  if (memory == MAP_FAILED) fail("map AF_XDP memory", "");
  return {static_cast<std::byte*>(memory), size};
}

template <typename T>
void set(int fd, int option, const T& value, const char* what) {
  check(setsockopt(fd, SOL_XDP, option, &value, sizeof value), what);
}

/// The program that leads all frames of a queue to the socket which the map has for it; it is detached with `link`.
void attach(int socket, unsigned int netdev, udd::UniqueFd& program, udd::UniqueFd& link) {
  bpf_attr map_attr{};
  map_attr.map_type = BPF_MAP_TYPE_XSKMAP;
  map_attr.key_size = map_attr.value_size = sizeof(std::uint32_t);
  map_attr.max_entries = 1;
  const udd::UniqueFd map{bpf(BPF_MAP_CREATE, map_attr, "create a map of AF_XDP sockets")};
  const std::uint32_t queue = 0;
  bpf_attr entry{};
  entry.map_fd = static_cast<std::uint32_t>(map.get());
  entry.key = address_of(queue);
  entry.value = address_of(socket);
  bpf(BPF_MAP_UPDATE_ELEM, entry, "enter the AF_XDP socket");

  // return bpf_redirect_map(&map, ctx->rx_queue_index, XDP_PASS);
  const std::array code = {
      bpf_insn{BPF_LDX | BPF_MEM | BPF_W, 2, 1, offsetof(xdp_md, rx_queue_index), 0},
      bpf_insn{BPF_LD | BPF_DW | BPF_IMM, 1, BPF_PSEUDO_MAP_FD, 0, map.get()},
      bpf_insn{},
      bpf_insn{BPF_ALU64 | BPF_MOV | BPF_K, 3, 0, 0, XDP_PASS},
      bpf_insn{BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_redirect_map},
      bpf_insn{BPF_JMP | BPF_EXIT, 0, 0, 0, 0},
  };
  static constexpr char kLicense[] = "Apache-2.0";
  bpf_attr load{};
  load.prog_type = BPF_PROG_TYPE_XDP;
  load.insns = address_of(code);
  load.insn_cnt = code.size();
  load.license = address_of(kLicense);
  program.reset(bpf(BPF_PROG_LOAD, load, "load an XDP program"));

  bpf_attr create{};
  create.link_create.prog_fd = static_cast<std::uint32_t>(program.get());
  create.link_create.target_ifindex = netdev;
  create.link_create.attach_type = BPF_XDP;
  create.link_create.flags = XDP_FLAGS_SKB_MODE;
  link.reset(bpf(BPF_LINK_CREATE, create, "attach an XDP program"));
}

/// A previous holder of the queue lets go of it in the background.
void bind_queue(int socket, unsigned int netdev, const std::string& name) {
  sockaddr_xdp address{};
  address.sxdp_family = AF_XDP;
  address.sxdp_flags = XDP_COPY;
  address.sxdp_ifindex = netdev;
  for (int tries = 0; tries < 50; ++tries) {
    if (bind(socket, static_cast<const sockaddr*>(static_cast<void*>(&address)), sizeof address) == 0) return;
    if (errno != EBUSY) break;
    std::this_thread::sleep_for(std::chrono::milliseconds{100});
  }
  fail("bind an AF_XDP socket", name);
}

}  // namespace

template <typename Entry>
XdpRing<Entry>::XdpRing(int fd, const xdp_ring_offset& offsets, off_t page_offset) {
  std::byte* const base = map(offsets.desc + kXdpRing * sizeof(Entry), MAP_SHARED, fd, page_offset).data();
  producer_ = reinterpret_cast<std::uint32_t*>(base + offsets.producer);
  consumer_ = reinterpret_cast<std::uint32_t*>(base + offsets.consumer);
  entries_ = reinterpret_cast<Entry*>(base + offsets.desc);
}

XdpLink::XdpLink(const std::string& netdev, const udd::MacAddress& mac, const udd::MacAddress& peer,
                 std::uint16_t ethertype, std::size_t message_size)
    : fd_(check(socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0), "open an AF_XDP socket")),
      frame_size_(static_cast<std::uint32_t>(header_.size() + message_size)) {
  const unsigned int index = if_nametoindex(netdev.c_str());
  if (index == 0) fail("find the netdev", netdev);

  const int fd = fd_.get();
  umem_ = map(std::size_t{2} * kXdpRing * kXdpFrame, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  xdp_umem_reg memory{};
  memory.addr = reinterpret_cast<std::uintptr_t>(umem_.data());
  memory.len = umem_.size();
  memory.chunk_size = kXdpFrame;
  set(fd, XDP_UMEM_REG, memory, "register AF_XDP memory");
  for (const int ring : {XDP_UMEM_FILL_RING, XDP_UMEM_COMPLETION_RING, XDP_RX_RING, XDP_TX_RING}) {
    set(fd, ring, static_cast<int>(kXdpRing), "size an AF_XDP ring");
  }
  xdp_mmap_offsets offsets{};
  socklen_t length = sizeof offsets;
  check(getsockopt(fd, SOL_XDP, XDP_MMAP_OFFSETS, &offsets, &length), "read where AF_XDP rings are");
  rx_ = {fd, offsets.rx, XDP_PGOFF_RX_RING};
  tx_ = {fd, offsets.tx, XDP_PGOFF_TX_RING};
  fill_ = {fd, offsets.fr, static_cast<off_t>(XDP_UMEM_PGOFF_FILL_RING)};
  sent_ = {fd, offsets.cr, static_cast<off_t>(XDP_UMEM_PGOFF_COMPLETION_RING)};
  for (std::uint64_t frame = 0; frame < kXdpRing; ++frame) {
    fill_.put(frame * kXdpFrame);
    free_[free_count_++] = (kXdpRing + frame) * kXdpFrame;
  }
  fill_.publish();

  std::memcpy(header_.data(), peer.data(), peer.size());
  std::memcpy(header_.data() + 6, mac.data(), mac.size());
  header_[12] = static_cast<std::byte>(ethertype >> 8);
  header_[13] = static_cast<std::byte>(ethertype & 0xff);
  bind_queue(fd, index, netdev);
  attach(fd, index, program_, link_);
}

void XdpLink::kick() noexcept {
  tx_.publish();
  // generic mode sends within the call, and at most so many; it answers EAGAIN when there are more
  while (tx_.pending() != 0) {
    if (sendto(fd_.get(), nullptr, 0, MSG_DONTWAIT, nullptr, 0) < 0 && errno != EAGAIN && errno != EBUSY &&
        errno != ENOBUFS) {
      return;  // what was not sent is lost, and told so
    }
  }
}

}  // namespace peers
