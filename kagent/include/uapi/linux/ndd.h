/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * ndd.h - the one contract between kagent and a process that takes a port.
 *
 * Stands between kagent/ (kernel) and udd/tunnel (process); both include this
 * very file. It holds layout and numbers only, no code.
 *
 * Each port has a character device /dev/ndd/<PCI address>. Opening it takes
 * nothing. NDD_TAKE makes the opener the port's owner: the in-kernel driver is
 * released, the process gets the VFIO group and container of the NIC, and three
 * areas to mmap() from the character device (MAP_SHARED only):
 *
 *   ctrl   struct ndd_ctrl, the rings, configuration, health. Never seen by the
 *          NIC. At offset NDD_MMAP_CTRL.
 *   state  the library's own driver state in a layout that the library versions
 *          (ring heads and tails, who has which buffer), so that another process
 *          can go on from it. The kernel only keeps it, and never reads it. At
 *          offset NDD_MMAP_STATE.
 *   pool   DMA memory: pages for the NIC's descriptor rings, then the buffers,
 *          NDD_BUF_SIZE octets each, named by index. The NIC sees it at pool_iova.
 *          At offset NDD_MMAP_POOL.
 *
 * In comments, (k) marks what only the kernel writes, (u) what only the process
 * writes. Whoever reads what the other side writes reads it once, checks the
 * copy and uses the copy.
 *
 * With NDD_F_STANDBY other processes may wait behind the owner (NDD_STANDBY): they
 * map the same areas and open the same VFIO device, so that the NIC stays as it is
 * when the owner ends, and the one that the kernel picks goes on from the state
 * area. Without any, the end of the owner is the end of the hold.
 *
 * Rings
 * -----
 * A queue pair has four rings, each single producer, single consumer, a power of
 * two in size, with free-running 32-bit indices (producer - consumer = used):
 *
 *   KTX       kernel -> process   struct ndd_desc   frames to send
 *   KTX_DONE  process -> kernel   __u64             their pieces, sent
 *   KRX       process -> kernel   struct ndd_desc   frames received
 *   KRX_FREE  kernel -> process   __u64             buffers given in exchange
 *
 * producer                                consumer
 *   write entries                           load producer          (B, acquire)
 *   store producer      (A, release)        read entries
 *   full barrier        (C)                 store consumer         (release)
 *   load flags, and wake the consumer     before sleeping:
 *   if NDD_RING_NEED_WAKEUP is set          store NEED_WAKEUP in flags
 *                                           full barrier           (D)
 *                                           load producer again; sleep if equal
 *
 * A pairs with B; C pairs with D. C is paid once per batch. The process is woken
 * by its eventfd (NDD_SET_EVENT), the kernel by NDD_KICK.
 */
#ifndef _UAPI_LINUX_NDD_H
#define _UAPI_LINUX_NDD_H

#include <linux/types.h>

/*
 * An application built against x.y works with every module x.z, z >= y. What is
 * optional is agreed on by feature bits.
 */
#define NDD_API_MAJOR		1
#define NDD_API_MINOR		4

#define NDD_F_WINDOW		(1ULL << 0) /* KTX pieces may be in the window */
#define NDD_F_OFFLOAD		(1ULL << 1) /* KRX frames may have offload facts */
#define NDD_F_STANDBY		(1ULL << 2) /* another process may wait to go on */
#define NDD_F_EXCHANGE		(1ULL << 3) /* KRX buffers may be kept for others */
#define NDD_F_TX_CSUM		(1ULL << 4) /* KTX frames may lack a checksum */
#define NDD_F_TSO4		(1ULL << 5) /* and be many segments of TCP/IPv4 */
#define NDD_F_TSO6		(1ULL << 6) /* or of TCP/IPv6 */

#define NDD_MMAP_CTRL		0x000000000ULL
#define NDD_MMAP_STATE		0x040000000ULL
#define NDD_MMAP_POOL		0x080000000ULL

