// SPDX-License-Identifier: Apache-2.0
// Asks for a port by bare ioctls, without the library, which would refuse by itself what the kernel has to refuse.
//
//   rawport version PORT MAJOR MINOR   take it as an application built for that version of the interface
//   rawport twice PORT                 take it, and try to take, open and start it again in every way
//   rawport keep PORT                  take it and open nothing; "took" once there
//
// PORT is a PCI address. A refusal is printed with the sentence that the kernel gives; exit status 1.
#include <fcntl.h>
#include <linux/ndd.h>
#include <linux/vfio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

namespace {

[[noreturn]] void die(const std::string& what) {
  std::fprintf(stderr, "rawport: %s: %s\n", what.c_str(), std::strerror(errno));
  std::exit(1);
}

int open_node(const std::string& port) {
  const int fd = open(("/dev/ndd/" + port).c_str(), O_RDWR | O_CLOEXEC);
  if (fd < 0) die("/dev/ndd/" + port);
  return fd;
}

int take(int node, ndd_take& request) {
  request.argsz = sizeof(request);
  request.nic_pages = 8;
  request.state_pages = 1;
  return ioctl(node, NDD_TAKE, &request);
}

ndd_take request_of(unsigned major = NDD_API_MAJOR, unsigned minor = NDD_API_MINOR) {
  ndd_take request{};
  request.api_major = static_cast<std::uint16_t>(major);
  request.api_minor = static_cast<std::uint16_t>(minor);
  return request;
}

void take_or_die(int node, ndd_take& request) {
  if (take(node, request) == 0) return;
  std::fprintf(stderr, "rawport: refused: %s: %s\n", std::strerror(errno), reinterpret_cast<const char*>(request.msg));
  std::exit(1);
}

int failures = 0;

void expect_refused(int result, int wanted, const std::string& what) {
  const int error = errno;
  const bool good = result < 0 && error == wanted;
  std::printf("%s: %s: %s\n", good ? "ok" : "FAIL", what.c_str(), result < 0 ? std::strerror(error) : "succeeded");
  if (!good) ++failures;
}

void start(int node, const ndd_take& request) {
  void* p = mmap(nullptr, request.ctrl_size, PROT_READ | PROT_WRITE, MAP_SHARED, node, NDD_MMAP_CTRL);
  if (p == MAP_FAILED) die("mmap of ctrl");
  const auto* ctrl = static_cast<const ndd_ctrl*>(p);
  // asleep counts as alive: the watchdog leaves this process alone
  auto* health = reinterpret_cast<ndd_health*>(static_cast<std::uint8_t*>(p) + ctrl->health);
  std::atomic_ref(health->service_state).store(NDD_ASLEEP);
  if (ioctl(node, NDD_START) != 0) die("NDD_START");
}

int run_twice(const std::string& port) {
  const int node = open_node(port);
  const int second_node = open_node(port);
  ndd_take request = request_of();
  expect_refused(ioctl(node, NDD_START), EBADF, "NDD_START before a take");
  take_or_die(node, request);
  expect_refused(ioctl(node, NDD_START), EIO, "NDD_START before the device is open");
  ndd_take again = request_of();
  expect_refused(take(node, again), EBUSY, "a take of the same descriptor");
  again = request_of();
  expect_refused(take(second_node, again), EBUSY, "a take of another descriptor");
  std::printf("said: %s\n", reinterpret_cast<const char*>(again.msg));
  expect_refused(ioctl(second_node, NDD_START), EBADF, "NDD_START by another descriptor");
  void* foreign = mmap(nullptr, 4096, PROT_READ, MAP_SHARED, second_node, NDD_MMAP_POOL);
  expect_refused(foreign == MAP_FAILED ? -1 : 0, EBADF, "mmap of the pool by another descriptor");

  int container = request.container_fd;
  if (ioctl(request.group_fd, VFIO_GROUP_SET_CONTAINER, &container) != 0) die("VFIO_GROUP_SET_CONTAINER");
  if (ioctl(container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU) != 0) die("VFIO_SET_IOMMU");
  if (ioctl(request.group_fd, VFIO_GROUP_GET_DEVICE_FD, port.c_str()) < 0) die("VFIO_GROUP_GET_DEVICE_FD");
  start(node, request);
  expect_refused(ioctl(node, NDD_START), EALREADY, "NDD_START again");
  again = request_of();
  expect_refused(take(second_node, again), EBUSY, "a take while the port is served");
  std::printf("said: %s\n", reinterpret_cast<const char*>(again.msg));
  if (std::strstr(reinterpret_cast<const char*>(again.msg), std::to_string(getpid()).c_str()) == nullptr) {
    std::printf("FAIL: the sentence does not name process %d\n", getpid());
    ++failures;
  }
  return failures != 0 ? 1 : 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string command = argc > 2 ? argv[1] : "";
  if (command == "twice") return run_twice(argv[2]);
  if (command == "version" && argc == 5) {
    ndd_take request = request_of(static_cast<unsigned>(std::atoi(argv[3])), static_cast<unsigned>(std::atoi(argv[4])));
    take_or_die(open_node(argv[2]), request);
    std::printf("took, as %d.%d\n", request.api_major, request.api_minor);
    return 0;
  }
  if (command == "keep") {
    ndd_take request = request_of();
    take_or_die(open_node(argv[2]), request);
    std::puts("took");
    std::fflush(stdout);
    for (;;) pause();
  }
  std::fprintf(stderr, "usage: see the head of rawport.cc\n");
  return 2;
}
