/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * session.h - a hold of a port: its memory, rings and deadlines.
 *
 * It has one owner at a time, and may have others that wait to go on with it.
 *
 * The kernel's truth is in here: private indices and who owns which buffer. What
 * stands in the ctrl area is for the other side to read, never for the kernel to
 * believe.
 */
#ifndef KAGENT_SESSION_H
#define KAGENT_SESSION_H

#include "exchange.h"
#include "headers.h"
#include "kagent.h"
#include "window.h"

/* ---- pool.c: pages for the NIC, and the two areas it never sees ---- */

/* A run of pages that are contiguous in physical memory. */
struct kagent_run {
	struct page *page;
	u32 count;
	u32 first;		/* page of the pool */
};

struct kagent_pool {
	u32 count;		/* pages */
	u32 runs_count;
	struct kagent_run *runs;
	struct page **pages;
};

int kagent_pool_create(struct kagent_pool *pool, u32 count);
void kagent_pool_destroy(struct kagent_pool *pool);
int kagent_pool_map(struct kagent_pool *pool, struct iommu_domain *domain,
		    u64 iova);
void kagent_pool_unmap(struct kagent_pool *pool, struct iommu_domain *domain,
		       u64 iova);
int kagent_pool_mmap(struct kagent_pool *pool, struct vm_area_struct *vma,
		     u64 first);

/* Where the NIC sees the pool: clear of the interrupt range 0xfee00000 of x86,
 * within reach of 32-bit NICs, aligned for the IOMMU's large pages.
 */
#define KAGENT_POOL_IOVA	0x10000000ULL
#define KAGENT_POOL_IOVA_END	0xf0000000ULL

/* ---- window.c: the kernel's own pages, for the NIC to read ---- */

struct kagent_slot {
	struct sk_buff *skb;	/* whose pages are mapped; NULL: none */
	u32 size;		/* octets mapped */
};

struct kagent_window {
	/* under the queue's tx lock */
	u64 iova;		/* of the queue's first slot */
	u32 count;		/* slots; 0 without NDD_F_WINDOW */
	u32 free_count;
	u32 *free;		/* stack of slots */
	u32 *octets;		/* of the piece in a slot, as ktx_octets */

	spinlock_t lock;	/* of what follows */
	struct iommu_domain *domain;	/* NULL: nothing is mapped any more */
	struct kagent_slot *slots;
};

int kagent_window_create(struct kagent_window *window, u64 iova, u32 count);
void kagent_window_destroy(struct kagent_window *window);
void kagent_window_open(struct kagent_window *window,
			struct iommu_domain *domain);
void kagent_window_close(struct kagent_window *window);
void kagent_window_hold(struct sk_buff *skb);
bool kagent_window_map(struct kagent_window *window, struct sk_buff *skb,
		       phys_addr_t phys, u32 size, u32 *slot);
void kagent_window_return(struct kagent_window *window, u32 from);

/* Are skbs held? Without the tx lock: a moment ago. */
static inline bool kagent_window_busy(const struct kagent_window *window)
{
	return READ_ONCE(window->free_count) != window->count;
}

/* ---- rings.c: the kernel's ends ---- */

/* Of one frame, at most: runs in the window, buffers, and pieces. Copied octets
 * fill whole buffers but for one before each run, and the last.
 */
#define KAGENT_RUNS_MAX		8
#define KAGENT_TX_BUFS							\
	(DIV_ROUND_UP(NDD_FRAME_MAX, NDD_BUF_SIZE) + KAGENT_RUNS_MAX)
#define KAGENT_TX_PIECES	(KAGENT_TX_BUFS + KAGENT_RUNS_MAX)

/* Beside a piece's octets: it is the last one of its frame. */
#define KAGENT_PIECE_LAST	BIT(31)

struct kagent_ring {
	u32 *producer;		/* shared */
	u32 *consumer;		/* shared */
	u32 *flags;		/* shared, the consumer's */
	void *entries;		/* shared */
	u32 size;
	u32 index;		/* ours, producer or consumer; only ever stored */
};

struct kagent_rings {
	struct kagent_session *session;
	struct eventfd_ctx __rcu *event;

	/* transmit, under the queue's tx lock */
	struct kagent_ring ktx ____cacheline_aligned_in_smp;
	struct kagent_ring ktx_done;
	u32 given;		/* pieces, to the process */
	u32 returned;		/* of these, checked; free-running both */
	u32 first_buf;		/* of the kernel's buffers of this queue */
	u32 buf_count;
	u32 free_count;
	u32 *free;		/* stack of buffer indices */
	struct kagent_window window;

	/* receive, in NAPI */
	struct kagent_ring krx ____cacheline_aligned_in_smp;
	struct kagent_ring krx_free;
	struct kagent_frame frame;
	struct kagent_exchange exchange;
	u32 *stock;		/* its memory */
	bool asleep;		/* our NEED_WAKEUP flags are set */
};

/* Pieces that the process has. Without the tx lock: a moment ago. */
static inline u32 kagent_pieces_away(const struct kagent_rings *rings)
{
	return READ_ONCE(rings->given) - READ_ONCE(rings->returned);
}

/* ---- session ---- */

enum {
	KAGENT_SESSION_REVOKED,	/* flags: no new use of any kind */
	KAGENT_SESSION_GIVEN_BACK, /* NDD_GIVE_BACK was called */
	KAGENT_SESSION_BROKEN,	/* the protocol was broken; told once */
	KAGENT_SESSION_ABANDONED, /* the taker was killed in NDD_TAKE */
	KAGENT_SESSION_KILLED,	/* its process was; told once */
	KAGENT_SESSION_GONE,	/* lock; the owner's file has ended */
	KAGENT_SESSION_FINAL,	/* lock; it ends for all: it isn't passed on */
};

