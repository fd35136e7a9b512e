// SPDX-License-Identifier: GPL-2.0-only
/*
 * txframe.c - one skb becomes the pieces of one KTX frame.
 *
 * Headers, linear parts, small frames and all that shares a page with others are
 * copied into buffers of the pool; long runs of pages that a frag has to itself
 * are mapped into the window (window.c), and the NIC fetches them from there. A
 * frame of which nothing was mapped is freed at once, another one when its slots
 * have come back. What the NIC is not asked to do (checksums, tags) is done here,
 * while copying.
 */
#include <linux/if_vlan.h>
#include <linux/net.h>
#include <linux/tcp.h>
#include <linux/virtio_net.h>

#include "ring.h"
#include "session.h"

/* The first piece, at least: all headers, and some octets more for NICs that want
 * to see payload beside them.
 */
#define KAGENT_TX_HEAD		128
#define KAGENT_TX_HEAD_PAYLOAD	4

/* The shortest segment that all NICs can do: the 82574's has 17 octets. */
#define KAGENT_TX_SEGMENT	17

/* Frames up to this are summed while they are copied, although the NIC could: some
 * hundred instructions, against one more descriptor for process and NIC.
 */
#define KAGENT_TX_SUM		256

static_assert(KAGENT_TX_PIECES <= NDD_PIECES_MAX);
static_assert(KAGENT_TX_PIECES <= NDD_RING_MIN);

struct kagent_build {
	struct kagent_queue *queue;
	struct kagent_rings *rings;
	struct sk_buff *skb;
	struct ndd_desc desc;	/* the piece being made; none while len is 0 */
	u32 place;		/* its buffer or slot */
	void *to;		/* its next octet, in a buffer */
	u32 room;		/* octets left there */
	u32 least;		/* shortest run to be mapped */
	u32 runs;
	u32 mapped;		/* their octets */
	u32 octets;		/* of all pieces */
};

static void kagent_piece_end(struct kagent_build *b, bool last)
{
	struct kagent_rings *rings = b->rings;
	struct kagent_session *session = rings->session;
	struct kagent_ring *ktx = &rings->ktx;
	struct ndd_desc *entries = ktx->entries;
	u32 octets = b->desc.len;

	b->octets += octets;
	if (last) {
		b->desc.flags |= NDD_DESC_LAST;
		octets |= KAGENT_PIECE_LAST;
	}
	if (b->desc.flags & NDD_DESC_WINDOW) {
		rings->window.octets[b->place] = octets;
	} else {
		session->ktx_octets[b->place] = octets;
		WRITE_ONCE(session->owners[b->place], KAGENT_OWNER_KTX);
	}
	WRITE_ONCE(rings->given, rings->given + 1);
	entries[kagent_ring_slot(ktx->index++, ktx->size)] = b->desc;
	b->desc = (struct ndd_desc) {};
	b->room = 0;
}

/* Octets that fit into the open buffer, or the next. */
static u32 kagent_build_room(struct kagent_build *b)
{
	struct kagent_rings *rings = b->rings;

	if (b->room)
		return b->room;
	if (b->desc.len)
		kagent_piece_end(b, false);
	b->place = rings->free[--rings->free_count];
	b->to = kagent_buf(rings->session, b->place);
	b->room = NDD_BUF_SIZE;
	b->desc.addr = kagent_addr(b->place, 0);
	return b->room;
}

static void kagent_build_advance(struct kagent_build *b, u32 len)
{
	b->to += len;
	b->room -= len;
	b->desc.len += len;
}

static void kagent_build_copy(struct kagent_build *b, u32 from, u32 len)
{
	while (len) {
		u32 n = min(len, kagent_build_room(b));

		/* cannot fail: within the skb's length */
		skb_copy_bits(b->skb, from, b->to, n);
		kagent_build_advance(b, n);
		from += n;
		len -= n;
	}
}

