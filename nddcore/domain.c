// SPDX-License-Identifier: GPL-2.0-only
/*
 * domain.c - an IOMMU domain that no process can map into.
 *
 * VFIO's type 1 attached its own domain when the process set its container up. The
 * port's goes in its place while the device is open: it has the pool and the
 * window, mapped by kagent, and nothing else. What the process maps or unmaps
 * through VFIO lands in a domain that no device uses; type 1 notices nothing, and
 * its own detach at the end is harmless.
 */
#include <linux/iommu.h>

#include "compat.h"
#include "nddcore.h"

/**
 * nddcore_domain_attach - put a domain of the port's own in type 1's place
 * @dev: the device, being opened
 * @domain: gets the domain
 *
 * From open_device of the VFIO driver. Return: 0 or an error; then type 1's domain
 * is in place again.
 */
int nddcore_domain_attach(struct device *dev, struct iommu_domain **domain)
{
	struct iommu_domain *types = iommu_get_domain_for_dev(dev);
	struct iommu_group *group;
	struct iommu_domain *own;
	int err;

	/* No-IOMMU mode has no domain. */
	if (!types || types->type != IOMMU_DOMAIN_UNMANAGED)
		return -EOPNOTSUPP;
	group = iommu_group_get(dev);
	if (!group)
		return -EOPNOTSUPP;
	own = nddcore_domain_alloc(dev);
	if (IS_ERR(own)) {
		err = PTR_ERR(own);
		goto out;
	}
	/* In between the device is blocked: VFIO owns the group. */
	iommu_detach_group(types, group);
	err = iommu_attach_group(own, group);
	if (err) {
		if (iommu_attach_group(types, group))
			dev_err(dev, "stays without an IOMMU domain\n");
		iommu_domain_free(own);
		goto out;
	}
	*domain = own;
out:
	iommu_group_put(group);
	return err;
}

/**
 * nddcore_domain_detach - take the port's own domain away and free it
 * @dev: the device, whose DMA is off
 * @domain: as nddcore_domain_attach() gave it; nothing is mapped in it any more
 *
 * From close_device: the device is blocked until it gets another driver.
 */
void nddcore_domain_detach(struct device *dev, struct iommu_domain *domain)
{
	struct iommu_group *group = iommu_group_get(dev);

	iommu_detach_group(domain, group);
	iommu_domain_free(domain);
	iommu_group_put(group);
}