#define NDD_BUF_SIZE		4096	/* octets, one page each */
#define NDD_RING_MIN		64	/* entries */
#define NDD_RING_MAX		32768
#define NDD_QUEUES_MAX		64
#define NDD_NAME_LEN		32
#define NDD_MSG_LEN		256

/* Frames: at least an Ethernet header; at most 64 KiB of GSO plus L2. 48 pieces:
 * that many segments of an MTU of 1500, merged. A frame in KRX is made of no more
 * segments, too: cutting it again is work that the kernel does in one go.
 */
#define NDD_FRAME_MIN		14
#define NDD_FRAME_MAX		(65535 + 18)
#define NDD_PIECES_MAX		48
#define NDD_HEADERS_MAX		256	/* L2 to L4, of a frame in KRX that is segments */

/* The window is shared out in slots of so many octets, each for one run of the
 * kernel's pages. A piece is within one slot, and has it to itself.
 */
#define NDD_WINDOW_SLOT		65536

/* enum ndd_mode - who drives the port */
enum ndd_mode {
	NDD_MODE_NONE = 0,	/* no lower: nddcore is not loaded, or NIC gone */
	NDD_MODE_DIRECT = 1,	/* in-kernel driver */
	NDD_MODE_TAKING = 2,	/* on its way to the process */
	NDD_MODE_TUNNEL = 3,	/* process */
	NDD_MODE_RESTORING = 4,	/* on its way back */
	NDD_MODE_LOST = 5,	/* restore failed, is being retried */
	NDD_MODE_HELD = 6,	/* revoked, but somebody still holds the device */
	NDD_MODE_UNBOUND = 7,	/* an administrator bound another driver */
};

/* enum ndd_reason - why the mode last changed */
enum ndd_reason {
	NDD_REASON_NONE = 0,
	NDD_REASON_CREATED = 1,		/* ndd0 linked to its lower */
	NDD_REASON_TAKEN = 2,		/* a process asked for the port */
	NDD_REASON_STARTED = 3,		/* it services the tunnel */
	NDD_REASON_GIVEN_BACK = 4,	/* it gave the port back itself */
	NDD_REASON_DIED = 5,		/* it ended without giving back */
	NDD_REASON_TAKE_FAILED = 6,	/* a step of take failed */
	NDD_REASON_TAKE_TIMEOUT = 7,	/* NDD_TAKE without NDD_START */
	NDD_REASON_WATCHDOG = 8,	/* nobody serviced the port */
	NDD_REASON_APP_DEADLINE = 9,	/* the application missed its deadline */
	NDD_REASON_STOPPED = 10,	/* stopped by a signal */
	NDD_REASON_DEBUGGER = 11,	/* stopped by a debugger */
	NDD_REASON_PROTOCOL = 12,	/* broke the rings' rules */
	NDD_REASON_RESTORED = 13,	/* in-kernel driver is serving again */
	NDD_REASON_RESTORE_FAILED = 14,	/* see the kernel log; will be retried */
	NDD_REASON_DEVICE_GONE = 15,	/* PCI device removed */
	NDD_REASON_LINK_DELETED = 16,	/* ndd0 deleted while taken */
	NDD_REASON_ADMIN = 17,		/* administrator, module unload, suspend */
	NDD_REASON_PASSED = 18,		/* a process that waited goes on */
	NDD_REASON_STALLED = 19,	/* the kernel's frames did not come back as sent */
};

/* ------------------------------------------------------------------ */
/* ioctls. argsz is sizeof(struct) as the caller knows it; unknown flags and */
/* non-zero reserved fields are refused with EINVAL.                  */

/**
 * struct ndd_info - what a port is and who has it (NDD_GET_INFO, any opener)
 * @argsz: in, size of the caller's struct
 * @flags: in, 0
 * @api_major: out
 * @api_minor: out
 * @mode: out, enum ndd_mode
 * @reason: out, enum ndd_reason of the last change
 * @owner_pid: out, thread group id of the owner in the caller's pid namespace, 0 if none
 * @ifindex: out, of the stable netdev
 * @reserved: 0
 * @features: out, NDD_F_* the module has
 * @port: out, PCI address
 * @netdev: out, name of the stable netdev
 * @driver: out, name of the driver now bound to the device, may be empty
 */
