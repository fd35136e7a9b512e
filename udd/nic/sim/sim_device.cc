// SPDX-License-Identifier: Apache-2.0
// SimDevice: the receive and transmit engines of the simulated NIC.
#include "udd/nic/sim/sim_device.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "udd/base/error.h"
#include "udd/mem/mapped.h"
#include "udd/nic/sim/sim_offload.h"

namespace udd {
namespace {

constexpr std::size_t kHeaderSize = 14;
constexpr std::size_t kTagSize = 4;
constexpr std::size_t kStandardMtu = 1500;
constexpr std::uint64_t kImpossibleLength = 0xffff;

std::uint16_t be16(std::span<const std::byte> frame, std::size_t at) noexcept {
  return static_cast<std::uint16_t>(std::to_integer<unsigned>(frame[at]) << 8 |
                                    std::to_integer<unsigned>(frame[at + 1]));
}

bool use_up(unsigned& count) noexcept {
  if (count == 0) return false;
  --count;
  return true;
}

}  // namespace

SimDevice::SimDevice(SimWire& wire, unsigned end)
    : wire_(wire), end_(end), interrupt_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (!interrupt_) {
    const int code = errno;
    throw Error(code, {.what = "make an eventfd", .device = "simulated NIC", .why = {}, .advice = {}});
  }
}

void SimDevice::map(std::span<std::byte> memory, Iova iova) {
  const std::lock_guard lock(wire_.mutex_);
  memory_ = memory;
  iova_ = iova;
}

void SimDevice::map_window(std::span<const std::byte> memory, Iova iova) {
  const std::lock_guard lock(wire_.mutex_);
  window_ = memory;
  window_iova_ = iova;
}

void SimDevice::reset() {
  const std::lock_guard lock(wire_.mutex_);
  enabled_ = false;
  unmasked_ = false;
  rx_ = {};
  tx_ = {};
  stats_ = {};
  mac_ = {};
  promiscuous_ = all_multicast_ = vlan_filter_ = false;
  mtu_ = kStandardMtu;
  multicast_.clear();
}

void SimDevice::enable(Iova rx_ring, std::uint32_t rx_slots, Iova tx_ring, std::uint32_t tx_slots) {
  const std::lock_guard lock(wire_.mutex_);
  rx_ = {.base = rx_ring, .slots = rx_slots};
  tx_ = {.base = tx_ring, .slots = tx_slots};
  enabled_ = true;
}

void SimDevice::set_rx_tail(std::uint32_t slot) noexcept {
  const std::lock_guard lock(wire_.mutex_);
  if (!gone_) rx_.tail = slot;
}

void SimDevice::set_tx_tail(std::uint32_t slot) noexcept {
  const std::lock_guard lock(wire_.mutex_);
  if (gone_) return;
  tx_.tail = slot;
  transmit_locked();
}

void SimDevice::set_filter(const NicConfig& config) {
  const std::lock_guard lock(wire_.mutex_);
  mac_ = config.mac;
  promiscuous_ = config.promiscuous;
  all_multicast_ = config.all_multicast;
  multicast_.assign(config.multicast.begin(), config.multicast.end());
  vlan_filter_ = config.vlan_filter;
  vlans_.fill(0);
  std::copy_n(config.vlan_bitmap.begin(), std::min(vlans_.size(), config.vlan_bitmap.size()), vlans_.begin());
  mtu_ = config.mtu;
}

LinkState SimDevice::link() const noexcept {
  const std::lock_guard lock(wire_.mutex_);
  if (gone_) return {};
  if (!wire_.up_) return {.status = LinkState::Status::kDown};
  return {.status = LinkState::Status::kUp, .duplex = LinkState::Duplex::kFull, .speed_mbps = 1000};
}

NicStats SimDevice::stats() const noexcept {
  const std::lock_guard lock(wire_.mutex_);
  return stats_;
}

void SimDevice::unmask(bool fire_now) noexcept {
  const std::lock_guard lock(wire_.mutex_);
  if (gone_) return;
  unmasked_ = true;
  if (fire_now || link_event_) cause_locked();
}

void SimDevice::mask() noexcept {
  const std::lock_guard lock(wire_.mutex_);
  unmasked_ = false;
}

bool SimDevice::gone() const noexcept {
  const std::lock_guard lock(wire_.mutex_);
  return gone_;
}

void SimDevice::drop_next(unsigned count) noexcept {
  const std::lock_guard lock(wire_.mutex_);
  drop_ = count;
}

void SimDevice::damage_next(unsigned count) noexcept {
  const std::lock_guard lock(wire_.mutex_);
  damage_ = count;
}

void SimDevice::corrupt_next(unsigned count) noexcept {
  const std::lock_guard lock(wire_.mutex_);
  corrupt_ = count;
}

void SimDevice::hold_transmit(bool hold) noexcept {
  const std::lock_guard lock(wire_.mutex_);
  hold_transmit_ = hold;
  transmit_locked();
}

void SimDevice::set_gone(bool gone) noexcept {
  const std::lock_guard lock(wire_.mutex_);
  gone_ = gone;
}

void SimDevice::receive(std::span<const std::byte> frame) noexcept {
  const std::lock_guard lock(wire_.mutex_);
  receive_locked(frame);
}

std::uint64_t SimDevice::dma_faults() const noexcept {
  const std::lock_guard lock(wire_.mutex_);
  return dma_faults_;
}

std::byte* SimDevice::translate(Iova address, std::size_t length) noexcept {
  const std::uint64_t offset = address.value - iova_.value;
  if (address < iova_ || offset > memory_.size() || length > memory_.size() - offset) {
    ++dma_faults_;
    return nullptr;
  }
  return memory_.data() + offset;
}

