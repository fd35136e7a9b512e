// SPDX-License-Identifier: GPL-2.0-only
/*
 * handover.c - the port's work: take, start, end, restore, one step at a time.
 *
 * All of it in process context, under port->handover and nothing else; rtnl is
 * taken for the moments in which ndd0's queue is opened or closed. The provider's
 * long operations run in between.
 */
#include <linux/file.h>
#include <linux/module.h>
#include <linux/rtnetlink.h>
#include <linux/sched/signal.h>

#include "session.h"

static unsigned int start_timeout_ms = 10000;
module_param(start_timeout_ms, uint, 0644);
MODULE_PARM_DESC(start_timeout_ms, "NDD_TAKE to NDD_START, at most");

/* After a revocation the holder has this long to close the device before the
 * port is called held: an exiting process closes within milliseconds, one that
 * was killed in a core dump takes longer.
 */
#define KAGENT_GRACE_MS		1000
#define KAGENT_GRACE_KILLED_MS	5000

/* Restore is tried again after 1 s, 2 s, 4 s, ... and then each minute. */
#define KAGENT_RETRY_MS		1000
#define KAGENT_RETRY_MAX_MS	60000

static unsigned long kagent_backoff(unsigned int tries)
{
	unsigned int ms = KAGENT_RETRY_MAX_MS;

	if (tries < ilog2(KAGENT_RETRY_MAX_MS / KAGENT_RETRY_MS))
		ms = KAGENT_RETRY_MS << tries;
	return msecs_to_jiffies(ms);
}

static bool kagent_overdue(const struct kagent_port *port)
{
	return time_after_eq(jiffies, port->deadline);
}

static bool kagent_device_is_open(struct kagent_port *port)
{
	bool open;

	spin_lock_bh(&port->lock);
	open = port->device_open;
	spin_unlock_bh(&port->lock);
	return open;
}

/* The process has the port from here on, though not yet the device. */
static int kagent_take_enter(struct kagent_port *port,
			     struct kagent_session *session,
			     struct kagent_msg *msg)
{
	struct net_device *dev;
	bool ready;

	rtnl_lock();
	dev = rtnl_dereference(port->dev);
	spin_lock_bh(&port->lock);
	ready = dev && port->mode == NDD_MODE_DIRECT && !port->session &&
		!test_bit(KAGENT_SESSION_ABANDONED, &session->flags);
	if (ready) {
		/* what was asked of the hold before is nobody's business now */
		clear_bit(KAGENT_ASK_WARN, &port->asked);
		clear_bit(KAGENT_ASK_HANG, &port->asked);
		clear_bit(KAGENT_ASK_KILL, &port->asked);
		kagent_session_get(session);
		port->session = session;
		port->end_reason = NDD_REASON_NONE;
	}
	spin_unlock_bh(&port->lock);
	if (!ready) {
		rtnl_unlock();
		kagent_msg_set(msg, "%s: it changed while it was being taken; try again",
			       port->name);
		return -EBUSY;
	}
	kagent_port_event(port, KAGENT_EV_TAKE, NDD_REASON_TAKEN);
	kagent_link_hold(dev);
	kagent_queue_update(dev);
	kagent_config_changed(dev);
	rtnl_unlock();
	return 0;
}

static int kagent_take(struct kagent_port *port,
		       struct kagent_take_request *request)
{
	const struct kagent_provider_ops *ops = kagent_port_ops_get(port);
	int err;

	if (!ops) {
		kagent_msg_set(&request->msg,
			       "%s: no module provides the device; load nddcore",
			       port->name);
		return -ENODEV;
	}
	memset(port->phases, 0, sizeof(port->phases));
	kagent_phase(port, KAGENT_PHASE_TAKE_BEGIN);
	err = ops->take_check(port, &request->msg);
	if (!err)
		err = kagent_take_enter(port, request->session, &request->msg);
	if (err) {
		kagent_port_ops_put(ops);
		return err;
	}
	port->held_ops = ops;
	err = ops->take(port, &request->take, &request->msg);
	if (err)
		kagent_port_end(port, request->session,
				NDD_REASON_TAKE_FAILED);
	else if (test_bit(KAGENT_SESSION_ABANDONED, &request->session->flags))
		kagent_port_end(port, request->session, NDD_REASON_DIED);
	if (!err) {
		request->session->group = get_file(request->take.group);
		request->session->container =
			get_file(request->take.container);
	}
	port->deadline = jiffies + msecs_to_jiffies(start_timeout_ms);
	return err;
}

