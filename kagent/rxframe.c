// SPDX-License-Identifier: GPL-2.0-only
/*
 * rxframe.c - from the pieces of a checked KRX frame to an skb.
 *
 * The process can write its buffers at any time. So nothing is looked at there:
 * headers are copied first, and the copy is parsed, here and by the stack. The
 * payload of plain TCP and of large UDP (headers.c) stays where it is and becomes
 * page frags; the buffers are the stack's then, and the process gets others of the
 * stock (exchange.h). All other frames are copied whole.
 *
 * Whoever can't have payload change below him sets rx-copybreak to NDD_BUF_SIZE,
 * which copies everything.
 */
#include <linux/etherdevice.h>
#include <linux/if_vlan.h>
#include <linux/virtio_net.h>

#include "session.h"

/* Frames up to this go into one piece of memory, others into pages. */
#define KAGENT_RX_LINEAR						\
	(SKB_WITH_OVERHEAD(PAGE_SIZE) - NET_SKB_PAD - NET_IP_ALIGN)

/* Linear part of the others: no header we know of is longer. */
#define KAGENT_RX_HEAD	256

/* A datagram that is kept is charged as a whole buffer: if it fills less than half
 * of it, a socket would hold half as many as of copied ones.
 */
#define KAGENT_UDP_MIN	(NDD_BUF_SIZE / 2)

/* The stack's buffers that may be looked at for each one that it is to get. */
#define KAGENT_LOOKS	2

static_assert(NDD_BUF_SIZE == PAGE_SIZE);
static_assert(NDD_PIECES_MAX * NDD_BUF_SIZE >= NDD_FRAME_MAX);
static_assert(MAX_SKB_FRAGS * PAGE_SIZE >= NDD_FRAME_MAX - KAGENT_RX_HEAD);

static struct sk_buff *kagent_rx_alloc(struct kagent_queue *queue, u32 len)
{
	const u32 headroom = NET_SKB_PAD + NET_IP_ALIGN;
	struct sk_buff *skb;
	int err;

	if (likely(len <= KAGENT_RX_LINEAR)) {
		skb = napi_alloc_skb(&queue->napi, len);
		if (skb)
			skb_put(skb, len);
		return skb;
	}
	skb = alloc_skb_with_frags(headroom + KAGENT_RX_HEAD,
				   len - KAGENT_RX_HEAD,
				   PAGE_ALLOC_COSTLY_ORDER, &err,
				   GFP_ATOMIC | __GFP_NOWARN);
	if (!skb)
		return NULL;
	skb_reserve(skb, headroom);
	skb_put(skb, KAGENT_RX_HEAD);
	skb->data_len = len - KAGENT_RX_HEAD;
	skb->len = len;
	skb->dev = queue->dev;
	return skb;
}

static struct sk_buff *kagent_rx_copy(struct kagent_queue *queue)
{
	struct kagent_session *session = queue->rings->session;
	const struct kagent_frame *frame = &queue->rings->frame;
	struct sk_buff *skb = kagent_rx_alloc(queue, frame->len);
	u32 i, at = 0;

	if (!skb)
		return NULL;
	for (i = 0; i < frame->count; i++) {
		const struct kagent_piece *piece = &frame->piece[i];

		/* cannot fail: within the skb's length */
		skb_store_bits(skb, at, kagent_buf(session, piece->index) +
			       piece->offset, piece->len);
		at += piece->len;
	}
	return skb;
}

/* Ours alone again? The stack's last read is before its put_page(), a full
 * barrier; the NIC's next write is behind our release of KRX_FREE's producer, by
 * which the process learns that it has the buffer (A). References that others take
 * of pages in passing only make us look again later.
 */
static bool kagent_rx_done(void *context, u32 index)
{
	struct kagent_session *session = context;

	if (page_ref_count(kagent_buf_page(session, index)) != 1)
		return false;
	WRITE_ONCE(session->owners[index], KAGENT_OWNER_STOCK);
	return true;
}

/* Is there one in stock for each of @count pieces? */
static bool kagent_rx_stock(struct kagent_queue *queue, u32 count)
{
	struct kagent_exchange ex = queue->rings->exchange; /* in registers */
	u32 looks;

	if (ex.stocked < ex.size / 2) {
		looks = kagent_exchange_look(&ex, ex.size, count * KAGENT_LOOKS,
					     kagent_rx_done,
					     queue->rings->session);
		queue->rings->exchange = ex;
		u64_stats_update_begin(&queue->rx.sync);
		u64_stats_add(&queue->looks, looks);
		u64_stats_update_end(&queue->rx.sync);
	}
	return ex.stocked >= count;
}

