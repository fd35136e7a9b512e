// SPDX-License-Identifier: Apache-2.0
// ndd0's counters, as `ethtool -S` shows them.
#pragma once

#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "tests/tools/held.h"

namespace hostile {

using Counters = std::map<std::string, std::uint64_t>;

inline void ethtool(void* command) {
  const int fd = held::check(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), "socket");
  ifreq request{};
  std::strcpy(request.ifr_name, "ndd0");
  request.ifr_data = static_cast<char*>(command);
  held::check(ioctl(fd, SIOCETHTOOL, &request), "SIOCETHTOOL");
  close(fd);
}

inline Counters read_counters() {
  struct {
    ethtool_drvinfo info;
  } driver{};
  driver.info.cmd = ETHTOOL_GDRVINFO;
  ethtool(&driver.info);
  const std::size_t count = driver.info.n_stats;

  // both end in an array
  std::vector<std::uint32_t> names((sizeof(ethtool_gstrings) + count * ETH_GSTRING_LEN) / sizeof(std::uint32_t));
  names[0] = ETHTOOL_GSTRINGS;
  names[1] = ETH_SS_STATS;
  names[2] = static_cast<std::uint32_t>(count);
  ethtool(names.data());
  std::vector<std::uint64_t> values(sizeof(ethtool_stats) / sizeof(std::uint64_t) + count);
  auto* head = reinterpret_cast<ethtool_stats*>(values.data());
  head->cmd = ETHTOOL_GSTATS;
  head->n_stats = static_cast<std::uint32_t>(count);
  ethtool(values.data());

  Counters counters;
  const char* name = reinterpret_cast<const char*>(names.data()) + sizeof(ethtool_gstrings);
  for (std::size_t i = 0; i < count; ++i, name += ETH_GSTRING_LEN) counters[name] = values[1 + i];
  return counters;
}

}  // namespace hostile
