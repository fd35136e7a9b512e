// SPDX-License-Identifier: Apache-2.0
// A hostile process's entries as the kernel's checks see them (kagent/desc_check.c, window.h, ring.h, headers.c,
// exchange.h): what passes is so, judged here again and in another way; what is dropped names nothing that isn't the
// process's.
#include <fuzzer/FuzzedDataProvider.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "kagent/desc_check.h"
#include "kagent/exchange.h"
#include "kagent/headers.h"
#include "kagent/ring.h"
#include "kagent/window.h"
#include "tests/fuzz/fuzz.h"

namespace {

using udd::fuzz::require;

constexpr std::uint32_t kBuffers = 64;
constexpr std::uint32_t kKernelFirst = 48;
constexpr std::uint32_t kSlots = 16;

class Krx {
 public:
  explicit Krx(FuzzedDataProvider& data) : data_(data) {
    for (std::uint32_t i = kKernelFirst; i < kBuffers; ++i) owner_[i] = KAGENT_OWNER_KERNEL;
    features_ = data.ConsumeIntegral<std::uint64_t>();
  }

  void run() {
    while (data_.remaining_bytes() != 0) {
      switch (data_.ConsumeIntegralInRange(0, 7)) {
        case 0:
          owner_[data_.ConsumeIntegralInRange(0u, kBuffers - 1)] =
              static_cast<std::uint8_t>(data_.ConsumeIntegralInRange<int>(KAGENT_OWNER_PROCESS, KAGENT_OWNER_STACK));
          break;
        case 1:
          done();
          break;
        case 2:
          slot();
          break;
        case 3:
          indices();
          break;
        default:
          add(descriptor());
      }
    }
    still_works();
  }

 private:
  [[nodiscard]] bool is_of_the_process(std::uint64_t address) const {
    const auto index = static_cast<std::uint32_t>(address);
    return index < kBuffers && owner_[index] == KAGENT_OWNER_PROCESS;
  }

  ndd_desc descriptor() {
    ndd_desc desc{};
    // nearly right, so that chains come together
    desc.addr = kagent_addr(data_.ConsumeIntegralInRange(0u, kBuffers), data_.ConsumeIntegralInRange(0u, 4095u));
    desc.len = data_.ConsumeIntegralInRange(0u, 4200u);
    desc.flags = data_.ConsumeIntegralInRange<std::uint16_t>(0, NDD_DESC_FLAGS);
    desc.gso_type = data_.ConsumeIntegral<std::uint8_t>();
    desc.gso_size = data_.ConsumeIntegral<std::uint16_t>();
    desc.hdr_len = data_.ConsumeIntegral<std::uint16_t>();
    desc.csum_start = data_.ConsumeIntegral<std::uint16_t>();
    desc.csum_offset = data_.ConsumeIntegral<std::uint16_t>();
    if (data_.ConsumeBool()) return desc;
    // and anything
    auto* const octets = reinterpret_cast<std::uint8_t*>(&desc);
    const auto at = data_.ConsumeIntegralInRange<std::size_t>(0, sizeof(desc) - 1);
    data_.ConsumeData(octets + at, sizeof(desc) - at);
    return desc;
  }

  void add(const ndd_desc& desc) {
    const kagent_pool_view view = {owner_.data(), kBuffers, features_};
    chain_.push_back(desc);
    const kagent_verdict verdict = kagent_frame_add(&frame_, &desc, &view);
    require(frame_.count <= NDD_PIECES_MAX + 1, "more pieces than there is room for");
    for (std::uint32_t i = 0; i < frame_.count; ++i) {
      // owners change amid a frame here, as they do not there: only the index is sure
      require(frame_.piece[i].index < kBuffers, "a piece of no buffer");
    }
    if (verdict == KAGENT_MORE) return;
    if (verdict == KAGENT_FRAME) judge();
    if (verdict == KAGENT_DROP) {
      require(frame_.reason < KAGENT_DROPS && kagent_drop_name(frame_.reason)[0] != '?', "dropped for no known reason");
    }
    if (verdict == KAGENT_DROP || verdict == KAGENT_SKIP) {
      require(
          std::ranges::any_of(chain_, [](const ndd_desc& d) { return (d.flags & NDD_DESC_LAST) != 0; }) || frame_.skip,
          "dropped before its end, and what follows is not skipped");
    }
    kagent_frame_reset(&frame_);
    chain_.clear();
  }

