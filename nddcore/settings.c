// SPDX-License-Identifier: GPL-2.0-only
/*
 * settings.c - what an administrator set on the lower survives its driver.
 *
 * Recorded before the in-kernel driver is released, put back onto the fresh netdev
 * that it registers later, before that one opens. MAC and MTU follow ndd0, which
 * may have changed them meanwhile. Only what differs is written: some drivers
 * reset the NIC for each setting.
 */
#include <linux/etherdevice.h>
#include <linux/rtnetlink.h>

#include "compat.h"
#include "nddcore.h"

static int nddcore_ethtool_begin(struct net_device *dev)
{
	return dev->ethtool_ops->begin ? dev->ethtool_ops->begin(dev) : 0;
}

static void nddcore_ethtool_complete(struct net_device *dev)
{
	if (dev->ethtool_ops->complete)
		dev->ethtool_ops->complete(dev);
}

/* Everything that the driver tells of by ethtool. */
static void nddcore_ethtool_get(struct nddcore_settings *s,
				struct net_device *dev)
{
	const struct ethtool_ops *ops = dev->ethtool_ops;

	if (nddcore_ethtool_begin(dev))
		return;
	s->has_ksettings = ops->get_link_ksettings &&
			   !__ethtool_get_link_ksettings(dev, &s->ksettings);
	if (ops->get_ringparam) {
		s->ring.cmd = ETHTOOL_GRINGPARAM;
		ops->get_ringparam(dev, &s->ring, &s->kring, NULL);
		s->has_ring = true;
	}
	if (ops->get_coalesce) {
		s->coalesce.cmd = ETHTOOL_GCOALESCE;
		s->has_coalesce = !ops->get_coalesce(dev, &s->coalesce,
						     &s->kcoalesce, NULL);
	}
	if (ops->get_channels) {
		s->channels.cmd = ETHTOOL_GCHANNELS;
		ops->get_channels(dev, &s->channels);
		s->has_channels = true;
	}
	if (ops->get_pauseparam) {
		s->pause.cmd = ETHTOOL_GPAUSEPARAM;
		ops->get_pauseparam(dev, &s->pause);
		s->has_pause = true;
	}
	if (ops->get_wol) {
		s->wol.cmd = ETHTOOL_GWOL;
		ops->get_wol(dev, &s->wol);
		s->has_wol = true;
	}
	if (ops->get_priv_flags)
		s->priv_flags = ops->get_priv_flags(dev);
	if (ops->get_msglevel)
		s->msg_level = ops->get_msglevel(dev);
	nddcore_ethtool_complete(dev);
}

/* The part of the link settings that somebody chose. */
static bool nddcore_link_differs(const struct ethtool_link_ksettings *a,
				 const struct ethtool_link_ksettings *b)
{
	if (a->base.autoneg != b->base.autoneg ||
	    a->base.eth_tp_mdix_ctrl != b->base.eth_tp_mdix_ctrl)
		return true;
	if (a->base.autoneg == AUTONEG_ENABLE)
		return !bitmap_equal(a->link_modes.advertising,
				     b->link_modes.advertising,
				     __ETHTOOL_LINK_MODE_MASK_NBITS);
	return a->base.speed != b->base.speed ||
	       a->base.duplex != b->base.duplex;
}

static void nddcore_warn(struct net_device *dev, const char *what, int err)
{
	if (err)
		netdev_warn(dev, "%s can't be put back: %d\n", what, err);
}

/* Write what differs between @want and @now, which the driver has told. */
static void nddcore_ethtool_set(const struct nddcore_settings *want,
				const struct nddcore_settings *now,
				struct net_device *dev)
{
	const struct ethtool_ops *ops = dev->ethtool_ops;
	struct nddcore_settings w = *want;

	if (nddcore_ethtool_begin(dev))
		return;
	if (ops->set_msglevel && w.msg_level != now->msg_level)
		ops->set_msglevel(dev, w.msg_level);
	if (ops->set_priv_flags && w.priv_flags != now->priv_flags)
		nddcore_warn(dev, "private flags",
			     ops->set_priv_flags(dev, w.priv_flags));
	if (w.has_channels && ops->set_channels &&
	    memcmp(&w.channels, &now->channels, sizeof(w.channels)))
		nddcore_warn(dev, "channels",
			     ops->set_channels(dev, &w.channels));
	if (w.has_ring && ops->set_ringparam &&
	    (memcmp(&w.ring, &now->ring, sizeof(w.ring)) ||
	     memcmp(&w.kring, &now->kring, sizeof(w.kring))))
		nddcore_warn(dev, "ring sizes",
			     ops->set_ringparam(dev, &w.ring, &w.kring, NULL));
	if (w.has_coalesce && ops->set_coalesce &&
	    (memcmp(&w.coalesce, &now->coalesce, sizeof(w.coalesce)) ||
	     memcmp(&w.kcoalesce, &now->kcoalesce, sizeof(w.kcoalesce))))
		nddcore_warn(dev, "interrupt coalescing",
			     ops->set_coalesce(dev, &w.coalesce, &w.kcoalesce,
					       NULL));
	if (w.has_pause && ops->set_pauseparam &&
	    memcmp(&w.pause, &now->pause, sizeof(w.pause)))
		nddcore_warn(dev, "pause",
			     ops->set_pauseparam(dev, &w.pause));
	if (w.has_wol && ops->set_wol &&
	    memcmp(&w.wol, &now->wol, sizeof(w.wol)))
		nddcore_warn(dev, "wake-on-LAN", ops->set_wol(dev, &w.wol));
	if (w.has_ksettings && ops->set_link_ksettings &&
	    nddcore_link_differs(&w.ksettings, &now->ksettings))
		nddcore_warn(dev, "link settings",
			     ops->set_link_ksettings(dev, &w.ksettings));
	nddcore_ethtool_complete(dev);
}