struct ndd_info {
	__u32 argsz;
	__u32 flags;
	__u16 api_major;
	__u16 api_minor;
	__u32 mode;
	__u32 reason;
	__s32 owner_pid;
	__u32 ifindex;
	__u32 reserved;
	__u64 features;
	__u8 port[NDD_NAME_LEN];
	__u8 netdev[NDD_NAME_LEN];
	__u8 driver[NDD_NAME_LEN];
};

/* ndd_take.flags of NDD_STANDBY: the caller wants the port now, and not only when
 * its owner ends; the owner sees it in ndd_health.wanted, and decides.
 */
#define NDD_STANDBY_NOW		(1U << 0)

/* What happens when the watchdog finds a debugger on the owner. */
#define NDD_ON_DEBUGGER_REVOKE	0	/* take the NIC, let the process live */
#define NDD_ON_DEBUGGER_HOLD	1	/* the process keeps the port */

/**
 * struct ndd_watch - when an owner counts as dead
 * @interval_us: no thread serviced the port for this long; 1 000 .. 60 000 000,
 *               0: 1 s
 * @app_deadline_us: the application itself must call in this often; 0: no deadline
 * @on_debugger: NDD_ON_DEBUGGER_*
 * @reserved: 0
 */
struct ndd_watch {
	__u32 interval_us;
	__u32 app_deadline_us;
	__u32 on_debugger;
	__u32 reserved;
};

/**
 * struct ndd_take - take the port (NDD_TAKE)
 * @argsz: in
 * @flags: in, 0; in NDD_STANDBY: NDD_STANDBY_NOW or 0
 * @api_major: in, NDD_API_MAJOR the caller was built with; out, the module's
 * @api_minor: in and out, likewise
 * @queues: in, queue pairs wanted, 0: 1; out, granted
 * @features: in, NDD_F_* the caller understands; out, those in force
 * @ring_size: in and out, entries of each ring, power of two, 0: default
 * @buf_count: in and out, buffers in the pool, 0: default
 * @kernel_bufs: in and out, how many of them are the kernel's, for KTX; 0: default
 * @nic_pages: in, pages at the start of the pool for descriptor rings
 * @state_pages: in, pages of the state area
 * @exchange_bufs: in and out, with NDD_F_EXCHANGE: how many of the buffers start out
 *                 in the kernel's stock, to be given for others that it keeps;
 *                 0: default
 * @watch: in and out, values in force
 * @group_fd: out, VFIO group, close-on-exec
 * @container_fd: out, new VFIO container, close-on-exec
 * @ctrl_size: out, octets
 * @state_size: out
 * @pool_size: out, nic_pages and buffers together
 * @pool_iova: out, where the NIC sees the pool
 * @window_iova: out, where it sees kernel pages, to read them
 * @window_size: out, 0 without NDD_F_WINDOW
 * @reserved: 0
 * @msg: out, when the call fails: one sentence saying what, on which device, why,
 *       and what to do
 *
 * The kernel's buffers, for KTX, are the last @kernel_bufs of the pool; before them
 * are the @exchange_bufs of its stock; the others start out as the process's.
 * Buffer i is at pool offset (nic_pages + i) * NDD_BUF_SIZE.
 *
 * Errors: EBUSY taken, or changing hands; EPROTO version; EINVAL fields;
 * ENODEV no lower, or it went away; ENETDOWN the lower is down; EOPNOTSUPP NIC,
 * IOMMU or interrupt isolation missing; EADDRINUSE group not viable or lower in
 * use by something else; ENOMEM.
 *
 * NDD_STANDBY has the same struct. The hold's sizes, watch and features are given
 * out and not asked for, but for @features: all of those in force must be in it.
 * Errors: ESRCH nobody has the port, take it; EOPNOTSUPP the hold has no
 * NDD_F_STANDBY, or features that the caller does not understand; EBUSY this
 * descriptor has or waits for the port, too many wait, or the port is changing
 * hands; EPROTO version; EINVAL fields; EMFILE; ENOMEM.
 */
