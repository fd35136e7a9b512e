/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * compat.h - what differs between the kernels nddcore builds for.
 *
 * Each difference is a HAVE_* that Kbuild found in the headers; not on the data
 * path.
 */
#ifndef NDDCORE_COMPAT_H
#define NDDCORE_COMPAT_H

#include <linux/device.h>
#include <linux/iommu.h>
#include <linux/netdevice.h>
#include <linux/pci.h>

/* Keeps IPv6 autoconfiguration off a lower: one flag or the other is looked at. */
#ifdef HAVE_NO_ADDRCONF
#define NDDCORE_NO_ADDRCONF	IFF_NO_ADDRCONF
#else
#define NDDCORE_NO_ADDRCONF	0
#endif

/* Empty @name clears the override. */
static inline int nddcore_set_override(struct pci_dev *pdev, const char *name)
{
#ifdef HAVE_DEVICE_DRIVER_OVERRIDE
	return device_set_driver_override(&pdev->dev, name);
#else
	return driver_set_override(&pdev->dev, &pdev->driver_override, name,
				   strlen(name));
#endif
}

/* A copy of the override, NULL if there is none (or no memory). */
static inline char *nddcore_get_override(struct pci_dev *pdev)
{
	char *copy;

#ifdef HAVE_DEVICE_DRIVER_OVERRIDE
	spin_lock(&pdev->dev.driver_override.lock);
	copy = kstrdup(pdev->dev.driver_override.name, GFP_ATOMIC);
	spin_unlock(&pdev->dev.driver_override.lock);
#else
	device_lock(&pdev->dev);
	copy = kstrdup(pdev->driver_override, GFP_KERNEL);
	device_unlock(&pdev->dev);
#endif
	return copy;
}

static inline struct iommu_domain *nddcore_domain_alloc(struct device *dev)
{
#ifdef HAVE_PAGING_DOMAIN_ALLOC
	return iommu_paging_domain_alloc(dev);
#else
	struct iommu_domain *domain = iommu_domain_alloc(dev->bus);

	return domain ?: ERR_PTR(-ENOMEM);
#endif
}

/* Interrupts of @dev can't be forged by DMA writes of another device. */
static inline bool nddcore_isolated_msi(struct device *dev,
					struct iommu_group *group)
{
#ifdef HAVE_GROUP_ISOLATED_MSI
	return iommu_group_has_isolated_msi(group);
#else
	return device_iommu_capable(dev, IOMMU_CAP_INTR_REMAP);
#endif
}

static inline int nddcore_change_netns(struct net_device *dev, struct net *net,
				       const char *pattern)
{
#ifdef HAVE_CHANGE_NETNS_EXTACK
	return __dev_change_net_namespace(dev, net, pattern, 0, NULL);
#else
	return __dev_change_net_namespace(dev, net, pattern, 0);
#endif
}

#endif /* NDDCORE_COMPAT_H */