  /// Of a frame that passed: the rules of <linux/ndd.h>, one by one.
  void judge() const {
    std::uint64_t length = 0;
    require(frame_.count == chain_.size() && frame_.count <= NDD_PIECES_MAX, "a frame of other pieces");
    for (std::size_t i = 0; i < chain_.size(); ++i) {
      const ndd_desc& desc = chain_[i];
      const std::uint64_t offset = desc.addr >> NDD_ADDR_OFFSET_SHIFT;
      require((desc.flags & NDD_DESC_FIRST) != 0 ? i == 0 : i != 0, "FIRST is elsewhere");
      require(((desc.flags & NDD_DESC_LAST) != 0) == (i + 1 == chain_.size()), "LAST is elsewhere");
      require((desc.flags & ~unsigned{NDD_DESC_FLAGS}) == 0 && (desc.flags & NDD_DESC_WINDOW) == 0, "an unknown flag");
      require(desc.reserved0 == 0 && std::ranges::all_of(desc.reserved1, [](auto octet) { return octet == 0; }),
              "something in a reserved field");
      require(offset + desc.len <= NDD_BUF_SIZE && desc.len != 0, "a piece over its buffer's end, or an empty one");
      const kagent_piece& piece = frame_.piece[i];
      require(piece.index == static_cast<std::uint32_t>(desc.addr) && piece.offset == offset && piece.len == desc.len,
              "a piece that nobody named");
      length += desc.len;
    }
    require(is_of_the_process(chain_.back().addr), "its last buffer is not the process's");
    require(length == frame_.len && length >= NDD_FRAME_MIN && length <= NDD_FRAME_MAX, "a length that may not be");
    judge_offload(length);
  }

  void judge_offload(std::uint64_t length) const {
    const ndd_desc& first = chain_.front();
    constexpr unsigned kOffload = NDD_DESC_VLAN | NDD_DESC_NEEDS_CSUM | NDD_DESC_CSUM_VALID;
    for (std::size_t i = 1; i < chain_.size(); ++i) {
      require((chain_[i].flags & kOffload) == 0, "offload facts behind the first descriptor");
    }
    if ((first.flags & kOffload) != 0 || first.gso_type != 0) {
      require((features_ & NDD_F_OFFLOAD) != 0, "offload that was not agreed on");
    }
    if ((first.flags & NDD_DESC_NEEDS_CSUM) != 0) {
      require(std::uint64_t{first.csum_start} + first.csum_offset + 2 <= length, "a checksum behind the frame's end");
    }
    if (first.gso_type == 0) return;
    const unsigned type = first.gso_type & ~unsigned{NDD_GSO_ECN};
    require(type == NDD_GSO_TCPV4 || type == NDD_GSO_TCPV6, "segments of no kind");
    require(first.gso_size != 0 && first.hdr_len <= length, "segments of no size");
    require((length - first.hdr_len + first.gso_size - 1) / first.gso_size <= NDD_PIECES_MAX, "too many segments");
  }

  void done() {
    const kagent_pool_view view = {owner_.data(), kBuffers, features_};
    const auto entry = data_.ConsumeBool() ? data_.ConsumeIntegralInRange<std::uint64_t>(0, kBuffers)
                                           : data_.ConsumeIntegral<std::uint64_t>();
    std::uint32_t index = ~0u;
    if (!kagent_done_check(entry, &view, kKernelFirst, kBuffers - kKernelFirst, &index)) return;
    require(index >= kKernelFirst && index < kBuffers && owner_[index] == KAGENT_OWNER_KTX,
            "a buffer came back that was not in flight");
  }

  void slot() {
    std::array<std::uint32_t, kSlots> octets{};
    for (std::uint32_t& each : octets) each = data_.ConsumeBool() ? 1 : 0;
    const std::uint64_t iova = KAGENT_WINDOW_IOVA + data_.ConsumeIntegralInRange(0u, 100u) * NDD_WINDOW_SLOT;
    const std::uint64_t entry = data_.ConsumeBool()
                                    ? iova + data_.ConsumeIntegralInRange<std::uint64_t>(0, kSlots * NDD_WINDOW_SLOT)
                                    : data_.ConsumeIntegral<std::uint64_t>();
    std::uint32_t slot = ~0u;
    if (!kagent_slot_check(entry | NDD_DONE_WINDOW, iova, octets.data(), kSlots, &slot)) return;
    require(slot < kSlots && octets[slot] != 0, "a slot came back that was not in flight");
    const std::uint64_t begin = kagent_slot_iova(iova, slot);
    const std::uint64_t at = entry & ~std::uint64_t{NDD_DONE_WINDOW};
    require(at >= begin && at < begin + NDD_WINDOW_SLOT, "an entry was taken for another slot");
  }