struct ndd_take {
	__u32 argsz;
	__u32 flags;
	__u16 api_major;
	__u16 api_minor;
	__u32 queues;
	__u64 features;
	__u32 ring_size;
	__u32 buf_count;
	__u32 kernel_bufs;
	__u32 nic_pages;
	__u32 state_pages;
	__u32 exchange_bufs;
	struct ndd_watch watch;
	__s32 group_fd;
	__s32 container_fd;
	__u64 ctrl_size;
	__u64 state_size;
	__u64 pool_size;
	__u64 pool_iova;
	__u64 window_iova;
	__u64 window_size;
	__u64 reserved[4];
	__u8 msg[NDD_MSG_LEN];
};

/**
 * struct ndd_event - eventfd by which the kernel wakes a queue's process
 * @argsz: in
 * @flags: in, 0
 * @queue: in
 * @fd: in, an eventfd, or -1 for none
 */
struct ndd_event {
	__u32 argsz;
	__u32 flags;
	__u32 queue;
	__s32 fd;
};

/* Link as the process sees it. */
#define NDD_LINK_UNKNOWN	0
#define NDD_LINK_DOWN		1
#define NDD_LINK_UP		2

#define NDD_DUPLEX_UNKNOWN	0
#define NDD_DUPLEX_HALF		1
#define NDD_DUPLEX_FULL		2

/**
 * struct ndd_link - what the process tells of the link (NDD_SET_LINK)
 * @argsz: in
 * @flags: in, 0
 * @link: NDD_LINK_*
 * @duplex: NDD_DUPLEX_*
 * @speed_mbps: 0: unknown
 * @autoneg: 0 unknown, 1 off, 2 on
 */
struct ndd_link {
	__u32 argsz;
	__u32 flags;
	__u32 link;
	__u32 duplex;
	__u32 speed_mbps;
	__u32 autoneg;
};

#define NDD_IOC_MAGIC	0xBD
#define NDD_GET_INFO	_IOWR(NDD_IOC_MAGIC, 0x40, struct ndd_info)
#define NDD_TAKE	_IOWR(NDD_IOC_MAGIC, 0x41, struct ndd_take)
/* The NIC is set up and the rings are served from now on: TAKING -> TUNNEL. From one
 * who waits: it has the device open, and can go on from now on.
 */
#define NDD_START	_IO(NDD_IOC_MAGIC, 0x42)
/* Says that the coming end is meant (reason GIVEN_BACK); closing does the rest,
 * for which the watchdog's interval is 10 s at least.
 */
#define NDD_GIVE_BACK	_IO(NDD_IOC_MAGIC, 0x43)
/* Argument by value: queue number. Schedules the queue's NAPI, no more. */
#define NDD_KICK	_IO(NDD_IOC_MAGIC, 0x44)
#define NDD_SET_EVENT	_IOW(NDD_IOC_MAGIC, 0x45, struct ndd_event)
/* From NDD_TAKE on; what is told before NDD_START counts from there on. */
#define NDD_SET_LINK	_IOW(NDD_IOC_MAGIC, 0x46, struct ndd_link)
/* Wait to go on with the port when its owner ends. Who waits opens the device, and
 * says by NDD_START that it is ready: before that it is not chosen. poll(2) says what
 * has become of it: POLLIN, the port is this descriptor's, in mode TUNNEL already;
 * POLLHUP, the hold is over: let go of the device, which the wait has kept open.
 */
#define NDD_STANDBY	_IOWR(NDD_IOC_MAGIC, 0x47, struct ndd_take)

/* ------------------------------------------------------------------ */
/* ctrl area                                                          */

