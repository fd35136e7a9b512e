// SPDX-License-Identifier: Apache-2.0
// The tunnel to kagent proper: NDD_TAKE, or NDD_STANDBY behind another process, and what follows from it, until the
// character device is closed.
#pragma once

#include <linux/ndd.h>

#include <chrono>
#include <cstdint>
#include <string>

#include "udd/base/unique_fd.h"
#include "udd/tunnel/port_node.h"
#include "udd/tunnel/tunnel.h"

namespace udd {

/// What a take asks for; 0 is the module's default where ndd.h says so.
struct TakeRequest {
  std::uint64_t features = 0;  ///< NDD_F_* of the NIC's that may be in force
  std::uint32_t ring_size = 0;
  std::uint32_t buffers = 0;
  std::uint32_t kernel_buffers = 0;
  std::uint32_t exchange_buffers = 0;  ///< in the kernel's stock; 0: none, received buffers are only lent
  std::uint32_t nic_pages = 0;
  std::uint32_t state_pages = 0;
  ndd_watch watch{};
  std::chrono::milliseconds timeout{0};  ///< how long to wait for a port on its way back to direct mode
};

/// What has become of a wait.
enum class Succession : std::uint8_t {
  kWaiting,
  kOurs,  ///< the port is this process's: start()
  kOver,  ///< the hold has ended without us: let go of everything
};

/// Tag: behind the process that has the port. `now`: it is asked for it, and not only waited for.
struct Behind {
  bool now = false;
};

class DeviceTunnel final : public Tunnel {
 public:
  /// Takes the port and maps its areas. Throws udd::Error, after which nothing is taken: EBUSY says who has the port;
  /// otherwise the sentence is the kernel's.
  DeviceTunnel(PortNode node, const TakeRequest& request);
  /// Waits for the port and maps its areas, which are the owner's as yet. Of `request` the features are what this
  /// process understands. Throws udd::Error: ESRCH nobody has the port; otherwise the sentence is the kernel's.
  DeviceTunnel(PortNode node, const TakeRequest& request, Behind behind);
  /// Unmaps, then closes the character device: whatever was still taken goes back.
  ~DeviceTunnel() override;

  /// Of one that waits: it can go on from now on, and has the device open. Throws udd::Error.
  void ready();
  /// Looks for as long as `timeout` (negative: for good) whether the wait has ended.
  [[nodiscard]] Succession wait(std::chrono::milliseconds timeout) noexcept;

  /// VFIO group and container that came with the take. To be closed before the tunnel goes.
  [[nodiscard]] UniqueFd take_group() noexcept { return std::move(group_); }
  [[nodiscard]] UniqueFd take_container() noexcept { return std::move(container_); }

  [[nodiscard]] const Areas& areas() const noexcept override { return areas_; }
  [[nodiscard]] int event_fd() const noexcept override { return event_.get(); }
  void start() override;
  void kick(unsigned queue) noexcept override;
  void set_link(const LinkState& link) noexcept override;
  void give_back() noexcept override;
  [[nodiscard]] std::uint32_t last_reason() noexcept override;
  void abandon() noexcept override;
  [[nodiscard]] const std::string& port() const noexcept override { return port_; }
  [[nodiscard]] const std::string& netdev() const noexcept override { return netdev_; }

 private:
  void take(const TakeRequest& request);
  void stand_by(const TakeRequest& request, Behind behind);
  void map_areas();
  void set_event();
  [[nodiscard]] std::span<std::byte> map(std::uint64_t offset, std::uint64_t size, const char* what);
  void unmap() noexcept;

  PortNode node_;
  std::string port_;
  std::string netdev_;
  UniqueFd event_;
  UniqueFd group_;
  UniqueFd container_;
  ndd_take taken_{};
  Areas areas_;
  bool behind_ = false;  ///< it came, or is to come, by NDD_STANDBY
  bool given_back_ = false;
};

}  // namespace udd
