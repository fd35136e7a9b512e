// SPDX-License-Identifier: GPL-2.0-only
/*
 * notify.c - what the kernel tells nddcore of: netdevs, PCI devices, suspend.
 *
 * A lower is unlinked in the notifier of its end, or its driver could not go;
 * when a netdev of the same PCI device appears it becomes the lower again.
 */
#include <linux/rtnetlink.h>
#include <linux/suspend.h>

#include "nddcore.h"

/* A restore takes a second at most where it works (the link need not be up). */
#define NDDCORE_SUSPEND_WAIT	(5 * HZ)

static DEFINE_MUTEX(nddcore_holds_lock);
static LIST_HEAD(nddcore_holds);
static DECLARE_WAIT_QUEUE_HEAD(nddcore_holds_wait);
static bool nddcore_suspending;

/* The port whose lower this is, or NULL. Under rtnl. */
static struct nddcore_port *nddcore_port_of_lower(struct net_device *lower)
{
	if (rtnl_dereference(lower->rx_handler) != nddcore_rx)
		return NULL;
	return rtnl_dereference(lower->rx_handler_data);
}

/* The port of the device behind a netdev, with a reference, or NULL. */
static struct kagent_port *nddcore_find_port(const struct net_device *lower)
{
	struct pci_dev *pdev = nddcore_lower_pdev(lower);

	return pdev ? kagent_port_find(pci_name(pdev)) : NULL;
}

/* A netdev is about to be registered: will it be the lower of a port that has none? */
static void nddcore_registering(struct net_device *lower)
{
	struct kagent_port *port = nddcore_find_port(lower);
	struct nddcore_port *np;

	if (!port)
		return;
	np = nddcore_port_of(port);
	if (np && !rtnl_dereference(np->lower) &&
	    (np->hold.taken || kagent_port_netdev(port)))
		nddcore_lower_hide(lower);
	kagent_port_put(port);
}

static void nddcore_registered(struct net_device *lower)
{
	struct kagent_port *port = nddcore_find_port(lower);
	struct nddcore_port *np;
	int err;

	if (!port)
		return;
	if (!kagent_port_netdev(port))
		goto out;
	np = nddcore_port_of(port) ?: nddcore_port_create(port);
	if (!np || rtnl_dereference(np->lower))
		goto out;
	err = nddcore_lower_link(np, lower, NULL);
	if (err) {
		netdev_err(lower, "can't be linked to %s: %d\n",
			   kagent_port_netdev(port)->name, err);
		nddcore_lower_show(lower);
		goto out;
	}
	if (np->hold.taken) {
		/* What restore() waits for; or it has given up and tries later. */
		complete(&np->linked);
		if (kagent_port_mode(port) == NDD_MODE_LOST)
			kagent_restore_retry(port);
	} else {
		/* Settings need a process context without rtnl. */
		nddcore_queue(np, &np->adopt);
	}
out:
	kagent_port_put(port);
}

static void nddcore_unregistered(struct net_device *lower)
{
	struct nddcore_port *np = nddcore_port_of_lower(lower);

	if (!np)
		return;
	/* A driver that goes by itself: its netdev may come back. A move to
	 * another namespace keeps everything but the link to ndd0.
	 */
	if (!np->hold.taken && lower->reg_state != NETREG_REGISTERED)
		nddcore_settings_record(&np->settings, lower);
	nddcore_lower_unlink(np, true);
}

static void nddcore_changed(struct net_device *lower)
{
	struct nddcore_port *np = nddcore_port_of_lower(lower);

	bool on = netif_running(lower) && netif_carrier_ok(lower);

	if (np && np->served)
		kagent_lower_carrier(np->port, on);
}

static int nddcore_netdev_event(struct notifier_block *nb,
				unsigned long event, void *data)
{
	struct net_device *dev = netdev_notifier_info_to_dev(data);

	switch (event) {
	case NETDEV_POST_INIT:
		nddcore_registering(dev);
		break;
	case NETDEV_REGISTER:
		nddcore_registered(dev);
		break;
	case NETDEV_UNREGISTER:
		nddcore_unregistered(dev);
		break;
	case NETDEV_UP:
	case NETDEV_DOWN:
	case NETDEV_CHANGE:
		nddcore_changed(dev);
		break;
	}
	return NOTIFY_DONE;
}

