// SPDX-License-Identifier: Apache-2.0
// Puts an XDP program that lets every frame pass on a netdev, and keeps it there until killed.
//
//   xdp_pass DEV     "attached" once it is there
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

int bpf(int command, bpf_attr& attr) { return static_cast<int>(syscall(SYS_bpf, command, &attr, sizeof(attr))); }

[[noreturn]] void die(const char* what) {
  std::fprintf(stderr, "xdp_pass: %s: %s\n", what, std::strerror(errno));
  std::exit(1);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const bpf_insn program[] = {
      {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .src_reg = 0, .off = 0, .imm = XDP_PASS},
      {.code = BPF_JMP | BPF_EXIT, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0},
  };
  bpf_attr load{};
  load.prog_type = BPF_PROG_TYPE_XDP;
  load.insns = reinterpret_cast<std::uint64_t>(program);
  load.insn_cnt = sizeof(program) / sizeof(program[0]);
  load.license = reinterpret_cast<std::uint64_t>("GPL");
  const int program_fd = bpf(BPF_PROG_LOAD, load);
  if (program_fd < 0) die("BPF_PROG_LOAD");

  bpf_attr link{};
  link.link_create.prog_fd = static_cast<std::uint32_t>(program_fd);
  link.link_create.target_ifindex = if_nametoindex(argv[1]);
  link.link_create.attach_type = BPF_XDP;
  link.link_create.flags = XDP_FLAGS_SKB_MODE;
  if (bpf(BPF_LINK_CREATE, link) < 0) die("BPF_LINK_CREATE");
  std::puts("attached");
  std::fflush(stdout);
  for (;;) pause();
}
