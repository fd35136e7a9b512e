// SPDX-License-Identifier: GPL-2.0-only
/*
 * session.c - one process's hold: made by NDD_TAKE, gone with its last user.
 *
 * Also the moments at which the NIC begins and ceases to see pool and window.
 */
#include <linux/eventfd.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "compat.h"
#include "session.h"

atomic_t kagent_live_sessions = ATOMIC_INIT(0);

static void kagent_session_destroy(struct kagent_session *session)
{
	u32 i;

	/* A provider that closed the device without unmapping: better no memory
	 * than a NIC in somebody else's.
	 */
	if (!WARN_ON_ONCE(session->domain))
		kagent_pool_destroy(&session->pool);
	kagent_rings_destroy(session);
	vunmap(session->ctrl);
	kagent_pool_destroy(&session->ctrl_pages);
	kagent_pool_destroy(&session->state_pages);
	kvfree(session->owners);
	kvfree(session->ktx_octets);
	put_pid(session->owner);
	for (i = 0; i < session->dismissed_count; i++)
		put_pid(session->dismissed[i]);
	kagent_port_put(session->port);
	kfree(session);
	atomic_dec(&kagent_live_sessions);
}

/**
 * kagent_session_create() - make what a process shares with the kernel
 * @port: port it wants to take
 * @spec: sizes, checked
 *
 * In the process's own context: it is charged, and is the owner.
 *
 * Return: session with one reference, or -ENOMEM
 */
struct kagent_session *
kagent_session_create(struct kagent_port *port,
		      const struct kagent_session_spec *spec)
{
	struct kagent_session *session;
	u32 ctrl_count = PFN_UP(kagent_ctrl_size(spec));
	int err = -ENOMEM;

	session = kzalloc(sizeof(*session), GFP_KERNEL_ACCOUNT);
	if (!session)
		return ERR_PTR(-ENOMEM);
	atomic_inc(&kagent_live_sessions);
	kref_init(&session->ref);
	mutex_init(&session->map_lock);
	spin_lock_init(&session->config_lock);
	INIT_LIST_HEAD(&session->standbys);
	init_waitqueue_head(&session->wait);
	kagent_port_get(port);
	session->port = port;
	session->owner = get_task_pid(current, PIDTYPE_TGID);
	kagent_watchdog_init(session);
	session->files = current->files;
	session->watch = spec->watch;
	session->nic_pages = spec->nic_pages;
	session->queues = spec->queues;
	session->ring_size = spec->ring_size;
	session->kernel_bufs = spec->kernel_bufs;
	session->exchange_bufs = spec->exchange_bufs;
	/* a queue can't have more in flight than its ring has entries */
	if (spec->features & NDD_F_WINDOW)
		session->window_slots = spec->queues *
			min_t(u32, spec->ring_size,
			      KAGENT_WINDOW_SLOTS / spec->queues);

	session->owners = kvzalloc(spec->buf_count, GFP_KERNEL_ACCOUNT);
	session->ktx_octets = kvcalloc(spec->buf_count, sizeof(u32),
				       GFP_KERNEL_ACCOUNT);
	if (!session->owners || !session->ktx_octets)
		goto err_destroy;
	session->view = (struct kagent_pool_view) {
		.owner = session->owners,
		.buf_count = spec->buf_count,
		.features = spec->features,
	};
	if (kagent_pool_create(&session->pool,
			       spec->nic_pages + spec->buf_count) ||
	    kagent_pool_create(&session->ctrl_pages, ctrl_count) ||
	    (spec->state_pages &&
	     kagent_pool_create(&session->state_pages, spec->state_pages)))
		goto err_destroy;
	session->ctrl = vmap(session->ctrl_pages.pages, ctrl_count, VM_MAP,
			     PAGE_KERNEL);
	if (!session->ctrl)
		goto err_destroy;
	err = kagent_rings_create(session, spec);
	if (err)
		goto err_destroy;
	return session;

err_destroy:
	kagent_session_destroy(session);
	return ERR_PTR(err);
}

/**
 * kagent_session_get() - one more reference
 * @session: session
 */
