// SPDX-License-Identifier: GPL-2.0-only
/*
 * standby.c - processes that wait behind a port's owner (NDD_STANDBY), and how the
 * hold passes to one of them.
 *
 * A process that waits maps the hold's areas and opens the VFIO device, which thereby
 * stays open when the owner ends: NIC, IOMMU domain and pool are as they were. The
 * port's work decides who goes on, and only once the owner can't touch the NIC any
 * more: when it has ended, or has given the port back and let go.
 */
#include <linux/eventfd.h>
#include <linux/file.h>
#include <linux/poll.h>
#include <linux/sched/signal.h>

#include "session.h"

/* Under port->lock: how many wait, ready or not. */
static u32 kagent_standbys(const struct list_head *head)
{
	struct list_head *entry;
	u32 count = 0;

	list_for_each(entry, head)
		count++;
	return count;
}

/* Under port->lock. The owner is told of changes by kagent_signal(). */
static void kagent_standby_count(struct kagent_session *session)
{
	u32 waiting = 0, wanted = 0;
	struct kagent_file *file;

	list_for_each_entry(file, &session->standbys, entry) {
		waiting += file->ready;
		wanted += file->ready && file->now;
	}
	session->waiting = waiting;
	WRITE_ONCE(session->health->waiting, waiting);
	WRITE_ONCE(session->health->wanted, wanted);
}

/* Under port->lock. Return: the hold to wait behind, or an error. */
static struct kagent_session *
kagent_standby_find(struct kagent_port *port, const struct ndd_take *take,
		    struct kagent_msg *msg)
{
	struct kagent_session *session = port->session;
	const char *mode = kagent_mode_name(port->mode);
	u64 unknown;

	switch (port->mode) {
	case NDD_MODE_NONE:
	case NDD_MODE_DIRECT:
	case NDD_MODE_UNBOUND:
		kagent_msg_set(msg,
			       "%s: nobody has the port whose end could be waited for (mode %s); take it",
			       port->name, mode);
		return ERR_PTR(-ESRCH);
	case NDD_MODE_TUNNEL:
		if (!port->end_reason)
			break;
		fallthrough;
	default:
		kagent_msg_set(msg, "%s: the port is changing hands (mode %s); try again",
			       port->name, mode);
		return ERR_PTR(-EBUSY);
	}
	unknown = session->view.features & ~take->features;
	if (!(session->view.features & NDD_F_STANDBY)) {
		kagent_msg_set(msg,
			       "%s: process %d has taken the port without NDD_F_STANDBY, so nobody can wait behind it; it has to end or give the port back first",
			       port->name, pid_vnr(session->owner));
		return ERR_PTR(-EOPNOTSUPP);
	}
	if (unknown) {
		kagent_msg_set(msg,
			       "%s: process %d has agreed on features %#llx, which the caller does not understand; it needs a newer library",
			       port->name, pid_vnr(session->owner), unknown);
		return ERR_PTR(-EOPNOTSUPP);
	}
	if (kagent_standbys(&session->standbys) >= KAGENT_STANDBYS_MAX) {
		kagent_msg_set(msg,
			       "%s: %u processes wait for the port, which is the most; end one of them first",
			       port->name, KAGENT_STANDBYS_MAX);
		return ERR_PTR(-EBUSY);
	}
	return session;
}

/* From here on the owner's end may be this file's begin. */
static int kagent_standby_join(struct kagent_file *file,
			       struct kagent_session *session,
			       const struct ndd_take *take,
			       struct kagent_msg *msg)
{
	struct kagent_port *port = file->port;
	struct kagent_session *found;
	int err = 0;

	file->now = take->flags & NDD_STANDBY_NOW;
	file->files = current->files;
	file->pid = get_task_pid(current, PIDTYPE_TGID);
	spin_lock_bh(&port->lock);
	found = kagent_standby_find(port, take, msg);
	if (IS_ERR(found)) {
		err = PTR_ERR(found);
	} else if (found != session) {
		kagent_msg_set(msg, "%s: the port has changed hands; try again",
			       port->name);
		err = -EBUSY;
	} else {
		file->waits = true;
		list_add_tail(&file->entry, &session->standbys);
		kagent_session_get(session);
		/* its contents before the pointer; pairs with kagent_hold() */
		smp_store_release(&file->session, session);
	}
	spin_unlock_bh(&port->lock);
	if (err) {
		put_pid(file->pid);
		file->pid = NULL;
		file->files = NULL;
	}
	return err;
}

