// SPDX-License-Identifier: GPL-2.0-only
/*
 * window.c - the kernel's own pages, as the NIC sees them: slots of IOVA.
 *
 * A queue's slots are handed out and come back with its tx lock. Their mappings,
 * and the skbs whose pages they are, are under the window's own lock, because the
 * device may be taken away at any time: kagent_window_close() unmaps what is in
 * flight and forgets the domain, and whoever comes later maps and unmaps nothing.
 *
 * An skb is freed after its last slot is unmapped *and* the IOMMU has forgotten
 * it: until then the NIC may read its pages. Its slots are counted in its cb.
 */
#include <linux/skbuff.h>
#include <linux/slab.h>
#include <net/dst.h>

#include "compat.h"
#include "session.h"

atomic_t kagent_live_skbs = ATOMIC_INIT(0);

struct kagent_held {
	u32 slots;		/* of this skb, mapped */
};

static struct kagent_held *kagent_held(struct sk_buff *skb)
{
	static_assert(sizeof(struct kagent_held) <= sizeof(skb->cb));
	return (struct kagent_held *)skb->cb;
}

/* What has been unmapped and waits for the flush. */
struct kagent_unmapped {
	struct iommu_iotlb_gather gather;
	struct sk_buff *skbs;	/* linked by next: without any slot now */
	int count;
};

/* The flush is ours: one for all slots, wherever they are, instead of one for each
 * that is not next to the one before.
 */
static void kagent_unmapped_init(struct kagent_unmapped *batch)
{
	iommu_iotlb_gather_init(&batch->gather);
	batch->gather.queued = true;
	batch->gather.pgsize = PAGE_SIZE;
	batch->skbs = NULL;
	batch->count = 0;
}

static void kagent_slot_unmap(struct kagent_window *window,
			      struct iommu_domain *domain, u32 i,
			      struct kagent_unmapped *batch)
{
	struct kagent_slot *slot = &window->slots[i];
	u64 iova = kagent_slot_iova(window->iova, i);
	struct sk_buff *skb = slot->skb;

	iommu_unmap_fast(domain, iova, slot->size, &batch->gather);
	iommu_iotlb_gather_add_range(&batch->gather, iova, slot->size);
	slot->skb = NULL;
	if (--kagent_held(skb)->slots)
		return;
	skb->next = batch->skbs;
	batch->skbs = skb;
	batch->count++;
}

static struct sk_buff *kagent_unmapped_pop(struct kagent_unmapped *batch)
{
	struct sk_buff *skb = batch->skbs;

	if (skb) {
		batch->skbs = skb->next;
		skb_mark_not_on_list(skb);
	}
	return skb;
}

/**
 * kagent_window_create() - make the slots of a queue
 * @window: window, zeroed
 * @iova: of the first slot
 * @count: slots; 0: there is no window
 *
 * Return: 0 or -ENOMEM; kagent_window_destroy() undoes both
 */
int kagent_window_create(struct kagent_window *window, u64 iova, u32 count)
{
	u32 i;

	spin_lock_init(&window->lock);
	if (!count)
		return 0;
	window->iova = iova;
	window->free = kvcalloc(count, sizeof(u32), GFP_KERNEL_ACCOUNT);
	window->octets = kvcalloc(count, sizeof(u32), GFP_KERNEL_ACCOUNT);
	window->slots = kvcalloc(count, sizeof(*window->slots),
				 GFP_KERNEL_ACCOUNT);
	if (!window->free || !window->octets || !window->slots)
		return -ENOMEM;
	window->count = count;
	window->free_count = count;
	/* the lowest on top; the last one back is the next one out, so that the
	 * IOMMU's tables stay few
	 */
	for (i = 0; i < count; i++)
		window->free[i] = count - 1 - i;
	return 0;
}

/**
 * kagent_window_destroy() - free them
 * @window: window, closed; may be half made
 */
