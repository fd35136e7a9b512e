// SPDX-License-Identifier: GPL-2.0-only
/*
 * setlink.c - RTM_SETLINK from within the kernel.
 *
 * The kernel exports no way to rename a netdev to modules; user space has one, and
 * a kernel worker is as privileged as any user. Used once per hand-over.
 */
#include <linux/net.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/netlink.h>
#include <net/sock.h>

#include "nddcore.h"

/* Header and four attributes of at most IFNAMSIZ octets. */
#define NDDCORE_SETLINK_SIZE	256

static void *nddcore_setlink_message(int ifindex,
				     const struct nddcore_link *link)
{
	struct nlmsghdr *nlh;
	struct ifinfomsg *ifm;
	struct sk_buff *skb;
	void *copy = NULL;

	skb = nlmsg_new(NDDCORE_SETLINK_SIZE, GFP_KERNEL);
	if (!skb)
		return NULL;
	nlh = nlmsg_put(skb, 0, 1, RTM_SETLINK, sizeof(*ifm),
			NLM_F_REQUEST | NLM_F_ACK);
	if (!nlh)
		goto out;
	ifm = nlmsg_data(nlh);
	memset(ifm, 0, sizeof(*ifm));
	ifm->ifi_index = ifindex;
	if (link->up) {
		ifm->ifi_flags = IFF_UP;
		ifm->ifi_change = IFF_UP;
	}
	if ((link->name[0] && nla_put_string(skb, IFLA_IFNAME, link->name)) ||
	    nla_put_u32(skb, IFLA_TXQLEN, link->tx_queue_len) ||
	    nla_put_u32(skb, IFLA_GROUP, link->group))
		goto out;
	nlmsg_end(skb, nlh);
	copy = kmemdup(nlh, nlh->nlmsg_len, GFP_KERNEL);
out:
	nlmsg_free(skb);
	return copy;
}

/* The acknowledgment is there when sending returns: rtnetlink answers at once. */
static int nddcore_setlink_ack(struct socket *sock)
{
	struct {
		struct nlmsghdr nlh;
		struct nlmsgerr err;
		u8 rest[NDDCORE_SETLINK_SIZE];
	} answer;
	struct kvec vec = { .iov_base = &answer, .iov_len = sizeof(answer) };
	struct msghdr msg = {};
	int len;

	len = kernel_recvmsg(sock, &msg, &vec, 1, sizeof(answer),
			     MSG_DONTWAIT);
	if (len < 0)
		return len;
	if (len < NLMSG_HDRLEN + (int)sizeof(answer.err) ||
	    answer.nlh.nlmsg_type != NLMSG_ERROR)
		return -EBADMSG;
	return answer.err.error;
}

/**
 * nddcore_setlink - name, queue length, group and opening of a netdev, as one
 * @net: its namespace
 * @ifindex: netdev
 * @link: what to set
 *
 * In a kernel thread, without rtnl. Return: 0 or rtnetlink's error.
 */
int nddcore_setlink(struct net *net, int ifindex,
		    const struct nddcore_link *link)
{
	/* With a destination in it the message counts as sent by the caller; without
	 * one the credentials of the socket's file are asked for, and it has none.
	 */
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	struct msghdr msg = {
		.msg_name = &kernel,
		.msg_namelen = sizeof(kernel),
	};
	struct nlmsghdr *nlh;
	struct socket *sock;
	struct kvec vec;
	int err;

	nlh = nddcore_setlink_message(ifindex, link);
	if (!nlh)
		return -ENOMEM;
	err = sock_create_kern(net, PF_NETLINK, SOCK_RAW, NETLINK_ROUTE, &sock);
	if (err)
		goto err_free;
	vec.iov_base = nlh;
	vec.iov_len = nlh->nlmsg_len;
	err = kernel_sendmsg(sock, &msg, &vec, 1, vec.iov_len);
	if (err >= 0)
		err = nddcore_setlink_ack(sock);
	sock_release(sock);
err_free:
	kfree(nlh);
	return err;
}
