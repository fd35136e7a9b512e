// SPDX-License-Identifier: GPL-2.0-only
/*
 * netdev.c - ndd0 itself: where frames enter from the stack, in every mode.
 *
 * Direct mode: the provider's xmit_direct(). Tunnel mode: tx.c. In between the
 * queue is stopped.
 */
#include <linux/etherdevice.h>
#include <linux/rtnetlink.h>
#include <linux/slab.h>

#include "session.h"

/* What ndd0 may ever offer; what it does offer follows who drives the port. */
#define KAGENT_HW_FEATURES						\
	(NETIF_F_SG | NETIF_F_HW_CSUM | NETIF_F_HIGHDMA | NETIF_F_FRAGLIST | \
	 NETIF_F_ALL_TSO | NETIF_F_RXCSUM | NETIF_F_GRO_HW |		\
	 NETIF_F_HW_VLAN_CTAG_TX)

/* With rings, whatever the NIC: one pass copies, sums and tags (txframe.c); the
 * rest is the kernel's GSO, or what the process has agreed to.
 */
#define KAGENT_TUNNEL_FEATURES						\
	(NETIF_F_SG | NETIF_F_HW_CSUM | NETIF_F_HIGHDMA |		\
	 NETIF_F_HW_VLAN_CTAG_TX)

/**
 * kagent_drop() - count a drop
 * @c: counters of the side that dropped, in that side's context
 * @reason: why
 */
void kagent_drop(struct kagent_counters *c, enum kagent_drop reason)
{
	u64_stats_update_begin(&c->sync);
	u64_stats_inc(&c->drops[reason]);
	u64_stats_update_end(&c->sync);
}

/**
 * kagent_sum() - a counter, summed over all queues
 * @dev: ndd0
 * @counter: its offset in struct kagent_queue; 0 is none
 *
 * Return: sum
 */
u64 kagent_sum(struct net_device *dev, size_t counter)
{
	struct kagent_queue *queues = kagent_priv(dev)->queues;
	u64 sum = 0, value;
	unsigned int i, start;

	for (i = 0; i < dev->num_tx_queues; i++) {
		void *queue = &queues[i];
		struct kagent_counters *c = counter <
			offsetof(struct kagent_queue, rx) ?
			&queues[i].tx : &queues[i].rx;

		do {
			start = u64_stats_fetch_begin(&c->sync);
			value = u64_stats_read((u64_stats_t *)(queue +
							       counter));
		} while (u64_stats_fetch_retry(&c->sync, start));
		sum += value;
	}
	return sum;
}

/**
 * kagent_queues_create() - allocate ndd0's queues
 * @dev: ndd0, not yet registered; its destructor frees them
 *
 * Return: 0 or -ENOMEM
 */
int kagent_queues_create(struct net_device *dev)
{
	struct kagent_netdev *priv = kagent_priv(dev);
	unsigned int i;

	priv->queues = kvcalloc(dev->num_tx_queues, sizeof(*priv->queues),
				GFP_KERNEL);
	if (!priv->queues)
		return -ENOMEM;
	for (i = 0; i < dev->num_tx_queues; i++) {
		struct kagent_queue *queue = &priv->queues[i];

		queue->dev = dev;
		queue->index = i;
		u64_stats_init(&queue->tx.sync);
		u64_stats_init(&queue->rx.sync);
		netif_napi_add(dev, &queue->napi, kagent_poll);
	}
	return 0;
}

static netdev_features_t kagent_tunnel_features(u64 agreed)
{
	netdev_features_t features = KAGENT_TUNNEL_FEATURES;

	if (agreed & NDD_F_OFFLOAD)
		features |= NETIF_F_RXCSUM | NETIF_F_GRO_HW;
	/* not TSO_ECN: few NICs set CWR in the first segment alone */
	if (agreed & NDD_F_TSO4)
		features |= NETIF_F_TSO;
	if (agreed & NDD_F_TSO6)
		features |= NETIF_F_TSO6;
	return features;
}

