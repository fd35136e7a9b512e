/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * compat.h - one spelling for what kernels spell differently (see probe.sh).
 */
#ifndef KAGENT_COMPAT_H
#define KAGENT_COMPAT_H

#include <linux/device/class.h>
#include <linux/eventfd.h>
#include <linux/iommu.h>
#include <linux/mm.h>
#include <linux/module.h>

static inline void kagent_eventfd_signal(struct eventfd_ctx *ctx)
{
#ifdef KAGENT_HAVE_EVENTFD_COUNT
	eventfd_signal(ctx, 1);
#else
	eventfd_signal(ctx);
#endif
}

static inline struct class *kagent_class_create(const char *name)
{
#ifdef KAGENT_HAVE_CLASS_OWNER
	return class_create(THIS_MODULE, name);
#else
	return class_create(name);
#endif
}

static inline int kagent_iommu_map(struct iommu_domain *domain,
				   unsigned long iova, phys_addr_t paddr,
				   size_t size, int prot, gfp_t gfp)
{
#ifdef KAGENT_HAVE_IOMMU_MAP_GFP
	return iommu_map(domain, iova, paddr, size, prot, gfp);
#else
	return gfpflags_allow_blocking(gfp) ?
		iommu_map(domain, iova, paddr, size, prot) :
		iommu_map_atomic(domain, iova, paddr, size, prot);
#endif
}

static inline void kagent_vm_flags_set(struct vm_area_struct *vma,
				       unsigned long flags)
{
#ifdef KAGENT_HAVE_VM_FLAGS_SET
	vm_flags_set(vma, flags);
#else
	vma->vm_flags |= flags;
#endif
}

#endif /* KAGENT_COMPAT_H */
