/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ring_vectors.h - what both ends of the tunnel must compute alike: golden cases
 * of ring indices and buffer addresses. Plain C; kagent's ring.h and udd/ring are
 * each tested against the same lines.
 */
#ifndef TESTS_UAPI_RING_VECTORS_H
#define TESTS_UAPI_RING_VECTORS_H

#include <linux/ndd.h>

struct ring_index_vector {
  __u32 producer;
  __u32 consumer;
  __u32 size;
  int sane;   /* could these be a ring's indices? */
  __u32 used; /* this and the following only if sane */
  __u32 free;
  __u32 next_slot;  /* place of the next entry to be produced */
  __u32 first_slot; /* and of the next to be consumed */
};

static const struct ring_index_vector ring_index_vectors[] = {
    /* empty, one, full */
    {0, 0, 64, 1, 0, 64, 0, 0},
    {1, 0, 64, 1, 1, 63, 1, 0},
    {64, 0, 64, 1, 64, 0, 0, 0},
    {100, 70, 64, 1, 30, 34, 36, 6},
    {32768, 0, 32768, 1, 32768, 0, 0, 0},
    /* over 2^32 */
    {0x00000000u, 0xffffffffu, 64, 1, 1, 63, 0, 63},
    {0x00000010u, 0xfffffff0u, 64, 1, 32, 32, 16, 48},
    {0x0000003fu, 0xffffffffu, 64, 1, 64, 0, 63, 63},
    {0xffffffffu, 0xfffffff0u, 1024, 1, 15, 1009, 1023, 1008},
    {0x80000000u, 0x7fffffffu, 1024, 1, 1, 1023, 0, 1023},
    /* broken: more than the ring holds, or consumed what was not produced */
    {65, 0, 64, 0, 0, 0, 0, 0},
    {0, 1, 64, 0, 0, 0, 0, 0},
    {0x00000040u, 0xffffffffu, 64, 0, 0, 0, 0, 0},
    {0xffffffffu, 0x00000000u, 32768, 0, 0, 0, 0, 0},
    {0x80000000u, 0x00000000u, 32768, 0, 0, 0, 0, 0},
};

struct ring_address_vector {
  __u32 index;
  __u32 offset;
  __u64 addr;
};

static const struct ring_address_vector ring_address_vectors[] = {
    {0, 0, 0x0000000000000000ull},
    {1, 0, 0x0000000000000001ull},
    {0, 64, 0x0000004000000000ull},
    {4095, 4095, 0x00000fff00000fffull},
    {0xffffffffu, 0xfff, 0x00000fffffffffffull},
};

#endif /* TESTS_UAPI_RING_VECTORS_H */
