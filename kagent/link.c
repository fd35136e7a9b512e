// SPDX-License-Identifier: GPL-2.0-only
/*
 * link.c - ndd0's carrier and when its queue is open.
 *
 * Carrier off makes linkwatch purge the qdisc and evict neighbours. So while the
 * port changes hands the carrier stays as it was, for a hold time, and only the
 * queue is stopped; what the stack wants to send waits in the qdisc.
 */
#include <linux/module.h>
#include <linux/rtnetlink.h>

#include "kagent.h"

static unsigned int hold_ms = 10000;
module_param(hold_ms, uint, 0644);
MODULE_PARM_DESC(hold_ms, "carrier stays on this long while nobody serves the port");

/**
 * kagent_queue_update() - open or stop ndd0's queue, as the mode wants it
 * @dev: ndd0
 *
 * In direct mode the lower drops what it gets without a carrier, so the queue
 * waits for it as long as the hold lasts.
 */
void kagent_queue_update(struct net_device *dev)
{
	struct kagent_port *port = kagent_priv(dev)->port;
	bool open = false;

	switch (kagent_port_mode(port)) {
	case NDD_MODE_DIRECT:
		open = port->link_up || !port->holding;
		break;
	case NDD_MODE_TUNNEL:
		open = kagent_priv(dev)->tunnel;
		break;
	default:
		break;
	}
	WRITE_ONCE(port->queue_open, open);
	if (open) {
		/* pairs with the barrier in kagent_start_xmit() */
		smp_mb();
		netif_tx_wake_all_queues(dev);
	} else {
		/* when this returns nobody is in ndo_start_xmit any more */
		netif_tx_disable(dev);
	}
}

/* Neighbours and switches may have forgotten us meanwhile. */
static void kagent_link_notify(struct net_device *dev)
{
	call_netdevice_notifiers(NETDEV_NOTIFY_PEERS, dev);
	call_netdevice_notifiers(NETDEV_RESEND_IGMP, dev);
}

/**
 * kagent_link_hold() - the port begins to change hands
 * @dev: ndd0
 *
 * Taking and restoring are held each for itself.
 */
void kagent_link_hold(struct net_device *dev)
{
	struct kagent_port *port = kagent_priv(dev)->port;

	port->link_up = false;
	port->link = (struct ndd_link) {};
	port->holding = true;
	port->handed_over = true;
	kagent_port_get(port);
	if (mod_delayed_work(kagent_wq, &port->hold, msecs_to_jiffies(hold_ms)))
		kagent_port_put(port);
}

/**
 * kagent_link_forget() - no hold any more: ndd0 is going
 * @port: port
 */
void kagent_link_forget(struct kagent_port *port)
{
	if (cancel_delayed_work(&port->hold))
		kagent_port_put(port);
}

/**
 * kagent_link_expire() - end of the hold: the carrier is what it is
 * @work: port->hold
 */
void kagent_link_expire(struct work_struct *work)
{
	struct kagent_port *port =
		container_of(to_delayed_work(work), struct kagent_port, hold);
	struct net_device *dev;
	bool unknown;

	rtnl_lock();
	dev = rtnl_dereference(port->dev);
	/* a hold that began again has this work queued again */
	if (dev && port->holding && !delayed_work_pending(&port->hold)) {
		port->holding = false;
		unknown = kagent_port_mode(port) == NDD_MODE_TUNNEL &&
			  port->link.link == NDD_LINK_UNKNOWN;
		if (!port->link_up && !unknown)
			netif_carrier_off(dev);
		kagent_queue_update(dev);
	}
	rtnl_unlock();
	kagent_port_put(port);
}

/**
 * kagent_link_set() - the link of whoever drives the port
 * @dev: ndd0
 * @up: carrier
 */
void kagent_link_set(struct net_device *dev, bool up)
{
	struct kagent_port *port = kagent_priv(dev)->port;

	port->link_up = up;
	if (up) {
		port->holding = false;
		netif_carrier_on(dev);
	} else if (!port->holding) {
		netif_carrier_off(dev);
	}
	kagent_link_served(dev);
}

/**
 * kagent_link_told() - the process serves the port, or told of its link
 * @dev: ndd0
 */
void kagent_link_told(struct net_device *dev)
{
	const struct ndd_link *link = &kagent_priv(dev)->port->link;

	if (link->link == NDD_LINK_UNKNOWN)
		kagent_link_served(dev);
	else
		kagent_link_set(dev, link->link == NDD_LINK_UP);
}

/**
 * kagent_link_served() - somebody drives the port, or its link changed
 * @dev: ndd0
 */
void kagent_link_served(struct net_device *dev)
{
	struct kagent_port *port = kagent_priv(dev)->port;

	kagent_queue_update(dev);
	if (!port->queue_open || !port->handed_over)
		return;
	if (port->link_up) {
		if (kagent_port_mode(port) == NDD_MODE_DIRECT)
			kagent_phase(port, KAGENT_PHASE_END_LINK);
		port->handed_over = false;
	}
	kagent_link_notify(dev);
}

/**
 * kagent_lower_carrier() - the lower's carrier changed
 * @port: port
 * @up: carrier
 */
void kagent_lower_carrier(struct kagent_port *port, bool up)
{
	struct net_device *dev = rtnl_dereference(port->dev);

	/* the lower's last words on its way out are none of ours */
	if (dev && (kagent_port_mode(port) == NDD_MODE_DIRECT ||
		    READ_ONCE(port->restoring)))
		kagent_link_set(dev, up);
}
EXPORT_SYMBOL_GPL(kagent_lower_carrier);

static void kagent_lower_linked(struct kagent_port *port,
				struct net_device *dev,
				struct net_device *lower)
{
	const struct kagent_provider_ops *ops = rtnl_dereference(port->ops);
	struct kagent_step step = {};

	/* that was the device before this one */
	clear_bit(KAGENT_ASK_GONE, &port->asked);
	dev->max_mtu = lower->max_mtu;
	dev->needed_headroom = lower->needed_headroom;
	netif_inherit_tso_max(dev, lower);
	kagent_priv(dev)->offers = lower->features;
	/* a restore says itself when it is done */
	if (!READ_ONCE(port->restoring))
		step = kagent_port_event(port, KAGENT_EV_LOWER_UP,
					 NDD_REASON_CREATED);
	netdev_update_features(dev);
	if (step.valid && netif_running(dev) && !netif_running(lower) &&
	    ops->open(port))
		netdev_err(dev, "cannot bring up %s\n", lower->name);
	kagent_link_set(dev, netif_running(lower) && netif_carrier_ok(lower));
	if (step.actions & KAGENT_DO_RELEASE)
		kagent_port_wake(port, 0);
}

/**
 * kagent_lower_changed() - the lower came or went
 * @port: port
 * @lower: the netdev that drives the port in direct mode, or NULL
 */
void kagent_lower_changed(struct kagent_port *port, struct net_device *lower)
{
	struct net_device *dev = rtnl_dereference(port->dev);

	if (!dev)
		return;
	if (lower) {
		kagent_lower_linked(port, dev, lower);
	} else if (kagent_port_event(port, KAGENT_EV_LOWER_GONE,
				     NDD_REASON_ADMIN).valid) {
		kagent_link_hold(dev);
		kagent_queue_update(dev);
	}
}
EXPORT_SYMBOL_GPL(kagent_lower_changed);