static struct notifier_block nddcore_netdev_nb = {
	.notifier_call = nddcore_netdev_event,
};

/* A device that goes for good is told apart here from one that only loses its
 * driver.
 */
static int nddcore_pci_event(struct notifier_block *nb, unsigned long event,
			     void *data)
{
	struct kagent_port *port;
	struct nddcore_port *np;

	if (event != BUS_NOTIFY_REMOVED_DEVICE)
		return NOTIFY_DONE;
	port = kagent_port_find(dev_name(data));
	if (!port)
		return NOTIFY_DONE;
	kagent_device_gone(port);
	np = nddcore_port_tryget(port);
	if (np) {
		nddcore_queue(np, &np->drop);
		nddcore_port_put(np);
	}
	kagent_port_put(port);
	return NOTIFY_DONE;
}

static struct notifier_block nddcore_pci_nb = {
	.notifier_call = nddcore_pci_event,
};

/**
 * nddcore_held - count a port as out of the in-kernel driver's hands, or not
 * @np: port
 * @held: whether it is
 *
 * Return: -EBUSY if the system is about to sleep and no port may leave.
 */
int nddcore_held(struct nddcore_port *np, bool held)
{
	int err = 0;

	mutex_lock(&nddcore_holds_lock);
	if (!held)
		list_del_init(&np->entry);
	else if (nddcore_suspending)
		err = -EBUSY;
	else
		list_add(&np->entry, &nddcore_holds);
	mutex_unlock(&nddcore_holds_lock);
	if (!held)
		wake_up_all(&nddcore_holds_wait);
	return err;
}

/* Before user space is frozen: a frozen process could not let go of its device,
 * and only the in-kernel driver knows how to suspend it.
 */
static int nddcore_suspend(void)
{
	struct nddcore_port *np;

	mutex_lock(&nddcore_holds_lock);
	nddcore_suspending = true;
	list_for_each_entry(np, &nddcore_holds, entry)
		kagent_device_wanted(np->port, NDD_REASON_ADMIN);
	mutex_unlock(&nddcore_holds_lock);

	if (wait_event_timeout(nddcore_holds_wait,
			       list_empty_careful(&nddcore_holds),
			       NDDCORE_SUSPEND_WAIT))
		return 0;
	pr_err("nddcore: no suspend, a port is not back with its driver\n");
	mutex_lock(&nddcore_holds_lock);
	nddcore_suspending = false;
	mutex_unlock(&nddcore_holds_lock);
	return -EBUSY;
}

static int nddcore_pm_event(struct notifier_block *nb, unsigned long event,
			    void *data)
{
	switch (event) {
	case PM_SUSPEND_PREPARE:
	case PM_HIBERNATION_PREPARE:
		return notifier_from_errno(nddcore_suspend());
	case PM_POST_SUSPEND:
	case PM_POST_HIBERNATION:
		mutex_lock(&nddcore_holds_lock);
		nddcore_suspending = false;
		mutex_unlock(&nddcore_holds_lock);
		break;
	}
	return NOTIFY_DONE;
}

static struct notifier_block nddcore_pm_nb = {
	.notifier_call = nddcore_pm_event,
};

/**
 * nddcore_notify_init - listen, and be shown every netdev there is already
 *
 * Return: 0 or an error; then nothing listens.
 */
int nddcore_notify_init(void)
{
	int err;

	err = register_pm_notifier(&nddcore_pm_nb);
	if (err)
		return err;
	err = bus_register_notifier(&pci_bus_type, &nddcore_pci_nb);
	if (err)
		goto err_unregister_pm;
	err = register_netdevice_notifier(&nddcore_netdev_nb);
	if (err)
		goto err_unregister_bus;
	return 0;

err_unregister_bus:
	bus_unregister_notifier(&pci_bus_type, &nddcore_pci_nb);
err_unregister_pm:
	unregister_pm_notifier(&nddcore_pm_nb);
	return err;
}

/**
 * nddcore_notify_exit - stop listening
 *
 * The netdevice notifier shows every lower's end to us while it goes: they are
 * unlinked here.
 */
void nddcore_notify_exit(void)
{
	unregister_netdevice_notifier(&nddcore_netdev_nb);
	bus_unregister_notifier(&pci_bus_type, &nddcore_pci_nb);
	unregister_pm_notifier(&nddcore_pm_nb);
}