/**
 * kagent_port_start() - the process serves the rings (NDD_START)
 * @port: port
 * @session: the caller's hold
 *
 * Return: 0, or -EIO if the hold is over or the device not open, -EALREADY
 */
int kagent_port_start(struct kagent_port *port, struct kagent_session *session)
{
	struct net_device *dev;
	int err = -EIO;

	mutex_lock(&port->handover);
	rtnl_lock();
	dev = rtnl_dereference(port->dev);
	spin_lock_bh(&port->lock);
	if (dev && port->session == session && !port->end_reason &&
	    port->device_open)
		err = port->mode == NDD_MODE_TAKING ? 0 : -EALREADY;
	spin_unlock_bh(&port->lock);
	if (!err)
		err = kagent_tunnel_open(dev, session);
	if (!err) {
		kagent_phase(port, KAGENT_PHASE_TAKE_STARTED);
		kagent_watchdog_start(session);
		kagent_port_event(port, KAGENT_EV_START, NDD_REASON_STARTED);
		kagent_link_told(dev);
	}
	rtnl_unlock();
	mutex_unlock(&port->handover);
	return err;
}

/* The owner, and whoever has the device open: a child may have it instead. */
static void kagent_kill_owner(struct kagent_port *port,
			      struct kagent_session *session)
{
	kill_pid(session->owner, SIGKILL, 1);
	port->held_ops->kill(port);
}

/* Those who waited have let go in time, or are no better than the owner, who may be
 * one to spare.
 */
static void kagent_kill(struct kagent_port *port,
			struct kagent_session *session)
{
	if (kagent_reason_fate(port->reason) != KAGENT_SPARE)
		kagent_kill_owner(port, session);
	kagent_standby_kill(session);
	set_bit(KAGENT_SESSION_KILLED, &session->flags);
	port->deadline = jiffies + msecs_to_jiffies(KAGENT_GRACE_KILLED_MS);
}

static bool kagent_to_kill(struct kagent_port *port,
			   struct kagent_session *session)
{
	if (!session || test_bit(KAGENT_SESSION_KILLED, &session->flags))
		return false;
	return kagent_reason_fate(port->reason) != KAGENT_SPARE ||
	       (session->dismissed_count &&
		port->reason != NDD_REASON_DEBUGGER);
}

/* No new users, then off with the device, then whoever still holds it. */
static void kagent_end(struct kagent_port *port, struct kagent_session *session,
		       enum ndd_reason reason)
{
	struct net_device *dev;

	set_bit(KAGENT_SESSION_REVOKED, &session->flags);
	kagent_watchdog_stop(session);
	kagent_standby_dismiss(port, session);
	rtnl_lock();
	kagent_port_event(port, KAGENT_EV_END, reason);
	dev = rtnl_dereference(port->dev);
	if (dev) {
		kagent_link_hold(dev);
		kagent_tunnel_close(dev);
	}
	rtnl_unlock();

	port->held_ops->revoke(port);
	port->deadline = jiffies;
	if (kagent_reason_fate(reason) == KAGENT_KILL &&
	    !session->dismissed_count) {
		kagent_kill(port, session);
		return;
	}
	if (kagent_reason_fate(reason) == KAGENT_KILL)
		kagent_kill_owner(port, session);
	if (reason != NDD_REASON_DEBUGGER)
		port->deadline += msecs_to_jiffies(KAGENT_GRACE_MS);
}

/* Return: look again at once. */
static bool kagent_step_ending(struct kagent_port *port,
			       struct kagent_session *session,
			       enum ndd_reason reason)
{
	bool gone = test_bit(KAGENT_SESSION_GONE, &session->flags);
	bool dying = port->dying;

	port->dying = false;
	if (!kagent_standby_ready(port, session)) {
		kagent_end(port, session, reason);
		return true;
	}
	/* One that hangs has the NIC in hand: nobody else drives it before it is
	 * dead. Its file's end wakes the work.
	 */
	if (kagent_reason_pass(reason) == KAGENT_PASS_DEAD && !gone) {
		if (!dying) {
			kagent_watchdog_stop(session);
			kill_pid(session->owner, SIGKILL, 1);
			port->deadline = jiffies +
				msecs_to_jiffies(KAGENT_GRACE_KILLED_MS);
		} else if (kagent_overdue(port)) {
			kagent_end(port, session, reason);
			return true;
		}
		port->dying = true;
		return false;
	}
	if (!kagent_standby_pass(port, session, reason))
		kagent_end(port, session, reason);
	return true;
}

