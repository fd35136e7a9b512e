// SPDX-License-Identifier: Apache-2.0
// udd::Port and udd::Queue: nothing but the way in.
#include "udd/port.h"

#include <utility>

#include "udd/port/port_impl.h"
#include "udd/port/queue_engine.h"
#include "udd/port/take.h"

namespace udd {
namespace {

/// A second thread inside the queue, in a debug build: told in the log, and the call does nothing.
class OneThread {
 public:
  explicit OneThread(QueueEngine& engine) noexcept : engine_(engine), alone_(engine.thread_check().begin()) {
    if (!alone_) engine.tell_misuse();
  }
  OneThread(const OneThread&) = delete;
  OneThread& operator=(const OneThread&) = delete;
  ~OneThread() {
    if (alone_) engine_.thread_check().end();
  }
  explicit operator bool() const noexcept { return alone_; }

 private:
  QueueEngine& engine_;
  const bool alone_;
};

}  // namespace

std::size_t Queue::rx(std::span<Frame> out) noexcept {
  const OneThread alone(*engine_);
  return alone ? engine_->rx(out) : 0;
}

bool Queue::poll() noexcept {
  const OneThread alone(*engine_);
  return alone && engine_->poll();
}

std::size_t Queue::alloc(std::span<Frame> out) noexcept {
  const OneThread alone(*engine_);
  return alone ? engine_->alloc(out) : 0;
}

std::size_t Queue::tx(std::span<const Frame> frames) noexcept {
  const OneThread alone(*engine_);
  return alone ? engine_->tx(frames) : 0;
}

void Queue::release(std::span<const Frame> frames) noexcept {
  if (const OneThread alone(*engine_); alone) engine_->release(frames);
}

void Queue::flush() noexcept {
  if (const OneThread alone(*engine_); alone) engine_->flush();
}

bool Queue::wait(std::chrono::nanoseconds timeout) noexcept {
  const OneThread alone(*engine_);
  return alone && engine_->wait(timeout);
}

Port Port::take(std::string_view name, PortOptions options) { return Port(take_port(name, std::move(options))); }

Port::Port(std::unique_ptr<PortImpl> impl) noexcept : impl_(std::move(impl)) {}
Port::Port(Port&&) noexcept = default;

Port& Port::operator=(Port&& other) noexcept {
  if (this != &other) {
    Port old(std::move(impl_));  // given back by its destructor
    impl_ = std::move(other.impl_);
  }
  return *this;
}

Port::~Port() {
  // In a forked child the port is the parent's: nothing of it may be undone here.
  if (impl_ && impl_->abandoned()) static_cast<void>(impl_.release());
}

void Port::give_back() noexcept { impl_->give_back(); }
PortState Port::state() const noexcept { return impl_->state(); }
std::string Port::lost_reason() const { return impl_->lost_reason(); }
Queue& Port::queue(unsigned index) { return impl_->queue(index); }
const std::string& Port::name() const noexcept { return impl_->name(); }
const std::string& Port::netdev() const noexcept { return impl_->netdev(); }
MacAddress Port::mac() const noexcept { return impl_->facts().mac; }
std::uint32_t Port::mtu() const noexcept { return impl_->facts().mtu; }
LinkState Port::link() const noexcept { return impl_->facts().link; }
std::optional<PortEvent> Port::next_event() noexcept { return impl_->next_event(); }
void Port::join(const MacAddress& group) { impl_->join(group); }
void Port::leave(const MacAddress& group) { impl_->leave(group); }
PortStats Port::stats() const noexcept { return impl_->stats(); }
GapHistogram Port::gaps() const noexcept { return impl_->gaps(); }

}  // namespace udd
