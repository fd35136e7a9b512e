/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * kagent.h - kagent's own objects: port, hold, queue. Seen by kagent/ only.
 *
 * A *port* is a PCI device's place in kagent. It is counted apart from ndd0,
 * which may be deleted while the port is still on its way back to the in-kernel
 * driver. A *session* is one process's hold: pool, rings, watchdog. It is counted
 * too: the owner's file and its mappings keep the memory, the port keeps it until
 * the device is closed.
 *
 * Locks, outer to inner: handover > (device_lock) > rtnl > announce > tx queue >
 * window > lock. Whoever holds rtnl only asks (kagent_port_end()), and never waits for a
 * hand-over.
 */
#ifndef KAGENT_H
#define KAGENT_H

#include <linux/completion.h>
#include <linux/eventfd.h>
#include <linux/hrtimer.h>
#include <linux/if_vlan.h>
#include <linux/kref.h>
#include <linux/mutex.h>
#include <linux/netdevice.h>
#include <linux/pid.h>
#include <linux/u64_stats_sync.h>
#include <linux/workqueue.h>

#include "desc_check.h"
#include "kagent_port.h"
#include "state.h"

struct kagent_session;

/* ---- queue: one per queue pair, part of ndd0 ---- */

/* Octets of a received piece that are copied rather than kept. */
#define KAGENT_RX_COPYBREAK	256

struct kagent_counters {
	struct u64_stats_sync sync;
	u64_stats_t frames;
	u64_stats_t octets;
	u64_stats_t wakeups;	/* eventfd signals (tx), NAPI polls (rx) */
	u64_stats_t window_frames;	/* tx: with pieces in the window */
	u64_stats_t window_octets;	/* tx: of those pieces */
	u64_stats_t window_failures;	/* tx: runs that could not be mapped */
	u64_stats_t drops[KAGENT_DROPS];
};

/* Why a frame was copied although the process agreed to exchange. */
enum kagent_copy {
	KAGENT_COPY_SMALL,	/* up to rx-copybreak, or a small datagram */
	KAGENT_COPY_KIND,	/* not plain TCP or UDP, or a buffer named twice */
	KAGENT_COPY_STOCK,	/* too few buffers in stock */
	KAGENT_COPIES
};

struct kagent_queue {
	struct napi_struct napi;
	struct net_device *dev;
	struct kagent_rings *rings;	/* while napi is enabled */
	u32 index;

	struct kagent_counters tx ____cacheline_aligned_in_smp;
	struct kagent_counters rx ____cacheline_aligned_in_smp;
	/* rx.sync, too */
	u64_stats_t zero_copy;	/* frames whose payload the stack got in place */
	u64_stats_t copied[KAGENT_COPIES];
	u64_stats_t looks;	/* at buffers that the stack had */
};

/* ---- netdev_priv() of ndd0 ---- */

struct kagent_netdev {
	/* fast path */
	struct kagent_port *port;
	struct kagent_queue *queues;	/* dev->num_tx_queues of them */
	u32 tx_copybreak;		/* rtnl; read without */
	u32 rx_copybreak;		/* rtnl; read without */

	/* slow path, under rtnl */
	netdev_features_t offers;	/* of whoever drives the port */
	bool tunnel;			/* the queues have rings */
	bool rx_merge;			/* NETIF_F_GRO_HW is on */
	unsigned long vlans[BITS_TO_LONGS(VLAN_N_VID)];
	bool force;
};

/* ---- port ---- */

/* private_data of an open node */
struct kagent_file {
	struct kagent_port *port;
	struct mutex take_lock;		/* one NDD_TAKE or NDD_STANDBY at a time */
	struct kagent_session *session;	/* taken or waited for, until release */

	/* of one that waits; standby.c */
	bool waits;			/* lock; until the hold is its own */
	bool now;			/* NDD_STANDBY_NOW */
	bool ready;			/* lock; NDD_START */
	struct list_head entry;		/* lock; session->standbys */
	fl_owner_t files;		/* compared, never followed */
	struct pid *pid;		/* thread group, referenced */
};

/* NDD_F_* that this module has */
#define KAGENT_FEATURES							\
	(NDD_F_WINDOW | NDD_F_OFFLOAD | NDD_F_STANDBY | NDD_F_EXCHANGE | \
	 NDD_F_TX_CSUM | NDD_F_TSO4 | NDD_F_TSO6)

