// SPDX-License-Identifier: Apache-2.0
// A program whose cost is known, for the counting plugin: 1000 rounds with one locked instruction, ten system calls in
// all; then a poll loop in which every other round is empty, so that no two empty ones follow each other.
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/lab/plugin/mark.h"

int main() {
  constexpr int kRounds = 1000;
  int counter = 0;
  MARK_START();
  for (int i = 0; i < kRounds; ++i) __atomic_fetch_add(&counter, 1, __ATOMIC_SEQ_CST);
  for (int i = 0; i < 10; ++i) syscall(SYS_getppid);
  MARK_STOP();
  mark_figure("known_cost", "round", kRounds);

  MARK_START();
  for (int i = 0; i < kRounds / 2; ++i) {
    MARK_IDLE();
    MARK_BUSY();
  }
  MARK_STOP();
  mark_figure("known_idle", "round", kRounds);
}
