/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * nddcore.h - what the files of nddcore share about one port.
 *
 * nddcore stands behind kagent's port operations: frames of ndd0 to and from the
 * in-kernel driver's netdev (the lower) in direct mode, and the change of drivers
 * before and after tunnel mode.
 */
#ifndef NDDCORE_H
#define NDDCORE_H

#include <linux/completion.h>
#include <linux/ethtool.h>
#include <linux/kref.h>
#include <linux/mutex.h>
#include <linux/netdevice.h>
#include <linux/pci.h>
#include <linux/vfio.h>
#include <linux/workqueue.h>

#include "kagent_port.h"

#define NDDCORE_DRIVER_NAME	"nddcore"

struct nddcore_vfio;

/**
 * struct nddcore_link - what only a netlink message can set
 * @name: new name, empty to leave it
 * @tx_queue_len: of the netdev
 * @group: of the netdev
 * @up: open it, in the same breath as it is named
 */
struct nddcore_link {
	char name[IFNAMSIZ];
	u32 tx_queue_len;
	u32 group;
	bool up;
};

/*
 * What an administrator may have set on a lower
 *
 * Recorded before its driver goes, put back onto the netdev that comes back.
 * A bool says whether the driver had such a setting to tell.
 */
struct nddcore_settings {
	bool valid;
	struct net *net;
	struct nddcore_link link;
	unsigned int mtu;
	netdev_features_t wanted;
	u8 mac[ETH_ALEN];

	bool has_ksettings, has_ring, has_coalesce, has_channels, has_pause;
	bool has_wol;
	struct ethtool_link_ksettings ksettings;
	struct ethtool_ringparam ring;
	struct kernel_ethtool_ringparam kring;
	struct ethtool_coalesce coalesce;
	struct kernel_ethtool_coalesce kcoalesce;
	struct ethtool_channels channels;
	struct ethtool_pauseparam pause;
	struct ethtool_wolinfo wol;
	u32 priv_flags;
	u32 msg_level;
};

/**
 * struct nddcore_hold - what take() borrowed, until restore() gives it back
 * @pdev: the device
 * @driver: name of the in-kernel driver
 * @owner: its module, held so that it is there to come back
 * @override: driver_override as it was, NULL if none
 * @taken: the above is valid and nddcore's own module is held
 */
struct nddcore_hold {
	struct pci_dev *pdev;
	char *driver;
	struct module *owner;
	char *override;
	bool taken;
};

/*
 * Nddcore's side of a port
 *
 * Lives from the first lower to the end of ndd0, or of the hold if that is later.
 */
struct nddcore_port {
	/* fast path */
	struct net_device __rcu *lower;	/* written under rtnl */

	/* slow path */
	struct kagent_port *port;
	struct kref ref;
	struct rcu_head rcu;

	/* under rtnl */
	bool detached;			/* ndd0 is gone */
	bool was_up;			/* lower, before it was ours */
	bool promisc;			/* what of ndd0's is on the lower */
	bool allmulti;
	bool served;			/* kagent was told of the lower */
	netdevice_tracker tracker;
	struct work_struct adopt;
	struct work_struct drop;
	struct completion linked;	/* a lower came, for restore() */

	/* hand-over: written under lock and rtnl, read under either */
	struct mutex lock;		/* one take or restore at a time */
	struct nddcore_hold hold;
	struct nddcore_settings settings;
	bool quiet;			/* DMA was read back as off */
	bool releasing;			/* restore() itself unbinds nddcore */

	struct list_head entry;		/* while taken; notify.c */
	struct mutex vfio_lock;		/* keeps @vfio alive for its user */
	struct nddcore_vfio *vfio;
};

/* main.c */
extern struct workqueue_struct *nddcore_wq;
struct nddcore_port *nddcore_port_of(struct kagent_port *port);
struct nddcore_port *nddcore_port_tryget(struct kagent_port *port);
struct nddcore_port *nddcore_port_create(struct kagent_port *port);
void nddcore_port_get(struct nddcore_port *np);
void nddcore_port_put(struct nddcore_port *np);
void nddcore_queue(struct nddcore_port *np, struct work_struct *work);

