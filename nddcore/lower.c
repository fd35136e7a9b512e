// SPDX-License-Identifier: GPL-2.0-only
/*
 * lower.c - linking the in-kernel driver's netdev below ndd0, and unlinking it.
 *
 * Linked as a bond's port is: a receive handler, a master, and the slave flags
 * that keep address configuration off it. Everything here runs under rtnl except
 * the work that adopts a lower which came by itself.
 */
#include <linux/etherdevice.h>
#include <linux/if_vlan.h>
#include <linux/rtnetlink.h>
#include <net/addrconf.h>

#include "compat.h"
#include "nddcore.h"

/**
 * nddcore_lower_pdev - the PCI device behind a netdev
 * @lower: any netdev
 *
 * Return: NULL if it isn't a PCI function's own netdev.
 */
struct pci_dev *nddcore_lower_pdev(const struct net_device *lower)
{
	struct device *parent = lower->dev.parent;

	return parent && dev_is_pci(parent) ? to_pci_dev(parent) : NULL;
}

/**
 * nddcore_lower_hide - keep a netdev that is being registered from udev for now
 * @lower: netdev before it is in sysfs
 *
 * udev names, sets up and hot-plugs whatever is added. A netdev that comes back
 * has its name and settings from us, and udev would race us for them, even after
 * we are done: kernels since 6.2 rename an open netdev.
 */
void nddcore_lower_hide(struct net_device *lower)
{
	dev_set_uevent_suppress(&lower->dev, true);
}

/**
 * nddcore_lower_show - tell udev of a netdev that nddcore_lower_hide() kept from it
 * @lower: registered netdev, hidden or not
 *
 * As one that has changed: udev knows it from then on, and leaves it as it is.
 */
void nddcore_lower_show(struct net_device *lower)
{
	if (!dev_get_uevent_suppress(&lower->dev))
		return;
	dev_set_uevent_suppress(&lower->dev, false);
	kobject_uevent(&lower->dev.kobj, KOBJ_CHANGE);
}

static bool nddcore_has_addr6(const struct net_device *lower)
{
	struct inet6_dev *idev = __in6_dev_get(lower);

	return idev && !list_empty(&idev->addr_list);
}

/**
 * nddcore_lower_link - make a netdev the lower of a port
 * @np: port without a lower
 * @lower: netdev, checked
 * @extack: for the reason of a refusal, or NULL
 *
 * Under rtnl. The lower is not served yet: no frame of ndd0 goes through it before
 * nddcore_lower_serve(). Return: 0 or an error, and nothing has changed.
 */
int nddcore_lower_link(struct nddcore_port *np, struct net_device *lower,
		       struct netlink_ext_ack *extack)
{
	struct net_device *upper = kagent_port_netdev(np->port);
	bool up = lower->flags & IFF_UP;
	int err;

	/* Of a netdev that comes back, what the one before it was counts. */
	if (!np->hold.taken && !np->settings.valid)
		np->was_up = up;
	/* Going down is what makes IPv6 drop the addresses that it gave itself;
	 * with the flags set they don't come back.
	 */
	if (up && nddcore_has_addr6(lower))
		dev_close(lower);
	lower->flags |= IFF_SLAVE;
	lower->priv_flags |= NDDCORE_NO_ADDRCONF;

	err = netdev_rx_handler_register(lower, nddcore_rx, np);
	if (err) {
		NL_SET_ERR_MSG(extack,
			       "The lower has another receive handler: take it out of its bridge, bond or team first");
		goto err_clear_flags;
	}
	err = netdev_master_upper_dev_link(lower, upper, NULL, NULL, extack);
	if (err)
		goto err_unregister_handler;
	netdev_hold(lower, &np->tracker, GFP_KERNEL);
	nddcore_port_get(np);
	rcu_assign_pointer(np->lower, lower);
	return 0;

err_unregister_handler:
	netdev_rx_handler_unregister(lower);
err_clear_flags:
	lower->flags &= ~IFF_SLAVE;
	lower->priv_flags &= ~NDDCORE_NO_ADDRCONF;
	if (up)
		dev_open(lower, NULL);
	return err;
}

/**
 * nddcore_lower_serve - frames of ndd0 go through the linked lower from now on
 * @np: port with a lower
 *
 * Under rtnl: ndd0's addresses, VLANs and modes go to the lower, which is opened
 * if ndd0 is up, and kagent is told. Return: 0 or the error of opening it.
 */