/* VFIO's group may be opened by one at a time, which is the next take's process. */
static void kagent_release_group(struct kagent_port *port)
{
	struct kagent_session *session = port->session;

	if (!session || !session->group)
		return;
	fput(session->group);
	session->group = NULL;
}

/* In an exiting process one thread may let go of the container while another lets
 * go of the device, and with it of what is in the container: VFIO of 6.1 follows a
 * NULL pointer then. The last one is us, when the device has been closed.
 */
static void kagent_release_files(struct kagent_port *port)
{
	kagent_release_group(port);
	if (port->session && port->session->container) {
		fput(port->session->container);
		port->session->container = NULL;
	}
}

static void kagent_release(struct kagent_port *port)
{
	struct kagent_session *session;
	bool unlinked;

	kagent_release_files(port);

	spin_lock_bh(&port->lock);
	session = port->session;
	port->session = NULL;
	unlinked = port->unlinked;
	spin_unlock_bh(&port->lock);
	kagent_port_ops_put(port->held_ops);
	port->held_ops = NULL;
	port->tries = 0;
	/* a new link may be made from here on: freeing the pool takes a while */
	if (unlinked)
		kagent_port_unlist(port);
	if (session)
		kagent_session_put(session);
}

static void kagent_serve_direct(struct kagent_port *port)
{
	struct net_device *dev;

	rtnl_lock();
	dev = rtnl_dereference(port->dev);
	if (dev)
		kagent_link_served(dev);
	rtnl_unlock();
}

static void kagent_restore(struct kagent_port *port)
{
	enum ndd_reason reason = port->reason;
	enum kagent_event event;
	struct kagent_step step;
	int err;

	clear_bit(KAGENT_ASK_RETRY, &port->asked);
	kagent_release_group(port);
	WRITE_ONCE(port->restoring, true);
	err = port->held_ops->restore(port);
	switch (err) {
	case 0:
		event = READ_ONCE(port->unlinked) ? KAGENT_EV_UNLINKED :
						    KAGENT_EV_RESTORED;
		reason = NDD_REASON_RESTORED;
		break;
	case -EBUSY:
		event = KAGENT_EV_STILL_OPEN;
		break;
	case -EPERM:
		event = KAGENT_EV_FOREIGN;
		reason = NDD_REASON_ADMIN;
		break;
	case -ENODEV:
		event = KAGENT_EV_GONE;
		reason = NDD_REASON_DEVICE_GONE;
		break;
	default:
		pr_err("kagent: %s: restore failed (%d), try %u\n", port->name,
		       err, port->tries + 1);
		event = KAGENT_EV_FAILED;
		reason = NDD_REASON_RESTORE_FAILED;
	}
	port->deadline = jiffies + kagent_backoff(port->tries++);
	/* In one: who holds rtnl next and changes ndd0 has to reach the lower. */
	rtnl_lock();
	step = kagent_port_event(port, event, reason);
	WRITE_ONCE(port->restoring, false);
	rtnl_unlock();
	if (step.actions & KAGENT_DO_DIRECT)
		kagent_serve_direct(port);
	if (step.actions & KAGENT_DO_RELEASE)
		kagent_release(port);
}

/* A process on its way through exit has the device, and no number any more. */
static void kagent_tell_held(struct kagent_port *port)
{
	pid_t holder = port->held_ops->holder(port);

	if (holder)
		pr_warn("kagent: %s: process %d still has the device open\n",
			port->name, holder);
	else
		pr_warn("kagent: %s: a process that is ending still has the device open\n",
			port->name);
}

/* RESTORING: restore as soon as nobody has the device open. */
static void kagent_step_restoring(struct kagent_port *port,
				  struct kagent_session *session)
{
	if (!kagent_device_is_open(port)) {
		kagent_restore(port);
	} else if (!kagent_overdue(port)) {
		return;
	} else if (kagent_to_kill(port, session)) {
		kagent_kill(port, session);
	} else {
		kagent_tell_held(port);
		kagent_port_event(port, KAGENT_EV_STILL_OPEN, port->reason);
	}
}