/* Shorter runs of a frag's pages are copied; see ethtool.c. Under emulation, whose
 * figures are the only ones there are, a run costs 2.5 us to map and 4.5 us to
 * unmap and flush alone (less in a batch), a page 6 to 8 us to copy; with a copy
 * that is faster against its IOMMU the two meet between 4 and 30 KiB.
 */
#define KAGENT_TX_COPYBREAK	8192

/* A request of NDD_TAKE for the port's worker; see take.c */
struct kagent_take_request {
	struct kref ref;
	struct completion done;
	struct kagent_session *session;
	struct kagent_take take;
	struct kagent_msg msg;
	int err;
};

enum {
	KAGENT_ASK_WARN,	/* the watchdog has a warning to announce */
	KAGENT_ASK_HANG,	/* the watchdog has spared one that hangs */
	KAGENT_ASK_RETRY,	/* try the restore now */
	KAGENT_ASK_KILL,	/* end who has the device open */
	KAGENT_ASK_GONE,	/* the device is gone */
};

/* What the watchdog has seen and done, of all holds of a port. */
struct kagent_watch_counts {
	u64 warnings;
	u64 hangs;
	u64 signals;
	u64 ends;
};

struct kagent_port {
	/* fast path */
	enum ndd_mode mode;			/* lock; read without */
	bool queue_open;			/* rtnl; read without */
	struct net_device __rcu *dev;		/* rtnl */
	const struct kagent_provider_ops __rcu *ops; /* rtnl */

	/* slow path */
	char name[NDD_NAME_LEN];
	struct list_head list;			/* kagent_ports */
	struct kref ref;
	u32 minor;
	struct device *node;			/* rtnl; of /dev/ndd/<name> */
	void *priv;				/* the provider's */
	u32 pool_max;				/* buffers a take may ask for */
	u32 on_hang;				/* rtnl; enum ndd_on_hang; read without */
	u32 hang_grace_ms;			/* rtnl; read without */
	struct kagent_watch_counts watched;	/* the timer's; read without */

	spinlock_t lock;			/* of the members that say so */
	enum ndd_reason reason;			/* lock */
	enum ndd_reason end_reason;		/* lock; of this hold, first wins */
	enum ndd_reason last_end;		/* lock; of the hold before */
	struct kagent_session *session;		/* lock; until released */
	struct kagent_take_request *request;	/* lock */
	bool claimed;				/* lock; a take is under way */
	bool device_open;			/* lock */
	bool unlinked;				/* lock; ndd0 was deleted */
	unsigned long asked;			/* KAGENT_ASK_* bits */

	struct mutex handover;			/* one step at a time */
	struct delayed_work work;		/* does the steps */
	const struct kagent_provider_ops *held_ops; /* handover; referenced */
	unsigned long deadline;			/* handover; jiffies, of the mode */
	unsigned int tries;			/* handover; failed restores */
	bool restoring;				/* restore() is running */
	bool dying;				/* handover; owner killed, to pass */

	struct mutex announce;			/* keeps transitions in order */
	ktime_t phases[KAGENT_PHASES];

	/* link, under rtnl */
	struct delayed_work hold;		/* ends the carrier's hold */
	bool holding;				/* carrier stays as it is */
	bool link_up;				/* of whoever drives the port */
	bool handed_over;			/* peers are to be told */
	struct ndd_link link;			/* as the process told */
};

extern struct workqueue_struct *kagent_wq;
extern struct rtnl_link_ops kagent_link_ops;

/* port.c */
struct kagent_port *kagent_port_create(const char *name);
struct kagent_port *kagent_port_by_minor(u32 minor);
struct kagent_port *kagent_port_next(struct kagent_port *prev);
void kagent_port_unlist(struct kagent_port *port);
const struct kagent_provider_ops *kagent_provider(void);
const struct kagent_provider_ops *
kagent_port_ops_get(struct kagent_port *port);
void kagent_port_ops_put(const struct kagent_provider_ops *ops);
struct net_device *kagent_port_dev_hold(struct kagent_port *port);
int kagent_ports_init(void);
void kagent_ports_exit(void);

/* event.c */
struct kagent_step kagent_port_event(struct kagent_port *port,
				     enum kagent_event event,
				     enum ndd_reason reason);
bool kagent_port_end(struct kagent_port *port, struct kagent_session *session,
		     enum ndd_reason reason);
