// SPDX-License-Identifier: GPL-2.0-only
/*
 * rtnl.c - rtnl link type "ndd": how ndd0 comes and goes.
 *
 *	ip link add link eth0 name ndd0 type ndd
 */
#include <linux/capability.h>
#include <linux/etherdevice.h>
#include <linux/rtnetlink.h>
#include <net/rtnetlink.h>

#include "kagent.h"

/* Buffers a take may ask for unless IFLA_NDD_POOL_MAX says otherwise: 128 MiB,
 * and at most what fits between KAGENT_POOL_IOVA and its end, beside the NIC's
 * own pages.
 */
#define KAGENT_POOL_MAX		32768
#define KAGENT_POOL_LIMIT	BIT(19)

#define KAGENT_HANG_GRACE_MS	1000
#define KAGENT_HANG_GRACE_LIMIT	60000

static const struct nla_policy kagent_policy[IFLA_NDD_MAX + 1] = {
	[IFLA_NDD_FORCE] = { .type = NLA_FLAG },
	[IFLA_NDD_POOL_MAX] = NLA_POLICY_MIN(NLA_U32, 1),
	[IFLA_NDD_PORT] = { .type = NLA_REJECT },
	[IFLA_NDD_MODE] = { .type = NLA_REJECT },
	[IFLA_NDD_ON_HANG] = NLA_POLICY_MAX(NLA_U32, NDD_ON_HANG_REPORT),
	[IFLA_NDD_HANG_GRACE] = NLA_POLICY_MIN(NLA_U32, 1),
};

static int kagent_validate(struct nlattr *tb[], struct nlattr *data[],
			   struct netlink_ext_ack *extack)
{
	if (!capable(CAP_NET_ADMIN)) {
		NL_SET_ERR_MSG(extack,
			       "ndd links need CAP_NET_ADMIN in the initial user namespace");
		return -EPERM;
	}
	if (tb[IFLA_ADDRESS] &&
	    (nla_len(tb[IFLA_ADDRESS]) != ETH_ALEN ||
	     !is_valid_ether_addr(nla_data(tb[IFLA_ADDRESS])))) {
		NL_SET_ERR_MSG_ATTR(extack, tb[IFLA_ADDRESS],
				    "not a unicast Ethernet address");
		return -EADDRNOTAVAIL;
	}
	if (data && data[IFLA_NDD_POOL_MAX] &&
	    nla_get_u32(data[IFLA_NDD_POOL_MAX]) > KAGENT_POOL_LIMIT) {
		NL_SET_ERR_MSG_ATTR(extack, data[IFLA_NDD_POOL_MAX],
				    "more buffers than a pool can have");
		return -ERANGE;
	}
	if (data && data[IFLA_NDD_HANG_GRACE] &&
	    nla_get_u32(data[IFLA_NDD_HANG_GRACE]) > KAGENT_HANG_GRACE_LIMIT) {
		NL_SET_ERR_MSG_ATTR(extack, data[IFLA_NDD_HANG_GRACE],
				    "more than a minute for who hangs already");
		return -ERANGE;
	}
	return 0;
}

static struct net_device *kagent_find_lower(struct net *net,
					    struct nlattr *tb[],
					    struct netlink_ext_ack *extack)
{
	struct net_device *lower;

	if (!tb[IFLA_LINK]) {
		NL_SET_ERR_MSG(extack,
			       "ndd needs the netdev to stand on: ip link add link DEV ...");
		return ERR_PTR(-EINVAL);
	}
	lower = __dev_get_by_index(net, nla_get_u32(tb[IFLA_LINK]));
	if (!lower) {
		NL_SET_ERR_MSG_ATTR(extack, tb[IFLA_LINK], "no such netdev");
		return ERR_PTR(-ENODEV);
	}
	if (!lower->dev.parent) {
		NL_SET_ERR_MSG_ATTR(extack, tb[IFLA_LINK],
				    "this netdev has no device of its own behind it");
		return ERR_PTR(-EOPNOTSUPP);
	}
	return lower;
}

static int kagent_create_port(struct net_device *dev, struct net_device *lower,
			      struct netlink_ext_ack *extack)
{
	struct kagent_port *port;

	port = kagent_port_create(dev_name(lower->dev.parent));
	if (PTR_ERR(port) == -EEXIST)
		NL_SET_ERR_MSG(extack,
			       "the device has an ndd link already, or still has to come back from a deleted one");
	if (IS_ERR(port))
		return PTR_ERR(port);
	port->pool_max = KAGENT_POOL_MAX;
	port->hang_grace_ms = KAGENT_HANG_GRACE_MS;
	kagent_priv(dev)->port = port;
	return kagent_queues_create(dev);
}

/* What can be said when the link is made, and later. */
static void kagent_set(struct kagent_port *port, struct nlattr *data[])
{
	if (data[IFLA_NDD_POOL_MAX])
		WRITE_ONCE(port->pool_max,
			   nla_get_u32(data[IFLA_NDD_POOL_MAX]));
	if (data[IFLA_NDD_ON_HANG])
		WRITE_ONCE(port->on_hang, nla_get_u32(data[IFLA_NDD_ON_HANG]));
	if (data[IFLA_NDD_HANG_GRACE])
		WRITE_ONCE(port->hang_grace_ms,
			   nla_get_u32(data[IFLA_NDD_HANG_GRACE]));
}

static int kagent_changelink(struct net_device *dev, struct nlattr *tb[],
			     struct nlattr *data[],
			     struct netlink_ext_ack *extack)
{
	if (!data)
		return 0;
	if (data[IFLA_NDD_FORCE]) {
		NL_SET_ERR_MSG_ATTR(extack, data[IFLA_NDD_FORCE],
				    "can be said only when the link is made");
		return -EOPNOTSUPP;
	}
	kagent_set(kagent_priv(dev)->port, data);
	return 0;
}

