/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * kagent_port.h - port operations: what stands between kagent and its provider.
 *
 * kagent has the netdev, the rings, the pool, the character device, the watchdog
 * and the state machine, and knows no PCI driver. A provider (nddcore) has the
 * device: direct mode over the in-kernel driver's netdev (the lower), the
 * hand-over to a process and the way back. This header is all that the two share.
 *
 * Lock order: device_lock > rtnl > port lock (spinlock, inside kagent). Nothing
 * that is called under rtnl or from the device's close waits for a hand-over: it
 * tells kagent, whose work does the waiting.
 */
#ifndef KAGENT_PORT_H
#define KAGENT_PORT_H

#include <linux/ethtool.h>
#include <linux/iommu.h>
#include <linux/netdevice.h>
#include <uapi/linux/ndd.h>

struct kagent_port;

/**
 * struct kagent_msg - the one sentence a failing take leaves for its caller
 * @text: what, on which device, why, what to do
 */
struct kagent_msg {
	char text[NDD_MSG_LEN];
};

__printf(2, 3)
void kagent_msg_set(struct kagent_msg *msg, const char *fmt, ...);

/**
 * struct kagent_take - what a provider's take() hands to the process
 * @group: VFIO group file, checked to have the port's own device; kagent puts it
 * @container: VFIO container file; kagent puts it
 */
struct kagent_take {
	struct file *group;
	struct file *container;
};

/**
 * struct kagent_provider_ops - a provider's side of a port; all mandatory
 * @owner: the provider's module, held from take to restore
 *
 * Under rtnl:
 * @attach: make @lower the port's lower (RTM_NEWLINK); refuse with extack text
 * @detach: let go of the lower; ndd0 goes away (RTM_DELLINK) or the provider does
 * @open: ndd0 was brought up in direct mode: bring the lower up
 * @stop: ndd0 was brought down in direct mode
 * @set_mac: set the lower's address to @addr
 * @change_mtu: set the lower's MTU
 * @change_rx_flags: IFF_PROMISC or IFF_ALLMULTI of ndd0 changed (in @change)
 * @vlan_add: let tagged frames of a VLAN through to ndd0
 * @vlan_del: no longer
 * @get_link_ksettings: ethtool of the lower
 *
 * In the transmit and address-list paths (softirq, no sleeping):
 * @xmit_direct: send by the lower; consumes @skb
 * @set_rx_mode: ndd0's address lists changed: sync them to the lower
 *
 * In process context, no locks held, one at a time for a port:
 * @take_check: could take() work now? Changes nothing; says why not
 * @take: record the lower's settings, release the in-kernel driver, attach the
 *        VFIO driver, open group and container. On failure the port needs restore()
 * @revoke: cut the holder off from a device it still has open: BAR mappings, DMA.
 *          Does nothing if nobody has it open. Idempotent
 * @kill: end the process that has the device open, if it is known
 * @holder: thread group id of whoever has the device open, 0 if nobody or unknown
 * @passed: the process @pid has the device from here on, which stays open: it is the
 *          one that kill() and holder() mean
 * @restore: bring the in-kernel driver and its settings back; 0: the lower is up
 *           and linked. -EBUSY: somebody still holds the device; -EPERM: another
 *           driver was bound by an administrator; -ENODEV: the device is gone;
 *           anything else is retried
 * @driver: name of the driver bound to the device now, into @buf
 */
struct kagent_provider_ops {
	struct module *owner;

	int (*attach)(struct kagent_port *port, struct net_device *lower,
		      bool force, struct netlink_ext_ack *extack);
	void (*detach)(struct kagent_port *port);
	int (*open)(struct kagent_port *port);
	void (*stop)(struct kagent_port *port);
	int (*set_mac)(struct kagent_port *port, const void *addr);
	int (*change_mtu)(struct kagent_port *port, int mtu);
	void (*change_rx_flags)(struct kagent_port *port, int change);
	int (*vlan_add)(struct kagent_port *port, __be16 proto, u16 vid);
	void (*vlan_del)(struct kagent_port *port, __be16 proto, u16 vid);
	int (*get_link_ksettings)(struct kagent_port *port,
				  struct ethtool_link_ksettings *cmd);