void kagent_session_get(struct kagent_session *session)
{
	kref_get(&session->ref);
}

static void kagent_session_free(struct kref *ref)
{
	kagent_session_destroy(container_of(ref, struct kagent_session, ref));
}

/**
 * kagent_session_put() - one reference less; may sleep
 * @session: session
 */
void kagent_session_put(struct kagent_session *session)
{
	kref_put(&session->ref, kagent_session_free);
}

/**
 * kagent_session_owner() - whose hold it is now
 * @session: hold
 *
 * Return: thread group, for put_pid()
 */
struct pid *kagent_session_owner(struct kagent_session *session)
{
	struct pid *owner;

	spin_lock_bh(&session->port->lock);
	owner = get_pid(session->owner);
	spin_unlock_bh(&session->port->lock);
	return owner;
}

/**
 * kagent_session_mmap() - map one of the three areas
 * @session: hold
 * @vma: what the process wants
 *
 * Return: 0, -EINVAL if it is private or beyond an area's end, -EIO if revoked
 */
int kagent_session_mmap(struct kagent_session *session,
			struct vm_area_struct *vma)
{
	u64 at = (u64)vma->vm_pgoff << PAGE_SHIFT;

	/* a private mapping of page frames can be written by nobody else, and
	 * is no longer ours
	 */
	if (!(vma->vm_flags & VM_SHARED))
		return -EINVAL;
	if (kagent_session_revoked(session))
		return -EIO;
	if (at >= NDD_MMAP_POOL)
		return kagent_pool_mmap(&session->pool, vma,
					PFN_DOWN(at - NDD_MMAP_POOL));
	if (at >= NDD_MMAP_STATE)
		return kagent_pool_mmap(&session->state_pages, vma,
					PFN_DOWN(at - NDD_MMAP_STATE));
	return kagent_pool_mmap(&session->ctrl_pages, vma, PFN_DOWN(at));
}

/**
 * kagent_session_tell() - show mode and reason to the process, and wake it
 * @session: hold
 * @mode: enum ndd_mode
 * @reason: enum ndd_reason
 */
void kagent_session_tell(struct kagent_session *session, u32 mode, u32 reason)
{
	u32 i;

	WRITE_ONCE(session->health->reason, reason);
	/* whoever sees the mode sees its reason */
	smp_store_release(&session->health->mode, mode);
	for (i = 0; i < session->queues; i++)
		kagent_signal(&session->rings[i]);
}

/**
 * kagent_session_set_event() - how to wake the process
 * @session: hold
 * @queue: queue pair
 * @fd: an eventfd, or -1 for none
 *
 * Return: 0 or an error
 */
int kagent_session_set_event(struct kagent_session *session, u32 queue, int fd)
{
	struct eventfd_ctx *event = NULL;

	if (queue >= session->queues || fd < -1)
		return -EINVAL;
	if (fd >= 0) {
		event = eventfd_ctx_fdget(fd);
		if (IS_ERR(event))
			return PTR_ERR(event);
	}
	event = unrcu_pointer(xchg(&session->rings[queue].event,
				   RCU_INITIALIZER(event)));
	if (event) {
		synchronize_rcu();
		eventfd_ctx_put(event);
	}
	return 0;
}

/* What the NIC sees, but for what is mapped frame by frame. */
static int kagent_session_map(struct kagent_session *session,
			      struct iommu_domain *domain)
{
	u64 from = kagent_window_iova(session) ?: KAGENT_POOL_IOVA;
	u32 i;
	int err;

	if (domain->geometry.aperture_start > from ||
	    domain->geometry.aperture_end < KAGENT_POOL_IOVA_END)
		return -ERANGE;
	err = kagent_pool_map(&session->pool, domain, KAGENT_POOL_IOVA);
	if (err)
		return err;
	session->domain = domain;
	for (i = 0; i < session->queues; i++)
		kagent_window_open(&session->rings[i].window, domain);
	return 0;
}

