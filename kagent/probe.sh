#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# probe.sh SRCTREE: prints a -D option for each interface the kernel's headers
# have. Read by Kbuild; used in compat.h only.
inc=$1/include/linux

# has FILE TEXT NAME: a header contains TEXT, line ends counting as spaces
has() {
	if tr -s '\n\t ' ' ' < "$inc/$1" | grep -qF "$2"; then
		printf ' -DKAGENT_HAVE_%s' "$3"
	fi
}

has eventfd.h 'eventfd_signal(struct eventfd_ctx *ctx, __u64 n)' EVENTFD_COUNT
has iommu.h 'iommu_map(struct iommu_domain *domain, unsigned long iova, phys_addr_t paddr, size_t size, int prot, gfp_t gfp)' IOMMU_MAP_GFP
has mm.h 'static inline void vm_flags_set(' VM_FLAGS_SET
has device/class.h 'class_create(owner, name)' CLASS_OWNER