/**
 * nddcore_settings_record - remember what is set on a lower
 * @s: the record, replaced
 * @lower: netdev
 *
 * Under rtnl.
 */
void nddcore_settings_record(struct nddcore_settings *s,
			     struct net_device *lower)
{
	ASSERT_RTNL();
	nddcore_settings_drop(s);
	/* One that is being destroyed leaves its netdevs to the first. */
	s->net = maybe_get_net(dev_net(lower)) ?: get_net(&init_net);
	strscpy(s->link.name, lower->name, sizeof(s->link.name));
	s->link.tx_queue_len = lower->tx_queue_len;
	s->link.group = lower->group;
	s->link.up = lower->flags & IFF_UP;
	s->mtu = lower->mtu;
	s->wanted = lower->wanted_features;
	ether_addr_copy(s->mac, lower->dev_addr);
	nddcore_ethtool_get(s, lower);
	s->valid = true;
}

/**
 * nddcore_settings_drop - forget a record, or do nothing if it is empty
 * @s: the record
 */
void nddcore_settings_drop(struct nddcore_settings *s)
{
	if (s->valid)
		put_net(s->net);
	memset(s, 0, sizeof(*s));
}

static void nddcore_set_mtu_mac(struct net_device *lower, unsigned int mtu,
				const u8 *mac)
{
	if (lower->mtu != mtu)
		nddcore_warn(lower, "MTU", dev_set_mtu(lower, mtu));
	nddcore_warn(lower, "address", nddcore_set_lower_mac(lower, mac));
}

/**
 * nddcore_settings_follow - MTU and MAC of a lower become ndd0's
 * @np: port, which may have lost its ndd0
 * @lower: netdev that is about to be served
 *
 * Under rtnl: what of ndd0 changed since nddcore_settings_apply().
 */
void nddcore_settings_follow(struct nddcore_port *np, struct net_device *lower)
{
	const struct net_device *upper = kagent_port_netdev(np->port);

	if (upper)
		nddcore_set_mtu_mac(lower, upper->mtu, upper->dev_addr);
}

/* What needs rtnl and nothing else. */
static void nddcore_settings_set(struct nddcore_settings *s,
				 struct net_device *lower,
				 const struct net_device *upper)
{
	struct nddcore_settings *now;

	if (upper) {
		s->mtu = upper->mtu;
		ether_addr_copy(s->mac, upper->dev_addr);
		s->link.up = netif_running(upper);
	}
	nddcore_set_mtu_mac(lower, s->mtu, s->mac);
	if (!s->valid)
		return;
	if ((lower->wanted_features ^ s->wanted) & lower->hw_features) {
		lower->wanted_features &= ~lower->hw_features;
		lower->wanted_features |= s->wanted & lower->hw_features;
		netdev_update_features(lower);
	}
	now = kzalloc(sizeof(*now), GFP_KERNEL);
	if (!now)
		return;
	nddcore_ethtool_get(now, lower);
	nddcore_ethtool_set(s, now, lower);
	kfree(now);
}

/**
 * nddcore_settings_apply - give a fresh lower its settings back, and open it
 * @np: port; what was recorded is in it, if anything was, and stays
 * @lower: netdev that the caller has a reference to, linked or not
 *
 * Takes rtnl. When everything is as it was, udev is told.
 */
void nddcore_settings_apply(struct nddcore_port *np, struct net_device *lower)
{
	struct nddcore_settings *s = &np->settings;
	struct nddcore_link link;
	struct net *net;
	int err, ifindex;

	rtnl_lock();
	if (lower->reg_state != NETREG_REGISTERED) {
		rtnl_unlock();
		return;
	}
	if (s->valid && !net_eq(dev_net(lower), s->net))
		nddcore_warn(lower, "network namespace",
			     nddcore_change_netns(lower, s->net, "eth%d"));
	nddcore_settings_set(s, lower, kagent_port_netdev(np->port));
	link = s->link;
	if (!s->valid) {
		link.tx_queue_len = lower->tx_queue_len;
		link.group = lower->group;
	}
	if (!strcmp(link.name, lower->name))
		link.name[0] = '\0';
	net = get_net(dev_net(lower));
	ifindex = lower->ifindex;
	rtnl_unlock();

	err = nddcore_setlink(net, ifindex, &link);
	if (err && link.name[0]) {
		netdev_warn(lower, "can't be named %s again: %d\n",
			    link.name, err);
		link.name[0] = '\0';
		err = nddcore_setlink(net, ifindex, &link);
	}
	if (err)
		netdev_warn(lower, "can't be opened: %d\n", err);
	put_net(net);
	nddcore_lower_show(lower);
}