  void indices() {
    const auto size = data_.ConsumeIntegral<std::uint32_t>();
    const auto producer = data_.ConsumeIntegral<std::uint32_t>();
    const auto consumer = data_.ConsumeIntegral<std::uint32_t>();
    if (!kagent_ring_size_ok(size) || !kagent_ring_sane(producer, consumer, size)) return;
    require(kagent_ring_used(producer, consumer) + kagent_ring_free(producer, consumer, size) == size,
            "a ring that is more or less than full");
    require(kagent_ring_slot(producer, size) < size, "a slot behind the ring's end");
  }

  /// Whatever came before: once a chain has ended, a good frame is one.
  void still_works() {
    owner_[0] = KAGENT_OWNER_PROCESS;
    const kagent_pool_view view = {owner_.data(), kBuffers, features_};
    ndd_desc desc{};
    desc.len = NDD_FRAME_MIN;
    desc.flags = NDD_DESC_LAST;
    kagent_frame_add(&frame_, &desc, &view);
    kagent_frame_reset(&frame_);
    desc.flags = NDD_DESC_FIRST | NDD_DESC_LAST;
    require(kagent_frame_add(&frame_, &desc, &view) == KAGENT_FRAME, "a good frame is dropped");
  }

  FuzzedDataProvider& data_;
  std::array<std::uint8_t, kBuffers> owner_{};
  std::uint64_t features_;
  kagent_frame frame_{};
  std::vector<ndd_desc> chain_;
};

void headers(FuzzedDataProvider& data) {
  const std::vector<std::uint8_t> head = data.ConsumeBytes<std::uint8_t>(KAGENT_HEAD);
  // of exactly that size: what is read behind it is a finding
  const kagent_headers found = kagent_find_headers(head.data(), static_cast<std::uint32_t>(head.size()));
  require(found.len <= head.size(), "headers behind what was looked at");
  require((found.kind == KAGENT_KIND_OTHER) == (found.len == 0), "headers of no kind, or a kind without");
}

void exchange(FuzzedDataProvider& data) {
  constexpr std::uint32_t kStock = 8;
  constexpr std::uint32_t kAll = 32;  // of them the last are in stock
  std::array<std::uint32_t, 2 * kStock> memory{};
  std::array<bool, kAll> with_process{};
  std::fill_n(with_process.begin(), kAll - kStock, true);
  kagent_exchange ex{};
  kagent_exchange_init(&ex, memory.data(), kAll - kStock, kStock);
  while (data.remaining_bytes() != 0) {
    const auto kept = data.ConsumeIntegralInRange(0u, kAll - 1);
    if (data.ConsumeBool() && ex.stocked != 0 && with_process[kept]) {
      with_process[kept] = false;
      const std::uint32_t given = kagent_exchange_swap(&ex, kept);
      require(given < kAll && !with_process[given], "a buffer was given that the process has");
      with_process[given] = true;
    } else {
      const auto done = [](void* context, std::uint32_t) {
        return static_cast<FuzzedDataProvider*>(context)->ConsumeBool();
      };
      kagent_exchange_look(&ex, data.ConsumeIntegralInRange(0u, 2 * kStock), data.ConsumeIntegralInRange(0u, 20u), done,
                           &data);
    }
    require(ex.stocked + ex.away == kStock, "the stock grew or shrank");
    require(std::ranges::count(with_process, true) == kAll - kStock, "the process has more or less than it had");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* octets, std::size_t size) {
  FuzzedDataProvider data(octets, size);
  switch (data.ConsumeIntegralInRange(0, 5)) {
    case 0:
      headers(data);
      break;
    case 1:
      exchange(data);
      break;
    default:
      Krx(data).run();
  }
  return 0;
}