static void kagent_unlink(struct net_device *dev, struct list_head *head)
{
	struct kagent_port *port = kagent_priv(dev)->port;
	const struct kagent_provider_ops *ops = rtnl_dereference(port->ops);

	spin_lock_bh(&port->lock);
	WRITE_ONCE(port->unlinked, true);
	spin_unlock_bh(&port->lock);

	/* rings first, so that nothing of ndd0 is in use any more; their memory
	 * and the way back are the port's own
	 */
	if (kagent_port_end(port, NULL, NDD_REASON_LINK_DELETED)) {
		WRITE_ONCE(port->queue_open, false);
		kagent_tunnel_close(dev);
	}
	if (ops)
		ops->detach(port);
	kagent_lower_changed(port, NULL);
	kagent_link_forget(port);
	kagent_node_destroy(port);
	RCU_INIT_POINTER(port->dev, NULL);
	if (kagent_port_idle(port))
		kagent_port_unlist(port);
	unregister_netdevice_queue(dev, head);
}

static int kagent_newlink(struct net *src_net, struct net_device *dev,
			  struct nlattr *tb[], struct nlattr *data[],
			  struct netlink_ext_ack *extack)
{
	const struct kagent_provider_ops *ops = kagent_provider();
	struct net_device *lower = kagent_find_lower(src_net, tb, extack);
	struct kagent_netdev *priv = kagent_priv(dev);
	int err;

	if (IS_ERR(lower))
		return PTR_ERR(lower);
	if (!ops) {
		NL_SET_ERR_MSG(extack,
			       "no module provides ndd ports: load nddcore");
		return -ENODEV;
	}
	err = kagent_create_port(dev, lower, extack);
	if (err)
		goto err_destroy;
	if (data)
		kagent_set(priv->port, data);
	priv->force = data && nla_get_flag(data[IFLA_NDD_FORCE]);
	if (!tb[IFLA_ADDRESS])
		eth_hw_addr_inherit(dev, lower);
	dev->min_mtu = lower->min_mtu;
	dev->max_mtu = lower->max_mtu;
	if (!tb[IFLA_MTU])
		dev->mtu = lower->mtu;
	netif_carrier_off(dev);
	err = register_netdevice(dev);
	if (err)
		goto err_destroy;

	rcu_assign_pointer(priv->port->dev, dev);
	err = kagent_node_create(priv->port);
	if (err)
		goto err_unlink;
	err = ops->attach(priv->port, lower, priv->force, extack);
	if (err) {
		/* nothing to detach */
		RCU_INIT_POINTER(priv->port->ops, NULL);
		goto err_unlink;
	}
	if (tb[IFLA_ADDRESS])
		err = ops->set_mac(priv->port, dev->dev_addr);
	if (!err && tb[IFLA_MTU])
		err = ops->change_mtu(priv->port, dev->mtu);
	if (err) {
		NL_SET_ERR_MSG(extack,
			       "the lower refuses this address or MTU");
		goto err_unlink;
	}
	return 0;

err_unlink:
	kagent_unlink(dev, NULL);
	return err;
err_destroy:
	if (priv->port)
		kagent_port_unlist(priv->port);
	kagent_netdev_destroy(dev);
	return err;
}

static size_t kagent_get_size(const struct net_device *dev)
{
	return nla_total_size(0) +		/* IFLA_NDD_FORCE */
	       nla_total_size(sizeof(u32)) +	/* IFLA_NDD_POOL_MAX */
	       nla_total_size(NDD_NAME_LEN) +	/* IFLA_NDD_PORT */
	       nla_total_size(sizeof(u32)) +	/* IFLA_NDD_MODE */
	       nla_total_size(sizeof(u32)) +	/* IFLA_NDD_ON_HANG */
	       nla_total_size(sizeof(u32));	/* IFLA_NDD_HANG_GRACE */
}

static int kagent_fill_info(struct sk_buff *skb, const struct net_device *dev)
{
	struct kagent_netdev *priv = kagent_priv(dev);
	struct kagent_port *port = priv->port;

	if ((priv->force && nla_put_flag(skb, IFLA_NDD_FORCE)) ||
	    nla_put_u32(skb, IFLA_NDD_POOL_MAX, port->pool_max) ||
	    nla_put_string(skb, IFLA_NDD_PORT, port->name) ||
	    nla_put_u32(skb, IFLA_NDD_MODE, kagent_port_mode(port)) ||
	    nla_put_u32(skb, IFLA_NDD_ON_HANG, port->on_hang) ||
	    nla_put_u32(skb, IFLA_NDD_HANG_GRACE, port->hang_grace_ms))
		return -EMSGSIZE;
	return 0;
}

struct rtnl_link_ops kagent_link_ops = {
	.kind = "ndd",
	.priv_size = sizeof(struct kagent_netdev),
	.maxtype = IFLA_NDD_MAX,
	.policy = kagent_policy,
	.setup = kagent_netdev_setup,
	.validate = kagent_validate,
	.newlink = kagent_newlink,
	.changelink = kagent_changelink,
	.dellink = kagent_unlink,
	.get_size = kagent_get_size,
	.fill_info = kagent_fill_info,
};

/**
 * kagent_rtnl_init() - from now on ndd links can be made
 *
 * Return: 0 or an error
 */
int kagent_rtnl_init(void)
{
	return rtnl_link_register(&kagent_link_ops);
}

/**
 * kagent_rtnl_exit() - delete all ndd links
 */
void kagent_rtnl_exit(void)
{
	rtnl_link_unregister(&kagent_link_ops);
}
