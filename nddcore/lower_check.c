// SPDX-License-Identifier: GPL-2.0-only
/*
 * lower_check.c - may this netdev become a lower?
 *
 * Asked once, when ndd0 is created: whoever works over the netdev right now, most
 * of all the ssh session that the command comes from, must not be cut off.
 */
#include <linux/etherdevice.h>
#include <linux/if_arp.h>
#include <linux/inetdevice.h>
#include <linux/rtnetlink.h>
#include <net/addrconf.h>
#include <net/ip6_fib.h>
#include <net/ip6_route.h>
#include <net/ip_fib.h>
#include <net/ipv6_stubs.h>

#include "nddcore.h"

/* Any address will do to find a route that leads everywhere: TEST-NET-1 of
 * RFC 5737 and the documentation prefix of RFC 3849.
 */
#define NDDCORE_ANY4	cpu_to_be32(0xc0000201)
static const struct in6_addr nddcore_any6 = {
	.s6_addr = { 0x20, 0x01, 0x0d, 0xb8, [15] = 1 },
};

static bool nddcore_has_addr4(const struct net_device *dev)
{
	struct in_device *in_dev = __in_dev_get_rtnl(dev);

	return in_dev && rtnl_dereference(in_dev->ifa_list);
}

/* Link-local addresses are everywhere; IPv6 will make one for ndd0. */
static bool nddcore_has_addr6(const struct net_device *dev)
{
	struct inet6_dev *idev = __in6_dev_get(dev);
	struct inet6_ifaddr *ifa;
	bool found = false;

	if (!idev)
		return false;
	read_lock_bh(&idev->lock);
	list_for_each_entry(ifa, &idev->addr_list, if_list)
		if (!(ipv6_addr_type(&ifa->addr) & IPV6_ADDR_LINKLOCAL))
			found = true;
	read_unlock_bh(&idev->lock);
	return found;
}

static bool nddcore_has_route4(const struct net_device *dev)
{
	struct net *net = dev_net(dev);
	struct flowi4 fl4 = {
		.daddr = NDDCORE_ANY4,
		.flowi4_oif = dev->ifindex,
	};
	struct fib_result res;
	struct fib_table *table;
	bool found = false;
	int i;

	rcu_read_lock();
	for (i = 0; i < FIB_TABLE_HASHSZ; i++)
		hlist_for_each_entry_rcu(table, &net->ipv4.fib_table_hash[i],
					 tb_hlist)
			if (!fib_table_lookup(table, &fl4, &res,
					      FIB_LOOKUP_NOREF))
				found = true;
	rcu_read_unlock();
	return found;
}

static bool nddcore_has_route6(struct net_device *dev)
{
	struct net *net = dev_net(dev);
	struct flowi6 fl6 = {
		.daddr = nddcore_any6,
		.flowi6_oif = dev->ifindex,
	};
	struct fib6_result res = {};
	bool found;

	rcu_read_lock();
	found = !ipv6_stub->fib6_lookup(net, dev->ifindex, &fl6, &res,
					RT6_LOOKUP_F_IFACE) &&
		res.f6i && res.f6i != net->ipv6.fib6_null_entry &&
		!(res.fib6_flags & RTF_REJECT) &&
		res.nh && res.nh->fib_nh_dev == dev;
	rcu_read_unlock();
	return found;
}

/**
 * nddcore_lower_check - refuse what can't, or should not, become a lower
 * @lower: netdev that the user named
 * @force: even if it carries addresses or routes
 * @extack: gets the reason and what to do
 *
 * Under rtnl. Return: 0 or an error.
 */
int nddcore_lower_check(struct net_device *lower, bool force,
			struct netlink_ext_ack *extack)
{
	ASSERT_RTNL();
	if (lower->type != ARPHRD_ETHER || !nddcore_lower_pdev(lower)) {
		NL_SET_ERR_MSG(extack,
			       "Only the Ethernet netdev of a PCI device can be a lower");
		return -EINVAL;
	}
	if (netdev_master_upper_dev_get(lower)) {
		NL_SET_ERR_MSG(extack,
			       "The lower belongs to a bridge, bond, team or another ndd device: release it there, and add the ndd device in its place");
		return -EBUSY;
	}
	if (netdev_has_any_upper_dev(lower) ||
	    netdev_is_rx_handler_busy(lower)) {
		NL_SET_ERR_MSG(extack,
			       "The lower carries VLAN, macvlan or other devices: delete them and create them on the ndd device");
		return -EBUSY;
	}
	if (force)
		return 0;
	if (nddcore_has_addr4(lower) || nddcore_has_addr6(lower)) {
		NL_SET_ERR_MSG(extack,
			       "The lower carries addresses, connections over them would be cut: move them to the ndd device (ip addr del/add), or use nddctl create --force");
		return -EADDRINUSE;
	}
	if (nddcore_has_route4(lower) || nddcore_has_route6(lower)) {
		NL_SET_ERR_MSG(extack,
			       "The default route goes over the lower, connections would be cut: move it to the ndd device (ip route del/add), or use nddctl create --force");
		return -EADDRINUSE;
	}
	return 0;
}