enum ndd_ring_id {
	NDD_RING_KTX = 0,
	NDD_RING_KTX_DONE = 1,
	NDD_RING_KRX = 2,
	NDD_RING_KRX_FREE = 3,
	NDD_RINGS = 4,
};

#define NDD_RING_NEED_WAKEUP	(1U << 0)

/**
 * struct ndd_ring_layout - where a ring is, as offsets into the ctrl area
 * @producer: of the producer's __u32 index, on a cache line of its own
 * @consumer: of the consumer's __u32 index and, 4 octets on, its __u32 flags
 *            (NDD_RING_NEED_WAKEUP), on a cache line of their own
 * @entries: of the first entry
 * @size: entries, power of two
 * @entry_size: octets
 * @reserved: 0
 */
struct ndd_ring_layout {
	__u32 producer;
	__u32 consumer;
	__u32 entries;
	__u32 size;
	__u32 entry_size;
	__u32 reserved;
};

/**
 * struct ndd_ctrl - start of the ctrl area, written once by NDD_TAKE (k)
 * @magic: NDD_CTRL_MAGIC
 * @queues: queue pairs
 * @features: NDD_F_* in force
 * @health: offset of struct ndd_health
 * @config: offset of struct ndd_config
 * @stats: offset of struct ndd_stats
 * @rings: offset of queues * NDD_RINGS struct ndd_ring_layout
 * @buf_count: buffers in the pool
 * @kernel_bufs: the last of them, the kernel's
 * @nic_pages: pages before buffer 0
 * @state_pages: pages of the state area
 * @pool_iova: where the NIC sees the pool
 * @window_iova: where it sees kernel pages, to read them
 * @window_size: octets, 0 without NDD_F_WINDOW
 * @exchange_bufs: those before the kernel's, its stock for exchange
 * @reserved: 0
 *
 * Enough for a second process to find everything with no more than the mapping.
 */
struct ndd_ctrl {
	__u32 magic;
	__u32 queues;
	__u64 features;
	__u32 health;
	__u32 config;
	__u32 stats;
	__u32 rings;
	__u32 buf_count;
	__u32 kernel_bufs;
	__u32 nic_pages;
	__u32 state_pages;
	__u64 pool_iova;
	__u64 window_iova;
	__u64 window_size;
	__u32 exchange_bufs;
	__u32 reserved;
};

#define NDD_CTRL_MAGIC		0x3164646eU	/* "ndd1" */

/* ndd_health.service_state, .app_state */
#define NDD_AWAKE		0
#define NDD_ASLEEP		1	/* in wait(): alive without progress */

/**
 * struct ndd_health - signs of life; each writer has a cache line
 * @progress: (u) counts each time a thread serviced the port
 * @service_state: (u) NDD_ASLEEP while every servicing thread sleeps on its events
 * @app_progress: (u) counts the application's own calls of rx and poll
 * @app_state: (u) NDD_ASLEEP while the application is in wait()
 * @config_applied: (u) ndd_config.seq that the NIC has been set up for
 * @reserved0: 0
 * @mode: (k) enum ndd_mode; anything but TAKING and TUNNEL: the port is lost
 * @reason: (k) enum ndd_reason
 * @warned: (k) counts the watchdog's warnings; it will act next
 * @waiting: (k) processes that are ready to go on from here (NDD_STANDBY)
 * @wanted: (k) of these, those that want the port now
 * @reserved1: 0
 *
 * Asleep with work waiting and the eventfd signalled is not alive.
 */
struct ndd_health {
	__u32 progress;
	__u32 service_state;
	__u32 app_progress;
	__u32 app_state;
	__u32 config_applied;
	__u32 reserved0[11];
	__u32 mode;
	__u32 reason;
	__u32 warned;
	__u32 waiting;
	__u32 wanted;
	__u32 reserved1[11];
};

