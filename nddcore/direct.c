// SPDX-License-Identifier: GPL-2.0-only
/*
 * direct.c - direct mode: frames and settings of ndd0 through its lower.
 *
 * Transmit: ndd0 -> nddcore_xmit() -> the lower's own queue. Receive: the lower's
 * driver -> nddcore_rx() -> ndd0.
 */
#include <linux/etherdevice.h>
#include <linux/if_vlan.h>
#include <linux/rtnetlink.h>

#include "nddcore.h"

/**
 * nddcore_rx - receive handler of the lower: the frame was for ndd0
 * @pskb: the frame
 *
 * Return: what the core does with it now.
 */
rx_handler_result_t nddcore_rx(struct sk_buff **pskb)
{
	struct sk_buff *skb = *pskb;
	struct nddcore_port *np = rcu_dereference(skb->dev->rx_handler_data);
	struct net_device *upper;

	skb = skb_share_check(skb, GFP_ATOMIC);
	if (!skb)
		return RX_HANDLER_CONSUMED;
	*pskb = skb;
	upper = kagent_port_netdev(np->port);
	if (!upper)
		return RX_HANDLER_PASS;
	skb->dev = upper;
	/* eth_type_trans() has pulled the header; ndd0 counts it when sending */
	dev_sw_netstats_rx_add(upper, skb->len + ETH_HLEN);
	return RX_HANDLER_ANOTHER;
}

/**
 * nddcore_xmit - provider op: send a frame of ndd0 by the lower
 * @port: kagent's port
 * @skb: consumed
 *
 * What the lower can't do (a frame may have been queued in the other mode) its own
 * validation does in software: segments and checksums.
 *
 * Return: NETDEV_TX_OK always; what the lower's queue drops it counts itself.
 */
netdev_tx_t nddcore_xmit(struct kagent_port *port, struct sk_buff *skb)
{
	struct nddcore_port *np;
	struct net_device *lower = NULL;

	rcu_read_lock();
	np = nddcore_port_of(port);
	if (np)
		lower = rcu_dereference(np->lower);
	if (likely(lower)) {
		skb->dev = lower;
		dev_queue_xmit(skb);
	} else {
		dev_core_stats_tx_dropped_inc(skb->dev);
		kfree_skb(skb);
	}
	rcu_read_unlock();
	return NETDEV_TX_OK;
}

/* Lower of a port in direct mode, or NULL. Under rtnl. */
static struct net_device *nddcore_served(struct kagent_port *port)
{
	struct nddcore_port *np = nddcore_port_of(port);

	return np && np->served ? rtnl_dereference(np->lower) : NULL;
}

/**
 * nddcore_open - provider op: ndd0 is up, so is the lower
 * @port: kagent's port
 *
 * Under rtnl. Return: 0 or an error.
 */
int nddcore_open(struct kagent_port *port)
{
	struct net_device *lower = nddcore_served(port);

	return lower ? dev_open(lower, NULL) : 0;
}

/**
 * nddcore_stop - provider op: ndd0 is down, so is the lower
 * @port: kagent's port
 *
 * Under rtnl.
 */
void nddcore_stop(struct kagent_port *port)
{
	struct net_device *lower = nddcore_served(port);

	if (lower)
		dev_close(lower);
}

/**
 * nddcore_set_mac - provider op: the lower gets ndd0's address
 * @port: kagent's port
 * @addr: ETH_ALEN octets
 *
 * Under rtnl. Return: 0 or the driver's error.
 */
int nddcore_set_mac(struct kagent_port *port, const void *addr)
{
	struct net_device *lower = nddcore_served(port);

	return lower ? nddcore_set_lower_mac(lower, addr) : 0;
}

/**
 * nddcore_set_lower_mac - give a lower an address
 * @lower: netdev
 * @addr: as many octets as its addresses have
 *
 * Under rtnl. Return: 0 or the driver's error.
 */
int nddcore_set_lower_mac(struct net_device *lower, const void *addr)
{
	struct sockaddr_storage ss = { .ss_family = lower->type };
	struct sockaddr *sa = (struct sockaddr *)&ss;

	if (ether_addr_equal(lower->dev_addr, addr))
		return 0;
	memcpy(sa->sa_data, addr, lower->addr_len);
	return dev_set_mac_address(lower, sa, NULL);
}