/* The start of a frame, up to @len, with the tag that goes in between. */
static void kagent_build_head(struct kagent_build *b, u32 len)
{
	struct {
		__be16 proto;
		__be16 tci;
	} tag;

	if (!skb_vlan_tag_present(b->skb)) {
		kagent_build_copy(b, 0, len);
		return;
	}
	tag.proto = b->skb->vlan_proto;
	tag.tci = htons(skb_vlan_tag_get(b->skb));
	kagent_build_copy(b, 0, 2 * ETH_ALEN);
	memcpy(b->to, &tag, sizeof(tag));
	kagent_build_advance(b, sizeof(tag));
	kagent_build_copy(b, 2 * ETH_ALEN, len - 2 * ETH_ALEN);
}

static bool kagent_build_map(struct kagent_build *b, struct page *page,
			     const struct kagent_cover *run)
{
	struct kagent_window *window = &b->rings->window;
	u32 in_page = offset_in_page(run->start);
	u32 slot;

	if (!kagent_window_map(window, b->skb, page_to_phys(page) +
			       run->start - in_page,
			       PAGE_ALIGN(in_page + run->len), &slot)) {
		u64_stats_update_begin(&b->queue->tx.sync);
		u64_stats_inc(&b->queue->tx.window_failures);
		u64_stats_update_end(&b->queue->tx.sync);
		b->least = U32_MAX;
		return false;
	}
	if (b->desc.len)
		kagent_piece_end(b, false);
	b->place = slot;
	b->desc.addr = kagent_slot_iova(window->iova, slot) + in_page;
	b->desc.len = run->len;
	b->desc.flags = NDD_DESC_WINDOW;
	b->room = 0;
	b->mapped += run->len;
	if (++b->runs == KAGENT_RUNS_MAX)
		b->least = U32_MAX;
	return true;
}

/* @from: of the frame; its octets up to @skip were sent. */
static void kagent_build_frag(struct kagent_build *b, const skb_frag_t *frag,
			      u32 from, u32 skip)
{
	struct page *page = skb_frag_page(frag);
	u32 offset = skb_frag_off(frag);
	u32 end = offset + skb_frag_size(frag);
	u32 at = offset + skip;
	bool fit = page && sendpage_ok(page);

	while (at < end) {
		struct kagent_cover run =
			kagent_cover_next(offset, end, at,
					  fit ? b->least : U32_MAX);

		kagent_build_copy(b, from + at - offset, run.copy);
		at += run.copy;
		if (run.len && !kagent_build_map(b, page, &run))
			kagent_build_copy(b, from + at - offset, run.len);
		at += run.len;
	}
}

static void kagent_build_pieces(struct kagent_build *b)
{
	struct sk_buff *skb = b->skb;
	u32 head = max_t(u32, KAGENT_TX_HEAD,
			 b->desc.hdr_len + KAGENT_TX_HEAD_PAYLOAD);
	u32 from = skb_headlen(skb), end;
	int i;

	if (b->least == U32_MAX) {
		kagent_build_head(b, skb->len);
		return;
	}
	head = min(max(head, from), skb->len);
	kagent_build_head(b, head);
	for (i = 0; i < skb_shinfo(skb)->nr_frags; i++, from = end) {
		const skb_frag_t *frag = &skb_shinfo(skb)->frags[i];

		end = from + skb_frag_size(frag);
		if (end > head)
			kagent_build_frag(b, frag, from,
					  head > from ? head - from : 0);
	}
}

/* Sums while it copies; the frame fits one buffer. */
static void kagent_build_sum(struct kagent_build *b)
{
	struct sk_buff *skb = b->skb;
	u32 start = skb_checksum_start_offset(skb);
	u32 len = skb->len - start;
	__sum16 *sum;

	kagent_build_head(b, start);
	sum = b->to + skb->csum_offset;
	*sum = csum_fold(skb_copy_and_csum_bits(skb, start, b->to, len));
	/* in UDP 0 means no checksum */
	if (!*sum)
		*sum = CSUM_MANGLED_0;
	kagent_build_advance(b, len);
}

