// SPDX-License-Identifier: Apache-2.0
// udd::Standby: the wait, and the step from it to a port.
#include "udd/standby.h"

#include <cerrno>
#include <utility>

#include "udd/base/error.h"
#include "udd/port/port_access.h"
#include "udd/port/take.h"

namespace udd {

class StandbyImpl {
 public:
  explicit StandbyImpl(Waiting waiting) noexcept : waiting_(std::move(waiting)) {}
  [[nodiscard]] const PortImpl& port() const noexcept { return *waiting_.port; }

  [[nodiscard]] std::optional<Port> wait(std::chrono::milliseconds timeout) {
    switch (waiting_.tunnel->wait(timeout)) {
      case Succession::kWaiting:
        return std::nullopt;
      case Succession::kOver:
        throw Error(ECANCELED, {.what = "go on with the port",
                                .device = waiting_.port->name(),
                                .why = "the hold has ended before anybody could",
                                .advice = "take the port afresh once it is in direct mode"});
      case Succession::kOurs:
        break;
    }
    waiting_.port->go_on();
    return PortAccess::make(std::move(waiting_.port));
  }

 private:
  Waiting waiting_;
};

Standby Standby::join(std::string_view name, PortOptions options, Wish wish) {
  return Standby(std::make_unique<StandbyImpl>(stand_by(name, std::move(options), {.now = wish == Wish::kNow})));
}

Standby::Standby(std::unique_ptr<StandbyImpl> impl) noexcept : impl_(std::move(impl)) {}
Standby::Standby(Standby&&) noexcept = default;
Standby& Standby::operator=(Standby&&) noexcept = default;
Standby::~Standby() = default;

std::optional<Port> Standby::wait(std::chrono::milliseconds timeout) { return impl_->wait(timeout); }
const std::string& Standby::name() const noexcept { return impl_->port().name(); }
const std::string& Standby::netdev() const noexcept { return impl_->port().netdev(); }

}  // namespace udd
