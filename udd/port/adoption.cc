// SPDX-License-Identifier: Apache-2.0
// adopt_buffers(): by elimination.
#include "udd/port/adoption.h"

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "udd/base/error.h"

namespace udd {
namespace {

[[noreturn]] void throw_impossible(const std::string& why) {
  throw Error(EPROTO,
              {.what = "go on from the port's buffers", .device = {}, .why = why, .advice = "take the port afresh"});
}

/// Which of the process's buffers have been met, each once.
class Roll {
 public:
  explicit Roll(const Pool& pool) : met_(pool.first_kernel_buffer()) {}
  void meet(BufferIndex buffer) {
    if (buffer >= met_.size()) throw_impossible("there is no buffer " + std::to_string(buffer));
    if (met_[buffer]) throw_impossible("buffer " + std::to_string(buffer) + " is in two places");
    met_[buffer] = true;
  }
  [[nodiscard]] const std::vector<bool>& met() const noexcept { return met_; }

 private:
  std::vector<bool> met_;
};

void meet_waiting_frames(const TunnelState& state, Roll& roll) {
  if (state.held_count > TunnelState::kHeldMax || state.partial_count > state.partial.size() ||
      state.parked_tail - state.parked_head > TunnelState::kParkedMax) {
    throw_impossible("more frames wait than there is room for");
  }
  for (std::uint32_t i = state.parked_head; i != state.parked_tail; ++i) {
    roll.meet(state.parked[i % TunnelState::kParkedMax].buffer);
  }
  for (std::uint32_t i = 0; i < state.held_count; ++i) roll.meet(state.held[i].buffer);
  for (std::uint32_t i = 0; i < state.partial_count; ++i) roll.meet(state.partial[i].buffer);
}

}  // namespace

std::size_t adopt_buffers(Pool& pool, TunnelState& state, TunnelQueue& tunnel, std::span<const BufferIndex> receiving,
                          std::span<const BufferIndex> sending) {
  const BufferIndex first_kernel_buffer = pool.first_kernel_buffer();
  std::vector<BufferIndex> kernels;
  std::copy_if(sending.begin(), sending.end(), std::back_inserter(kernels),
               [=](BufferIndex token) { return token >= first_kernel_buffer && token != kNoBuffer; });
  tunnel.adopt(std::move(kernels));

  if (state.left_behind == 0) {
    state.parked_head = state.parked_tail;
    state.held_count = 0;
    state.partial_count = 0;
  }
  state.left_behind = 0;

  Roll roll(pool);
  for (const BufferIndex buffer : receiving) roll.meet(buffer);
  for (const BufferIndex token : sending) {
    if (token < first_kernel_buffer) roll.meet(token);
  }
  for (BufferIndex buffer = 0; buffer < first_kernel_buffer; ++buffer) {
    if (tunnel.with_kernel(buffer)) roll.meet(buffer);
  }
  meet_waiting_frames(state, roll);
  pool.rebuild(roll.met());
  return static_cast<std::size_t>(
      std::count_if(sending.begin(), sending.end(), [=](BufferIndex token) { return token >= first_kernel_buffer; }));
}

}  // namespace udd
