// SPDX-License-Identifier: Apache-2.0
#include "examples/pingpong/report.h"

#include <fmt/core.h>

#include <algorithm>

namespace pingpong {
namespace {

double per_second(const Result& result) {
  const double seconds = std::chrono::duration<double>(result.time).count();
  return seconds > 0 ? static_cast<double>(result.received) / seconds : 0;
}

double per_pair(std::uint64_t n, const Result& result) {
  return static_cast<double>(n) / static_cast<double>(std::max<std::uint64_t>(result.received, 1));
}

double microseconds(std::uint64_t ns) { return static_cast<double>(ns) / 1000; }

}  // namespace

std::string figure_name(const Options& options) {
  std::string name = fmt::format("signal_pairs_{}_w{}", options.path, options.window);
  if (options.size != Options{}.size) name += fmt::format("_s{}", options.size);
  if (options.check_all) name += "_checked";
  return name;
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
  if (result.costs) {
    text += fmt::format("\nper pair: {:.3f} doorbells, {:.3f} system calls to the kernel, {:.3f} wakeups",
                        per_pair(result.costs->doorbells, result), per_pair(result.costs->kicks, result),
                        per_pair(result.costs->wakeups, result));
  }
  return text;
}

std::string to_json(const Result& result, const Options& options) {
  const Histogram& h = result.latency_ns;
  const std::string costs =
      result.costs ? fmt::format(R"(,"doorbells_per_pair":{:.4f},"kicks_per_pair":{:.4f},"wakeups_per_pair":{:.4f})",
                                 per_pair(result.costs->doorbells, result), per_pair(result.costs->kicks, result),
                                 per_pair(result.costs->wakeups, result))
                   : "";
  return fmt::format(
      R"({{"path":"{}","window":{},"size":{},"sent":{},"received":{},"lost":{},"out_of_order":{},"damaged":{},)"
      R"("seconds":{:.6f},"pairs_per_s":{:.1f},"p50_us":{:.1f},"p99_us":{:.1f},"p999_us":{:.1f},"max_us":{:.1f}{}}})",
      options.path, options.window, options.size, result.sent, result.received, result.lost, result.out_of_order,
      result.damaged, std::chrono::duration<double>(result.time).count(), per_second(result),
      microseconds(h.percentile(0.5)), microseconds(h.percentile(0.99)), microseconds(h.percentile(0.999)),
      microseconds(h.max()), costs);
}

}  // namespace pingpong