/* The watchdog's news: it can't tell anybody itself, from its timer. */
static void kagent_tell_watched(struct kagent_port *port,
				struct kagent_session *session,
				enum ndd_mode mode)
{
	enum ndd_reason hang = READ_ONCE(session->hang);

	if (test_and_clear_bit(KAGENT_ASK_WARN, &port->asked))
		kagent_genl_announce(port, mode, READ_ONCE(session->warned),
				     NDD_REASON_NONE);
	if (!test_and_clear_bit(KAGENT_ASK_HANG, &port->asked))
		return;
	pr_warn_ratelimited("kagent: %s: process %d hangs (%s); %s\n",
			    port->name, pid_nr(session->owner),
			    kagent_reason_name(hang),
			    READ_ONCE(port->on_hang) == NDD_ON_HANG_SIGNAL ?
			    "it gets SIGABRT, and is killed unless it goes on" :
			    "it keeps the port, as the administrator wants it");
	kagent_genl_announce(port, mode, 0, hang);
}

/* One look at the port. Return: look again at once. */
static bool kagent_step(struct kagent_port *port)
{
	struct kagent_session *session;
	enum ndd_reason end;
	enum ndd_mode mode;
	bool open;

	spin_lock_bh(&port->lock);
	mode = port->mode;
	end = port->end_reason;
	session = port->session;
	open = port->device_open;
	spin_unlock_bh(&port->lock);

	switch (mode) {
	case NDD_MODE_TAKING:
		if (!end && kagent_overdue(port)) {
			end = kagent_owner_traced(session->owner) ?
				NDD_REASON_DEBUGGER : NDD_REASON_TAKE_TIMEOUT;
			return kagent_port_end(port, session, end);
		}
		fallthrough;
	case NDD_MODE_TUNNEL:
		kagent_tell_watched(port, session, mode);
		if (!end)
			return false;
		return kagent_step_ending(port, session, end);
	case NDD_MODE_HELD:
	case NDD_MODE_RESTORING:
		if (open &&
		    test_and_clear_bit(KAGENT_ASK_KILL, &port->asked))
			port->held_ops->kill(port);
		if (mode == NDD_MODE_RESTORING) {
			kagent_step_restoring(port, session);
			return false;
		}
		if (open ||
		    (!test_and_clear_bit(KAGENT_ASK_RETRY, &port->asked) &&
		     !kagent_overdue(port)))
			return false;
		kagent_port_event(port, KAGENT_EV_CLOSED, port->reason);
		return true;
	case NDD_MODE_LOST:
		if (test_and_clear_bit(KAGENT_ASK_RETRY, &port->asked) ||
		    kagent_overdue(port))
			kagent_restore(port);
		return false;
	case NDD_MODE_NONE:
	case NDD_MODE_DIRECT:
	case NDD_MODE_UNBOUND:
		if (test_and_clear_bit(KAGENT_ASK_GONE, &port->asked))
			kagent_port_event(port, KAGENT_EV_GONE,
					  NDD_REASON_DEVICE_GONE);
		/* found its lower by itself while it was lost */
		if (session)
			kagent_release(port);
		return false;
	}
	return false;
}

/* Modes that end by themselves at port->deadline. */
static bool kagent_has_deadline(struct kagent_port *port)
{
	switch (kagent_port_mode(port)) {
	case NDD_MODE_TAKING:
	case NDD_MODE_LOST:
		return true;
	case NDD_MODE_TUNNEL:
		return port->dying;
	case NDD_MODE_RESTORING:
		return kagent_device_is_open(port);
	case NDD_MODE_HELD:
		return !kagent_device_is_open(port);
	default:
		return false;
	}
}

/**
 * kagent_port_work() - the port's work
 * @work: port->work
 */
void kagent_port_work(struct work_struct *work)
{
	struct kagent_port *port =
		container_of(to_delayed_work(work), struct kagent_port, work);
	struct kagent_take_request *request;

	mutex_lock(&port->handover);
	spin_lock_bh(&port->lock);
	request = port->request;
	port->request = NULL;
	spin_unlock_bh(&port->lock);
	while (kagent_step(port))
		;
	if (request) {
		int err = kagent_take(port, request);

		while (kagent_step(port))
			;
		/* a failed take is answered when the port is back */
		kagent_take_finish(port, request, err);
	}
	if (kagent_has_deadline(port)) {
		long left = port->deadline - jiffies;

		kagent_port_wake(port, max(left, 1L));
	}
	mutex_unlock(&port->handover);
	kagent_port_put(port);
}
