// SPDX-License-Identifier: GPL-2.0-only
/*
 * ethtool.c - ethtool of ndd0.
 *
 * Link settings are the lower's in direct mode and what the process has told in
 * tunnel mode; unknown until then, never invented.
 */
#include <linux/ethtool.h>

#include "session.h"

struct kagent_stat {
	const char *name;
	size_t at;
};

#define QUEUE_STAT(way, name, field)					\
	{ #way "_" #name, offsetof(struct kagent_queue, way.field) }
#define RX_STAT(name, field)						\
	{ "rx_" #name, offsetof(struct kagent_queue, field) }
#define NIC_STAT(field)							\
	{ #field, offsetof(struct ndd_stats, field) }

/* k<way>_<name> */
static const struct kagent_stat kagent_queue_stats[] = {
	QUEUE_STAT(tx, frames, frames),
	QUEUE_STAT(tx, octets, octets),
	QUEUE_STAT(tx, wakeups, wakeups),
	QUEUE_STAT(tx, window_frames, window_frames),
	QUEUE_STAT(tx, window_octets, window_octets),
	QUEUE_STAT(tx, window_failures, window_failures),
	QUEUE_STAT(rx, frames, frames),
	QUEUE_STAT(rx, octets, octets),
	QUEUE_STAT(rx, polls, wakeups),
	RX_STAT(zero_copy, zero_copy),
	RX_STAT(copied_small, copied[KAGENT_COPY_SMALL]),
	RX_STAT(copied_kind, copied[KAGENT_COPY_KIND]),
	RX_STAT(copied_stock, copied[KAGENT_COPY_STOCK]),
	RX_STAT(looks, looks),
};

/* nic_<name>: as the process last read them; 0 unless one has the port */
static const struct kagent_stat kagent_nic_stats[] = {
	NIC_STAT(rx_frames),
	NIC_STAT(rx_octets),
	NIC_STAT(tx_frames),
	NIC_STAT(tx_octets),
	NIC_STAT(rx_missed),
	NIC_STAT(rx_errors),
	NIC_STAT(app_rx_frames),
	NIC_STAT(app_tx_frames),
	NIC_STAT(app_rx_dropped),
	NIC_STAT(krx_dropped),
	NIC_STAT(backup_services),
};

#define WATCH_STAT(field)						\
	{ #field, offsetof(struct kagent_watch_counts, field) }

/* watchdog_<name>: silence of an interval, hangs, what was done about them */
static const struct kagent_stat kagent_watch_stats[] = {
	WATCH_STAT(warnings),
	WATCH_STAT(hangs),
	WATCH_STAT(signals),
	WATCH_STAT(ends),
};

#define KAGENT_STATS							\
	(ARRAY_SIZE(kagent_queue_stats) + 2 * KAGENT_DROPS + 1 +	\
	 ARRAY_SIZE(kagent_nic_stats) + ARRAY_SIZE(kagent_watch_stats))

static void kagent_get_drvinfo(struct net_device *dev,
			       struct ethtool_drvinfo *info)
{
	strscpy(info->driver, "kagent", sizeof(info->driver));
	strscpy(info->bus_info, kagent_priv(dev)->port->name,
		sizeof(info->bus_info));
}

static int kagent_get_sset_count(struct net_device *dev, int set)
{
	return set == ETH_SS_STATS ? KAGENT_STATS : -EOPNOTSUPP;
}

static void kagent_get_strings(struct net_device *dev, u32 set, u8 *data)
{
	int i;

	if (set != ETH_SS_STATS)
		return;
	for (i = 0; i < ARRAY_SIZE(kagent_queue_stats); i++)
		ethtool_sprintf(&data, "k%s", kagent_queue_stats[i].name);
	for (i = 0; i < KAGENT_DROPS; i++)
		ethtool_sprintf(&data, "ktx_drop_%s", kagent_drop_name(i));
	for (i = 0; i < KAGENT_DROPS; i++)
		ethtool_sprintf(&data, "krx_drop_%s", kagent_drop_name(i));
	ethtool_sprintf(&data, "k%s", "rx_with_stack");
	for (i = 0; i < ARRAY_SIZE(kagent_nic_stats); i++)
		ethtool_sprintf(&data, "nic_%s", kagent_nic_stats[i].name);
	for (i = 0; i < ARRAY_SIZE(kagent_watch_stats); i++)
		ethtool_sprintf(&data, "watchdog_%s",
				kagent_watch_stats[i].name);
}

/* Buffers that the stack has, as of the last look. */
static u32 kagent_with_stack(const struct kagent_session *session)
{
	u32 i, sum = 0;

	for (i = 0; i < session->queues; i++)
		sum += READ_ONCE(session->rings[i].exchange.away);
	return sum;
}

static void kagent_get_stats(struct net_device *dev,
			     struct ethtool_stats *unused, u64 *data)
{
	struct kagent_port *port = kagent_priv(dev)->port;
	struct kagent_session *session = kagent_port_session_get(port);
	int i;

	for (i = 0; i < ARRAY_SIZE(kagent_queue_stats); i++)
		*data++ = kagent_sum(dev, kagent_queue_stats[i].at);
	for (i = 0; i < KAGENT_DROPS; i++)
		*data++ = kagent_sum(dev, offsetof(struct kagent_queue,
						   tx.drops[i]));
	for (i = 0; i < KAGENT_DROPS; i++)
		*data++ = kagent_sum(dev, offsetof(struct kagent_queue,
						   rx.drops[i]));
	*data++ = session ? kagent_with_stack(session) : 0;
	for (i = 0; i < ARRAY_SIZE(kagent_nic_stats); i++) {
		u64 *value = session ? (void *)session->stats +
				       kagent_nic_stats[i].at : NULL;

		*data++ = value ? READ_ONCE(*value) : 0;
	}
	for (i = 0; i < ARRAY_SIZE(kagent_watch_stats); i++)
		*data++ = READ_ONCE(*(u64 *)((void *)&port->watched +
					     kagent_watch_stats[i].at));
	if (session)
		kagent_session_put(session);
}

static u8 kagent_duplex(u32 duplex)
{
	switch (duplex) {
	case NDD_DUPLEX_HALF:
		return DUPLEX_HALF;
	case NDD_DUPLEX_FULL:
		return DUPLEX_FULL;
	default:
		return DUPLEX_UNKNOWN;
	}
}

static int kagent_get_link_ksettings(struct net_device *dev,
				     struct ethtool_link_ksettings *cmd)
{
	struct kagent_port *port = kagent_priv(dev)->port;
	const struct kagent_provider_ops *ops = rtnl_dereference(port->ops);
	const struct ndd_link *link = &port->link;

	if (kagent_port_mode(port) == NDD_MODE_DIRECT && ops)
		return ops->get_link_ksettings(port, cmd);
	cmd->base.speed = link->speed_mbps ?: SPEED_UNKNOWN;
	cmd->base.duplex = kagent_duplex(link->duplex);
	/* 0: unknown; ethtool knows off and on only */
	cmd->base.autoneg = link->autoneg > 1 ? AUTONEG_ENABLE :
						AUTONEG_DISABLE;
	cmd->base.port = PORT_OTHER;
	return 0;
}

/* tx-copybreak: octets of a run of whole pages from which on it is cheaper to let
 * the NIC fetch them than to copy them. rx-copybreak: octets of a frame from which
 * on the stack gets the NIC's buffer. 4294967295 copies everything: no page of the
 * kernel's is then seen by the NIC, and nothing that the stack has by the process.
 */
static u32 *kagent_tunable(struct net_device *dev, u32 id)
{
	switch (id) {
	case ETHTOOL_RX_COPYBREAK:
		return &kagent_priv(dev)->rx_copybreak;
	case ETHTOOL_TX_COPYBREAK:
		return &kagent_priv(dev)->tx_copybreak;
	default:
		return NULL;
	}
}

static int kagent_get_tunable(struct net_device *dev,
			      const struct ethtool_tunable *tuna, void *data)
{
	u32 *value = kagent_tunable(dev, tuna->id);

	if (!value)
		return -EOPNOTSUPP;
	*(u32 *)data = *value;
	return 0;
}

static int kagent_set_tunable(struct net_device *dev,
			      const struct ethtool_tunable *tuna,
			      const void *data)
{
	u32 *value = kagent_tunable(dev, tuna->id);

	if (!value)
		return -EOPNOTSUPP;
	WRITE_ONCE(*value, *(const u32 *)data);
	return 0;
}

const struct ethtool_ops kagent_ethtool_ops = {
	.get_drvinfo = kagent_get_drvinfo,
	.get_link = ethtool_op_get_link,
	.get_link_ksettings = kagent_get_link_ksettings,
	.get_sset_count = kagent_get_sset_count,
	.get_strings = kagent_get_strings,
	.get_ethtool_stats = kagent_get_stats,
	.get_tunable = kagent_get_tunable,
	.set_tunable = kagent_set_tunable,
	.get_ts_info = ethtool_op_get_ts_info,
};
