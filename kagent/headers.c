// SPDX-License-Identifier: GPL-2.0-only
/*
 * headers.c - where the payload of a frame begins. See headers.h.
 *
 * Written out rather than eth_get_headlen(): that dissects whatever there is, at
 * several times the cost, and says nothing of fragments.
 */
#include "headers.h"

#define ETH_LEN		14
#define VLAN_LEN	4
#define IPV4_LEN	20
#define IPV6_LEN	40
#define TCP_LEN		20
#define UDP_LEN		8

#define TYPE_IPV4	0x0800
#define TYPE_IPV6	0x86dd
#define TYPE_VLAN	0x8100

#define PROTO_TCP	6
#define PROTO_UDP	17

#define IPV4_FRAGMENT	0x3fff	/* more to come, or not the first */

static __u32 be16_at(const __u8 *at)
{
	return at[0] << 8 | at[1];
}

/* Return: octets up to L4, 0 if it is not TCP or UDP in one piece. */
static __u32 ip_len(const __u8 *ip, __u32 room, __u32 type, __u8 *proto)
{
	__u32 len;

	if (type == TYPE_IPV4 && room >= IPV4_LEN && ip[0] >> 4 == 4) {
		len = (ip[0] & 0xf) * 4;
		*proto = ip[9];
		if (len < IPV4_LEN || be16_at(ip + 6) & IPV4_FRAGMENT)
			return 0;
		return len;
	}
	/* no extension headers, of which fragments are one */
	if (type == TYPE_IPV6 && room >= IPV6_LEN && ip[0] >> 4 == 6) {
		*proto = ip[6];
		return IPV6_LEN;
	}
	return 0;
}

/**
 * kagent_find_headers() - kind of a frame, and length of its headers
 * @head: private copy of its first octets
 * @len: how many
 *
 * Return: kind and length; other if not all headers are within @len
 */
struct kagent_headers kagent_find_headers(const __u8 *head, __u32 len)
{
	const struct kagent_headers other = { KAGENT_KIND_OTHER, 0 };
	__u32 at = ETH_LEN, ip, type;
	__u8 proto = 0;

	if (len < ETH_LEN + VLAN_LEN)
		return other;
	type = be16_at(head + 12);
	if (type == TYPE_VLAN) {
		type = be16_at(head + 16);
		at += VLAN_LEN;
	}
	ip = ip_len(head + at, len - at, type, &proto);
	if (!ip)
		return other;
	at += ip;
	if (proto == PROTO_UDP && at + UDP_LEN <= len)
		return (struct kagent_headers){ KAGENT_KIND_UDP, at + UDP_LEN };
	if (proto == PROTO_TCP && at + TCP_LEN <= len) {
		__u32 tcp = (head[at + 12] >> 4) * 4;

		if (tcp >= TCP_LEN && at + tcp <= len)
			return (struct kagent_headers){ KAGENT_KIND_TCP,
							at + tcp };
	}
	return other;
}
