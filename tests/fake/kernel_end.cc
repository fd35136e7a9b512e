// SPDX-License-Identifier: Apache-2.0
// KernelEnd: lays the ctrl area out as kagent does, and plays NAPI on demand.
#include "tests/fake/kernel_end.h"

#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

#include "udd/base/error.h"
#include "udd/base/units.h"
#include "udd/mem/frame.h"
#include "udd/ring/ring_memory.h"
#include "udd/tunnel/ctrl.h"

namespace udd::fake {
namespace {

std::span<std::byte> anonymous(std::size_t size) {
  size = (size + kPageSize - 1) / kPageSize * kPageSize;
  void* const address = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (address == MAP_FAILED) throw std::system_error(errno, std::generic_category(), "mmap");
  return {static_cast<std::byte*>(address), size};
}

/// Hands out parts of the ctrl area, each on cache lines of its own.
class Layout {
 public:
  std::uint32_t place(std::size_t size) {
    const std::size_t at = next_;
    next_ += (size + kCacheLineSize - 1) / kCacheLineSize * kCacheLineSize;
    return static_cast<std::uint32_t>(at);
  }
  [[nodiscard]] std::size_t size() const noexcept { return next_; }

 private:
  std::size_t next_ = 0;
};

template <typename T>
T* at(std::span<std::byte> area, std::uint32_t offset) {
  return static_cast<T*>(static_cast<void*>(area.data() + offset));
}

std::uint32_t index_of(std::uint64_t address) { return static_cast<std::uint32_t>(address & NDD_ADDR_INDEX_MASK); }
std::uint32_t offset_of(std::uint64_t address) {
  return static_cast<std::uint32_t>(address >> NDD_ADDR_OFFSET_SHIFT & NDD_ADDR_OFFSET_MASK);
}

}  // namespace

class KernelEnd::End final : public Tunnel {
 public:
  explicit End(KernelEnd& kernel) : kernel_(kernel) {}
  ~End() override { kernel_.closed_ = true; }
  [[nodiscard]] const Areas& areas() const noexcept override { return kernel_.areas_; }
  [[nodiscard]] int event_fd() const noexcept override { return kernel_.event_.get(); }
  void start() override {
    if (kernel_.options_.fail_start) {
      throw Error(ETIMEDOUT, {.what = "start to serve the tunnel", .device = port(), .why = {}, .advice = {}});
    }
    kernel_.set_mode(NDD_MODE_TUNNEL, NDD_REASON_STARTED);
    kernel_.started_ = true;
  }
  void kick(unsigned) noexcept override { ++kernel_.kicks_; }
  void set_link(const LinkState& link) noexcept override {
    const std::lock_guard lock(kernel_.link_mutex_);
    kernel_.link_ = link;
    ++kernel_.links_told_;
  }
  void give_back() noexcept override { kernel_.given_back_ = true; }
  [[nodiscard]] std::uint32_t last_reason() noexcept override { return NDD_REASON_WATCHDOG; }
  void abandon() noexcept override {}
  [[nodiscard]] const std::string& port() const noexcept override { return kernel_.port_; }
  [[nodiscard]] const std::string& netdev() const noexcept override { return kernel_.netdev_; }