/**
 * kagent_tunnel_open() - give ndd0's queues their rings; under rtnl
 * @dev: ndd0
 * @session: hold
 *
 * The queue itself is opened when the mode says so.
 *
 * Return: 0 or what the stack says against the number of queues
 */
int kagent_tunnel_open(struct net_device *dev, struct kagent_session *session)
{
	struct kagent_netdev *priv = kagent_priv(dev);
	unsigned int i;
	int err;

	err = netif_set_real_num_queues(dev, session->queues, session->queues);
	if (err)
		return err;
	for (i = 0; i < session->queues; i++) {
		struct kagent_queue *queue = &priv->queues[i];

		netdev_tx_reset_queue(netdev_get_tx_queue(dev, i));
		queue->rings = &session->rings[i];
		napi_enable(&queue->napi);
	}
	priv->tunnel = true;
	priv->offers = kagent_tunnel_features(session->view.features);
	netdev_update_features(dev);
	return 0;
}

/**
 * kagent_tunnel_close() - take the rings away again; under rtnl, idempotent
 * @dev: ndd0
 *
 * Afterwards nothing of the kernel looks at the rings any more. Frames that the
 * process had not sent yet are lost, as in a NIC that is reset.
 */
void kagent_tunnel_close(struct net_device *dev)
{
	struct kagent_netdev *priv = kagent_priv(dev);
	bool tunnel = priv->tunnel;
	unsigned int i;

	/* first: ndd0 may be deleted while the mode still says TUNNEL */
	priv->tunnel = false;
	kagent_queue_update(dev);
	if (!tunnel)
		return;
	for (i = 0; i < dev->real_num_tx_queues; i++) {
		struct kagent_queue *queue = &priv->queues[i];

		napi_disable(&queue->napi);
		queue->rings = NULL;
		netdev_tx_reset_queue(netdev_get_tx_queue(dev, i));
	}
	netif_set_real_num_queues(dev, dev->num_tx_queues, dev->num_rx_queues);
}

static netdev_tx_t kagent_xmit_drop(struct net_device *dev, struct sk_buff *skb)
{
	dev_core_stats_tx_dropped_inc(dev);
	dev_kfree_skb_any(skb);
	return NETDEV_TX_OK;
}

static netdev_tx_t kagent_xmit_direct(struct kagent_port *port,
				      struct net_device *dev,
				      struct sk_buff *skb)
{
	const struct kagent_provider_ops *ops = rcu_dereference_bh(port->ops);

	if (unlikely(!ops))
		return kagent_xmit_drop(dev, skb);
	dev_sw_netstats_tx_add(dev, skb_is_gso(skb) ?
			       max_t(u16, skb_shinfo(skb)->gso_segs, 1) : 1,
			       skb->len);
	return ops->xmit_direct(port, skb);
}

static netdev_tx_t kagent_start_xmit(struct sk_buff *skb,
				     struct net_device *dev)
{
	struct kagent_netdev *priv = kagent_priv(dev);
	struct kagent_port *port = priv->port;
	u16 index = skb_get_queue_mapping(skb);
	struct netdev_queue *txq;

	if (likely(READ_ONCE(port->queue_open))) {
		if (READ_ONCE(port->mode) == NDD_MODE_DIRECT)
			return kagent_xmit_direct(port, dev, skb);
		if (priv->tunnel) {
			if (likely(priv->queues[index].rings))
				return kagent_tx(&priv->queues[index], skb);
			/* a socket past the qdisc chose its queue in another mode */
			return kagent_xmit_drop(dev, skb);
		}
	}

	/* Between two modes: the frame waits in the qdisc. The queue may have
	 * been opened since we looked: whoever opens it sets queue_open first.
	 */
	txq = netdev_get_tx_queue(dev, index);
	netif_tx_stop_queue(txq);
	/* stopped, then looked: the opener does it the other way round */
	smp_mb();
	if (READ_ONCE(port->queue_open))
		netif_tx_wake_queue(txq);
	return NETDEV_TX_BUSY;
}

