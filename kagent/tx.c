// SPDX-License-Identifier: GPL-2.0-only
/*
 * tx.c - from the stack to the process: skb -> KTX, and back by KTX_DONE.
 *
 * Frames are copied into buffers of the pool, page by page, and the skb is freed
 * at once; BQL counts what the process has not returned yet. All of it runs with
 * the queue's tx lock.
 */
#include <linux/if_vlan.h>
#include <linux/netdevice.h>
#include <linux/tcp.h>
#include <linux/virtio_net.h>

#include "ring.h"
#include "session.h"
#include "trace.h"

/* The queue is stopped when the largest frame would not fit any more. */
#define KAGENT_TX_ROOM	DIV_ROUND_UP(NDD_FRAME_MAX, NDD_BUF_SIZE)

static struct netdev_queue *kagent_txq(const struct kagent_queue *queue)
{
	return netdev_get_tx_queue(queue->dev, queue->index);
}

/* What is on its way finds room in KTX_DONE, too: a process that can't return
 * buffers takes no frames, and does not know that it should kick.
 */
static bool kagent_tx_room(struct kagent_rings *rings)
{
	u32 away = rings->buf_count - rings->free_count;
	u32 space;

	return rings->free_count >= KAGENT_TX_ROOM &&
	       away + KAGENT_TX_ROOM <= rings->ktx_done.size &&
	       kagent_ring_space(rings->session, &rings->ktx, "KTX", &space) &&
	       space >= KAGENT_TX_ROOM;
}

/**
 * kagent_tx_starved() - does the stack wait for buffers to come back?
 * @queue: queue
 *
 * If so the process is to kick when it returns some.
 *
 * Return: it does
 */
bool kagent_tx_starved(const struct kagent_queue *queue)
{
	return netif_xmit_stopped(kagent_txq(queue));
}

/**
 * kagent_tx_reap() - take back what the process has sent
 * @queue: queue
 *
 * With the tx lock.
 */
void kagent_tx_reap(struct kagent_queue *queue)
{
	struct kagent_rings *rings = queue->rings;
	struct kagent_session *session = rings->session;
	struct kagent_ring *done = &rings->ktx_done;
	struct netdev_queue *txq = kagent_txq(queue);
	const u64 *entries = done->entries;
	unsigned int frames = 0, octets = 0;
	u32 used, index;

	if (!kagent_ring_load(session, done, "KTX_DONE", &used) || !used)
		return;
	for (; used; used--) {
		u32 slot = kagent_ring_slot(done->index++, done->size);

		if (!kagent_done_check(READ_ONCE(entries[slot]), &session->view,
				       rings->first_buf, rings->buf_count,
				       &index)) {
			kagent_drop(&queue->tx, KAGENT_DROP_DONE);
			continue;
		}
		WRITE_ONCE(session->owners[index], KAGENT_OWNER_KERNEL);
		rings->free[rings->free_count++] = index;
		octets += session->ktx_len[index];
		frames++;
	}
	/* the entries were read before their slots are given away */
	smp_store_release(done->consumer, done->index);
	netdev_tx_completed_queue(txq, frames, octets);
	if (netif_tx_queue_stopped(txq) && kagent_tx_room(rings))
		netif_tx_wake_queue(txq);
}

/* Sums while it copies, if the whole frame goes into one buffer. */
static bool kagent_tx_copy_csum(struct sk_buff *skb, void *to)
{
	int start = skb_checksum_start_offset(skb);
	__sum16 *sum;

	if (start < 0 || start > skb_headlen(skb) ||
	    start + skb->csum_offset + sizeof(*sum) > skb->len)
		return false;
	skb_copy_and_csum_dev(skb, to);
	/* in UDP 0 means no checksum */
	sum = to + start + skb->csum_offset;
	if (!*sum)
		*sum = CSUM_MANGLED_0;
	return true;
}

/* Facts for a process that has agreed to NDD_F_OFFLOAD. */
static bool kagent_tx_offload(const struct sk_buff *skb, struct ndd_desc *desc)
{
	struct virtio_net_hdr hdr;

	if (virtio_net_hdr_from_skb(skb, &hdr, true, false, 0))
		return false;
	if (hdr.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM)
		desc->flags |= NDD_DESC_NEEDS_CSUM;
	desc->gso_type = hdr.gso_type;
	desc->gso_size = __virtio16_to_cpu(true, hdr.gso_size);
	/* virtio's is a hint: the linear part, whatever is in it */
	desc->hdr_len = skb_is_gso(skb) ? skb_tcp_all_headers(skb) : 0;
	desc->csum_start = __virtio16_to_cpu(true, hdr.csum_start);
	desc->csum_offset = __virtio16_to_cpu(true, hdr.csum_offset);
	return true;
}

/* There is room. Return: octets, 0 if dropped. */
static unsigned int kagent_tx_frame(struct kagent_queue *queue,
				    struct sk_buff *skb)
{
	struct kagent_rings *rings = queue->rings;
	struct kagent_session *session = rings->session;
	struct kagent_ring *ktx = &rings->ktx;
	struct ndd_desc *entries = ktx->entries;
	struct ndd_desc desc = { .flags = NDD_DESC_FIRST };
	unsigned int len = skb->len, at, piece;
	bool copied = false;