 private:
  KernelEnd& kernel_;
};

KernelEnd::KernelEnd(const Options& options)
    : options_(options), event_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)), with_process_(options.buffers) {
  Layout layout;
  layout.place(sizeof(ndd_ctrl));
  ndd_ctrl ctrl{.magic = NDD_CTRL_MAGIC,
                .queues = 1,
                .features = options.features | (options.exchange_buffers != 0 ? NDD_F_EXCHANGE : 0),
                .health = layout.place(sizeof(ndd_health)),
                .config = layout.place(sizeof(ndd_config)),
                .stats = layout.place(sizeof(ndd_stats)),
                .rings = layout.place(NDD_RINGS * sizeof(ndd_ring_layout)),
                .buf_count = options.buffers,
                .kernel_bufs = options.kernel_buffers,
                .nic_pages = options.nic_pages,
                .state_pages = static_cast<std::uint32_t>((options.state_size + kPageSize - 1) / kPageSize),
                .pool_iova = kPoolIova,
                .window_iova = options.window_slots == 0 ? 0 : kWindowIova,
                .window_size = std::uint64_t{options.window_slots} * NDD_WINDOW_SLOT,
                .exchange_bufs = options.exchange_buffers,
                .reserved = 0};
  std::array<ndd_ring_layout, NDD_RINGS> rings{};
  for (unsigned i = 0; i < NDD_RINGS; ++i) {
    const bool descriptors = i == NDD_RING_KTX || i == NDD_RING_KRX;
    ndd_ring_layout& ring = rings[i];
    ring.size = options.ring_size;
    ring.entry_size = descriptors ? sizeof(ndd_desc) : sizeof(std::uint64_t);
    ring.producer = layout.place(sizeof(std::uint32_t));
    ring.consumer = layout.place(2 * sizeof(std::uint32_t));
    ring.entries = layout.place(std::size_t{ring.size} * ring.entry_size);
  }
  areas_.ctrl = anonymous(layout.size());
  areas_.state = anonymous(options.state_size + 1);
  areas_.pool =
      anonymous(std::size_t{options.nic_pages} * kPageSize + std::size_t{options.buffers} * std::size_t{kBufferSize});
  *at<ndd_ctrl>(areas_.ctrl, 0) = ctrl;
  std::memcpy(areas_.ctrl.data() + ctrl.rings, rings.data(), sizeof(rings));

  const auto memory = [&](ndd_ring_id id) { return ring_memory(areas_.ctrl, rings[id], rings[id].entry_size); };
  ktx_.emplace(memory(NDD_RING_KTX));
  ktx_index_ = memory(NDD_RING_KTX).producer;
  ktx_done_.emplace(memory(NDD_RING_KTX_DONE));
  krx_.emplace(memory(NDD_RING_KRX));
  krx_free_.emplace(memory(NDD_RING_KRX_FREE));
  const std::uint32_t first_kernel = options.buffers - options.kernel_buffers;
  for (std::uint32_t i = first_kernel; i < options.buffers; ++i) free_.push_back(i);
  const std::uint32_t first_exchange = first_kernel - options.exchange_buffers;
  for (std::uint32_t i = first_exchange; i < first_kernel; ++i) stock_.push_back(i);
  std::fill_n(with_process_.begin(), first_exchange, true);
  window_.resize(std::size_t{options.window_slots} * NDD_WINDOW_SLOT);
  for (std::uint32_t i = 0; i < options.window_slots; ++i) free_slots_.push_back(i);
  set_mode(NDD_MODE_TAKING, NDD_REASON_TAKEN);
  configure([&](ndd_config& config) {
    config.flags = NDD_CONFIG_UP;
    config.mtu = options.mtu;
    std::memcpy(config.mac, options.mac.data(), options.mac.size());
  });
}

KernelEnd::~KernelEnd() {
  for (const std::span<std::byte> area : {areas_.ctrl, areas_.state, areas_.pool}) munmap(area.data(), area.size());
}

std::unique_ptr<Tunnel> KernelEnd::tunnel() { return std::make_unique<End>(*this); }

std::byte* KernelEnd::buffer(std::uint32_t index) const noexcept {
  return areas_.pool.data() + std::size_t{options_.nic_pages} * kPageSize + std::size_t{index} * kBufferSize;
}

void KernelEnd::signal() {
  ++signals_;
  constexpr std::uint64_t kOne = 1;
  static_cast<void>(::write(event_.get(), &kOne, sizeof(kOne)) == sizeof(kOne));
}

bool KernelEnd::send(std::span<const std::byte> frame, const ndd_desc& facts, std::size_t window_from,
                     std::size_t run) {
  const std::lock_guard lock(mutex_);
  const std::size_t buffers = (window_from + kBufferSize - 1) / kBufferSize;
  const std::size_t slots = (frame.size() - window_from + run - 1) / run;
  const auto pieces = static_cast<std::uint32_t>(buffers + slots);
  if (free_.size() < buffers || free_slots_.size() < slots || ktx_->reserve(pieces) < pieces) return false;
  ndd_desc desc = facts;
  desc.flags |= NDD_DESC_FIRST;
  std::size_t from = 0;
  for (std::uint32_t i = 0; i < pieces; ++i) {
    const bool window = from >= window_from;
    const auto part = window ? frame.subspan(from, std::min(run, frame.size() - from))
                             : frame.subspan(from, std::min(kBufferSize, window_from - from));
    if (window) {
      const std::size_t at = std::size_t{free_slots_.back()} * NDD_WINDOW_SLOT + kWindowOffset;
      free_slots_.pop_back();
      std::copy(part.begin(), part.end(), window_.begin() + static_cast<std::ptrdiff_t>(at));
      desc.addr = kWindowIova + at;
      desc.flags |= NDD_DESC_WINDOW;
    } else {
      desc.addr = free_.back();
      free_.pop_back();
      with_process_[desc.addr] = true;
      std::memcpy(buffer(static_cast<std::uint32_t>(desc.addr)), part.data(), part.size());
    }
    desc.len = static_cast<std::uint32_t>(part.size());
    if (i + 1 == pieces) desc.flags |= NDD_DESC_LAST;
    ktx_->write(i, desc);
    from += part.size();
    desc = {};
  }
  ktx_->submit(pieces);
  if (ktx_->must_wake()) signal();
  return true;
}

