// SPDX-License-Identifier: GPL-2.0-only
/*
 * desc_check.c - the checks between KRX and a frame. See desc_check.h.
 */
#ifdef __KERNEL__
#include <linux/string.h>
#else
#include <string.h>
#endif
#include "desc_check.h"
#include "ring.h"

/* Only with NDD_F_OFFLOAD */
#define OFFLOAD_FLAGS							\
	(NDD_DESC_VLAN | NDD_DESC_NEEDS_CSUM | NDD_DESC_CSUM_VALID)

#define CSUM_SIZE	2	/* octets of an Internet checksum */

static bool owned(__u32 index, const struct kagent_pool_view *pool)
{
	return index < pool->buf_count &&
	       pool->owner[index] == KAGENT_OWNER_PROCESS;
}

static bool reserved_zero(const struct ndd_desc *desc)
{
	static const __u8 zero[sizeof(desc->reserved1)];

	return !desc->reserved0 &&
	       !memcmp(desc->reserved1, zero, sizeof(zero));
}

/* Things a descriptor of any place in the frame must keep. */
static bool piece_ok(const struct ndd_desc *desc,
		     const struct kagent_pool_view *pool,
		     enum kagent_drop *reason)
{
	__u32 index = kagent_addr_index(desc->addr);
	__u32 offset = kagent_addr_offset(desc->addr);

	if (desc->flags & ~NDD_DESC_FLAGS || desc->flags & NDD_DESC_WINDOW ||
	    !reserved_zero(desc))
		*reason = KAGENT_DROP_FLAGS;
	else if (!kagent_addr_ok(desc->addr) || index >= pool->buf_count)
		*reason = KAGENT_DROP_INDEX;
	else if (!owned(index, pool))
		*reason = KAGENT_DROP_OWNER;
	else if (!desc->len)
		*reason = KAGENT_DROP_SHORT;
	else if (desc->len > NDD_BUF_SIZE - offset)
		*reason = KAGENT_DROP_LONG;
	else
		return true;
	return false;
}

static bool offload_ok(const struct ndd_desc *desc, __u64 features)
{
	unsigned int type = desc->gso_type & ~NDD_GSO_ECN;

	if (!(desc->flags & OFFLOAD_FLAGS) && !desc->gso_type)
		return true;
	if (!(features & NDD_F_OFFLOAD))
		return false;
	if (!desc->gso_type)
		return true;
	/* UFO and UDP_L4 are none of ours */
	return (type == NDD_GSO_TCPV4 || type == NDD_GSO_TCPV6) &&
	       desc->flags & NDD_DESC_NEEDS_CSUM && desc->gso_size;
}

/* Few enough segments? A header that is longer than said makes only fewer. */
static bool segments_ok(const struct ndd_desc *first, __u32 len)
{
	return first->hdr_len <= NDD_HEADERS_MAX && first->hdr_len <= len &&
	       len - first->hdr_len <= (__u32)first->gso_size * NDD_PIECES_MAX;
}

/* What can only be judged when the length is known. */
static bool whole_ok(const struct kagent_frame *frame,
		     enum kagent_drop *reason)
{
	const struct ndd_desc *first = &frame->first;

	if (frame->len < NDD_FRAME_MIN)
		*reason = KAGENT_DROP_SHORT;
	else if (first->flags & NDD_DESC_NEEDS_CSUM &&
		 (__u32)first->csum_start + first->csum_offset + CSUM_SIZE >
		 frame->len)
		*reason = KAGENT_DROP_OFFLOAD;
	else if (first->gso_type && !segments_ok(first, frame->len))
		*reason = KAGENT_DROP_OFFLOAD;
	else
		return true;
	return false;
}

static void keep(struct kagent_frame *frame, const struct ndd_desc *desc)
{
	struct kagent_piece *piece = &frame->piece[frame->count++];

	piece->index = kagent_addr_index(desc->addr);
	piece->offset = kagent_addr_offset(desc->addr);
	piece->len = desc->len;
	frame->len += desc->len;
}

static bool add(struct kagent_frame *frame, const struct ndd_desc *desc,
		const struct kagent_pool_view *pool, enum kagent_drop *reason)
{
	bool first = desc->flags & NDD_DESC_FIRST;

	if (!piece_ok(desc, pool, reason))
		return false;
	if (first == frame->open || frame->count == NDD_PIECES_MAX) {
		*reason = KAGENT_DROP_CHAIN;
		return false;
	}
	if (first ? !offload_ok(desc, pool->features) :
		    desc->flags & OFFLOAD_FLAGS) {
		*reason = KAGENT_DROP_OFFLOAD;
		return false;
	}
	/* both are small by now: no overflow */
	if (frame->len + desc->len > NDD_FRAME_MAX) {
		*reason = KAGENT_DROP_LONG;
		return false;
	}
	return true;
}

/**
 * kagent_frame_add() - add one descriptor to a frame
 * @frame: what came before
 * @desc: private copy of the descriptor
 * @pool: what it is checked against
 *
 * Return: what to do, see enum kagent_verdict
 */
enum kagent_verdict kagent_frame_add(struct kagent_frame *frame,
				     const struct ndd_desc *desc,
				     const struct kagent_pool_view *pool)
{
	bool last = desc->flags & NDD_DESC_LAST;
	bool good = !frame->skip && add(frame, desc, pool, &frame->reason);

	if (good || owned(kagent_addr_index(desc->addr), pool))
		keep(frame, desc);
	if (frame->skip) {
		frame->skip = !last;
		return KAGENT_SKIP;
	}
	if (good && desc->flags & NDD_DESC_FIRST) {
		frame->first = *desc;
		frame->open = true;
	}
	if (good && !last)
		return KAGENT_MORE;
	if (good && whole_ok(frame, &frame->reason))
		return KAGENT_FRAME;
	frame->skip = !last;
	return KAGENT_DROP;
}

/**
 * kagent_frame_reset() - make ready for the next frame
 * @frame: frame; the rest of a dropped one is still skipped
 */
void kagent_frame_reset(struct kagent_frame *frame)
{
	frame->count = 0;
	frame->len = 0;
	frame->open = false;
}

bool kagent_done_check(__u64 addr, const struct kagent_pool_view *pool,
		       __u32 first, __u32 count, __u32 *index)
{
	__u32 i = kagent_addr_index(addr);

	if (i >= pool->buf_count || i - first >= count ||
	    pool->owner[i] != KAGENT_OWNER_KTX)
		return false;
	*index = i;
	return true;
}

/**
 * kagent_drop_name() - name of a reason, as ethtool -S shows it
 * @reason: enum kagent_drop
 *
 * Return: the name, "?" if there is none
 */
const char *kagent_drop_name(unsigned int reason)
{
	static const char * const names[KAGENT_DROPS] = {
		[KAGENT_DROP_SHORT] = "short",
		[KAGENT_DROP_LONG] = "long",
		[KAGENT_DROP_INDEX] = "bad_index",
		[KAGENT_DROP_OWNER] = "not_owned",
		[KAGENT_DROP_CHAIN] = "bad_chain",
		[KAGENT_DROP_FLAGS] = "bad_flags",
		[KAGENT_DROP_OFFLOAD] = "bad_offload",
		[KAGENT_DROP_DONE] = "bad_done",
		[KAGENT_DROP_NOMEM] = "no_memory",
		[KAGENT_DROP_DOWN] = "down",
	};

	return reason < KAGENT_DROPS ? names[reason] : "?";
}