#define NDD_CONFIG_UP		(1U << 0) /* ndd0 is administratively up */
#define NDD_CONFIG_PROMISC	(1U << 1)
#define NDD_CONFIG_ALLMULTI	(1U << 2)
#define NDD_CONFIG_VLAN_FILTER	(1U << 3) /* pass tagged frames of the VLANs only */
#define NDD_CONFIG_RX_MERGE	(1U << 4) /* KRX frames may be merged segments */

#define NDD_MULTICAST_MAX	256	/* more: ALLMULTI is set */

/**
 * struct ndd_config - what the kernel wants of the NIC (k)
 * @seq: odd while being written; a reader copies, then checks it is even and same
 * @flags: NDD_CONFIG_*
 * @mtu: of ndd0, octets of L3
 * @multicast_count: addresses in @multicast
 * @mac: ndd0's own address
 * @reserved: 0
 * @vlan: bitmap of the VLAN ids wanted, bit (id % 8) of octet (id / 8)
 * @multicast: addresses
 *
 * Control events are level-triggered: each change writes the whole configuration,
 * steps @seq by two and signals the eventfd of queue 0. The process applies it and
 * stores @seq in ndd_health.config_applied.
 */
struct ndd_config {
	__u32 seq;
	__u32 flags;
	__u32 mtu;
	__u32 multicast_count;
	__u8 mac[6];
	__u8 reserved[2];
	__u8 vlan[512];
	__u8 multicast[NDD_MULTICAST_MAX][6];
};

/**
 * struct ndd_stats - the NIC's counters as the process last read them (u)
 * @rx_frames: NIC
 * @rx_octets: NIC, without FCS
 * @tx_frames: NIC
 * @tx_octets: NIC, without FCS
 * @rx_missed: NIC, no descriptor free
 * @rx_errors: NIC
 * @app_rx_frames: to the application
 * @app_tx_frames: from the application
 * @app_rx_dropped: the application's, its parked ring was full
 * @krx_dropped: the kernel's, KRX was full
 * @backup_services: rounds that the backup thread served
 * @reserved: 0
 *
 * Shown by ethtool -S in tunnel mode; never part of ndd0's own counters.
 */
struct ndd_stats {
	__u64 rx_frames;
	__u64 rx_octets;
	__u64 tx_frames;
	__u64 tx_octets;
	__u64 rx_missed;
	__u64 rx_errors;
	__u64 app_rx_frames;
	__u64 app_tx_frames;
	__u64 app_rx_dropped;
	__u64 krx_dropped;
	__u64 backup_services;
	__u64 reserved[5];
};

/* ------------------------------------------------------------------ */
/* descriptors                                                        */

#define NDD_DESC_FIRST		(1U << 0)	/* first piece of a frame */
#define NDD_DESC_LAST		(1U << 1)	/* last piece */
#define NDD_DESC_WINDOW		(1U << 2)	/* addr is a window IOVA (KTX) */
#define NDD_DESC_VLAN		(1U << 3)	/* vlan_tci is valid */
#define NDD_DESC_NEEDS_CSUM	(1U << 4)	/* csum_start, csum_offset valid */
#define NDD_DESC_CSUM_VALID	(1U << 5)	/* NIC checked the L4 checksum */
#define NDD_DESC_FLAGS		0x3fU

/* gso_type: as VIRTIO_NET_HDR_GSO_* */
#define NDD_GSO_NONE		0
#define NDD_GSO_TCPV4		1
#define NDD_GSO_TCPV6		4
#define NDD_GSO_ECN		0x80

/* addr of a piece in the pool: buffer index and offset of the first octet. */
#define NDD_ADDR_INDEX_MASK	0xffffffffULL
#define NDD_ADDR_OFFSET_SHIFT	32
#define NDD_ADDR_OFFSET_MASK	0xfffULL

/* Marks an entry of KTX_DONE that is an IOVA: any in the slot of a window piece. */
#define NDD_DONE_WINDOW		(1ULL << 63)

