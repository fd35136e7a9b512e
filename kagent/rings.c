// SPDX-License-Identifier: GPL-2.0-only
/*
 * rings.c - where everything is in the ctrl area, and the kernel's ring ends.
 *
 * Letters (A) .. (D) are those of the diagram in ndd.h.
 */
#include <linux/slab.h>

#include "compat.h"
#include "ring.h"
#include "session.h"

/* A line of its own for what one side writes: 64 octets on all we run on. */
#define KAGENT_LINE	64

static const u32 kagent_entry_size[NDD_RINGS] = {
	[NDD_RING_KTX] = sizeof(struct ndd_desc),
	[NDD_RING_KTX_DONE] = sizeof(u64),
	[NDD_RING_KRX] = sizeof(struct ndd_desc),
	[NDD_RING_KRX_FREE] = sizeof(u64),
};

struct kagent_layout {
	u32 rings;
	u32 health;
	u32 config;
	u32 stats;
	u32 first_ring;
	u32 per_queue;
};

/* One after the other, each on a line of its own. */
static void kagent_layout(const struct kagent_session_spec *spec,
			  struct kagent_layout *at)
{
	u32 i;

	at->rings = ALIGN(sizeof(struct ndd_ctrl), KAGENT_LINE);
	at->health = ALIGN(at->rings + spec->queues * NDD_RINGS *
			   sizeof(struct ndd_ring_layout), KAGENT_LINE);
	at->config = ALIGN(at->health + sizeof(struct ndd_health),
			   KAGENT_LINE);
	at->stats = ALIGN(at->config + sizeof(struct ndd_config), KAGENT_LINE);
	at->first_ring = ALIGN(at->stats + sizeof(struct ndd_stats),
			       KAGENT_LINE);
	at->per_queue = 0;
	for (i = 0; i < NDD_RINGS; i++)
		at->per_queue += 2 * KAGENT_LINE +
				 ALIGN(spec->ring_size * kagent_entry_size[i],
				       KAGENT_LINE);
}

/**
 * kagent_ctrl_size() - octets the ctrl area needs
 * @spec: checked
 *
 * Return: octets
 */
size_t kagent_ctrl_size(const struct kagent_session_spec *spec)
{
	struct kagent_layout at;

	kagent_layout(spec, &at);
	return at.first_ring + (size_t)at.per_queue * spec->queues;
}

static void kagent_ring_init(struct kagent_session *session,
			     struct kagent_ring *ring, u32 entry_size,
			     struct ndd_ring_layout *layout, u32 *at)
{
	layout->producer = *at;
	layout->consumer = *at + KAGENT_LINE;
	layout->entries = *at + 2 * KAGENT_LINE;
	layout->size = session->ring_size;
	layout->entry_size = entry_size;
	*at = ALIGN(layout->entries + session->ring_size * entry_size,
		    KAGENT_LINE);

	ring->producer = session->ctrl + layout->producer;
	ring->consumer = session->ctrl + layout->consumer;
	ring->flags = ring->consumer + 1;
	ring->entries = session->ctrl + layout->entries;
	ring->size = session->ring_size;
}

/* The kernel's buffers, the last ones of the pool, are shared out evenly; so is its
 * stock before them.
 */
static int kagent_rings_fill(struct kagent_session *session,
			     struct kagent_rings *rings, u32 queue)
{
	u32 count = session->kernel_bufs / session->queues;
	u32 first = session->view.buf_count - session->kernel_bufs +
		    queue * count;
	u32 stock = session->exchange_bufs / session->queues;
	u32 first_stock = session->view.buf_count - session->kernel_bufs -
			  session->exchange_bufs + queue * stock;
	u32 i;

	rings->free = kvcalloc(count, sizeof(u32), GFP_KERNEL_ACCOUNT);
	rings->stock = kvcalloc(stock, 2 * sizeof(u32), GFP_KERNEL_ACCOUNT);
	if (!rings->free || !rings->stock)
		return -ENOMEM;
	kagent_exchange_init(&rings->exchange, rings->stock, first_stock,
			     stock);
	memset(session->owners + first_stock, KAGENT_OWNER_STOCK, stock);
	rings->first_buf = first;
	rings->buf_count = count;
	rings->free_count = count;
	/* the lowest on top */
	for (i = 0; i < count; i++) {
		rings->free[i] = first + count - 1 - i;
		session->owners[first + i] = KAGENT_OWNER_KERNEL;
	}
	return 0;
}

/* So are the slots of the window. */
static int kagent_rings_window(struct kagent_session *session,
			       struct kagent_rings *rings, u32 queue)
{
	u32 count = session->window_slots / session->queues;

	return kagent_window_create(&rings->window,
				    kagent_slot_iova(KAGENT_WINDOW_IOVA,
						     queue * count), count);
}

/**
 * kagent_rings_create() - lay out the ctrl area
 * @session: its pages are there
 * @spec: sizes
 *
 * Return: 0 or -ENOMEM; kagent_rings_destroy() undoes both
 */
