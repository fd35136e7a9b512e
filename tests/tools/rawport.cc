// SPDX-License-Identifier: Apache-2.0
// Asks for a port by bare ioctls, without the library, which would refuse by itself what the kernel has to refuse.
//
//   rawport version PORT MAJOR MINOR   take it as an application built for that version of the interface
//   rawport twice PORT                 take it, and try to take, open and start it again in every way
//   rawport keep PORT                  take it and open nothing; "took" once there
//
// PORT is a PCI address. A refusal is printed with the sentence that the kernel gives; exit status 1.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "tests/tools/held.h"

namespace {

using held::expect;
using held::expect_errno;
using held::Held;
using held::sentence;
using held::take_request;

int run_twice(const std::string& port) {
  Held held(port);
  const int second_node = held::open_node(port);
  expect_errno(ioctl(held.node, NDD_START), EBADF, "NDD_START before a take");
  held.take_port();
  expect_errno(ioctl(held.node, NDD_START), EIO, "NDD_START before the device is open");
  ndd_take again = take_request();
  expect_errno(ioctl(held.node, NDD_TAKE, &again), EBUSY, "a take of the same descriptor");
  again = take_request();
  expect_errno(ioctl(second_node, NDD_TAKE, &again), EBUSY, "a take of another descriptor");
  std::printf("said: %s\n", sentence(again));
  expect_errno(ioctl(second_node, NDD_START), EBADF, "NDD_START by another descriptor");
  void* foreign = mmap(nullptr, 4096, PROT_READ, MAP_SHARED, second_node, NDD_MMAP_POOL);
  expect_errno(foreign == MAP_FAILED ? -1 : 0, EBADF, "mmap of the pool by another descriptor");

  held.map_areas();
  held.set_container();
  held.open_device();
  held.start();
  expect_errno(ioctl(held.node, NDD_START), EALREADY, "NDD_START again");
  again = take_request();
  expect_errno(ioctl(second_node, NDD_TAKE, &again), EBUSY, "a take while the port is served");
  std::printf("said: %s\n", sentence(again));
  expect(std::strstr(sentence(again), std::to_string(getpid()).c_str()) != nullptr, "the sentence names this process");
  return held::failures != 0 ? 1 : 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string command = argc > 2 ? argv[1] : "";
  if (command == "twice") return run_twice(argv[2]);
  if (command == "version" && argc == 5) {
    Held held(argv[2]);
    held.take = take_request(static_cast<unsigned>(std::atoi(argv[3])), static_cast<unsigned>(std::atoi(argv[4])));
    held.take_port();
    std::printf("took, as %d.%d\n", held.take.api_major, held.take.api_minor);
    return 0;
  }
  if (command == "keep") {
    Held held(argv[2]);
    held.take_port();
    held::say("took");
    for (;;) pause();
  }
  std::fprintf(stderr, "usage: see the head of rawport.cc\n");
  return 2;
}
