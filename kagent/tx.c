// SPDX-License-Identifier: GPL-2.0-only
/*
 * tx.c - from the stack to the process: skbs -> KTX, and back by KTX_DONE.
 *
 * The queue: is there room, what has come back, who waits for whom. What becomes
 * of each frame is said in txframe.c. BQL counts what the process has not returned
 * yet. All of it runs with the queue's tx lock.
 */
#include <linux/netdevice.h>

#include "ring.h"
#include "session.h"
#include "trace.h"

static struct netdev_queue *kagent_txq(const struct kagent_queue *queue)
{
	return netdev_get_tx_queue(queue->dev, queue->index);
}

/* For the largest frame, or the queue is stopped. What is on its way finds room in
 * KTX_DONE, too: a process that can't return buffers takes no frames, and does not
 * know that it should kick.
 */
static bool kagent_tx_room(struct kagent_rings *rings)
{
	u32 space;

	return rings->free_count >= KAGENT_TX_BUFS &&
	       kagent_pieces_away(rings) + KAGENT_TX_PIECES <=
	       rings->ktx_done.size &&
	       kagent_ring_space(rings->session, &rings->ktx, "KTX", &space) &&
	       space >= KAGENT_TX_PIECES;
}

/**
 * kagent_tx_waits() - does anybody wait for what the process is to return?
 * @queue: queue
 *
 * The stack for buffers; or the owners of frames that are held: a socket may have
 * no room for more until then, and send nothing that would look. If so the process
 * is to kick when it returns some.
 *
 * Return: somebody does
 */
bool kagent_tx_waits(const struct kagent_queue *queue)
{
	return netif_xmit_stopped(kagent_txq(queue)) ||
	       kagent_window_busy(&queue->rings->window);
}

/* Return: octets of the piece that an entry of KTX_DONE gives back, with
 * KAGENT_PIECE_LAST; 0 if there is none
 */
static u32 kagent_tx_returned(struct kagent_rings *rings, u64 entry)
{
	struct kagent_session *session = rings->session;
	struct kagent_window *window = &rings->window;
	u32 i, octets;

	if (entry & NDD_DONE_WINDOW) {
		if (!kagent_slot_check(entry, window->iova, window->octets,
				       window->count, &i))
			return 0;
		window->free[window->free_count++] = i;
		octets = window->octets[i];
		window->octets[i] = 0;
		return octets;
	}
	if (!kagent_done_check(entry, &session->view, rings->first_buf,
			       rings->buf_count, &i))
		return 0;
	WRITE_ONCE(session->owners[i], KAGENT_OWNER_KERNEL);
	rings->free[rings->free_count++] = i;
	return session->ktx_octets[i];
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
	struct kagent_ring *done = &rings->ktx_done;
	struct netdev_queue *txq = kagent_txq(queue);
	const u64 *entries = done->entries;
	u32 slots = rings->window.free_count;
	unsigned int frames = 0, octets = 0;
	u32 used, piece;

	if (!kagent_ring_load(rings->session, done, "KTX_DONE", &used) || !used)
		return;
	for (; used; used--) {
		u32 i = kagent_ring_slot(done->index++, done->size);

		piece = kagent_tx_returned(rings, READ_ONCE(entries[i]));
		if (!piece) {
			kagent_drop(&queue->tx, KAGENT_DROP_DONE);
			continue;
		}
		WRITE_ONCE(rings->returned, rings->returned + 1);
		octets += piece & ~KAGENT_PIECE_LAST;
		frames += !!(piece & KAGENT_PIECE_LAST);
	}
	/* the entries were read before their slots are given away */
	smp_store_release(done->consumer, done->index);
	if (rings->window.free_count != slots)
		kagent_window_return(&rings->window, slots);
	netdev_tx_completed_queue(txq, frames, octets);
	if (netif_tx_queue_stopped(txq) && kagent_tx_room(rings))
		netif_tx_wake_queue(txq);
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
	unsigned int frames = 0, packets = 0, octets = 0, len;
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
		u32 segments = skb_is_gso(skb) ?
			       max_t(u32, skb_shinfo(skb)->gso_segs, 1) : 1;

		next = skb->next;
		skb_mark_not_on_list(skb);
		/* only a list that was segmented here can run out of room */
		if (unlikely(!kagent_tx_room(rings))) {
			dev_core_stats_tx_dropped_inc(dev);
			dev_kfree_skb_any(skb);
			continue;
		}
		len = kagent_tx_frame(queue, skb);
		if (unlikely(!len)) {
			dev_core_stats_tx_dropped_inc(dev);
			continue;
		}
		frames++;
		packets += segments;
		octets += len;
	}
	if (frames) {
		dev_sw_netstats_tx_add(dev, packets, octets);
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
