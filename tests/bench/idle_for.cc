// SPDX-License-Identifier: Apache-2.0
// idle_for NAME SECONDS: sleeps, and has the machine's instructions counted meanwhile as figure NAME per second.
#include <cstdlib>
#include <ctime>

#include "tests/lab/plugin/mark.h"

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const long seconds = std::atol(argv[2]);
  const timespec time{.tv_sec = seconds, .tv_nsec = 0};
  MARK_START();
  const int status = nanosleep(&time, nullptr);
  MARK_STOP();
  mark_figure(argv[1], "second", seconds);
  return status == 0 ? 0 : 1;
}
