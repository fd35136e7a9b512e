// SPDX-License-Identifier: GPL-2.0-only
/*
 * restore.c - the way back: nddcore's VFIO driver goes, the recorded in-kernel
 * driver comes, its netdev gets its settings and becomes the lower again.
 *
 * Called by kagent's work, again and again with growing pauses until it works, so
 * each step looks at what is there rather than at what should be.
 */
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/rtnetlink.h>

#include "compat.h"
#include "family.h"
#include "nddcore.h"

/* A driver may register its netdev from a work of its own after probe. */
#define NDDCORE_NETDEV_WAIT	(5 * HZ)

/* Whose the device is. */
enum nddcore_bound {
	NDDCORE_BOUND_NONE,
	NDDCORE_BOUND_SELF,
	NDDCORE_BOUND_RECORDED,
	NDDCORE_BOUND_OTHER,
};

static enum nddcore_bound nddcore_bound(struct nddcore_port *np,
					struct pci_dev *pdev)
{
	enum nddcore_bound bound = NDDCORE_BOUND_OTHER;
	struct device_driver *drv;

	/* Waits for a bind or unbind that somebody else has begun. */
	device_lock(&pdev->dev);
	drv = pdev->dev.driver;
	if (!drv)
		bound = NDDCORE_BOUND_NONE;
	else if (drv == &nddcore_pci_driver.driver)
		bound = NDDCORE_BOUND_SELF;
	else if (!np->hold.driver || !strcmp(drv->name, np->hold.driver))
		bound = NDDCORE_BOUND_RECORDED;	/* or never released */
	device_unlock(&pdev->dev);
	return bound;
}

static int nddcore_attach_recorded(struct nddcore_port *np,
				   struct pci_dev *pdev)
{
	struct device_driver *drv;
	int err;

	if (!np->hold.driver)
		return -EIO;
	if (!np->quiet) {
		err = nddcore_quiesce(pdev);
		if (err) {
			pci_err(pdev, "its DMA can't be stopped: %d; %s is not let near it\n",
				err, np->hold.driver);
			return -EIO;
		}
		np->quiet = true;
	}
	drv = driver_find(np->hold.driver, &pci_bus_type);
	if (!drv)
		return -ENOENT;
	err = device_driver_attach(drv, &pdev->dev);
	if (err)
		pci_err(pdev, "%s can't be bound again: %d\n",
			np->hold.driver, err);
	return err ? -EIO : 0;
}

/* Unbound, and with an override that is neither ours nor what was there before: an
 * administrator is about to bind another driver.
 */
static bool nddcore_foreign_override(struct nddcore_port *np,
				     struct pci_dev *pdev)
{
	char *now = nddcore_get_override(pdev);
	bool foreign = np->hold.driver && now && *now &&
		       strcmp(now, NDDCORE_DRIVER_NAME) &&
		       (!np->hold.override || strcmp(now, np->hold.override));

	kfree(now);
	return foreign;
}

/* nddcore off, override off, in-kernel driver on. Errors of the device and its driver
 * are -EIO: kagent takes others as what they mean to it.
 */
static int nddcore_swap_back(struct nddcore_port *np, struct pci_dev *pdev)
{
	enum nddcore_bound bound = nddcore_bound(np, pdev);

	if (bound == NDDCORE_BOUND_OTHER ||
	    (bound == NDDCORE_BOUND_NONE && nddcore_foreign_override(np, pdev)))
		return -EPERM;
	if (bound == NDDCORE_BOUND_SELF) {
		WRITE_ONCE(np->releasing, true);
		device_release_driver(&pdev->dev);
		WRITE_ONCE(np->releasing, false);
		bound = NDDCORE_BOUND_NONE;
	}
	if (np->hold.driver)
		nddcore_set_override(pdev, np->hold.override ?: "");
	if (bound == NDDCORE_BOUND_NONE)
		return nddcore_attach_recorded(np, pdev);
	return 0;
}

/* The netdev of the device, with a reference, or NULL. */
static struct net_device *nddcore_netdev_of(struct nddcore_port *np,
					    struct pci_dev *pdev,
					    netdevice_tracker *tracker)
{
	struct net_device *dev, *found;
	struct net *net;

	rtnl_lock();
	found = rtnl_dereference(np->lower);
	/* After ndd0 has gone no netdev is linked. */
	if (!found && np->detached)
		for_each_net(net)
			for_each_netdev(net, dev)
				if (nddcore_lower_pdev(dev) == pdev)
					found = dev;
	if (found)
		netdev_hold(found, tracker, GFP_KERNEL);
	rtnl_unlock();
	return found;
}

static int nddcore_serve_again(struct nddcore_port *np, struct pci_dev *pdev)
{
	netdevice_tracker tracker;
	struct net_device *lower;
	int err = 0;

	lower = nddcore_netdev_of(np, pdev, &tracker);
	if (!lower) {
		wait_for_completion_timeout(&np->linked, NDDCORE_NETDEV_WAIT);
		lower = nddcore_netdev_of(np, pdev, &tracker);
	}
	if (!lower) {
		pci_err(pdev, "%s has registered no netdev\n",
			dev_driver_string(&pdev->dev));
		return -ETIMEDOUT;
	}
	nddcore_settings_apply(np, lower);
	kagent_phase(np->port, KAGENT_PHASE_END_UP);

	rtnl_lock();
	nddcore_settings_follow(np, lower);
	if (rtnl_dereference(np->lower) != lower && !np->detached)
		err = -EAGAIN;	/* it has gone again meanwhile */
	else if (!np->detached && nddcore_lower_serve(np))
		err = -EIO;
	else
		nddcore_settings_drop(&np->settings);
	netdev_put(lower, &tracker);
	rtnl_unlock();
	return err;
}

static int nddcore_bring_back(struct nddcore_port *np)
{
	struct pci_dev *pdev;
	int err;

	if (nddcore_vfio_is_open(np))
		return -EBUSY;
	reinit_completion(&np->linked);
	/* Against removal and rescan; a removal that waited for the process is over
	 * when we get here.
	 */
	pci_lock_rescan_remove();
	pdev = nddcore_find_pdev(kagent_port_name(np->port));
	if (!pdev || !device_is_registered(&pdev->dev)) {
		pci_unlock_rescan_remove();
		pci_dev_put(pdev);
		return -ENODEV;
	}
	err = nddcore_swap_back(np, pdev);
	pci_unlock_rescan_remove();
	if (!err) {
		kagent_phase(np->port, KAGENT_PHASE_END_PROBED);
		err = nddcore_serve_again(np, pdev);
	}
	pci_dev_put(pdev);
	return err;
}

/**
 * nddcore_restore - provider op: bring the in-kernel driver and its netdev back
 * @port: kagent's port
 *
 * Process context of the kernel's own, no locks held. Return: 0: the lower is
 * linked and open; -EBUSY: the device is still held; -EPERM: an administrator has
 * bound another driver; -ENODEV: the device is gone; other errors are worth a
 * retry.
 */
int nddcore_restore(struct kagent_port *port)
{
	struct nddcore_port *np = nddcore_port_tryget(port);
	int err;

	if (!np)
		return -ENODEV;
	mutex_lock(&np->lock);
	err = nddcore_bring_back(np);
	/* In the latter two there is nothing of ours left to come back to; a netdev
	 * that appears will be linked by the notifier, one that has is served now.
	 */
	if (!err || err == -EPERM || err == -ENODEV)
		nddcore_hold_drop(np);
	if (err == -EPERM)
		nddcore_queue(np, &np->adopt);
	mutex_unlock(&np->lock);
	nddcore_port_put(np);
	return err;
}
