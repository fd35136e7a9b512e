/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * window.h - arithmetic of the window, nothing else: what of a frag may be mapped,
 * and which slot an entry of KTX_DONE names. For txframe.c and window.c.
 *
 * Pure: built in user space for tests too. A page is NDD_BUF_SIZE octets.
 */
#ifndef KAGENT_WINDOW_H
#define KAGENT_WINDOW_H

#include <linux/types.h>
#include <linux/ndd.h>
#ifndef __KERNEL__
#include <stdbool.h>
#endif

/* Where the NIC sees the kernel's pages: below the pool, within reach of 32-bit
 * NICs; page 0 and what firmware likes stay free.
 */
#define KAGENT_WINDOW_IOVA	0x01000000ULL
#define KAGENT_WINDOW_IOVA_END	0x10000000ULL
#define KAGENT_WINDOW_SLOTS						\
	((KAGENT_WINDOW_IOVA_END - KAGENT_WINDOW_IOVA) / NDD_WINDOW_SLOT)

/**
 * struct kagent_cover - what comes next of a frag
 * @copy: octets to be copied before the run; all that is left if there is none
 * @start: of the run, counted like the frag's offset
 * @len: octets of the run, within pages that the frag has to itself; 0: no run
 */
struct kagent_cover {
	__u32 copy;
	__u32 start;
	__u32 len;
};

/**
 * kagent_cover_next() - find the next run of a frag
 * @offset: of the frag in its (first) page
 * @end: @offset and the frag's length
 * @at: first octet that was not sent yet, @offset <= @at <= @end
 * @least: octets of the shortest run worth mapping
 *
 * A page that the frag shares with anything else is in no run. The octets of the
 * first page before @at are the frag's own, too: they were copied.
 *
 * Return: the run, at most what a slot holds
 */
static inline struct kagent_cover
kagent_cover_next(__u32 offset, __u32 end, __u32 at, __u32 least)
{
	const __u32 in_page = NDD_BUF_SIZE - 1;
	__u32 first = (offset + in_page) & ~in_page;
	__u32 last = end & ~in_page;
	__u32 start = at > first ? at : first;
	__u32 most = NDD_WINDOW_SLOT - (start & in_page);
	struct kagent_cover cover = {
		.copy = start - at,
		.start = start,
		.len = last > start ? last - start : 0,
	};

	if (cover.len > most)
		cover.len = most;
	if (!cover.len || cover.len < least) {
		cover.copy = end - at;
		cover.len = 0;
	}
	return cover;
}

static inline __u64 kagent_slot_iova(__u64 iova, __u32 slot)
{
	__u64 before = slot;

	return iova + before * NDD_WINDOW_SLOT;
}

/**
 * kagent_slot_check() - is an entry of KTX_DONE a slot in flight?
 * @entry: entry, NDD_DONE_WINDOW is set
 * @iova: of the queue's first slot
 * @octets: of the piece in flight in each slot, 0: none
 * @count: slots
 * @slot: out, the slot, if so
 *
 * Return: it is
 */
static inline bool kagent_slot_check(__u64 entry, __u64 iova,
				     const __u32 *octets, __u32 count,
				     __u32 *slot)
{
	/* what is below @iova, or has other bits set, comes out far too large */
	__u64 i = ((entry & ~NDD_DONE_WINDOW) - iova) / NDD_WINDOW_SLOT;

	if (i >= count || !octets[i])
		return false;
	*slot = i & ~0U;
	return true;
}

#endif /* KAGENT_WINDOW_H */