static int kagent_ndo_init(struct net_device *dev)
{
	/* in direct mode the lower's locks nest in ours */
	netdev_lockdep_set_classes(dev);
	return 0;
}

/* The provider, if it is the one to ask now. */
static const struct kagent_provider_ops *
kagent_direct_ops(struct kagent_port *port)
{
	/* a restore serves the lower before the mode says so */
	if (kagent_port_mode(port) != NDD_MODE_DIRECT &&
	    !READ_ONCE(port->restoring))
		return NULL;
	return rcu_dereference_check(port->ops, lockdep_rtnl_is_held() ||
				     rcu_read_lock_bh_held());
}

static int kagent_ndo_open(struct net_device *dev)
{
	struct kagent_port *port = kagent_priv(dev)->port;
	const struct kagent_provider_ops *ops = kagent_direct_ops(port);
	int err;

	if (ops) {
		err = ops->open(port);
		if (err)
			return err;
	}
	kagent_queue_update(dev);
	kagent_config_changed(dev);
	return 0;
}

static int kagent_ndo_stop(struct net_device *dev)
{
	struct kagent_port *port = kagent_priv(dev)->port;
	const struct kagent_provider_ops *ops = kagent_direct_ops(port);

	if (ops)
		ops->stop(port);
	kagent_config_changed(dev);
	return 0;
}

static int kagent_set_mac(struct net_device *dev, void *addr)
{
	struct kagent_port *port = kagent_priv(dev)->port;
	const struct kagent_provider_ops *ops = kagent_direct_ops(port);
	struct sockaddr *sa = addr;
	int err;

	err = eth_prepare_mac_addr_change(dev, addr);
	if (!err && ops)
		err = ops->set_mac(port, sa->sa_data);
	if (err)
		return err;
	eth_commit_mac_addr_change(dev, addr);
	kagent_config_changed(dev);
	return 0;
}

static int kagent_change_mtu(struct net_device *dev, int mtu)
{
	struct kagent_port *port = kagent_priv(dev)->port;
	const struct kagent_provider_ops *ops = kagent_direct_ops(port);
	int err;

	if (ops) {
		err = ops->change_mtu(port, mtu);
		if (err)
			return err;
	}
	WRITE_ONCE(dev->mtu, mtu);
	kagent_config_changed(dev);
	return 0;
}

static void kagent_change_rx_flags(struct net_device *dev, int change)
{
	struct kagent_port *port = kagent_priv(dev)->port;
	const struct kagent_provider_ops *ops = kagent_direct_ops(port);

	if (ops)
		ops->change_rx_flags(port, change);
}

/* with the address lists' lock */
static void kagent_set_rx_mode(struct net_device *dev)
{
	struct kagent_port *port = kagent_priv(dev)->port;
	const struct kagent_provider_ops *ops = kagent_direct_ops(port);

	if (ops)
		ops->set_rx_mode(port);
	kagent_config_changed_locked(dev);
}

static int kagent_vlan_add(struct net_device *dev, __be16 proto, u16 vid)
{
	struct kagent_netdev *priv = kagent_priv(dev);
	const struct kagent_provider_ops *ops = kagent_direct_ops(priv->port);
	int err;

	if (ops) {
		err = ops->vlan_add(priv->port, proto, vid);
		if (err)
			return err;
	}
	set_bit(vid, priv->vlans);
	kagent_config_changed(dev);
	return 0;
}

static int kagent_vlan_del(struct net_device *dev, __be16 proto, u16 vid)
{
	struct kagent_netdev *priv = kagent_priv(dev);
	const struct kagent_provider_ops *ops = kagent_direct_ops(priv->port);

	clear_bit(vid, priv->vlans);
	if (ops)
		ops->vlan_del(priv->port, proto, vid);
	kagent_config_changed(dev);
	return 0;
}