/**
 * nddcore_change_mtu - provider op: the lower gets ndd0's MTU
 * @port: kagent's port
 * @mtu: octets
 *
 * Under rtnl. Return: 0 or the driver's error.
 */
int nddcore_change_mtu(struct kagent_port *port, int mtu)
{
	struct net_device *lower = nddcore_served(port);

	return lower ? dev_set_mtu(lower, mtu) : 0;
}

/**
 * nddcore_sync_rx_flags - bring the lower's promiscuous counts to what ndd0 wants
 * @np: port
 * @lower: its lower
 * @promisc: whether ndd0 counts on promiscuous mode
 * @allmulti: whether ndd0 counts on all multicast
 *
 * Under rtnl. Counts that the driver refuses are not taken as given.
 */
void nddcore_sync_rx_flags(struct nddcore_port *np, struct net_device *lower,
			   bool promisc, bool allmulti)
{
	if (np->promisc != promisc &&
	    !dev_set_promiscuity(lower, promisc ? 1 : -1))
		np->promisc = promisc;
	if (np->allmulti != allmulti &&
	    !dev_set_allmulti(lower, allmulti ? 1 : -1))
		np->allmulti = allmulti;
}

/**
 * nddcore_change_rx_flags - provider op: IFF_PROMISC or IFF_ALLMULTI changed
 * @port: kagent's port
 * @change: which
 *
 * Under rtnl.
 */
void nddcore_change_rx_flags(struct kagent_port *port, int change)
{
	struct net_device *lower = nddcore_served(port);
	struct net_device *upper = kagent_port_netdev(port);

	if (lower && upper)
		nddcore_sync_rx_flags(nddcore_port_of(port), lower,
				      upper->flags & IFF_PROMISC,
				      upper->flags & IFF_ALLMULTI);
}

/**
 * nddcore_vlan_add - provider op: the lower lets a VLAN's frames through
 * @port: kagent's port
 * @proto: ETH_P_8021Q or ETH_P_8021AD
 * @vid: VLAN id
 *
 * Under rtnl. Return: 0 or the driver's error.
 */
int nddcore_vlan_add(struct kagent_port *port, __be16 proto, u16 vid)
{
	struct net_device *lower = nddcore_served(port);

	return lower ? vlan_vid_add(lower, proto, vid) : 0;
}

/**
 * nddcore_vlan_del - provider op: no longer
 * @port: kagent's port
 * @proto: ETH_P_8021Q or ETH_P_8021AD
 * @vid: VLAN id
 *
 * Under rtnl.
 */
void nddcore_vlan_del(struct kagent_port *port, __be16 proto, u16 vid)
{
	struct net_device *lower = nddcore_served(port);

	if (lower)
		vlan_vid_del(lower, proto, vid);
}

/**
 * nddcore_get_link_ksettings - provider op: the link as the lower knows it
 * @port: kagent's port
 * @cmd: filled in
 *
 * Under rtnl. Return: 0 or an error.
 */
int nddcore_get_link_ksettings(struct kagent_port *port,
			       struct ethtool_link_ksettings *cmd)
{
	struct net_device *lower = nddcore_served(port);

	return lower ? __ethtool_get_link_ksettings(lower, cmd) : -ENODEV;
}

/**
 * nddcore_set_rx_mode - provider op: ndd0's address lists go to the lower
 * @port: kagent's port
 *
 * Under ndd0's address lock, no sleeping.
 */
void nddcore_set_rx_mode(struct kagent_port *port)
{
	struct net_device *upper = kagent_port_netdev(port);
	struct nddcore_port *np;
	struct net_device *lower;

	rcu_read_lock();
	np = nddcore_port_of(port);
	lower = np && READ_ONCE(np->served) ? rcu_dereference(np->lower) : NULL;
	if (lower && upper) {
		dev_uc_sync(lower, upper);
		dev_mc_sync(lower, upper);
	}
	rcu_read_unlock();
}