static void kagent_session_unmap(struct kagent_session *session)
{
	u32 i;

	for (i = 0; i < session->queues; i++)
		kagent_window_close(&session->rings[i].window);
	kagent_pool_unmap(&session->pool, session->domain, KAGENT_POOL_IOVA);
	session->domain = NULL;
}

/**
 * kagent_device_opened() - the process opens the VFIO device
 * @port: port
 * @domain: the domain it is attached to, nothing in it yet
 *
 * Return: 0 with the pool mapped and the window open; -EACCES if nobody has taken
 * the port or has it open already; -ERANGE if @domain cannot hold them; another
 * error
 */
int kagent_device_opened(struct kagent_port *port, struct iommu_domain *domain)
{
	struct kagent_session *session = NULL;
	int err;

	spin_lock_bh(&port->lock);
	if (port->mode == NDD_MODE_TAKING && !port->end_reason &&
	    !port->device_open) {
		session = port->session;
		kagent_session_get(session);
		port->device_open = true;
	}
	spin_unlock_bh(&port->lock);
	if (!session)
		return -EACCES;

	mutex_lock(&session->map_lock);
	err = kagent_session_map(session, domain);
	mutex_unlock(&session->map_lock);

	if (err) {
		spin_lock_bh(&port->lock);
		port->device_open = false;
		spin_unlock_bh(&port->lock);
		/* an end that came meanwhile waits for the device to close */
		kagent_port_ask(port, KAGENT_ASK_RETRY);
	} else {
		kagent_phase(port, KAGENT_PHASE_TAKE_OPENED);
	}
	kagent_session_put(session);
	return err;
}
EXPORT_SYMBOL_GPL(kagent_device_opened);

/**
 * kagent_device_unmap() - take pool and window out of the device's domain
 * @port: port
 * @domain: as in kagent_device_opened()
 */
void kagent_device_unmap(struct kagent_port *port, struct iommu_domain *domain)
{
	struct kagent_session *session = kagent_port_session_get(port);

	if (!session)
		return;
	mutex_lock(&session->map_lock);
	if (session->domain == domain)
		kagent_session_unmap(session);
	mutex_unlock(&session->map_lock);
	kagent_session_put(session);
}
EXPORT_SYMBOL_GPL(kagent_device_unmap);

/**
 * kagent_device_closed() - nobody has the VFIO device open any more
 * @port: port
 */
void kagent_device_closed(struct kagent_port *port)
{
	struct kagent_session *session = kagent_port_session_get(port);
	enum ndd_reason reason = NDD_REASON_DIED;

	spin_lock_bh(&port->lock);
	port->device_open = false;
	spin_unlock_bh(&port->lock);
	if (session) {
		if (test_bit(KAGENT_SESSION_GIVEN_BACK, &session->flags))
			reason = NDD_REASON_GIVEN_BACK;
		kagent_port_end(port, session, reason);
		kagent_session_put(session);
	}
	kagent_port_ask(port, KAGENT_ASK_RETRY);
}
EXPORT_SYMBOL_GPL(kagent_device_closed);

/**
 * kagent_device_gone() - the PCI device itself is going
 * @port: port
 */
void kagent_device_gone(struct kagent_port *port)
{
	if (kagent_port_end(port, NULL, NDD_REASON_DEVICE_GONE))
		return;
	set_bit(KAGENT_ASK_GONE, &port->asked);
	kagent_port_ask(port, KAGENT_ASK_RETRY);
}
EXPORT_SYMBOL_GPL(kagent_device_gone);

/**
 * kagent_restore_retry() - now is a good moment for a failed restore
 * @port: port
 */
void kagent_restore_retry(struct kagent_port *port)
{
	kagent_port_ask(port, KAGENT_ASK_RETRY);
}
EXPORT_SYMBOL_GPL(kagent_restore_retry);

/**
 * kagent_device_wanted() - somebody wants the device back from its holder
 * @port: port
 * @reason: who, for the record
 */
void kagent_device_wanted(struct kagent_port *port, enum ndd_reason reason)
{
	if (!kagent_port_end(port, NULL, reason))
		kagent_port_ask(port, KAGENT_ASK_KILL);
}
EXPORT_SYMBOL_GPL(kagent_device_wanted);