/**
 * struct ndd_desc - one piece of a frame, in KTX and KRX
 * @addr: pool: index | offset << NDD_ADDR_OFFSET_SHIFT; window: IOVA
 * @len: octets of this piece, no FCS
 * @flags: NDD_DESC_*
 * @vlan_tci: tag, with NDD_DESC_VLAN; on FIRST
 * @gso_type: NDD_GSO_*; on FIRST, as the fields below
 * @reserved0: 0
 * @gso_size: payload octets of each segment
 * @hdr_len: octets of L2 to L4 header
 * @csum_start: octet where summing starts
 * @csum_offset: where the sum goes, from @csum_start
 * @reserved1: 0
 *
 * The entries of KTX_DONE and KRX_FREE are the @addr of a piece, its offset
 * ignored; with NDD_F_EXCHANGE an entry of KRX_FREE may be another buffer instead.
 * In KTX, tags are part of the frame, and NDD_DESC_VLAN is not set.
 */
struct ndd_desc {
	__u64 addr;
	__u32 len;
	__u16 flags;
	__u16 vlan_tci;
	__u8 gso_type;
	__u8 reserved0;
	__u16 gso_size;
	__u16 hdr_len;
	__u16 csum_start;
	__u16 csum_offset;
	__u8 reserved1[6];
};

/* ------------------------------------------------------------------ */
/* netlink                                                            */

/* rtnl link type "ndd": IFLA_INFO_DATA attributes */
enum {
	IFLA_NDD_UNSPEC,
	IFLA_NDD_FORCE,		/* flag: take a lower that carries addresses */
	IFLA_NDD_POOL_MAX,	/* u32: buffers a take may ask for */
	IFLA_NDD_PORT,		/* string, read only: PCI address */
	IFLA_NDD_MODE,		/* u32, read only: enum ndd_mode */
	IFLA_NDD_ON_HANG,	/* u32: enum ndd_on_hang */
	IFLA_NDD_HANG_GRACE,	/* u32: ms, 1 .. 60 000; default 1 000 */
	__IFLA_NDD_MAX
};

#define IFLA_NDD_MAX	(__IFLA_NDD_MAX - 1)

/* enum ndd_on_hang - what the watchdog does with an owner that hangs. Whoever may make
 * the link decides, not the process.
 */
enum ndd_on_hang {
	NDD_ON_HANG_KILL = 0,	/* it is killed, the hold is over */
	NDD_ON_HANG_SIGNAL = 1,	/* SIGABRT; killed unless it goes on within the grace */
	NDD_ON_HANG_REPORT = 2,	/* nothing: it is told, and the port stays with it */
};

#define NDD_GENL_NAME		"ndd"
#define NDD_GENL_VERSION	1
#define NDD_GENL_MCGRP_EVENTS	"events"

enum {
	NDD_CMD_UNSPEC,
	NDD_CMD_GET,		/* dump: one NDD_CMD_GET reply per port */
	NDD_CMD_EVENT,		/* multicast: a mode changed, the watchdog warned or found a hang */
	__NDD_CMD_MAX
};

#define NDD_CMD_MAX	(__NDD_CMD_MAX - 1)

enum {
	NDD_A_UNSPEC,
	NDD_A_PORT,		/* string: PCI address */
	NDD_A_IFINDEX,		/* u32 */
	NDD_A_MODE,		/* u32: enum ndd_mode, now */
	NDD_A_OLD_MODE,		/* u32 */
	NDD_A_REASON,		/* u32: enum ndd_reason */
	NDD_A_PID,		/* u32: owner or holder */
	NDD_A_TIME_NS,		/* u64: CLOCK_MONOTONIC */
	NDD_A_WARNED,		/* u32: watchdog warnings so far */
	NDD_A_PAD,
	NDD_A_HANG,		/* u32: enum ndd_reason, of an owner that hangs and is spared */
	NDD_A_ON_HANG,		/* u32: enum ndd_on_hang */
	__NDD_A_MAX
};

#define NDD_A_MAX	(__NDD_A_MAX - 1)

#endif /* _UAPI_LINUX_NDD_H */