/* notify.c */
int nddcore_notify_init(void);
void nddcore_notify_exit(void);
int nddcore_held(struct nddcore_port *np, bool held);

/* lower.c */
struct pci_dev *nddcore_lower_pdev(const struct net_device *lower);
void nddcore_lower_hide(struct net_device *lower);
void nddcore_lower_show(struct net_device *lower);
int nddcore_lower_link(struct nddcore_port *np, struct net_device *lower,
		       struct netlink_ext_ack *extack);
void nddcore_lower_unlink(struct nddcore_port *np, bool gone);
int nddcore_lower_serve(struct nddcore_port *np);
int nddcore_attach(struct kagent_port *port, struct net_device *lower,
		   bool force, struct netlink_ext_ack *extack);
void nddcore_detach(struct kagent_port *port);
void nddcore_port_forget(struct nddcore_port *np);
void nddcore_adopt_work(struct work_struct *work);

/* lower_check.c */
int nddcore_lower_check(struct net_device *lower, bool force,
			struct netlink_ext_ack *extack);

/* direct.c */
rx_handler_result_t nddcore_rx(struct sk_buff **pskb);
netdev_tx_t nddcore_xmit(struct kagent_port *port, struct sk_buff *skb);
int nddcore_open(struct kagent_port *port);
void nddcore_stop(struct kagent_port *port);
int nddcore_set_lower_mac(struct net_device *lower, const void *addr);
int nddcore_set_mac(struct kagent_port *port, const void *addr);
int nddcore_change_mtu(struct kagent_port *port, int mtu);
void nddcore_change_rx_flags(struct kagent_port *port, int change);
void nddcore_sync_rx_flags(struct nddcore_port *np, struct net_device *lower,
			   bool promisc, bool allmulti);
int nddcore_vlan_add(struct kagent_port *port, __be16 proto, u16 vid);
void nddcore_vlan_del(struct kagent_port *port, __be16 proto, u16 vid);
int nddcore_get_link_ksettings(struct kagent_port *port,
			       struct ethtool_link_ksettings *cmd);
void nddcore_set_rx_mode(struct kagent_port *port);

/* settings.c */
void nddcore_settings_record(struct nddcore_settings *s,
			     struct net_device *lower);
void nddcore_settings_apply(struct nddcore_port *np,
			    struct net_device *lower);
void nddcore_settings_follow(struct nddcore_port *np,
			     struct net_device *lower);
void nddcore_settings_drop(struct nddcore_settings *s);

/* setlink.c */
int nddcore_setlink(struct net *net, int ifindex,
		    const struct nddcore_link *link);

/* take_check.c */
int nddcore_take_check(struct kagent_port *port, struct kagent_msg *msg);

/* handover.c */
int nddcore_take(struct kagent_port *port, struct kagent_take *take,
		 struct kagent_msg *msg);
void nddcore_hold_drop(struct nddcore_port *np);
void nddcore_drop_work(struct work_struct *work);
void nddcore_driver(struct kagent_port *port, char *buf, size_t size);
struct pci_dev *nddcore_find_pdev(const char *name);

/* restore.c */
int nddcore_restore(struct kagent_port *port);

/* vfio.c */
extern struct pci_driver nddcore_pci_driver;
bool nddcore_vfio_has_file(struct nddcore_port *np, struct file *file);
bool nddcore_vfio_is_open(struct nddcore_port *np);
void nddcore_revoke(struct kagent_port *port);
void nddcore_kill(struct kagent_port *port);
pid_t nddcore_holder(struct kagent_port *port);
void nddcore_passed(struct kagent_port *port, struct pid *pid);

/* domain.c */
int nddcore_domain_attach(struct device *dev, struct iommu_domain **domain);
void nddcore_domain_detach(struct device *dev, struct iommu_domain *domain);

#endif /* NDDCORE_H */