int kagent_rings_create(struct kagent_session *session,
			const struct kagent_session_spec *spec)
{
	struct ndd_ring_layout *layout;
	struct ndd_ctrl *ctrl = session->ctrl;
	struct kagent_layout at;
	u32 i, next;
	int err;

	kagent_layout(spec, &at);
	*ctrl = (struct ndd_ctrl) {
		.magic = NDD_CTRL_MAGIC,
		.queues = spec->queues,
		.features = spec->features,
		.health = at.health,
		.config = at.config,
		.stats = at.stats,
		.rings = at.rings,
		.buf_count = spec->buf_count,
		.kernel_bufs = spec->kernel_bufs,
		.nic_pages = spec->nic_pages,
		.state_pages = spec->state_pages,
		.pool_iova = KAGENT_POOL_IOVA,
		.window_iova = kagent_window_iova(session),
		.window_size = kagent_window_size(session),
		.exchange_bufs = spec->exchange_bufs,
	};
	session->health = session->ctrl + at.health;
	session->config = session->ctrl + at.config;
	session->stats = session->ctrl + at.stats;
	session->rings = kvcalloc(spec->queues, sizeof(*session->rings),
				  GFP_KERNEL_ACCOUNT);
	if (!session->rings)
		return -ENOMEM;
	layout = session->ctrl + at.rings;
	next = at.first_ring;
	for (i = 0; i < spec->queues; i++) {
		struct kagent_rings *rings = &session->rings[i];
		struct kagent_ring *ring[NDD_RINGS] = {
			[NDD_RING_KTX] = &rings->ktx,
			[NDD_RING_KTX_DONE] = &rings->ktx_done,
			[NDD_RING_KRX] = &rings->krx,
			[NDD_RING_KRX_FREE] = &rings->krx_free,
		};
		u32 r;

		rings->session = session;
		for (r = 0; r < NDD_RINGS; r++)
			kagent_ring_init(session, ring[r],
					 kagent_entry_size[r], layout++, &next);
		/* nobody polls yet: the first entry is worth a kick */
		rings->asleep = true;
		*rings->krx.flags = NDD_RING_NEED_WAKEUP;
		*rings->ktx_done.flags = NDD_RING_NEED_WAKEUP;
		err = kagent_rings_fill(session, rings, i) ?:
		      kagent_rings_window(session, rings, i);
		if (err)
			return err;
	}
	return 0;
}

/**
 * kagent_rings_destroy() - free the kernel's ends
 * @session: nobody uses them any more; may be half made
 */
void kagent_rings_destroy(struct kagent_session *session)
{
	u32 i;

	for (i = 0; session->rings && i < session->queues; i++) {
		struct kagent_rings *rings = &session->rings[i];
		struct eventfd_ctx *event =
			rcu_dereference_protected(rings->event, true);

		if (event)
			eventfd_ctx_put(event);
		kvfree(rings->free);
		kagent_window_destroy(&rings->window);
		kvfree(rings->stock);
	}
	kvfree(session->rings);
}

/**
 * kagent_signal() - wake the process
 * @rings: the queue's
 */
void kagent_signal(struct kagent_rings *rings)
{
	struct eventfd_ctx *event;

	rcu_read_lock();
	event = rcu_dereference(rings->event);
	if (event)
		kagent_eventfd_signal(event);
	rcu_read_unlock();
}

/**
 * kagent_protocol_broken() - an index cannot be true: the hold is over
 * @session: hold
 * @ring: name of the ring
 */
void kagent_protocol_broken(struct kagent_session *session, const char *ring)
{
	struct pid *owner;

	if (test_and_set_bit(KAGENT_SESSION_BROKEN, &session->flags))
		return;
	owner = kagent_session_owner(session);
	pr_warn("kagent: %s: process %d broke the rules of ring %s: port taken back\n",
		session->port->name, pid_nr(owner), ring);
	put_pid(owner);
	kagent_port_end(session->port, session, NDD_REASON_PROTOCOL);
}

/**
 * kagent_ring_ready() - is there anything to consume?
 * @ring: ring that the kernel consumes
 *
 * Says nothing about sanity.
 *
 * Return: there is
 */
bool kagent_ring_ready(const struct kagent_ring *ring)
{
	return READ_ONCE(*ring->producer) != ring->index;
}

/**
 * kagent_ring_load() - how many entries may the kernel consume?
 * @session: hold
 * @ring: ring that the kernel consumes
 * @name: of the ring
 * @used: out, entries
 *
 * Return: false if the protocol is broken
 */
bool kagent_ring_load(struct kagent_session *session, struct kagent_ring *ring,
		      const char *name, u32 *used)
{
	u32 producer = smp_load_acquire(ring->producer);	/* (B) */

	if (unlikely(!kagent_ring_sane(producer, ring->index, ring->size))) {
		kagent_protocol_broken(session, name);
		return false;
	}
	*used = kagent_ring_used(producer, ring->index);
	return true;
}

/**
 * kagent_ring_space() - how many entries may the kernel produce?
 * @session: hold
 * @ring: ring that the kernel produces
 * @name: of the ring
 * @space: out, entries
 *
 * Return: false if the protocol is broken
 */
bool kagent_ring_space(struct kagent_session *session,
		       struct kagent_ring *ring, const char *name, u32 *space)
{
	/* entries must not be overwritten before they were read */
	u32 consumer = smp_load_acquire(ring->consumer);

	if (unlikely(!kagent_ring_sane(ring->index, consumer, ring->size))) {
		kagent_protocol_broken(session, name);
		return false;
	}
	*space = kagent_ring_free(ring->index, consumer, ring->size);
	return true;
}