static netdev_features_t kagent_fix_features(struct net_device *dev,
					     netdev_features_t features)
{
	netdev_features_t ours = features & ~KAGENT_HW_FEATURES;

	/* IP_CSUM | IPV6_CSUM of a lower stand for HW_CSUM */
	features = netdev_intersect_features(features & KAGENT_HW_FEATURES,
					     kagent_priv(dev)->offers);
	return ours | features;
}

/* dev->features still has the old ones */
static int kagent_set_features(struct net_device *dev,
			       netdev_features_t features)
{
	struct kagent_netdev *priv = kagent_priv(dev);
	bool rx_merge = features & NETIF_F_GRO_HW;

	if (rx_merge == priv->rx_merge)
		return 0;
	priv->rx_merge = rx_merge;
	kagent_config_changed(dev);
	return 0;
}

const struct net_device_ops kagent_netdev_ops = {
	.ndo_init = kagent_ndo_init,
	.ndo_open = kagent_ndo_open,
	.ndo_stop = kagent_ndo_stop,
	.ndo_start_xmit = kagent_start_xmit,
	.ndo_set_mac_address = kagent_set_mac,
	.ndo_validate_addr = eth_validate_addr,
	.ndo_change_mtu = kagent_change_mtu,
	.ndo_change_rx_flags = kagent_change_rx_flags,
	.ndo_set_rx_mode = kagent_set_rx_mode,
	.ndo_vlan_rx_add_vid = kagent_vlan_add,
	.ndo_vlan_rx_kill_vid = kagent_vlan_del,
	.ndo_features_check = kagent_tx_features_check,
	.ndo_fix_features = kagent_fix_features,
	.ndo_set_features = kagent_set_features,
	.ndo_get_stats64 = dev_get_tstats64,
};

/**
 * kagent_netdev_destroy() - undo what was made for a netdev; may be called twice
 * @dev: ndd0, unregistered or never registered
 */
void kagent_netdev_destroy(struct net_device *dev)
{
	struct kagent_netdev *priv = kagent_priv(dev);
	unsigned int i;

	for (i = 0; priv->queues && i < dev->num_tx_queues; i++)
		netif_napi_del(&priv->queues[i].napi);
	kvfree(priv->queues);
	priv->queues = NULL;
	if (priv->port)
		kagent_port_put(priv->port);
	priv->port = NULL;
}

/**
 * kagent_netdev_setup() - rtnl link type's setup
 * @dev: ndd0
 */
void kagent_netdev_setup(struct net_device *dev)
{
	ether_setup(dev);
	kagent_priv(dev)->tx_copybreak = KAGENT_TX_COPYBREAK;
	dev->netdev_ops = &kagent_netdev_ops;
	dev->ethtool_ops = &kagent_ethtool_ops;
	dev->rtnl_link_ops = &kagent_link_ops;
	dev->needs_free_netdev = true;
	kagent_priv(dev)->rx_copybreak = KAGENT_RX_COPYBREAK;
	dev->priv_destructor = kagent_netdev_destroy;
	dev->pcpu_stat_type = NETDEV_PCPU_STAT_TSTATS;
	/* frames are tagged and summed in place */
	dev->priv_flags &= ~IFF_TX_SKB_SHARING;
	/* netpoll would poll and send beside NAPI and under the tx lock */
	dev->priv_flags |= IFF_LIVE_ADDR_CHANGE | IFF_UNICAST_FLT |
			   IFF_DISABLE_NETPOLL;
	dev->hw_features = KAGENT_HW_FEATURES;
	dev->features = KAGENT_HW_FEATURES | NETIF_F_HW_VLAN_CTAG_FILTER;
	dev->vlan_features = KAGENT_HW_FEATURES &
			     ~(NETIF_F_HW_VLAN_CTAG_TX | NETIF_F_GRO_HW);
	dev->sysfs_groups[0] = &kagent_sysfs_group;
}
