// SPDX-License-Identifier: GPL-2.0-only
/*
 * config.c - what ndd0 wants of the NIC, told to the process that drives it.
 *
 * Level-triggered: the whole configuration is written each time, so that no
 * change can be lost and nothing can overflow.
 */
#include <linux/etherdevice.h>
#include <linux/netdevice.h>

#include "session.h"

static void kagent_config_lists(struct net_device *dev,
				struct ndd_config *config, u32 *flags)
{
	struct netdev_hw_addr *address;
	u32 count = 0;

	if (netdev_mc_count(dev) > NDD_MULTICAST_MAX) {
		*flags |= NDD_CONFIG_ALLMULTI;
	} else {
		netdev_for_each_mc_addr(address, dev)
			ether_addr_copy(config->multicast[count++],
					address->addr);
	}
	WRITE_ONCE(config->multicast_count, count);
	/* there is no list of further unicast addresses */
	if (!netdev_uc_empty(dev))
		*flags |= NDD_CONFIG_PROMISC;
}

static void kagent_config_vlans(struct net_device *dev,
				struct ndd_config *config)
{
	unsigned long *vlans = kagent_priv(dev)->vlans;
	unsigned int id;

	memset(config->vlan, 0, sizeof(config->vlan));
	for_each_set_bit(id, vlans, VLAN_N_VID)
		config->vlan[id / BITS_PER_BYTE] |= BIT(id % BITS_PER_BYTE);
	/* id 0 is a priority and no VLAN */
	config->vlan[0] |= BIT(0);
}

static void kagent_config_write(struct net_device *dev,
				struct kagent_session *session)
{
	struct ndd_config *config = session->config;
	u32 flags = 0;

	spin_lock_bh(&session->config_lock);
	WRITE_ONCE(config->seq, ++session->config_seq);
	smp_wmb();	/* pairs with the reader's: odd before anything changes */
	if (netif_running(dev))
		flags |= NDD_CONFIG_UP;
	if (dev->flags & IFF_PROMISC)
		flags |= NDD_CONFIG_PROMISC;
	if (dev->flags & IFF_ALLMULTI)
		flags |= NDD_CONFIG_ALLMULTI;
	kagent_config_lists(dev, config, &flags);
	kagent_config_vlans(dev, config);
	if (!(flags & NDD_CONFIG_PROMISC))
		flags |= NDD_CONFIG_VLAN_FILTER;
	if (kagent_priv(dev)->rx_merge)
		flags |= NDD_CONFIG_RX_MERGE;
	WRITE_ONCE(config->flags, flags);
	WRITE_ONCE(config->mtu, dev->mtu);
	ether_addr_copy(config->mac, dev->dev_addr);
	/* pairs with the reader's load of seq: even after everything changed */
	smp_store_release(&config->seq, ++session->config_seq);
	spin_unlock_bh(&session->config_lock);
	kagent_signal(&session->rings[0]);
}

/**
 * kagent_config_changed_locked() - as kagent_config_changed()
 * @dev: ndd0, its address lists locked by the caller
 */
void kagent_config_changed_locked(struct net_device *dev)
{
	struct kagent_port *port = kagent_priv(dev)->port;
	struct kagent_session *session;

	/* the port's reference holds as long as the lock */
	spin_lock_bh(&port->lock);
	session = port->session;
	if (session && (port->mode == NDD_MODE_TAKING ||
			port->mode == NDD_MODE_TUNNEL))
		kagent_config_write(dev, session);
	spin_unlock_bh(&port->lock);
}

/**
 * kagent_config_changed() - ndd0's settings changed: tell whoever has the NIC
 * @dev: ndd0
 */
void kagent_config_changed(struct net_device *dev)
{
	netif_addr_lock_bh(dev);
	kagent_config_changed_locked(dev);
	netif_addr_unlock_bh(dev);
}
