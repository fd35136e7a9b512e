// SPDX-License-Identifier: GPL-2.0-only
/*
 * genl.c - generic netlink family "ndd": a list of ports, and news about them.
 */
#include <net/genetlink.h>

#include "session.h"

static struct genl_family kagent_genl_family;

enum {
	KAGENT_GROUP_EVENTS,
};

static const struct genl_multicast_group kagent_genl_groups[] = {
	[KAGENT_GROUP_EVENTS] = { .name = NDD_GENL_MCGRP_EVENTS },
};

struct kagent_news {
	enum ndd_mode old_mode;
	pid_t pid;
	u32 warned;
	enum ndd_reason hang;
};

static int kagent_genl_fill(struct sk_buff *skb, struct kagent_port *port,
			    const struct kagent_news *news)
{
	struct net_device *dev = kagent_port_dev_hold(port);
	u32 ifindex = dev ? dev->ifindex : 0;
	enum ndd_reason reason;
	enum ndd_mode mode;

	dev_put(dev);
	spin_lock_bh(&port->lock);
	mode = port->mode;
	reason = port->reason;
	spin_unlock_bh(&port->lock);
	if (nla_put_string(skb, NDD_A_PORT, port->name) ||
	    nla_put_u32(skb, NDD_A_IFINDEX, ifindex) ||
	    nla_put_u32(skb, NDD_A_MODE, mode) ||
	    nla_put_u32(skb, NDD_A_OLD_MODE, news->old_mode) ||
	    nla_put_u32(skb, NDD_A_REASON, reason) ||
	    nla_put_u32(skb, NDD_A_PID, news->pid) ||
	    nla_put_u64_64bit(skb, NDD_A_TIME_NS, ktime_get_ns(), NDD_A_PAD) ||
	    nla_put_u32(skb, NDD_A_WARNED, news->warned) ||
	    nla_put_u32(skb, NDD_A_HANG, news->hang) ||
	    nla_put_u32(skb, NDD_A_ON_HANG, READ_ONCE(port->on_hang)))
		return -EMSGSIZE;
	return 0;
}

static int kagent_genl_message(struct sk_buff *skb, struct kagent_port *port,
			       u32 portid, u32 seq, int flags, u8 cmd,
			       const struct kagent_news *news)
{
	void *header = genlmsg_put(skb, portid, seq, &kagent_genl_family,
				   flags, cmd);

	if (!header)
		return -EMSGSIZE;
	if (kagent_genl_fill(skb, port, news)) {
		genlmsg_cancel(skb, header);
		return -EMSGSIZE;
	}
	genlmsg_end(skb, header);
	return 0;
}

/* A port is sent once its minor is not below args[0]. */
static int kagent_genl_dump(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct kagent_port *port;

	for (port = kagent_port_next(NULL); port;
	     port = kagent_port_next(port)) {
		struct kagent_session *session;
		struct kagent_news news = {
			.old_mode = kagent_port_mode(port),
			.pid = kagent_port_owner(port),
		};

		if (port->minor < cb->args[0])
			continue;
		session = kagent_port_session_get(port);
		if (session) {
			news.warned = READ_ONCE(session->warned);
			kagent_session_put(session);
		}
		if (kagent_genl_message(skb, port, NETLINK_CB(cb->skb).portid,
					cb->nlh->nlmsg_seq, NLM_F_MULTI,
					NDD_CMD_GET, &news)) {
			kagent_port_put(port);
			break;
		}
		cb->args[0] = port->minor + 1;
	}
	return skb->len;
}

static const struct genl_ops kagent_genl_ops[] = {
	{
		.cmd = NDD_CMD_GET,
		.dumpit = kagent_genl_dump,
	},
};

/* Ports are hardware: all of it in the initial network namespace. */
static struct genl_family kagent_genl_family = {
	.name = NDD_GENL_NAME,
	.version = NDD_GENL_VERSION,
	.maxattr = NDD_A_MAX,
	.module = THIS_MODULE,
	.ops = kagent_genl_ops,
	.n_ops = ARRAY_SIZE(kagent_genl_ops),
	.resv_start_op = __NDD_CMD_MAX,
	.mcgrps = kagent_genl_groups,
	.n_mcgrps = ARRAY_SIZE(kagent_genl_groups),
};

/**
 * kagent_genl_announce() - tell everybody who listens
 * @port: port
 * @old_mode: before what happened; the same mode for a warning
 * @warned: warnings so far, if that is the news
 * @hang: why the owner, which is spared, counts as hanging, if that is the news
 */
void kagent_genl_announce(struct kagent_port *port, enum ndd_mode old_mode,
			  u32 warned, enum ndd_reason hang)
{
	struct kagent_session *session = kagent_port_session_get(port);
	struct kagent_news news = {
		.old_mode = old_mode,
		.warned = warned,
		.hang = hang,
	};
	struct sk_buff *skb;

	if (session) {
		struct pid *owner = kagent_session_owner(session);

		news.pid = pid_nr(owner);
		put_pid(owner);
		kagent_session_put(session);
	}
	skb = genlmsg_new(NLMSG_DEFAULT_SIZE, GFP_KERNEL);
	if (!skb)
		return;
	if (kagent_genl_message(skb, port, 0, 0, 0, NDD_CMD_EVENT, &news)) {
		nlmsg_free(skb);
		return;
	}
	/* -ESRCH: nobody listens */
	genlmsg_multicast(&kagent_genl_family, skb, 0, KAGENT_GROUP_EVENTS,
			  GFP_KERNEL);
}

/**
 * kagent_genl_init() - register the family
 *
 * Return: 0 or an error
 */
int kagent_genl_init(void)
{
	return genl_register_family(&kagent_genl_family);
}

/**
 * kagent_genl_exit() - unregister it
 */
void kagent_genl_exit(void)
{
	genl_unregister_family(&kagent_genl_family);
}
