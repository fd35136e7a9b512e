// SPDX-License-Identifier: Apache-2.0
// kagent over plain memory: the kernel's end of KTX and KRX, its eventfd, configuration and health words, so that a
// whole port runs in a test. It checks the process's end as the real one does, and counts what breaks the rules.
#pragma once

#include <linux/ndd.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "udd/base/unique_fd.h"
#include "udd/nic/nic.h"
#include "udd/ring/ring.h"
#include "udd/tunnel/tunnel.h"

namespace udd::fake {

/// Callable from any thread; the kernel's side is one at a time, as NAPI is.
class KernelEnd {
 public:
  struct Options {
    std::uint32_t nic_pages = 0;
    std::size_t state_size = 0;
    std::uint32_t buffers = 1024;
    std::uint32_t kernel_buffers = 128;
    std::uint32_t exchange_buffers = 0;  ///< in stock: a received buffer is answered by another while there is one
    std::uint32_t ring_size = 256;
    MacAddress mac{0x52, 0x54, 0, 0, 0, 1};
    std::uint32_t mtu = 1500;
    std::uint64_t features = 0;      ///< NDD_F_* in force
    std::uint32_t window_slots = 0;  ///< above 0 with NDD_F_WINDOW
    bool fail_start = false;
  };

  static constexpr std::uint64_t kPoolIova = 0x1'0000'0000;
  static constexpr std::uint64_t kWindowIova = 0x0100'0000;

  explicit KernelEnd(const Options& options);
  ~KernelEnd();
  KernelEnd(const KernelEnd&) = delete;
  KernelEnd& operator=(const KernelEnd&) = delete;

  /// The process's end; once. The KernelEnd must outlive it.
  [[nodiscard]] std::unique_ptr<Tunnel> tunnel();
  /// The same areas as another process would map them.
  [[nodiscard]] const Tunnel::Areas& areas() const noexcept { return areas_; }

  // What ndd0 does.

  /// Sends a frame of any length. @return false: no buffer or no room now.
  bool send(std::span<const std::byte> frame) { return send(frame, {}, frame.size()); }
  /// Likewise, with what is left to the NIC in `facts`; the octets from `window_from` on go through the window, a slot
  /// for each `run` of them, starting at an odd place.
  bool send(std::span<const std::byte> frame, const ndd_desc& facts, std::size_t window_from,
            std::size_t run = NDD_WINDOW_SLOT - kWindowOffset);
  /// A frame that the process gave us, if any; its buffers go back, or others of the stock for them.
  [[nodiscard]] std::optional<std::vector<std::byte>> receive();
  /// The first descriptor of what was received last.
  [[nodiscard]] const ndd_desc& received() const noexcept { return received_; }
  /// Takes sent buffers back. @return how many.
  std::size_t reap();
  /// Buffers of ours that are not with the process.
  [[nodiscard]] std::size_t free_buffers();
  /// Buffers in stock.
  [[nodiscard]] std::size_t stock();
  /// Buffers that the process has: of its own, and not on their way back to it.
  [[nodiscard]] std::size_t process_buffers();
  /// Slots of the window that are not.
  [[nodiscard]] std::size_t free_slots();
  /// What the NIC may read at kWindowIova.
  [[nodiscard]] std::span<const std::byte> window() const noexcept { return window_; }
  /// Withholds the exchange: the process's buffers stay with the kernel.
  void keep_buffers(bool keep) noexcept { keep_ = keep; }

  /// Asks for a kick with the next frame (KRX) or sent buffer (KTX_DONE).
  void sleep();
  void configure(const std::function<void(ndd_config&)>& change);
  void warn();
  void set_mode(ndd_mode mode, ndd_reason reason);
  /// So many processes wait behind the owner.
  void set_waiting(std::uint32_t count);
  /// Writes descriptors as they are.
  void send_raw(std::span<const ndd_desc> descriptors);
  /// Stores an index that no ring has.
  void corrupt_ktx();

  // What the process did.

  [[nodiscard]] unsigned kicks() const noexcept { return kicks_; }
  [[nodiscard]] unsigned signals() const noexcept { return signals_; }
  [[nodiscard]] bool started() const noexcept { return started_; }
  [[nodiscard]] bool given_back() const noexcept { return given_back_; }
  /// The process's end is gone.
  [[nodiscard]] bool closed() const noexcept { return closed_; }
  [[nodiscard]] LinkState link() const;
  [[nodiscard]] unsigned links_told() const;
  [[nodiscard]] std::uint64_t violations() const noexcept { return violations_; }
  [[nodiscard]] ndd_health health() const;
  [[nodiscard]] ndd_stats stats() const;

 private:
  class End;

  static constexpr std::size_t kWindowOffset = 0x123;

  [[nodiscard]] std::byte* buffer(std::uint32_t index) const noexcept;
  [[nodiscard]] bool reap_one(std::uint64_t entry);
  void signal();
  void violation() noexcept { ++violations_; }

  Options options_;
  Tunnel::Areas areas_;
  UniqueFd event_;
  std::string port_ = "0000:00:03.0";
  std::string netdev_ = "ndd0";

  std::mutex mutex_;
  std::optional<Producer<ndd_desc>> ktx_;
  std::optional<Consumer<std::uint64_t>> ktx_done_;
  std::optional<Consumer<ndd_desc>> krx_;
  std::optional<Producer<std::uint64_t>> krx_free_;
  std::uint32_t* ktx_index_ = nullptr;
  std::vector<std::uint32_t> free_;
  std::vector<bool> with_process_;  ///< per buffer
  std::vector<std::uint32_t> kept_;
  std::deque<std::uint32_t> stock_;
  std::vector<std::byte> window_;
  std::vector<std::uint32_t> free_slots_;
  ndd_desc received_{};
  bool keep_ = false;

  mutable std::mutex link_mutex_;
  LinkState link_;
  unsigned links_told_ = 0;
  std::atomic<unsigned> kicks_{0};
  std::atomic<unsigned> signals_{0};
  std::atomic<bool> started_{false};
  std::atomic<bool> given_back_{false};
  std::atomic<bool> closed_{false};
  std::atomic<std::uint64_t> violations_{0};
};

}  // namespace udd::fake