/**
 * kagent_standby_start() - NDD_START by one who waits: it has the device open
 * @file: node, which waits
 * @session: what it waits for
 *
 * Return: 0, -EALREADY, or -EIO if the hold is over
 */
int kagent_standby_start(struct kagent_file *file,
			 struct kagent_session *session)
{
	struct kagent_port *port = file->port;
	int err = 0;

	spin_lock_bh(&port->lock);
	if (list_empty(&file->entry)) {
		err = -EIO;
	} else if (file->ready) {
		err = -EALREADY;
	} else {
		file->ready = true;
		kagent_standby_count(session);
	}
	spin_unlock_bh(&port->lock);
	if (!err)
		kagent_signal(&session->rings[0]);
	return err;
}

/* The descriptors are known to the process after all that can fail. */
static int kagent_standby_enter(struct kagent_file *file,
				struct kagent_session *session,
				struct ndd_take *take, void __user *arg,
				struct kagent_msg *msg)
{
	int err = kagent_fds_reserve(file, take, msg);

	if (err)
		return err;
	kagent_answer(session, take);
	take->nic_pages = session->nic_pages;
	take->state_pages = session->state_pages.count;
	if (copy_to_user(arg, take, sizeof(*take)))
		err = -EFAULT;
	else
		err = kagent_standby_join(file, session, take, msg);
	if (err)
		kagent_fds_cancel(take);
	return err;
}

/**
 * kagent_standby() - the part of NDD_STANDBY that is its own
 * @file: node
 * @take: what is asked for
 * @arg: gets the answer
 * @msg: gets the reason of a failure
 *
 * Return: 0 or an error
 */
int kagent_standby(struct kagent_file *file, struct ndd_take *take,
		   void __user *arg, struct kagent_msg *msg)
{
	struct kagent_port *port = file->port;
	struct kagent_session *session;
	struct file *group, *container;
	int err;

	if (file->session) {
		kagent_msg_set(msg,
			       "%s: this descriptor has taken the port, or waited for it, before; open the node again",
			       port->name);
		return -EBUSY;
	}
	if (take->flags & ~NDD_STANDBY_NOW ||
	    memchr_inv(take->reserved, 0, sizeof(take->reserved))) {
		kagent_msg_set(msg,
			       "%s: an unknown flag or a reserved field of struct ndd_take is not 0",
			       port->name);
		return -EINVAL;
	}
	spin_lock_bh(&port->lock);
	session = kagent_standby_find(port, take, msg);
	if (IS_ERR(session)) {
		spin_unlock_bh(&port->lock);
		return PTR_ERR(session);
	}
	kagent_session_get(session);
	/* there until the restore, which is after the end of TUNNEL */
	group = get_file(session->group);
	container = get_file(session->container);
	spin_unlock_bh(&port->lock);

	err = kagent_standby_enter(file, session, take, arg, msg);
	if (err) {
		fput(group);
		fput(container);
	} else {
		fd_install(take->group_fd, group);
		fd_install(take->container_fd, container);
	}
	kagent_session_put(session);
	return err;
}

/**
 * kagent_standby_leave() - a process waits no longer
 * @file: with a session; nothing happens if it does not wait
 */
void kagent_standby_leave(struct kagent_file *file)
{
	struct kagent_port *port = file->port;
	bool left;

	spin_lock_bh(&port->lock);
	left = !list_empty(&file->entry);
	if (left) {
		list_del_init(&file->entry);
		kagent_standby_count(file->session);
	}
	spin_unlock_bh(&port->lock);
	if (left)
		kagent_signal(&file->session->rings[0]);
}

/**
 * kagent_standby_waiting() - how many wait behind the owner
 * @port: port
 *
 * Return: their number
 */
u32 kagent_standby_waiting(struct kagent_port *port)
{
	u32 waiting;

	spin_lock_bh(&port->lock);
	waiting = port->session ? port->session->waiting : 0;
	spin_unlock_bh(&port->lock);
	return waiting;
}

/* Under port->lock: of those ready that want the port now, else of all that are, the
 * newest. NULL if nobody can go on: once the device was closed there is nothing to go on with.
 */
static struct kagent_file *kagent_successor(struct kagent_port *port,
					    struct kagent_session *session)
{
	struct kagent_file *file, *newest = NULL;

