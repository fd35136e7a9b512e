/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * ring.h - arithmetic of ring indices and buffer addresses, nothing else.
 *
 * Pure: built in user space for tests too. Indices are free-running 32-bit
 * numbers; differences are taken modulo 2^32, and only an entry's place is
 * masked. The other side's index is hostile: check it before any use.
 */
#ifndef KAGENT_RING_H
#define KAGENT_RING_H

#include <linux/types.h>
#include <linux/ndd.h>
#ifndef __KERNEL__
#include <stdbool.h>
#endif

static inline bool kagent_ring_size_ok(__u32 size)
{
	return size >= NDD_RING_MIN && size <= NDD_RING_MAX &&
	       !(size & (size - 1));
}

static inline __u32 kagent_ring_used(__u32 producer, __u32 consumer)
{
	return producer - consumer;
}

/* Could these indices be a ring's? If not, the other side broke the protocol. */
static inline bool kagent_ring_sane(__u32 producer, __u32 consumer, __u32 size)
{
	return kagent_ring_used(producer, consumer) <= size;
}

/* Only for sane indices. */
static inline __u32 kagent_ring_free(__u32 producer, __u32 consumer, __u32 size)
{
	return size - kagent_ring_used(producer, consumer);
}

static inline __u32 kagent_ring_slot(__u32 index, __u32 size)
{
	return index & (size - 1);
}

static inline __u64 kagent_addr(__u32 index, __u32 offset)
{
	__u64 high = offset;

	return index | high << NDD_ADDR_OFFSET_SHIFT;
}

/* Are all bits but those of index and offset 0? */
static inline bool kagent_addr_ok(__u64 addr)
{
	return !(addr & ~kagent_addr(NDD_ADDR_INDEX_MASK, NDD_ADDR_OFFSET_MASK));
}

static inline __u32 kagent_addr_index(__u64 addr)
{
	return addr & NDD_ADDR_INDEX_MASK;
}

static inline __u32 kagent_addr_offset(__u64 addr)
{
	return addr >> NDD_ADDR_OFFSET_SHIFT & NDD_ADDR_OFFSET_MASK;
}

#endif /* KAGENT_RING_H */