/* What the NIC is told to do; the tag, if any, is in the frame by then. */
static bool kagent_tx_facts(const struct sk_buff *skb, struct ndd_desc *desc)
{
	u32 tag = skb_vlan_tag_present(skb) ? VLAN_HLEN : 0;
	struct virtio_net_hdr hdr;

	if (virtio_net_hdr_from_skb(skb, &hdr, true, false, tag))
		return false;
	if (hdr.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM)
		desc->flags |= NDD_DESC_NEEDS_CSUM;
	desc->gso_type = hdr.gso_type;
	desc->gso_size = __virtio16_to_cpu(true, hdr.gso_size);
	/* virtio's is a hint: the linear part, whatever is in it */
	desc->hdr_len = skb_is_gso(skb) ? skb_tcp_all_headers(skb) + tag : 0;
	desc->csum_start = __virtio16_to_cpu(true, hdr.csum_start);
	desc->csum_offset = __virtio16_to_cpu(true, hdr.csum_offset);
	return true;
}

enum kagent_sum {
	KAGENT_SUM_NONE,	/* nothing to do, or the NIC does */
	KAGENT_SUM_COPY,	/* while copying */
	KAGENT_SUM_FAILED,
};

static enum kagent_sum kagent_tx_sum(struct sk_buff *skb, u64 features,
				     struct ndd_desc *desc)
{
	bool nic = features & NDD_F_TX_CSUM;
	u32 start;

	/* no NIC cuts a frame into segments without summing them */
	if (skb->ip_summed != CHECKSUM_PARTIAL)
		return skb_is_gso(skb) ? KAGENT_SUM_FAILED : KAGENT_SUM_NONE;
	start = skb_checksum_start_offset(skb);
	if (!skb_is_gso(skb) &&
	    skb->len <= (nic ? KAGENT_TX_SUM : NDD_BUF_SIZE - VLAN_HLEN) &&
	    start >= 2 * ETH_ALEN && start <= skb->len &&
	    start + skb->csum_offset + sizeof(__sum16) <= skb->len)
		return KAGENT_SUM_COPY;
	if (nic ? !kagent_tx_facts(skb, desc) : skb_checksum_help(skb))
		return KAGENT_SUM_FAILED;
	return KAGENT_SUM_NONE;
}

/* Octets of the shortest run to be mapped; U32_MAX: all is copied. Pages that the
 * process's end must not keep: those of a page pool, and of a user (a copy into
 * the pool sets them free as soon as skb_orphan_frags() would).
 */
static u32 kagent_tx_least(const struct kagent_queue *queue,
			   struct sk_buff *skb)
{
	u32 least = READ_ONCE(kagent_priv(queue->dev)->tx_copybreak);

	if (!queue->rings->window.count || skb->data_len < least ||
	    !skb_is_nonlinear(skb) || skb_has_frag_list(skb) ||
	    skb->pp_recycle || skb_zcopy(skb))
		return U32_MAX;
	return least;
}

/**
 * kagent_tx_frame() - put one frame into KTX
 * @queue: queue, with the tx lock and room for the frame
 * @skb: frame, consumed
 *
 * Return: octets, 0 if dropped and counted
 */
