// SPDX-License-Identifier: GPL-2.0-only
/*
 * rx.c - from the process to the stack: KRX -> skb -> GRO, in NAPI.
 *
 * Each descriptor is copied once and checked (desc_check.c); the frame becomes an
 * skb (rxframe.c); for each of its buffers one goes back by KRX_FREE: the same, or
 * another if the stack keeps it.
 */
#include <linux/etherdevice.h>

#include "ring.h"
#include "session.h"

static void kagent_rx_drop(struct kagent_queue *queue, enum kagent_drop reason)
{
	kagent_drop(&queue->rx, reason);
	dev_core_stats_rx_dropped_inc(queue->dev);
}

static void kagent_rx_deliver(struct kagent_queue *queue)
{
	const struct kagent_frame *frame = &queue->rings->frame;
	struct net_device *dev = queue->dev;
	struct sk_buff *skb;

	if (unlikely(!netif_running(dev))) {
		kagent_rx_drop(queue, KAGENT_DROP_DOWN);
		return;
	}
	skb = kagent_rx_skb(queue);
	if (unlikely(!skb)) {
		kagent_rx_drop(queue, KAGENT_DROP_NOMEM);
		return;
	}
	skb->protocol = eth_type_trans(skb, dev);
	if (queue->rings->session->view.features & NDD_F_OFFLOAD &&
	    !kagent_rx_offload(skb, &frame->first)) {
		kagent_rx_drop(queue, KAGENT_DROP_OFFLOAD);
		dev_kfree_skb_any(skb);
		return;
	}
	skb_record_rx_queue(skb, queue->index);
	dev_sw_netstats_rx_add(dev, frame->len);
	u64_stats_update_begin(&queue->rx.sync);
	u64_stats_inc(&queue->rx.frames);
	u64_stats_add(&queue->rx.octets, frame->len);
	u64_stats_update_end(&queue->rx.sync);
	napi_gro_receive(&queue->napi, skb);
}

/* The caller has made sure of the room. */
static void kagent_rx_give_back(struct kagent_rings *rings)
{
	struct kagent_ring *back = &rings->krx_free;
	u32 i, at = back->index, size = back->size, count = rings->frame.count;
	u64 *entries = back->entries;

	for (i = 0; i < count; i++)
		entries[kagent_ring_slot(at++, size)] =
			kagent_addr(rings->frame.piece[i].index, 0);
	back->index = at;
	kagent_frame_reset(&rings->frame);
}

/* Reads each octet of a shared descriptor exactly once. In a row: most of a piece's
 * cost would be the loop.
 */
static void kagent_desc_read(struct ndd_desc *desc, const void *from)
{
	const u64 *words = from;
	u64 *to = (u64 *)desc;

	static_assert(sizeof(*desc) == 4 * sizeof(*to));
	to[0] = READ_ONCE(words[0]);
	to[1] = READ_ONCE(words[1]);
	to[2] = READ_ONCE(words[2]);
	to[3] = READ_ONCE(words[3]);
}

static int kagent_rx(struct kagent_queue *queue, int budget)
{
	struct kagent_rings *rings = queue->rings;
	struct kagent_session *session = rings->session;
	struct kagent_ring *krx = &rings->krx, *back = &rings->krx_free;
	const struct ndd_desc *entries = krx->entries;
	u32 used, space, consumed = krx->index;
	struct ndd_desc desc;
	int done = 0;

	if (!kagent_ring_load(session, krx, "KRX", &used) ||
	    !kagent_ring_space(session, back, "KRX_FREE", &space))
		return 0;
	/* a piece is taken only if there is room for all that are kept */
	while (used && done < budget && space > rings->frame.count) {
		enum kagent_verdict verdict;

		kagent_desc_read(&desc, &entries[kagent_ring_slot(krx->index++,
								  krx->size)]);
		used--;
		verdict = kagent_frame_add(&rings->frame, &desc,
					   &session->view);
		if (verdict == KAGENT_MORE)
			continue;
		if (verdict == KAGENT_FRAME)
			kagent_rx_deliver(queue);
		else if (verdict == KAGENT_DROP)
			kagent_rx_drop(queue, rings->frame.reason);
		space -= rings->frame.count;
		kagent_rx_give_back(rings);
		done++;
	}
	if (krx->index == consumed)
		return 0;
	smp_store_release(back->producer, back->index);	/* (A) */
	smp_store_release(krx->consumer, krx->index);
	smp_mb();	/* (C) */
	if (READ_ONCE(*back->flags) & NDD_RING_NEED_WAKEUP)
		kagent_signal(rings);
	return done;
}

