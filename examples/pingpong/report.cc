// SPDX-License-Identifier: Apache-2.0
#include "examples/pingpong/report.h"

#include <fmt/core.h>

namespace pingpong {
namespace {

double per_second(const Result& result) {
  const double seconds = std::chrono::duration<double>(result.time).count();
  return seconds > 0 ? static_cast<double>(result.received) / seconds : 0;
}

double microseconds(std::uint64_t ns) { return static_cast<double>(ns) / 1000; }

}  // namespace

const char* path_name(const Options& options) {
  if (!options.udp.empty()) return "udp";
  if (!options.raw.empty()) return "raw";
  return options.port_options.backup_after ? "udd" : "udd_alone";
}

std::string to_text(const Result& result) {
  std::string text = fmt::format("{} pairs in {:.3f} s, {:.0f} pairs/s; lost {}, out of order {}, damaged {}",
                                 result.received, std::chrono::duration<double>(result.time).count(),
                                 per_second(result), result.lost, result.out_of_order, result.damaged);
  if (result.latency_ns.count() > 0) {
    const Histogram& h = result.latency_ns;
    text += fmt::format("\nlatency us: p50 {:.1f}, p90 {:.1f}, p99 {:.1f}, p99.9 {:.1f}, max {:.1f}",
                        microseconds(h.percentile(0.5)), microseconds(h.percentile(0.9)),
                        microseconds(h.percentile(0.99)), microseconds(h.percentile(0.999)), microseconds(h.max()));
  }
  return text;
}

std::string to_json(const Result& result, const Options& options) {
  const Histogram& h = result.latency_ns;
  return fmt::format(
      R"({{"path":"{}","window":{},"size":{},"sent":{},"received":{},"lost":{},"out_of_order":{},"damaged":{},)"
      R"("seconds":{:.6f},"pairs_per_s":{:.1f},"p50_us":{:.1f},"p99_us":{:.1f},"p999_us":{:.1f},"max_us":{:.1f}}})",
      path_name(options), options.window, options.size, result.sent, result.received, result.lost, result.out_of_order,
      result.damaged, std::chrono::duration<double>(result.time).count(), per_second(result),
      microseconds(h.percentile(0.5)), microseconds(h.percentile(0.99)), microseconds(h.percentile(0.999)),
      microseconds(h.max()));
}

}  // namespace pingpong