void kagent_window_destroy(struct kagent_window *window)
{
	kvfree(window->free);
	kvfree(window->octets);
	kvfree(window->slots);
}

/**
 * kagent_window_open() - from now on pages may be mapped
 * @window: window
 * @domain: the device's
 */
void kagent_window_open(struct kagent_window *window,
			struct iommu_domain *domain)
{
	spin_lock_bh(&window->lock);
	window->domain = domain;
	spin_unlock_bh(&window->lock);
}

/**
 * kagent_window_close() - the NIC sees none of them any more, when this returns
 * @window: window; DMA is off
 *
 * What the process has not returned is lost, as in a NIC that is reset.
 */
void kagent_window_close(struct kagent_window *window)
{
	struct iommu_domain *domain;
	struct kagent_unmapped batch;
	struct sk_buff *skb;
	u32 i;

	spin_lock_bh(&window->lock);
	domain = window->domain;
	window->domain = NULL;
	spin_unlock_bh(&window->lock);
	if (!domain)
		return;
	/* without a domain nobody else touches the slots */
	kagent_unmapped_init(&batch);
	for (i = 0; i < window->count; i++) {
		if (window->slots[i].skb)
			kagent_slot_unmap(window, domain, i, &batch);
		cond_resched();
	}
	iommu_iotlb_sync(domain, &batch.gather);
	atomic_sub(batch.count, &kagent_live_skbs);
	while ((skb = kagent_unmapped_pop(&batch)))
		dev_kfree_skb_any(skb);
}

/**
 * kagent_window_map() - let the NIC read whole pages of an skb
 * @window: window, locked, with the tx lock
 * @skb: held from here on, until all its slots have come back
 * @phys: of the first page
 * @size: octets, whole pages, contiguous in physical memory
 * @slot: out
 *
 * Return: false if that can't be: copy
 */
bool kagent_window_map(struct kagent_window *window, struct sk_buff *skb,
		       phys_addr_t phys, u32 size, u32 *slot)
{
	struct kagent_held *held = kagent_held(skb);
	u32 i;

	lockdep_assert_held(&window->lock);
	if (!window->domain || !window->free_count)
		return false;
	i = window->free[window->free_count - 1];
	if (kagent_iommu_map(window->domain, kagent_slot_iova(window->iova, i),
			     phys, size, IOMMU_READ, GFP_ATOMIC))
		return false;
	window->free_count--;
	window->slots[i] = (struct kagent_slot) { .skb = skb, .size = size };
	if (!held->slots++)
		atomic_inc(&kagent_live_skbs);
	*slot = i;
	return true;
}

/**
 * kagent_window_hold() - make an skb ready to be held
 * @skb: frame
 *
 * ndd0, routes and connection tracking may have to go before the process returns
 * it. The socket stays: what it has in flight is its own backpressure.
 */
void kagent_window_hold(struct sk_buff *skb)
{
	kagent_held(skb)->slots = 0;
	skb->dev = NULL;
	skb_dst_drop(skb);
	nf_reset_ct(skb);
}

/**
 * kagent_window_return() - slots have come back
 * @window: window, with the tx lock
 * @from: free_count before: those above are unmapped now
 *
 * One flush for all of them, then their skbs are freed.
 */
void kagent_window_return(struct kagent_window *window, u32 from)
{
	struct kagent_unmapped batch;
	struct sk_buff *skb;
	u32 i;

	kagent_unmapped_init(&batch);
	spin_lock(&window->lock);
	if (window->domain) {
		for (i = from; i < window->free_count; i++)
			kagent_slot_unmap(window, window->domain,
					  window->free[i], &batch);
		iommu_iotlb_sync(window->domain, &batch.gather);
	}
	spin_unlock(&window->lock);
	atomic_sub(batch.count, &kagent_live_skbs);
	while ((skb = kagent_unmapped_pop(&batch)))
		dev_consume_skb_any(skb);
}
