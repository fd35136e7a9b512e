/* SPDX-License-Identifier: Apache-2.0 */
/* Marks around the measured part of a program, for the counting plugin (count.c): 8-octet NOPs, harmless anywhere else.
 * After MARK_STOP() print exactly one FIGURE line: the lab joins the n-th line with the plugin's n-th record.
 */
#pragma once

#include <stdio.h>

#define UDD_MARK(kind) __asm__ volatile(".byte 0x0f,0x1f,0x84,0x00," #kind ",0x00,0xed,0x5e" ::: "memory")
#define MARK_START() UDD_MARK(0x01)
#define MARK_STOP() UDD_MARK(0x02)
#define MARK_IDLE() UDD_MARK(0x03) /* one empty round of a poll loop, counted apart */
#define MARK_BUSY() UDD_MARK(0x04) /* a round that was not empty: needed where it may be as short as an empty one */

/* name: letters, digits and underscores; unit: what was done n times */
static inline void mark_figure(const char* name, const char* unit, long n) {
  printf("FIGURE %s %s %ld\n", name, unit, n);
  fflush(stdout);
}

/* ... and what the program itself has counted meanwhile: becomes a counter of the figure */
static inline void mark_figure_and(const char* name, const char* unit, long n, const char* what, long count) {
  printf("FIGURE %s %s %ld %s %ld\n", name, unit, n, what, count);
  fflush(stdout);
}