static void kagent_poll_done(struct kagent_queue *queue)
{
	struct netdev_queue *txq;

	if (!kagent_ring_ready(&queue->rings->ktx_done))
		return;
	txq = netdev_get_tx_queue(queue->dev, queue->index);
	__netif_tx_lock(txq, smp_processor_id());
	kagent_tx_reap(queue);
	__netif_tx_unlock(txq);
}

/* Ask for kicks, then look once more. Return: there is nothing left to do. */
static bool kagent_poll_sleep(struct kagent_queue *queue)
{
	struct kagent_rings *rings = queue->rings;
	struct kagent_session *session = rings->session;
	u32 space;

	rings->asleep = true;
	WRITE_ONCE(*rings->krx.flags, NDD_RING_NEED_WAKEUP);
	smp_mb();	/* (D); and the flags were cleared before we ask who waits */
	if (test_bit(KAGENT_SESSION_BROKEN, &session->flags))
		return true;
	if (kagent_tx_waits(queue)) {
		WRITE_ONCE(*rings->ktx_done.flags, NDD_RING_NEED_WAKEUP);
		smp_mb();	/* (D) */
		if (kagent_ring_ready(&rings->ktx_done))
			return false;
	}
	/* with KRX_FREE full we wait for the process, who kicks when it sends */
	return !kagent_ring_ready(&rings->krx) ||
	       !kagent_ring_space(session, &rings->krx_free, "KRX_FREE",
				  &space) ||
	       space <= rings->frame.count;
}

/**
 * kagent_poll() - NAPI poll of a queue pair in tunnel mode
 * @napi: the queue's
 * @budget: frames
 *
 * Return: frames; @budget: more to do
 */
int kagent_poll(struct napi_struct *napi, int budget)
{
	struct kagent_queue *queue =
		container_of(napi, struct kagent_queue, napi);
	struct kagent_rings *rings = queue->rings;
	int done;

	if (rings->asleep) {
		rings->asleep = false;
		WRITE_ONCE(*rings->krx.flags, 0);
		WRITE_ONCE(*rings->ktx_done.flags, 0);
	}
	u64_stats_update_begin(&queue->rx.sync);
	u64_stats_inc(&queue->rx.wakeups);
	u64_stats_update_end(&queue->rx.sync);
	kagent_poll_done(queue);
	if (unlikely(!budget))
		return 0;
	done = kagent_rx(queue, budget);
	if (done < budget && kagent_poll_sleep(queue))
		napi_complete_done(napi, done);
	else
		done = budget;
	return done;
}

/**
 * kagent_look() - have a queue's NAPI look at its rings
 * @session: hold
 * @queue: queue pair
 *
 * The netdev goes only after a grace period; NAPI that is disabled, or another
 * hold's, does no harm.
 */
void kagent_look(struct kagent_session *session, u32 queue)
{
	struct kagent_port *port = session->port;
	struct kagent_netdev *priv;
	struct net_device *dev;

	rcu_read_lock();
	dev = rcu_dereference(port->dev);
	priv = dev ? kagent_priv(dev) : NULL;
	if (priv && queue < dev->real_num_tx_queues &&
	    READ_ONCE(port->mode) == NDD_MODE_TUNNEL) {
		local_bh_disable();
		napi_schedule(&priv->queues[queue].napi);
		local_bh_enable();
	}
	rcu_read_unlock();
}
