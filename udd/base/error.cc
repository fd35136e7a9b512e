// SPDX-License-Identifier: Apache-2.0
// udd::Error: builds the sentence once, when thrown.
#include "udd/base/error.h"

#include <utility>

namespace udd {
namespace {

std::string sentence(int error_number, const ErrorInfo& info) {
  std::string text = info.what;
  if (!info.device.empty()) text += " (" + info.device + ")";
  text += ": ";
  if (info.why.empty()) {
    text += std::generic_category().message(error_number);
  } else {
    text += info.why + " [" + std::generic_category().message(error_number) + "]";
  }
  if (!info.advice.empty()) text += "; " + info.advice;
  return text;
}

}  // namespace

Error::Error(int error_number, ErrorInfo info)
    : std::system_error(error_number, std::generic_category()),
      info_(std::move(info)),
      text_(sentence(error_number, info_)) {}

}  // namespace udd