/* Processes that may wait behind an owner. */
#define KAGENT_STANDBYS_MAX	4

struct kagent_session {
	/* fast path */
	struct kagent_pool pool;
	u32 nic_pages;
	u32 queues;
	struct kagent_pool_view view;
	struct kagent_rings *rings;
	u32 *ktx_octets;	/* of the piece in a buffer, with PIECE_LAST */
	unsigned long flags;	/* KAGENT_SESSION_* bits */

	/* slow path */
	struct kref ref;
	struct kagent_port *port;

	/* written by a pass under port->lock; the port's work and the watchdog, which
	 * a pass stops, read without
	 */
	const struct kagent_file *owner_file; /* compared, never followed */
	fl_owner_t files;	/* the owner's; likewise */
	struct pid *owner;

	/* those who wait, under port->lock; standby.c */
	struct list_head standbys;	/* of kagent_file, oldest first */
	u32 waiting;			/* how many are ready */
	struct file *group;		/* VFIO's, for them; until the restore */
	struct pid *dismissed[KAGENT_STANDBYS_MAX]; /* waited when it ended */
	u32 dismissed_count;
	wait_queue_head_t wait;		/* poll() of owner and standbys */

	u8 *owners;		/* view.owner */
	u32 kernel_bufs;
	u32 exchange_bufs;
	u32 ring_size;
	u32 window_slots;		/* of all queues */
	struct mutex map_lock;		/* one map or unmap at a time */
	struct iommu_domain *domain;	/* map_lock; pool is mapped there */

	struct kagent_pool ctrl_pages;
	struct kagent_pool state_pages;
	void *ctrl;		/* kernel's mapping of ctrl_pages */
	struct file *container;	/* VFIO's; see kagent_release() */
	struct ndd_health *health;
	struct ndd_config *config;
	struct ndd_stats *stats;
	spinlock_t config_lock;	/* one writer of *config at a time */
	u32 config_seq;		/* config_lock */

	/* watchdog.c; the timer's own but for the settings */
	struct ndd_watch watch;
	struct hrtimer timer;
	ktime_t period;
	struct kagent_alive {
		u32 progress;
		ktime_t since;
		bool warned;
		bool hangs;
		bool signalled;
		ktime_t hangs_since;	/* or signalled */
	} service, app, sending;
	enum ndd_reason hang;	/* of one that was spared; for the port's work */
	u32 warned;
};

/* What a take asks for, checked. */
struct kagent_session_spec {
	u64 features;
	u32 queues;
	u32 ring_size;
	u32 buf_count;
	u32 kernel_bufs;
	u32 exchange_bufs;
	u32 nic_pages;
	u32 state_pages;
	struct ndd_watch watch;
};

struct kagent_session *
kagent_session_create(struct kagent_port *port,
		      const struct kagent_session_spec *spec);
void kagent_session_get(struct kagent_session *session);
void kagent_session_put(struct kagent_session *session);
int kagent_session_mmap(struct kagent_session *session,
			struct vm_area_struct *vma);
void kagent_session_tell(struct kagent_session *session, u32 mode, u32 reason);
int kagent_session_set_event(struct kagent_session *session, u32 queue,
			     int fd);
struct pid *kagent_session_owner(struct kagent_session *session);

static inline bool kagent_session_revoked(const struct kagent_session *session)
{
	return test_bit(KAGENT_SESSION_REVOKED, &session->flags);
}

static inline struct page *
kagent_buf_page(const struct kagent_session *session, u32 index)
{
	return session->pool.pages[session->nic_pages + index];
}

/* Address of a buffer; the process can write it at any time. */
static inline void *kagent_buf(const struct kagent_session *session, u32 index)
{
	return page_address(kagent_buf_page(session, index));
}

/* rings.c */
size_t kagent_ctrl_size(const struct kagent_session_spec *spec);
int kagent_rings_create(struct kagent_session *session,
			const struct kagent_session_spec *spec);
void kagent_rings_destroy(struct kagent_session *session);
void kagent_signal(struct kagent_rings *rings);
void kagent_protocol_broken(struct kagent_session *session, const char *ring);
bool kagent_ring_ready(const struct kagent_ring *ring);
bool kagent_ring_load(struct kagent_session *session, struct kagent_ring *ring,
		      const char *name, u32 *used);
bool kagent_ring_space(struct kagent_session *session,
		       struct kagent_ring *ring, const char *name, u32 *space);

static inline u64 kagent_window_size(const struct kagent_session *session)
{
	return (u64)session->window_slots * NDD_WINDOW_SLOT;
}

static inline u64 kagent_window_iova(const struct kagent_session *session)
{
	return session->window_slots ? KAGENT_WINDOW_IOVA : 0;
}

/* tx.c, txframe.c, rx.c, rxframe.c */
u32 kagent_tx_frame(struct kagent_queue *queue, struct sk_buff *skb);
struct sk_buff *kagent_tx_fit(struct net_device *dev, struct sk_buff *skb);
netdev_features_t kagent_tx_features_check(struct sk_buff *skb,
					   struct net_device *dev,
					   netdev_features_t features);
netdev_tx_t kagent_tx(struct kagent_queue *queue, struct sk_buff *skb);
void kagent_tx_reap(struct kagent_queue *queue);
bool kagent_tx_waits(const struct kagent_queue *queue);
void kagent_look(struct kagent_session *session, u32 queue);
int kagent_poll(struct napi_struct *napi, int budget);
struct sk_buff *kagent_rx_skb(struct kagent_queue *queue);
bool kagent_rx_offload(struct sk_buff *skb, const struct ndd_desc *desc);

#endif /* KAGENT_SESSION_H */
