// SPDX-License-Identifier: GPL-2.0-only
/*
 * pool.c - pages that the kernel shares with a process, and with the NIC.
 *
 * Runs of up to 2 MiB, contiguous in physical memory (one IOMMU mapping each),
 * split into single pages with a base reference of their own, so that one page
 * that the stack still holds never keeps its 511 neighbours. Mapped into the
 * process by page frame number: that takes no reference, and get_user_pages()
 * refuses such mappings, so nobody but us can pin or free a page.
 *
 * The process's mappings hold its file, the file holds the session, the session
 * holds the pool: the base references are dropped when neither process nor NIC sees
 * the pages. Those that the stack has then (rxframe.c) are freed by whoever lets go
 * of them last; what is in them stays as it is until then.
 */
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "compat.h"
#include "session.h"

#define KAGENT_RUN_ORDER	9	/* 2 MiB */

atomic_t kagent_live_pages = ATOMIC_INIT(0);

static struct page *kagent_run_alloc(u32 wanted, u32 *count)
{
	/* pages of the reserve would have the stack drop what is in them */
	gfp_t gfp = GFP_KERNEL_ACCOUNT | __GFP_ZERO | __GFP_NOWARN |
		    __GFP_NOMEMALLOC;
	int order = min_t(int, ilog2(wanted), KAGENT_RUN_ORDER);
	struct page *page;
	int i;

	for (; order >= 0; order--) {
		/* no hard tries for what small pages do as well */
		page = alloc_pages(order ? gfp | __GFP_NORETRY : gfp, order);
		if (!page)
			continue;
		if (order)
			split_page(page, order);
		/* the allocator sets the mark in the first page of a run only */
		for (i = 0; i < 1 << order; i++)
			clear_page_pfmemalloc(page + i);
		*count = 1U << order;
		return page;
	}
	return NULL;
}

/**
 * kagent_pool_create() - allocate zeroed pages
 * @pool: pool, zeroed
 * @count: pages, not 0
 *
 * Charged to the caller's cgroup.
 *
 * Return: 0 or -ENOMEM
 */
int kagent_pool_create(struct kagent_pool *pool, u32 count)
{
	pool->pages = kvcalloc(count, sizeof(*pool->pages),
			       GFP_KERNEL_ACCOUNT);
	pool->runs = kvcalloc(count, sizeof(*pool->runs), GFP_KERNEL_ACCOUNT);
	if (!pool->pages || !pool->runs)
		goto err_destroy;
	while (pool->count < count) {
		struct kagent_run *run = &pool->runs[pool->runs_count];
		u32 i;

		run->page = kagent_run_alloc(count - pool->count, &run->count);
		if (!run->page)
			goto err_destroy;
		run->first = pool->count;
		for (i = 0; i < run->count; i++)
			pool->pages[pool->count++] = run->page + i;
		pool->runs_count++;
		atomic_add(run->count, &kagent_live_pages);
		cond_resched();
	}
	return 0;

err_destroy:
	kagent_pool_destroy(pool);
	return -ENOMEM;
}

/**
 * kagent_pool_destroy() - drop the base references
 * @pool: pool, mapped nowhere any more; may be half made
 */
void kagent_pool_destroy(struct kagent_pool *pool)
{
	u32 i;

	for (i = 0; i < pool->count; i++)
		put_page(pool->pages[i]);
	atomic_sub(pool->count, &kagent_live_pages);
	pool->count = 0;
	pool->runs_count = 0;
	kvfree(pool->runs);
	kvfree(pool->pages);
	pool->runs = NULL;
	pool->pages = NULL;
}

static void kagent_runs_unmap(struct kagent_pool *pool, u32 runs,
			      struct iommu_domain *domain, u64 iova)
{
	u32 i;

	/* iommu_unmap() flushes */
	for (i = 0; i < runs; i++)
		iommu_unmap(domain, iova + (u64)pool->runs[i].first * PAGE_SIZE,
			    (size_t)pool->runs[i].count * PAGE_SIZE);
}

/**
 * kagent_pool_map() - let the NIC see the pool
 * @pool: pool
 * @domain: domain, nothing in it at @iova
 * @iova: where
 *
 * Return: 0 or an error, with nothing mapped
 */
int kagent_pool_map(struct kagent_pool *pool, struct iommu_domain *domain,
		    u64 iova)
{
	u32 i;
	int err;

	for (i = 0; i < pool->runs_count; i++) {
		struct kagent_run *run = &pool->runs[i];

		err = kagent_iommu_map(domain,
				       iova + (u64)run->first * PAGE_SIZE,
				       page_to_phys(run->page),
				       (size_t)run->count * PAGE_SIZE,
				       IOMMU_READ | IOMMU_WRITE,
				       GFP_KERNEL_ACCOUNT);
		if (err) {
			kagent_runs_unmap(pool, i, domain, iova);
			return err;
		}
	}
	return 0;
}

/**
 * kagent_pool_unmap() - the NIC sees it no more, when this returns
 * @pool: pool
 * @domain: domain it is mapped in
 * @iova: where
 */
void kagent_pool_unmap(struct kagent_pool *pool, struct iommu_domain *domain,
		       u64 iova)
{
	kagent_runs_unmap(pool, pool->runs_count, domain, iova);
}

/**
 * kagent_pool_mmap() - map a part of the pool into a process
 * @pool: pool
 * @vma: shared mapping
 * @first: page of the pool at the start of @vma
 *
 * Whole at once: no faults later, in the middle of a hot path.
 *
 * Return: 0, -EINVAL beyond the pool's end, -ENOMEM
 */
int kagent_pool_mmap(struct kagent_pool *pool, struct vm_area_struct *vma,
		     u64 first)
{
	u64 left = vma_pages(vma);
	unsigned long at = vma->vm_start;
	u32 i, skip, count;
	int err;

	if (first + left > pool->count)
		return -EINVAL;
	kagent_vm_flags_set(vma, VM_DONTCOPY | VM_DONTEXPAND | VM_DONTDUMP |
			    VM_IO | VM_PFNMAP);
	for (i = 0; i < pool->runs_count && left; i++) {
		struct kagent_run *run = &pool->runs[i];

		if (run->first + run->count <= first)
			continue;
		skip = first - run->first;
		count = min_t(u64, run->count - skip, left);
		err = remap_pfn_range(vma, at, page_to_pfn(run->page) + skip,
				      (unsigned long)count * PAGE_SIZE,
				      vma->vm_page_prot);
		if (err)
			return err;
		at += (unsigned long)count * PAGE_SIZE;
		first += count;
		left -= count;
	}
	return 0;
}