u32 kagent_tx_frame(struct kagent_queue *queue, struct sk_buff *skb)
{
	struct kagent_rings *rings = queue->rings;
	struct kagent_ring *ktx = &rings->ktx;
	struct kagent_build b = {
		.queue = queue,
		.rings = rings,
		.skb = skb,
		.desc.flags = NDD_DESC_FIRST,
	};
	u32 len = skb->len + (skb_vlan_tag_present(skb) ? VLAN_HLEN : 0);
	enum kagent_drop reason = KAGENT_DROP_OFFLOAD;
	enum kagent_sum sum;

	if (skb->len < NDD_FRAME_MIN || len > NDD_FRAME_MAX) {
		reason = skb->len < NDD_FRAME_MIN ? KAGENT_DROP_SHORT :
						    KAGENT_DROP_LONG;
		goto err_drop;
	}
	sum = kagent_tx_sum(skb, rings->session->view.features, &b.desc);
	if (sum == KAGENT_SUM_FAILED)
		goto err_drop;
	skb_tx_timestamp(skb);
	if (sum == KAGENT_SUM_COPY) {
		kagent_build_sum(&b);
	} else {
		b.least = kagent_tx_least(queue, skb);
		if (b.least == U32_MAX) {
			kagent_build_pieces(&b);
		} else {
			kagent_window_hold(skb);
			/* until the frame is whole nobody frees the skb */
			spin_lock(&rings->window.lock);
			kagent_build_pieces(&b);
			spin_unlock(&rings->window.lock);
		}
	}
	kagent_piece_end(&b, true);
	if (b.runs) {
		/* seen by the process before the frame is; a poll that clears
		 * it just now sees our slots when it is done
		 */
		smp_wmb();
		WRITE_ONCE(*rings->ktx_done.flags, NDD_RING_NEED_WAKEUP);
	}
	smp_store_release(ktx->producer, ktx->index);	/* (A) */
	if (!b.runs) {
		dev_consume_skb_any(skb);
		return b.octets;
	}
	u64_stats_update_begin(&queue->tx.sync);
	u64_stats_inc(&queue->tx.window_frames);
	u64_stats_add(&queue->tx.window_octets, b.mapped);
	u64_stats_update_end(&queue->tx.sync);
	return b.octets;

err_drop:
	kagent_drop(&queue->tx, reason);
	dev_kfree_skb_any(skb);
	return 0;
}

/**
 * kagent_tx_fit() - do in software what this mode can't
 * @dev: ndd0
 * @skb: frame, consumed
 *
 * Requeued frames were made for another mode: segment, sum and tag them.
 *
 * Return: frames, linked by next; NULL if dropped
 */
struct sk_buff *kagent_tx_fit(struct net_device *dev, struct sk_buff *skb)
{
	netdev_features_t features;
	bool again = false;

	if (likely(!skb_is_gso(skb) && !skb_vlan_tag_present(skb) &&
		   skb->ip_summed != CHECKSUM_PARTIAL))
		return skb;
	features = netif_skb_features(skb);
	if (!netif_needs_gso(skb, features) &&
	    !(skb_vlan_tag_present(skb) &&
	      !vlan_hw_offload_capable(features, skb->vlan_proto)) &&
	    (skb->ip_summed != CHECKSUM_PARTIAL ||
	     features & NETIF_F_CSUM_MASK))
		return skb;
	return validate_xmit_skb_list(skb, dev, &again);
}

/**
 * kagent_tx_features_check() - what the NIC behind the process can't do
 * @skb: frame
 * @dev: ndd0
 * @features: on offer
 *
 * In tunnel mode: NICs have eight bits for where headers end and sums go, and
 * want segments of some size.
 *
 * Return: features for this frame
 */
netdev_features_t kagent_tx_features_check(struct sk_buff *skb,
					   struct net_device *dev,
					   netdev_features_t features)
{
	if (READ_ONCE(kagent_priv(dev)->tunnel)) {
		if (skb->ip_summed == CHECKSUM_PARTIAL &&
		    skb_checksum_start_offset(skb) + skb->csum_offset +
		    VLAN_HLEN > U8_MAX)
			features &= ~(NETIF_F_CSUM_MASK | NETIF_F_GSO_MASK);
		if (skb_is_gso_tcp(skb) &&
		    (skb_tcp_all_headers(skb) + VLAN_HLEN > U8_MAX ||
		     skb_shinfo(skb)->gso_size < KAGENT_TX_SEGMENT))
			features &= ~NETIF_F_GSO_MASK;
	}
	return vlan_features_check(skb, features);
}