const std::byte* SimDevice::translate_to_read(Iova address, std::size_t length) noexcept {
  const std::uint64_t offset = address.value - window_iova_.value;
  if (address < window_iova_ || offset > window_.size() || length > window_.size() - offset) {
    return translate(address, length);
  }
  return window_.data() + offset;
}

RingDescriptor* SimDevice::descriptor(const Ring& ring, std::uint32_t slot) noexcept {
  const Iova address = ring.base + Bytes{std::uint64_t{slot} * sizeof(RingDescriptor)};
  if (translate(address, sizeof(RingDescriptor)) == nullptr) return nullptr;
  return mapped_at<RingDescriptor>(memory_, address.value - iova_.value, 1);
}

bool SimDevice::wants(std::span<const std::byte> frame) const noexcept {
  constexpr std::uint16_t kTagType = 0x8100;
  constexpr std::uint16_t kVlanMask = 0x0fff;
  const bool tagged = be16(frame, 12) == kTagType && frame.size() >= kHeaderSize + kTagSize;
  const std::size_t longest = kHeaderSize + kTagSize + std::max<std::size_t>(mtu_, kStandardMtu);
  if (frame.size() > longest) return false;
  if (vlan_filter_ && tagged) {
    const unsigned id = be16(frame, 14) & kVlanMask;
    if ((vlans_[id / 8] >> (id % 8) & 1) == 0) return false;
  }
  MacAddress to;
  std::memcpy(to.data(), frame.data(), to.size());
  constexpr MacAddress kBroadcast{0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
  if (promiscuous_ || to == mac_ || to == kBroadcast) return true;
  if ((to[0] & 1) == 0) return false;
  return all_multicast_ || std::find(multicast_.begin(), multicast_.end(), to) != multicast_.end();
}

void SimDevice::receive_locked(std::span<const std::byte> frame) noexcept {
  if (gone_ || !enabled_ || !wire_.up_ || frame.size() < kHeaderSize || !wants(frame)) return;
  if (use_up(drop_)) return;
  const std::uint32_t pieces = static_cast<std::uint32_t>((frame.size() + kBufferSize - 1) / kBufferSize);
  if ((rx_.tail - rx_.head) % rx_.slots < pieces) {
    ++stats_.rx_missed;
    return;
  }
  const bool damaged = use_up(damage_);
  const bool corrupt = use_up(corrupt_);
  const bool checked = sim_checked(frame);
  for (std::size_t at = 0; at < frame.size(); at += kBufferSize) {
    const auto part = frame.subspan(at, std::min(kBufferSize, frame.size() - at));
    RingDescriptor* const slot = descriptor(rx_, rx_.head);
    if (slot == nullptr) return;
    std::byte* const data = translate(Iova{slot->address}, part.size());
    if (data == nullptr) return;
    std::memcpy(data, part.data(), part.size());
    std::uint64_t word = (corrupt ? kImpossibleLength : part.size()) | SimFormat::kRxDone;
    if (at + part.size() == frame.size()) {
      word |= SimFormat::kRxLast | (damaged ? SimFormat::kRxError : 0) | (checked ? SimFormat::kRxChecked : 0);
    }
    std::atomic_ref(slot->word).store(word, std::memory_order_release);
    rx_.head = (rx_.head + 1) % rx_.slots;
  }
  if (damaged) {
    ++stats_.rx_errors;
  } else {
    ++stats_.rx_frames;
    stats_.rx_octets += frame.size();
  }
  cause_locked();
}

void SimDevice::transmit_locked() noexcept {
  if (!enabled_ || gone_ || hold_transmit_) return;
  while (tx_.head != tx_.tail) {
    RingDescriptor* const slot = descriptor(tx_, tx_.head);
    if (slot == nullptr) return;
    const std::uint64_t word = slot->load();
    if ((word & SimFormat::kTxContext) != 0) {
      offload_ = std::bit_cast<TxOffload>(slot->address);
    } else {
      const std::size_t length = SimFormat::rx_length(word);
      const std::byte* const data = translate_to_read(Iova{slot->address}, length);
      if (data == nullptr) return;
      frame_.insert(frame_.end(), data, data + length);
    }
    if ((word & SimFormat::kTxLast) != 0) {
      sim_send(frame_, offload_, [this](std::span<const std::byte> frame) {
        ++stats_.tx_frames;
        stats_.tx_octets += frame.size();
        wire_.devices_[1 - end_].receive_locked(frame);
      });
      frame_.clear();
      offload_ = {};
    }
    if ((word & SimFormat::kTxReport) != 0) {
      std::atomic_ref(slot->word).store(word | SimFormat::kTxDone, std::memory_order_release);
    }
    tx_.head = (tx_.head + 1) % tx_.slots;
  }
}

void SimDevice::link_changed_locked() noexcept {
  link_event_ = true;
  cause_locked();
}

void SimDevice::cause_locked() noexcept {
  if (!unmasked_ || gone_) return;
  unmasked_ = false;
  link_event_ = false;
  const std::uint64_t one = 1;
  // Can't fail: the counter is far from full, and the descriptor is our own.
  static_cast<void>(!::write(interrupt_.get(), &one, sizeof(one)));
}

SimWire::SimWire() : devices_{{{*this, 0}, {*this, 1}}} {}

void SimWire::set_link(bool up) noexcept {
  const std::lock_guard lock(mutex_);
  if (up == up_) return;
  up_ = up;
  for (SimDevice& device : devices_) device.link_changed_locked();
}

}  // namespace udd
