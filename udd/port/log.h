// SPDX-License-Identifier: Apache-2.0
// The library's only way to say something: the application's log callback. Never on the data path.
#pragma once

#include <functional>
#include <string_view>
#include <utility>

#include "udd/port.h"

namespace udd {

/// Thread-safe as far as the callback is.
class Log {
 public:
  explicit Log(std::function<void(const LogRecord&)> sink) : sink_(std::move(sink)) {}

  /// @param id  stable over releases, "config-refused"
  void write(LogLevel level, std::string_view id, std::string_view text) const noexcept {
    if (!sink_) return;
    try {
      sink_({.level = level, .id = id, .text = text});
    } catch (...) {  // what an application's callback throws must not end a service thread
    }
  }

 private:
  std::function<void(const LogRecord&)> sink_;
};

}  // namespace udd