static void kagent_rx_unclaim(struct kagent_session *session,
			      const struct kagent_frame *frame, u32 first,
			      u32 end)
{
	u32 i;

	for (i = first; i < end; i++)
		WRITE_ONCE(session->owners[frame->piece[i].index],
			   KAGENT_OWNER_PROCESS);
}

/* From here on the process can name them in no queue any more. Fails if it has
 * named one twice.
 */
static bool kagent_rx_claim(struct kagent_session *session,
			    const struct kagent_frame *frame, u32 first)
{
	u32 i, count = frame->count;
	u8 *owners = session->owners;

	for (i = first; i < count; i++) {
		if (cmpxchg(&owners[frame->piece[i].index],
			    KAGENT_OWNER_PROCESS, KAGENT_OWNER_STACK) !=
		    KAGENT_OWNER_PROCESS) {
			kagent_rx_unclaim(session, frame, first, i);
			return false;
		}
	}
	return true;
}

/* Frags that find no room go on in skbs which have nothing else, as GRO does it. */
static struct sk_buff *kagent_rx_more(struct sk_buff *head,
				      struct sk_buff *last)
{
	struct sk_buff *more = alloc_skb(0, GFP_ATOMIC | __GFP_NOWARN);

	if (!more)
		return NULL;
	if (last == head)
		skb_shinfo(head)->frag_list = more;
	else
		last->next = more;
	return more;
}

/* Pieces from @at on, without the first @skip octets, become the frags of @skb, as
 * many as it has room for. Return: the first that found none.
 */
static u32 kagent_rx_fill(struct kagent_session *session,
			  const struct kagent_frame *frame,
			  struct sk_buff *skb, u32 at, u32 skip)
{
	u32 frags = 0, len = 0;

	for (; at < frame->count && frags < MAX_SKB_FRAGS; at++, skip = 0) {
		const struct kagent_piece *piece = &frame->piece[at];
		struct page *page = kagent_buf_page(session, piece->index);

		if (piece->len == skip)
			continue;
		get_page(page);
		/* the pool has no pages of the emergency reserves */
		skb_fill_page_desc_noacc(skb, frags++, page,
					 piece->offset + skip,
					 piece->len - skip);
		len += piece->len - skip;
	}
	/* not to be decrypted or summed in place */
	skb_shinfo(skb)->flags |= SKBFL_SHARED_FRAG;
	skb->len += len;
	skb->data_len += len;
	skb->truesize += frags * NDD_BUF_SIZE;
	return at;
}

static bool kagent_rx_frags(struct kagent_session *session,
			    const struct kagent_frame *frame,
			    struct sk_buff *head)
{
	u32 at = kagent_rx_fill(session, frame, head, 0, skb_headlen(head));
	struct sk_buff *skb = head;

	while (at < frame->count) {
		skb = kagent_rx_more(head, skb);
		if (!skb)
			return false;
		at = kagent_rx_fill(session, frame, skb, at, 0);
		head->len += skb->len;
		head->data_len += skb->len;
		head->truesize += skb->truesize;
	}
	return true;
}

/* The stack keeps the pieces from @first on; others take their places. */
static void kagent_rx_swap(struct kagent_rings *rings, u32 first)
{
	struct kagent_exchange ex = rings->exchange;	/* in registers */
	struct kagent_frame *frame = &rings->frame;
	u8 *owners = rings->session->owners;
	u32 i, count = frame->count;

	for (i = first; i < count; i++) {
		u32 given = kagent_exchange_swap(&ex, frame->piece[i].index);

		WRITE_ONCE(owners[given], KAGENT_OWNER_PROCESS);
		frame->piece[i].index = given;
	}
	rings->exchange = ex;
}

/* Payload stays where it is; the pieces name what the process gets for it. Those
 * from @first on are claimed.
 */
static struct sk_buff *kagent_rx_keep(struct kagent_queue *queue,
				      const u8 *head, u32 len, u32 first)
{
	struct kagent_rings *rings = queue->rings;
	struct kagent_session *session = rings->session;
	const struct kagent_frame *frame = &rings->frame;
	struct sk_buff *skb;

	skb = napi_alloc_skb(&queue->napi, KAGENT_HEAD);
	if (!skb)
		goto err_unclaim;
	skb_put_data(skb, head, len);
	if (!kagent_rx_frags(session, frame, skb))
		goto err_free;
	kagent_rx_swap(rings, first);
	u64_stats_update_begin(&queue->rx.sync);
	u64_stats_inc(&queue->zero_copy);
	u64_stats_update_end(&queue->rx.sync);
	return skb;

err_free:
	kfree_skb(skb);
err_unclaim:
	kagent_rx_unclaim(session, frame, first, frame->count);
	return NULL;
}