	netdev_tx_t (*xmit_direct)(struct kagent_port *port,
				   struct sk_buff *skb);
	void (*set_rx_mode)(struct kagent_port *port);

	int (*take_check)(struct kagent_port *port, struct kagent_msg *msg);
	int (*take)(struct kagent_port *port, struct kagent_take *take,
		    struct kagent_msg *msg);
	void (*revoke)(struct kagent_port *port);
	void (*kill)(struct kagent_port *port);
	pid_t (*holder)(struct kagent_port *port);
	void (*passed)(struct kagent_port *port, struct pid *pid);
	int (*restore)(struct kagent_port *port);
	void (*driver)(struct kagent_port *port, char *buf, size_t size);
};

/* Registering offers every port without a lower to the provider: it finds them
 * by kagent_port_find() when its netdevice notifier sees their lower. A provider
 * unregisters when nobody holds its module, so that no port is out of direct mode.
 */
int kagent_provider_register(const struct kagent_provider_ops *ops);
void kagent_provider_unregister(const struct kagent_provider_ops *ops);

/* Ports, by name of the lower's parent device ("0000:00:03.0"); the reference
 * outlives the netdev.
 */
struct kagent_port *kagent_port_find(const char *name);
void kagent_port_get(struct kagent_port *port);
void kagent_port_put(struct kagent_port *port);
const char *kagent_port_name(const struct kagent_port *port);
/* NULL once ndd0 is being deleted; under rtnl, or in the port's own softirq */
struct net_device *kagent_port_netdev(const struct kagent_port *port);
void *kagent_port_priv(const struct kagent_port *port);
void kagent_port_set_priv(struct kagent_port *port, void *priv);
enum ndd_mode kagent_port_mode(const struct kagent_port *port);

/* ---- what a provider tells ---- */

/* The lower is linked to ndd0 and usable (@lower), or is not any more (NULL).
 * Under rtnl. kagent takes over features, carrier, and in mode NONE enters
 * DIRECT; losing it in DIRECT enters NONE.
 */
void kagent_lower_changed(struct kagent_port *port, struct net_device *lower);
/* Carrier of the lower, in direct mode. */
void kagent_lower_carrier(struct kagent_port *port, bool up);

/* The VFIO device is being opened, its domain in place: pool and window are
 * mapped into @domain. Fails unless a process has taken the port. From
 * open_device of the VFIO driver.
 */
int kagent_device_opened(struct kagent_port *port, struct iommu_domain *domain);
/* Unmap them; DMA is off. Idempotent: revoke and close both call it. */
void kagent_device_unmap(struct kagent_port *port, struct iommu_domain *domain);
/* The last descriptor of the VFIO device is gone: queue the restore. Never
 * sleeps long. From close_device.
 */
void kagent_device_closed(struct kagent_port *port);
/* The PCI device itself is going (hot unplug, sysfs remove). */
void kagent_device_gone(struct kagent_port *port);
/* Try a failed restore again now: the device was seen again. */
void kagent_restore_retry(struct kagent_port *port);
/* Somebody wants the device back (VFIO .request): revoke, kill, restore. */
void kagent_device_wanted(struct kagent_port *port, enum ndd_reason reason);

/* A time-stamp for the phases shown in sysfs (ndd/phases), by name. */
enum kagent_phase {
	KAGENT_PHASE_TAKE_BEGIN,
	KAGENT_PHASE_TAKE_RELEASED,	/* in-kernel driver let go */
	KAGENT_PHASE_TAKE_ATTACHED,	/* VFIO driver bound */
	KAGENT_PHASE_TAKE_OPENED,	/* device opened by the process */
	KAGENT_PHASE_TAKE_STARTED,	/* tunnel mode */
	KAGENT_PHASE_END_NOTICED,	/* the owner's end */
	KAGENT_PHASE_END_PASSED,	/* to one that waited */
	KAGENT_PHASE_END_QUIESCED,	/* or: DMA read back as off */
	KAGENT_PHASE_END_PROBED,	/* in-kernel driver bound */
	KAGENT_PHASE_END_UP,		/* lower open */
	KAGENT_PHASE_END_LINK,		/* its carrier on */
	KAGENT_PHASES,
};

void kagent_phase(struct kagent_port *port, enum kagent_phase phase);

#endif /* KAGENT_PORT_H */