	if (len < NDD_FRAME_MIN || len > NDD_FRAME_MAX) {
		kagent_drop(&queue->tx, len < NDD_FRAME_MIN ?
			    KAGENT_DROP_SHORT : KAGENT_DROP_LONG);
		return 0;
	}
	if (session->view.features & NDD_F_OFFLOAD) {
		if (!kagent_tx_offload(skb, &desc)) {
			kagent_drop(&queue->tx, KAGENT_DROP_OFFLOAD);
			return 0;
		}
	} else if (skb->ip_summed == CHECKSUM_PARTIAL) {
		u32 top = rings->free[rings->free_count - 1];

		copied = len <= NDD_BUF_SIZE &&
			 kagent_tx_copy_csum(skb, kagent_buf(session, top));
		if (!copied && skb_checksum_help(skb)) {
			kagent_drop(&queue->tx, KAGENT_DROP_OFFLOAD);
			return 0;
		}
	}
	for (at = 0; at < len; at += piece) {
		u32 index = rings->free[--rings->free_count];

		piece = min_t(unsigned int, len - at, NDD_BUF_SIZE);
		/* cannot fail: within the skb's length */
		if (!copied)
			skb_copy_bits(skb, at, kagent_buf(session, index),
				      piece);
		WRITE_ONCE(session->owners[index], KAGENT_OWNER_KTX);
		session->ktx_len[index] = piece;
		desc.addr = kagent_addr(index, 0);
		desc.len = piece;
		if (at + piece == len)
			desc.flags |= NDD_DESC_LAST;
		entries[kagent_ring_slot(ktx->index++, ktx->size)] = desc;
		desc = (struct ndd_desc) {};
	}
	smp_store_release(ktx->producer, ktx->index);	/* (A) */
	return len;
}

/* Once per batch. */
static void kagent_tx_kick(struct kagent_queue *queue)
{
	struct kagent_rings *rings = queue->rings;

	smp_mb();	/* (C) */
	if (!(READ_ONCE(*rings->ktx.flags) & NDD_RING_NEED_WAKEUP))
		return;
	trace_kagent_wake(queue->dev, queue->index);
	u64_stats_update_begin(&queue->tx.sync);
	u64_stats_inc(&queue->tx.wakeups);
	u64_stats_update_end(&queue->tx.sync);
	kagent_signal(rings);
}

/* The stack has to wait: ask for a kick, unless the buffers just came back. */
static void kagent_tx_wait(struct kagent_queue *queue)
{
	struct kagent_rings *rings = queue->rings;

	WRITE_ONCE(*rings->ktx_done.flags, NDD_RING_NEED_WAKEUP);
	smp_mb();	/* (D) */
	kagent_tx_reap(queue);
}

/* Requeued frames were made for another mode: segment, sum and tag in software
 * what this one can't.
 */
static struct sk_buff *kagent_tx_fit(struct net_device *dev,
				     struct sk_buff *skb)
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
 * kagent_tx() - transmit in tunnel mode
 * @queue: queue, with the tx lock
 * @skb: frame, consumed unless busy
 *
 * Return: NETDEV_TX_OK, or NETDEV_TX_BUSY with the queue stopped
 */
netdev_tx_t kagent_tx(struct kagent_queue *queue, struct sk_buff *skb)
{
	struct kagent_rings *rings = queue->rings;
	struct netdev_queue *txq = kagent_txq(queue);
	struct net_device *dev = queue->dev;
	unsigned int frames = 0, octets = 0, len;
	struct sk_buff *next;

	/* buffers come back here or by a kick, whichever is first */
	if (kagent_ring_ready(&rings->ktx_done))
		kagent_tx_reap(queue);
	if (unlikely(!kagent_tx_room(rings))) {
		netif_tx_stop_queue(txq);
		kagent_tx_wait(queue);
		return NETDEV_TX_BUSY;
	}
	for (skb = kagent_tx_fit(dev, skb); skb; skb = next) {
		next = skb->next;
		skb_mark_not_on_list(skb);
		/* only a list that was segmented here can run out of room */
		len = kagent_tx_room(rings) ? kagent_tx_frame(queue, skb) : 0;
		if (len) {
			skb_tx_timestamp(skb);
			frames++;
			octets += len;
			dev_consume_skb_any(skb);
		} else {
			dev_core_stats_tx_dropped_inc(dev);
			dev_kfree_skb_any(skb);
		}
	}
	if (frames) {
		dev_sw_netstats_tx_add(dev, frames, octets);
		u64_stats_update_begin(&queue->tx.sync);
		u64_stats_add(&queue->tx.frames, frames);
		u64_stats_add(&queue->tx.octets, octets);
		u64_stats_update_end(&queue->tx.sync);
	}
	if (!kagent_tx_room(rings))
		netif_tx_stop_queue(txq);
	if (__netdev_tx_sent_queue(txq, octets, netdev_xmit_more()) ||
	    netif_xmit_stopped(txq))
		kagent_tx_kick(queue);
	if (netif_xmit_stopped(txq))
		kagent_tx_wait(queue);
	return NETDEV_TX_OK;
}
