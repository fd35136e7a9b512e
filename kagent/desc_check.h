/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * desc_check.h - may the kernel believe this descriptor? From KRX to frames.
 *
 * Pure: built in user space for tests too. The caller has copied each descriptor
 * out of shared memory; nothing here reads shared memory. Pieces are added one
 * by one; a frame comes out when its last piece is in, or a reason to drop it.
 */
#ifndef KAGENT_DESC_CHECK_H
#define KAGENT_DESC_CHECK_H

#include <linux/types.h>
#include <linux/ndd.h>
#ifndef __KERNEL__
#include <stdbool.h>
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Why a frame or an entry was dropped. Names: kagent_drop_name(). */
enum kagent_drop {
	KAGENT_DROP_SHORT,	/* frame below NDD_FRAME_MIN, or empty piece */
	KAGENT_DROP_LONG,	/* frame above NDD_FRAME_MAX, piece over its buffer */
	KAGENT_DROP_INDEX,	/* no such buffer */
	KAGENT_DROP_OWNER,	/* buffer is not the process's to give */
	KAGENT_DROP_CHAIN,	/* FIRST and LAST don't pair, or too many pieces */
	KAGENT_DROP_FLAGS,	/* unknown flag, reserved field not 0 */
	KAGENT_DROP_OFFLOAD,	/* offload facts not agreed on, or not true */
	KAGENT_DROP_DONE,	/* KTX_DONE names a buffer that is not in flight */
	KAGENT_DROP_NOMEM,	/* no memory for an skb */
	KAGENT_DROP_DOWN,	/* ndd0 is down */
	KAGENT_DROPS
};

/* Who has a buffer. The kernel's own truth, never in shared memory. */
enum kagent_owner {
	KAGENT_OWNER_PROCESS,
	KAGENT_OWNER_KERNEL,	/* free, for KTX */
	KAGENT_OWNER_KTX,	/* with the process, to be sent and returned */
	KAGENT_OWNER_STOCK,	/* free, to be given for one that is kept */
	KAGENT_OWNER_STACK,	/* received, and kept by the stack */
};

/*
 * A checked piece: wholly inside buffer @index
 */
struct kagent_piece {
	__u32 index;
	__u32 offset;
	__u32 len;
};

/**
 * struct kagent_frame - a frame while its pieces come in
 * @count: pieces in @piece
 * @len: their octets
 * @open: FIRST was seen, LAST not yet
 * @skip: the frame was dropped, its LAST is still to come
 * @reason: of the drop
 * @first: offload facts, from the first descriptor
 * @piece: pieces, and room for the one that was too many
 */
struct kagent_frame {
	__u32 count;
	__u32 len;
	bool open;
	bool skip;
	enum kagent_drop reason;
	struct ndd_desc first;
	struct kagent_piece piece[NDD_PIECES_MAX + 1];
};

/**
 * struct kagent_pool_view - what a descriptor is checked against
 * @owner: enum kagent_owner of each buffer
 * @buf_count: buffers
 * @features: NDD_F_* in force
 */
struct kagent_pool_view {
	const __u8 *owner;
	__u32 buf_count;
	__u64 features;
};

enum kagent_verdict {
	KAGENT_MORE,		/* go on with the next descriptor */
	KAGENT_FRAME,		/* @piece holds a frame */
	KAGENT_DROP,		/* count @reason, give back what is in @piece */
	KAGENT_SKIP,		/* rest of a dropped frame: give back @piece */
};

/* Adds one descriptor. A piece that the process had no right to name is not in
 * @piece: it gets nothing for it. After anything but MORE the caller deals with
 * @piece and calls kagent_frame_reset() before it adds more.
 */
enum kagent_verdict kagent_frame_add(struct kagent_frame *frame,
				     const struct ndd_desc *desc,
				     const struct kagent_pool_view *pool);

void kagent_frame_reset(struct kagent_frame *frame);

/**
 * kagent_done_check() - is an entry of KTX_DONE a buffer in flight?
 * @addr: entry
 * @pool: its buffers
 * @first: first buffer of the queue that was asked
 * @count: how many it has
 * @index: out, the buffer, if so
 *
 * Return: it is
 */
bool kagent_done_check(__u64 addr, const struct kagent_pool_view *pool,
		       __u32 first, __u32 count, __u32 *index);

const char *kagent_drop_name(unsigned int reason);

#ifdef __cplusplus
}
#endif

#endif /* KAGENT_DESC_CHECK_H */