int nddcore_lower_serve(struct nddcore_port *np)
{
	struct net_device *lower = rtnl_dereference(np->lower);
	struct net_device *upper = kagent_port_netdev(np->port);
	int err = 0;

	if (!np->served) {
		netif_addr_lock_bh(upper);
		dev_uc_sync(lower, upper);
		dev_mc_sync(lower, upper);
		WRITE_ONCE(np->served, true);
		netif_addr_unlock_bh(upper);
		vlan_vids_add_by_dev(lower, upper);
	}
	nddcore_sync_rx_flags(np, lower, upper->flags & IFF_PROMISC,
			      upper->flags & IFF_ALLMULTI);
	if (netif_running(upper))
		err = dev_open(lower, NULL);
	kagent_lower_changed(np->port, lower);
	return err;
}

/**
 * nddcore_lower_unlink - let go of a port's lower, if it has one
 * @np: port
 * @gone: the lower itself is going
 *
 * Under rtnl. kagent is told first, so that ndd0's queue is stopped.
 */
void nddcore_lower_unlink(struct nddcore_port *np, bool gone)
{
	struct net_device *lower = rtnl_dereference(np->lower);
	struct net_device *upper;

	if (!lower)
		return;
	upper = netdev_master_upper_dev_get(lower);
	if (np->served) {
		WRITE_ONCE(np->served, false);
		kagent_lower_changed(np->port, NULL);
		nddcore_sync_rx_flags(np, lower, false, false);
		vlan_vids_del_by_dev(lower, upper);
		dev_mc_unsync(lower, upper);
		dev_uc_unsync(lower, upper);
	}
	RCU_INIT_POINTER(np->lower, NULL);
	netdev_rx_handler_unregister(lower);	/* waits for its readers */
	netdev_upper_dev_unlink(lower, upper);
	if (!gone)
		dev_close(lower);
	lower->flags &= ~IFF_SLAVE;
	lower->priv_flags &= ~NDDCORE_NO_ADDRCONF;
	if (!gone && np->was_up)
		dev_open(lower, NULL);
	if (!gone)
		nddcore_lower_show(lower);
	netdev_put(lower, &np->tracker);
	nddcore_port_put(np);
}

/**
 * nddcore_attach - provider op: link a lower to a new ndd0
 * @port: kagent's port
 * @lower: netdev that the user named
 * @force: even if it carries addresses or routes
 * @extack: for the reason of a refusal
 *
 * Under rtnl. Return: 0 or an error.
 */
int nddcore_attach(struct kagent_port *port, struct net_device *lower,
		   bool force, struct netlink_ext_ack *extack)
{
	struct nddcore_port *np = nddcore_port_of(port);
	int err;

	err = nddcore_lower_check(lower, force, extack);
	if (err)
		return err;
	if (!np)
		np = nddcore_port_create(port);
	if (!np)
		return -ENOMEM;
	err = nddcore_lower_link(np, lower, extack);
	if (!err)
		err = nddcore_lower_serve(np);
	if (err)
		nddcore_detach(port);
	return err;
}

/**
 * nddcore_detach - provider op: ndd0 goes, or nddcore does
 * @port: kagent's port
 *
 * Under rtnl. While the port is out of direct mode the rest stays for restore().
 */
void nddcore_detach(struct kagent_port *port)
{
	struct nddcore_port *np = nddcore_port_of(port);

	if (!np || np->detached)
		return;
	nddcore_lower_unlink(np, false);
	np->detached = true;
	if (!np->hold.taken)
		nddcore_port_forget(np);
}

/**
 * nddcore_port_forget - end nddcore's side of a port
 * @np: detached port that nothing was taken from
 *
 * Under rtnl; the caller must not use @np after it without a reference.
 */
void nddcore_port_forget(struct nddcore_port *np)
{
	kagent_port_set_priv(np->port, NULL);
	nddcore_port_put(np);
}

/**
 * nddcore_adopt_work - a lower came by itself: give it its settings and serve it
 * @work: of the port, which it holds a reference to
 */
void nddcore_adopt_work(struct work_struct *work)
{
	struct nddcore_port *np = container_of(work, struct nddcore_port,
					       adopt);
	struct net_device *lower;
	netdevice_tracker tracker;

	rtnl_lock();
	lower = rtnl_dereference(np->lower);
	if (lower)
		netdev_hold(lower, &tracker, GFP_KERNEL);
	rtnl_unlock();
	if (!lower)
		goto out;
	nddcore_settings_apply(np, lower);

	rtnl_lock();
	/* Another netdev may have come meanwhile: its own work is queued. */
	if (rtnl_dereference(np->lower) == lower) {
		nddcore_settings_drop(&np->settings);
		nddcore_settings_follow(np, lower);
		if (nddcore_lower_serve(np))
			netdev_warn(lower, "can't be opened\n");
	}
	netdev_put(lower, &tracker);
	rtnl_unlock();
out:
	nddcore_port_put(np);
}