	if (port->mode != NDD_MODE_TUNNEL || !port->device_open ||
	    test_bit(KAGENT_SESSION_FINAL, &session->flags))
		return NULL;
	list_for_each_entry_reverse(file, &session->standbys, entry) {
		if (!file->ready)
			continue;
		if (file->now)
			return file;
		newest = newest ?: file;
	}
	return newest;
}

/**
 * kagent_standby_ready() - is there somebody to go on when the owner ends?
 * @port: port
 * @session: its hold
 *
 * Return: there is, for now
 */
bool kagent_standby_ready(struct kagent_port *port,
			  struct kagent_session *session)
{
	bool ready;

	spin_lock_bh(&port->lock);
	ready = kagent_successor(port, session);
	spin_unlock_bh(&port->lock);
	return ready;
}

/* Under port->lock. What the owner before has left behind, but for its events. */
static void kagent_standby_own(struct kagent_session *session,
			       struct kagent_file *file)
{
	list_del_init(&file->entry);
	kagent_standby_count(session);
	clear_bit(KAGENT_SESSION_GIVEN_BACK, &session->flags);
	clear_bit(KAGENT_SESSION_GONE, &session->flags);
	WRITE_ONCE(session->health->service_state, NDD_AWAKE);
	WRITE_ONCE(session->health->app_state, NDD_AWAKE);
	session->files = file->files;
	session->owner = get_pid(file->pid);
	WRITE_ONCE(session->owner_file, file);
	/* pairs with kagent_waits() */
	smp_store_release(&file->waits, false);
}

/**
 * kagent_standby_pass() - the owner has ended, and somebody goes on
 * @port: port, under its handover
 * @session: its hold
 * @reason: why the owner has ended
 *
 * Return: false: there is nobody, the hold is over
 */
bool kagent_standby_pass(struct kagent_port *port,
			 struct kagent_session *session,
			 enum ndd_reason reason)
{
	struct eventfd_ctx *events[NDD_QUEUES_MAX] = {};
	struct pid *old = session->owner;
	struct kagent_file *file;
	u32 i;

	kagent_watchdog_stop(session);
	/* its news of the owner before */
	clear_bit(KAGENT_ASK_WARN, &port->asked);
	clear_bit(KAGENT_ASK_HANG, &port->asked);
	spin_lock_bh(&port->lock);
	file = kagent_successor(port, session);
	if (!file) {
		spin_unlock_bh(&port->lock);
		return false;
	}
	for (i = 0; i < session->queues; i++)
		events[i] = unrcu_pointer(xchg(&session->rings[i].event, NULL));
	kagent_standby_own(session, file);
	port->end_reason = NDD_REASON_NONE;
	port->last_end = reason;
	spin_unlock_bh(&port->lock);

	/* the file may be gone from here on; that is the hold's next end */
	wake_up_poll(&session->wait, EPOLLIN | EPOLLRDNORM);
	kagent_watchdog_start(session);
	kagent_phase(port, KAGENT_PHASE_END_PASSED);
	pr_info("kagent: %s: process %d has ended (%s), process %d goes on\n",
		port->name, pid_nr(old), kagent_reason_name(reason),
		pid_nr(session->owner));
	port->held_ops->passed(port, session->owner);
	kagent_port_event(port, KAGENT_EV_PASS, NDD_REASON_PASSED);

	put_pid(old);
	synchronize_rcu();	/* as kagent_session_set_event() */
	for (i = 0; i < session->queues; i++)
		if (events[i])
			eventfd_ctx_put(events[i]);
	return true;
}

/**
 * kagent_standby_dismiss() - the hold is over, also for those who wait
 * @port: port
 * @session: its hold, revoked
 *
 * They hold the device open, and are to let go of it.
 */
void kagent_standby_dismiss(struct kagent_port *port,
			    struct kagent_session *session)
{
	struct kagent_file *file, *next;

	spin_lock_bh(&port->lock);
	list_for_each_entry_safe(file, next, &session->standbys, entry) {
		session->dismissed[session->dismissed_count++] =
			get_pid(file->pid);
		list_del_init(&file->entry);
	}
	kagent_standby_count(session);
	spin_unlock_bh(&port->lock);
	wake_up_poll(&session->wait, EPOLLHUP | EPOLLERR);
}

/**
 * kagent_standby_kill() - end those who waited and may not have let go
 * @session: hold, over
 */
void kagent_standby_kill(struct kagent_session *session)
{
	u32 i;

	for (i = 0; i < session->dismissed_count; i++)
		kill_pid(session->dismissed[i], SIGKILL, 1);
}