void kagent_file_end(struct kagent_file *file);
void kagent_port_ask(struct kagent_port *port, int what);
void kagent_port_wake(struct kagent_port *port, unsigned long delay);
bool kagent_port_idle(struct kagent_port *port);
struct kagent_session *kagent_port_session_get(struct kagent_port *port);

/* handover.c */
void kagent_port_work(struct work_struct *work);
int kagent_port_start(struct kagent_port *port,
		      struct kagent_session *session);

/* link.c; under rtnl but for the work */
void kagent_link_hold(struct net_device *dev);
void kagent_link_forget(struct kagent_port *port);
void kagent_link_set(struct net_device *dev, bool up);
void kagent_link_expire(struct work_struct *work);
void kagent_link_served(struct net_device *dev);
void kagent_link_told(struct net_device *dev);
void kagent_queue_update(struct net_device *dev);

/* netdev.c */
extern const struct net_device_ops kagent_netdev_ops;
void kagent_netdev_setup(struct net_device *dev);
void kagent_netdev_destroy(struct net_device *dev);
int kagent_queues_create(struct net_device *dev);
int kagent_tunnel_open(struct net_device *dev, struct kagent_session *session);
void kagent_tunnel_close(struct net_device *dev);
void kagent_drop(struct kagent_counters *c, enum kagent_drop reason);
u64 kagent_sum(struct net_device *dev, size_t counter);

/* ethtool.c */
extern const struct ethtool_ops kagent_ethtool_ops;

/* config.c */
void kagent_config_changed(struct net_device *dev);
void kagent_config_changed_locked(struct net_device *dev);

/* rtnl.c */
int kagent_rtnl_init(void);
void kagent_rtnl_exit(void);

/* chardev.c, take.c */
int kagent_chardev_init(void);
void kagent_chardev_exit(void);
int kagent_node_create(struct kagent_port *port);
void kagent_node_destroy(struct kagent_port *port);
int kagent_fds_reserve(struct kagent_file *file, struct ndd_take *take,
		       struct kagent_msg *msg);
void kagent_fds_cancel(const struct ndd_take *take);
void kagent_answer(const struct kagent_session *session,
		   struct ndd_take *take);
int kagent_take_port(struct kagent_file *file, struct ndd_take *take,
		     void __user *arg, struct kagent_msg *msg);
long kagent_ioctl_take(struct kagent_file *file, void __user *arg,
		       int (*what)(struct kagent_file *file,
				   struct ndd_take *take, void __user *arg,
				   struct kagent_msg *msg));
void kagent_take_finish(struct kagent_port *port,
			struct kagent_take_request *request, int err);

/* standby.c */
int kagent_standby(struct kagent_file *file, struct ndd_take *take,
		   void __user *arg, struct kagent_msg *msg);
int kagent_standby_start(struct kagent_file *file,
			 struct kagent_session *session);
void kagent_standby_leave(struct kagent_file *file);
u32 kagent_standby_waiting(struct kagent_port *port);
bool kagent_standby_ready(struct kagent_port *port,
			  struct kagent_session *session);
bool kagent_standby_pass(struct kagent_port *port,
			 struct kagent_session *session,
			 enum ndd_reason reason);
void kagent_standby_dismiss(struct kagent_port *port,
			    struct kagent_session *session);
void kagent_standby_kill(struct kagent_session *session);

/* watchdog.c */
void kagent_watchdog_init(struct kagent_session *session);
void kagent_watchdog_start(struct kagent_session *session);
void kagent_watchdog_stop(struct kagent_session *session);
bool kagent_owner_traced(struct pid *owner);

/* genl.c */
int kagent_genl_init(void);
void kagent_genl_exit(void);
void kagent_genl_announce(struct kagent_port *port, enum ndd_mode old_mode,
			  u32 warned, enum ndd_reason hang);

/* event.c, for whoever wants to know */
pid_t kagent_port_owner(struct kagent_port *port);
void kagent_port_driver(struct kagent_port *port, char *buf, size_t size);

/* sysfs.c */
extern const struct attribute_group kagent_sysfs_group;
extern const struct attribute_group *kagent_node_groups[];
extern atomic_t kagent_live_ports;
extern atomic_t kagent_live_sessions;
extern atomic_t kagent_live_pages;
extern atomic_t kagent_live_skbs;

static inline struct kagent_netdev *kagent_priv(const struct net_device *dev)
{
	return netdev_priv(dev);
}

#endif /* KAGENT_H */