void KernelEnd::send_raw(std::span<const ndd_desc> descriptors) {
  const std::lock_guard lock(mutex_);
  const auto count = static_cast<std::uint32_t>(descriptors.size());
  if (ktx_->reserve(count) < count) return violation();
  for (std::uint32_t i = 0; i < count; ++i) {
    ktx_->write(i, descriptors[i]);
    const std::uint32_t index = index_of(descriptors[i].addr);
    const auto found = std::find(free_.begin(), free_.end(), index);
    if (found == free_.end()) continue;
    free_.erase(found);
    with_process_[index] = true;
  }
  ktx_->submit(count);
  if (ktx_->must_wake()) signal();
}

std::optional<std::vector<std::byte>> KernelEnd::receive() {
  const std::lock_guard lock(mutex_);
  std::vector<std::byte> frame;
  std::uint32_t used = 0;
  std::vector<std::uint32_t> exchange;
  const std::uint32_t available = krx_->peek(krx_->size());
  bool complete = false;
  while (used < available && !complete) {
    const ndd_desc desc = krx_->read(used);
    const std::uint32_t index = index_of(desc.addr);
    const std::uint32_t offset = offset_of(desc.addr);
    const bool own = index < options_.buffers - options_.kernel_buffers && with_process_[index];
    if (!own || desc.len == 0 || desc.len > kBufferSize - offset ||
        ((desc.flags & NDD_DESC_FIRST) != 0) != (used == 0)) {
      violation();
      return std::nullopt;
    }
    const std::uint16_t allowed = used == 0 && (options_.features & NDD_F_OFFLOAD) != 0
                                      ? NDD_DESC_CSUM_VALID | NDD_DESC_NEEDS_CSUM
                                      : std::uint16_t{0};
    if ((desc.flags & ~(NDD_DESC_FIRST | NDD_DESC_LAST | allowed)) != 0) violation();
    if (used == 0) received_ = desc;
    frame.insert(frame.end(), buffer(index) + offset, buffer(index) + offset + desc.len);
    with_process_[index] = false;
    exchange.push_back(index);
    complete = (desc.flags & NDD_DESC_LAST) != 0;
    ++used;
  }
  if (used == 0) return std::nullopt;
  if (!complete) violation();  // whole frames only are published
  krx_->release(used);
  kept_.insert(kept_.end(), exchange.begin(), exchange.end());
  if (!keep_) {
    const std::uint32_t back = krx_free_->reserve(static_cast<std::uint32_t>(kept_.size()));
    for (std::uint32_t i = 0; i < back; ++i) {
      // The one that was received waits in the stock for its turn.
      stock_.push_back(kept_[i]);
      krx_free_->write(i, stock_.front());
      with_process_[stock_.front()] = true;
      stock_.pop_front();
    }
    kept_.erase(kept_.begin(), kept_.begin() + back);
    krx_free_->submit(back);
    if (krx_free_->must_wake()) signal();
  }
  return frame;
}

bool KernelEnd::reap_one(std::uint64_t entry) {
  if ((entry & NDD_DONE_WINDOW) != 0) {
    const std::uint64_t slot = ((entry ^ NDD_DONE_WINDOW) - kWindowIova) / NDD_WINDOW_SLOT;
    const bool free = std::find(free_slots_.begin(), free_slots_.end(), slot) != free_slots_.end();
    if (slot >= options_.window_slots || free) return false;
    free_slots_.push_back(static_cast<std::uint32_t>(slot));
    return true;
  }
  const std::uint32_t index = index_of(entry);
  if (index < options_.buffers - options_.kernel_buffers || index >= options_.buffers || !with_process_[index]) {
    return false;
  }
  with_process_[index] = false;
  free_.push_back(index);
  return true;
}

std::size_t KernelEnd::reap() {
  const std::lock_guard lock(mutex_);
  const std::uint32_t count = ktx_done_->peek(ktx_done_->size());
  for (std::uint32_t i = 0; i < count; ++i) {
    if (!reap_one(ktx_done_->read(i))) violation();
  }
  ktx_done_->release(count);
  return count;
}