/* Why copy? KAGENT_COPIES: no need to; @len is the headers' in @head then, and the
 * pieces from @first on are claimed.
 */
static enum kagent_copy kagent_rx_judge(struct kagent_queue *queue, u8 *head,
					u32 *len, u32 *first)
{
	struct kagent_session *session = queue->rings->session;
	const struct kagent_frame *frame = &queue->rings->frame;
	const struct kagent_piece *piece = &frame->piece[0];
	u64 small = READ_ONCE(kagent_priv(queue->dev)->rx_copybreak);
	u32 seen = min_t(u32, piece->len, KAGENT_HEAD);
	struct kagent_headers headers;

	/* octets of a piece, on average */
	if (frame->len <= small * frame->count)
		return KAGENT_COPY_SMALL;
	memcpy(head, kagent_buf(session, piece->index) + piece->offset, seen);
	headers = kagent_find_headers(head, seen);
	if (headers.kind == KAGENT_KIND_OTHER || headers.len == frame->len)
		return KAGENT_COPY_KIND;
	if (headers.kind == KAGENT_KIND_UDP && frame->len < KAGENT_UDP_MIN)
		return KAGENT_COPY_SMALL;
	if (!kagent_rx_stock(queue, frame->count))
		return KAGENT_COPY_STOCK;
	*len = headers.len;
	/* one that is copied whole stays the process's */
	*first = headers.len == piece->len;
	return kagent_rx_claim(session, frame, *first) ? KAGENT_COPIES :
							 KAGENT_COPY_KIND;
}

/**
 * kagent_rx_skb() - make an skb of the frame that is complete
 * @queue: queue, in its NAPI
 *
 * Pieces that the stack keeps are replaced in the frame by what the process gets.
 *
 * Return: skb, L2 header first, or NULL without memory
 */
struct sk_buff *kagent_rx_skb(struct kagent_queue *queue)
{
	u8 head[KAGENT_HEAD];
	enum kagent_copy why;
	u32 len, first;

	if (!(queue->rings->session->view.features & NDD_F_EXCHANGE))
		return kagent_rx_copy(queue);
	why = kagent_rx_judge(queue, head, &len, &first);
	if (why == KAGENT_COPIES)
		return kagent_rx_keep(queue, head, len, first);
	u64_stats_update_begin(&queue->rx.sync);
	u64_stats_inc(&queue->copied[why]);
	u64_stats_update_end(&queue->rx.sync);
	return kagent_rx_copy(queue);
}

/**
 * kagent_rx_offload() - tell the stack what the process says of a frame
 * @skb: frame, after eth_type_trans()
 * @desc: private copy of its first descriptor
 *
 * Return: false if it cannot be true
 */
bool kagent_rx_offload(struct sk_buff *skb, const struct ndd_desc *desc)
{
	struct virtio_net_hdr hdr = {
		.flags = desc->flags & NDD_DESC_NEEDS_CSUM ?
			 VIRTIO_NET_HDR_F_NEEDS_CSUM : 0,
		.gso_type = desc->gso_type,
		.hdr_len = __cpu_to_virtio16(true, desc->hdr_len),
		.gso_size = __cpu_to_virtio16(true, desc->gso_size),
		.csum_start = __cpu_to_virtio16(true, desc->csum_start),
		.csum_offset = __cpu_to_virtio16(true, desc->csum_offset),
	};
	int err;

	/* its offsets count from the L2 header */
	__skb_push(skb, ETH_HLEN);
	err = virtio_net_hdr_to_skb(skb, &hdr, true);
	__skb_pull(skb, ETH_HLEN);
	if (err)
		return false;
	if (desc->flags & NDD_DESC_CSUM_VALID &&
	    skb->dev->features & NETIF_F_RXCSUM &&
	    skb->ip_summed == CHECKSUM_NONE)
		skb->ip_summed = CHECKSUM_UNNECESSARY;
	if (desc->flags & NDD_DESC_VLAN)
		__vlan_hwaccel_put_tag(skb, htons(ETH_P_8021Q), desc->vlan_tci);
	return true;
}
