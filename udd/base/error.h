// SPDX-License-Identifier: Apache-2.0
// The one exception type of the library, thrown by set-up calls only; the data path is noexcept.
#pragma once

#include <string>
#include <system_error>

namespace udd {

/// What a person needs to know when a set-up step failed.
struct ErrorInfo {
  std::string what;    ///< what was tried, e.g. "map BAR 0"
  std::string device;  ///< on which device or file, e.g. "0000:00:03.0"; may be empty
  std::string why;     ///< reason beyond the errno, e.g. "it is smaller than a page"; may be empty
  std::string advice;  ///< what to do about it; may be empty
};

/// A failed set-up step. code() is the errno; what() is one sentence of all four parts.
class Error : public std::system_error {
 public:
  /// @param error_number  errno, read by the caller before anything else: building `info` may change it.
  Error(int error_number, ErrorInfo info);

  [[nodiscard]] const ErrorInfo& info() const noexcept { return info_; }
  [[nodiscard]] int error_number() const noexcept { return code().value(); }
  /// "map BAR 0 (0000:00:03.0): reason [Permission denied]; advice".
  [[nodiscard]] const char* what() const noexcept override { return text_.c_str(); }

 private:
  ErrorInfo info_;
  std::string text_;
};

}  // namespace udd