std::size_t KernelEnd::stock() {
  const std::lock_guard lock(mutex_);
  return stock_.size();
}

std::size_t KernelEnd::process_buffers() {
  const std::lock_guard lock(mutex_);
  const auto end = with_process_.end() - static_cast<std::ptrdiff_t>(options_.kernel_buffers);
  const auto given = static_cast<std::size_t>(std::count(with_process_.begin(), end, true));
  const std::size_t on_its_way = krx_free_->size() - krx_free_->reserve(krx_free_->size());
  return given - on_its_way;
}

std::size_t KernelEnd::free_slots() {
  const std::lock_guard lock(mutex_);
  return free_slots_.size();
}

std::size_t KernelEnd::free_buffers() {
  const std::lock_guard lock(mutex_);
  return free_.size();
}

void KernelEnd::sleep() {
  const std::lock_guard lock(mutex_);
  static_cast<void>(krx_->arm());
  static_cast<void>(ktx_done_->arm());
}

void KernelEnd::configure(const std::function<void(ndd_config&)>& change) {
  const std::lock_guard lock(mutex_);
  auto* const config = at<ndd_config>(areas_.ctrl, at<ndd_ctrl>(areas_.ctrl, 0)->config);
  constexpr std::size_t kWords = sizeof(ndd_config) / sizeof(std::uint32_t);
  auto* const words = static_cast<std::uint32_t*>(static_cast<void*>(config));
  ndd_config copy = *config;  // only this side writes
  change(copy);
  std::array<std::uint32_t, kWords> from;
  std::memcpy(from.data(), &copy, sizeof(copy));
  const std::uint32_t seq = config->seq;
  std::atomic_ref(config->seq).store(seq + 1, std::memory_order_seq_cst);
  for (std::size_t i = 1; i < kWords; ++i) std::atomic_ref(words[i]).store(from[i], std::memory_order_release);
  std::atomic_ref(config->seq).store(seq + 2, std::memory_order_release);
  signal();
}

void KernelEnd::warn() {
  auto& health = *at<ndd_health>(areas_.ctrl, at<ndd_ctrl>(areas_.ctrl, 0)->health);
  store_shared(health.warned, load_shared(health.warned) + 1);
  signal();
}

void KernelEnd::set_waiting(std::uint32_t count) {
  const std::lock_guard lock(mutex_);
  auto* const health = at<ndd_health>(areas_.ctrl, at<ndd_ctrl>(areas_.ctrl, 0)->health);
  std::atomic_ref(health->waiting).store(count, std::memory_order_release);
}

void KernelEnd::set_mode(ndd_mode mode, ndd_reason reason) {
  auto& health = *at<ndd_health>(areas_.ctrl, at<ndd_ctrl>(areas_.ctrl, 0)->health);
  store_shared(health.reason, reason);
  std::atomic_ref(health.mode).store(mode, std::memory_order_release);
  signal();
}

void KernelEnd::corrupt_ktx() {
  const std::lock_guard lock(mutex_);
  std::atomic_ref(*ktx_index_).fetch_add(2 * options_.ring_size);
}

LinkState KernelEnd::link() const {
  const std::lock_guard lock(link_mutex_);
  return link_;
}

unsigned KernelEnd::links_told() const {
  const std::lock_guard lock(link_mutex_);
  return links_told_;
}

ndd_health KernelEnd::health() const {
  auto& health = *at<ndd_health>(areas_.ctrl, at<ndd_ctrl>(areas_.ctrl, 0)->health);
  ndd_health copy{};
  copy.progress = load_shared(health.progress);
  copy.service_state = load_shared(health.service_state);
  copy.app_progress = load_shared(health.app_progress);
  copy.app_state = load_shared(health.app_state);
  copy.config_applied = load_shared(health.config_applied);
  copy.mode = load_shared(health.mode);
  copy.reason = load_shared(health.reason);
  copy.warned = load_shared(health.warned);
  return copy;
}

ndd_stats KernelEnd::stats() const {
  const auto* const from = at<std::uint64_t>(areas_.ctrl, at<ndd_ctrl>(areas_.ctrl, 0)->stats);
  std::array<std::uint64_t, sizeof(ndd_stats) / sizeof(std::uint64_t)> words;
  for (std::size_t i = 0; i < words.size(); ++i) {
    words[i] = std::atomic_ref(const_cast<std::uint64_t&>(from[i])).load(std::memory_order_relaxed);
  }
  ndd_stats stats;
  std::memcpy(&stats, words.data(), sizeof(stats));
  return stats;
}

}  // namespace udd::fake
