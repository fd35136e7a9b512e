// SPDX-License-Identifier: Apache-2.0
// A port held by bare ioctls, without the library, which would refuse by itself what the kernel has to refuse: taking,
// opening the device, starting; and checks that go on after a failure. For test programs in guests; errors end them.
#pragma once

#include <fcntl.h>
#include <linux/ndd.h>
#include <linux/vfio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

namespace held {

[[noreturn]] inline void die(const std::string& what) {
  std::fprintf(stderr, "%s: %s: %s\n", program_invocation_short_name, what.c_str(), std::strerror(errno));
  std::exit(1);
}

inline int check(int result, const std::string& what) {
  if (result < 0) die(what);
  return result;
}

inline void say(const std::string& text) {
  std::printf("%s\n", text.c_str());
  std::fflush(stdout);
}

inline int failures = 0;

inline void expect(bool good, const std::string& what) {
  say((good ? "ok: " : "FAIL: ") + what);
  if (!good) ++failures;
}

/// The call must have failed with `wanted`.
inline void expect_errno(int result, int wanted, const std::string& what) {
  const int error = errno;
  expect(result < 0 && error == wanted, what + ": " + (result < 0 ? std::strerror(error) : "succeeded"));
}

inline void* map(int fd, std::uint64_t offset, std::size_t size, const std::string& what) {
  void* p = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, static_cast<off_t>(offset));
  if (p == MAP_FAILED) die("mmap of " + what);
  return p;
}

inline int open_node(const std::string& port) {
  return check(open(("/dev/ndd/" + port).c_str(), O_RDWR | O_CLOEXEC), "/dev/ndd/" + port);
}

/// What the node tells of its port.
inline ndd_info info_of(int node) {
  ndd_info info{};
  info.argsz = sizeof(info);
  check(ioctl(node, NDD_GET_INFO, &info), "NDD_GET_INFO");
  return info;
}

/// Waits until the in-kernel driver has the port again. @return false if it takes longer.
inline bool back_in_direct(int node, std::chrono::seconds patience) {
  const auto until = std::chrono::steady_clock::now() + patience;
  for (; info_of(node).mode != NDD_MODE_DIRECT; usleep(10'000)) {
    if (std::chrono::steady_clock::now() > until) return false;
  }
  return true;
}

/// A take that the kernel accepts.
inline ndd_take take_request(unsigned major = NDD_API_MAJOR, unsigned minor = NDD_API_MINOR) {
  ndd_take request{};
  request.argsz = sizeof(request);
  request.api_major = static_cast<std::uint16_t>(major);
  request.api_minor = static_cast<std::uint16_t>(minor);
  request.nic_pages = 8;
  request.state_pages = 1;
  return request;
}

inline const char* sentence(const ndd_take& request) { return reinterpret_cast<const char*>(request.msg); }

/// One hold. It ends with the process: nothing is closed before.
struct Held {
  int node = -1, group = -1, container = -1, device = -1;
  ndd_take take = take_request();
  std::uint8_t* pool = nullptr;
  std::uint8_t* area = nullptr;  ///< ctrl

  explicit Held(const std::string& port) : node(held::open_node(port)), port_(port) {}

  /// A refusal is printed with the sentence that the kernel gives; exit status 1.
  void take_port() {
    if (ioctl(node, NDD_TAKE, &take) != 0) {
      std::fprintf(stderr, "%s: refused: %s: %s\n", program_invocation_short_name, std::strerror(errno),
                   sentence(take));
      std::exit(1);
    }
    group = take.group_fd;
    container = take.container_fd;
  }
  void map_areas() {
    pool = static_cast<std::uint8_t*>(map(node, NDD_MMAP_POOL, take.pool_size, "pool"));
    area = static_cast<std::uint8_t*>(map(node, NDD_MMAP_CTRL, take.ctrl_size, "ctrl"));
  }
  void set_container() const {
    check(ioctl(group, VFIO_GROUP_SET_CONTAINER, &container), "VFIO_GROUP_SET_CONTAINER");
    check(ioctl(container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU), "VFIO_SET_IOMMU");
  }
  void open_device() {
    device = check(ioctl(group, VFIO_GROUP_GET_DEVICE_FD, port_.c_str()), "VFIO_GROUP_GET_DEVICE_FD");
  }
  [[nodiscard]] ndd_ctrl* ctrl() const { return reinterpret_cast<ndd_ctrl*>(area); }
  [[nodiscard]] ndd_health* health() const { return reinterpret_cast<ndd_health*>(area + ctrl()->health); }
  /// Asleep counts as alive: the watchdog leaves this process alone.
  void start() const {
    std::atomic_ref(health()->service_state).store(NDD_ASLEEP);
    check(ioctl(node, NDD_START), "NDD_START");
  }
  /// All of the above.
  void take_and_start() {
    take_port();
    map_areas();
    set_container();
    open_device();
    start();
  }

 private:
  std::string port_;
};

}  // namespace held
