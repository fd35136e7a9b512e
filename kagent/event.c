// SPDX-License-Identifier: GPL-2.0-only
/*
 * event.c - changes of a port's mode: asked for anywhere, made and told here.
 *
 * Asking never waits: it notes what is wanted and queues the port's work
 * (handover.c), so it can be done under rtnl, from close_device or in softirq.
 */
#include "session.h"
#include "trace.h"

/**
 * kagent_port_wake() - have the port's work look again
 * @port: port
 * @delay: jiffies; 0 overtakes a delay that is running
 */
void kagent_port_wake(struct kagent_port *port, unsigned long delay)
{
	bool pending;

	/* the queued work has a reference of its own */
	kagent_port_get(port);
	if (delay)
		pending = !queue_delayed_work(kagent_wq, &port->work, delay);
	else
		pending = mod_delayed_work(kagent_wq, &port->work, 0);
	if (pending)
		kagent_port_put(port); /* never the last: the caller has one */
}

/**
 * kagent_port_ask() - ask the port's work for something
 * @port: port
 * @what: KAGENT_ASK_*
 */
void kagent_port_ask(struct kagent_port *port, int what)
{
	set_bit(what, &port->asked);
	kagent_port_wake(port, 0);
}

/* Under port->lock. Return: there was a hold to end. */
static bool kagent_note_end(struct kagent_port *port,
			    struct kagent_session *session,
			    enum ndd_reason reason)
{
	if ((port->mode != NDD_MODE_TAKING && port->mode != NDD_MODE_TUNNEL) ||
	    (session && session != port->session))
		return false;
	/* also if an end that could be passed over was noticed before */
	if (kagent_reason_pass(reason) == KAGENT_PASS_NEVER)
		set_bit(KAGENT_SESSION_FINAL, &port->session->flags);
	if (!port->end_reason) {
		port->end_reason = reason;
		kagent_phase(port, KAGENT_PHASE_END_NOTICED);
	}
	return true;
}

/**
 * kagent_port_end() - the hold is over
 * @port: port
 * @session: the hold that is meant, NULL: whichever there is
 * @reason: why; the first cause is the one that is told
 *
 * Return: there was a hold to end
 */
bool kagent_port_end(struct kagent_port *port, struct kagent_session *session,
		     enum ndd_reason reason)
{
	bool ended;

	spin_lock_bh(&port->lock);
	ended = kagent_note_end(port, session, reason);
	spin_unlock_bh(&port->lock);
	if (ended)
		kagent_port_wake(port, 0);
	return ended;
}

/**
 * kagent_file_end() - whoever has an open node is not there any more
 * @file: with a session
 *
 * Of the owner's this is the end of the hold, unless somebody goes on with it. Of
 * one that was the owner before it is nothing.
 */
void kagent_file_end(struct kagent_file *file)
{
	struct kagent_session *session = file->session;
	struct kagent_port *port = file->port;
	enum ndd_reason reason = NDD_REASON_DIED;
	bool ended = false;

	spin_lock_bh(&port->lock);
	if (session->owner_file == file) {
		set_bit(KAGENT_SESSION_GONE, &session->flags);
		if (test_bit(KAGENT_SESSION_GIVEN_BACK, &session->flags))
			reason = NDD_REASON_GIVEN_BACK;
		ended = kagent_note_end(port, session, reason);
	}
	spin_unlock_bh(&port->lock);
	if (ended)
		kagent_port_wake(port, 0);
}

/**
 * kagent_port_session_get() - the hold there is
 * @port: port
 *
 * Return: session with a reference, or NULL
 */
struct kagent_session *kagent_port_session_get(struct kagent_port *port)
{
	struct kagent_session *session;

	spin_lock_bh(&port->lock);
	session = port->session;
	if (session)
		kagent_session_get(session);
	spin_unlock_bh(&port->lock);
	return session;
}

/**
 * kagent_port_idle() - nobody has, takes or restores the port
 * @port: port
 *
 * Return: so it is
 */
bool kagent_port_idle(struct kagent_port *port)
{
	bool idle;

	spin_lock_bh(&port->lock);
	idle = !port->claimed && !port->session;
	spin_unlock_bh(&port->lock);
	return idle;
}

static void kagent_port_uevent(struct net_device *dev, struct kagent_port *port,
			       enum ndd_mode mode, enum ndd_reason reason)
{
	char mode_env[NDD_NAME_LEN], reason_env[NDD_NAME_LEN];
	char port_env[NDD_NAME_LEN + sizeof("NDD_PORT=")];
	char *env[4] = { port_env, mode_env, reason_env, NULL };

	snprintf(port_env, sizeof(port_env), "NDD_PORT=%s", port->name);
	snprintf(mode_env, sizeof(mode_env), "NDD_MODE=%s",
		 kagent_mode_name(mode));
	snprintf(reason_env, sizeof(reason_env), "NDD_REASON=%s",
		 kagent_reason_name(reason));
	kobject_uevent_env(&dev->dev.kobj, KOBJ_CHANGE, env);
}

static void kagent_port_tell(struct kagent_port *port, enum ndd_mode old,
			     enum ndd_mode mode, enum ndd_reason reason)
{
	struct net_device *dev = kagent_port_dev_hold(port);
	struct kagent_session *session = kagent_port_session_get(port);

	pr_info("kagent: %s (%s): %s -> %s (%s)\n", port->name,
		dev ? dev->name : "no netdev", kagent_mode_name(old),
		kagent_mode_name(mode), kagent_reason_name(reason));
	trace_kagent_mode(port->name, old, mode, reason);
	if (session) {
		kagent_session_tell(session, mode, reason);
		kagent_session_put(session);
	}
	kagent_genl_announce(port, old, 0, NDD_REASON_NONE);
	if (dev) {
		kagent_port_uevent(dev, port, mode, reason);
		dev_put(dev);
	}
}

/**
 * kagent_port_event() - something happened: change the mode as the table says
 * @port: port
 * @event: what
 * @reason: for the record
 *
 * May sleep; with or without rtnl. A change is logged, traced and announced
 * before the next one can happen.
 *
 * Return: the table's answer; the caller does its actions
 */
struct kagent_step kagent_port_event(struct kagent_port *port,
				     enum kagent_event event,
				     enum ndd_reason reason)
{
	struct kagent_step step;
	enum ndd_mode old;
	bool news;

	mutex_lock(&port->announce);
	spin_lock_bh(&port->lock);
	old = port->mode;
	step = kagent_state_step(old, event);
	/* a pass is, though the mode stays */
	news = step.valid && (step.next != old || event == KAGENT_EV_PASS);
	if (news) {
		WRITE_ONCE(port->mode, step.next);
		port->reason = reason;
		if (event == KAGENT_EV_END)
			port->last_end = reason;
	}
	spin_unlock_bh(&port->lock);
	if (news)
		kagent_port_tell(port, old, step.next, reason);
	mutex_unlock(&port->announce);
	return step;
}

/**
 * kagent_port_owner() - who has the port
 * @port: port
 *
 * Return: thread group id in the caller's pid namespace of the owner, or of
 * whoever keeps the device open after the hold has ended; 0 if nobody
 */
pid_t kagent_port_owner(struct kagent_port *port)
{
	struct kagent_session *session = kagent_port_session_get(port);
	const struct kagent_provider_ops *ops;
	struct pid *owner;
	pid_t pid = 0;

	if (!session)
		return 0;
	switch (kagent_port_mode(port)) {
	case NDD_MODE_TAKING:
	case NDD_MODE_TUNNEL:
		owner = kagent_session_owner(session);
		pid = pid_vnr(owner);
		put_pid(owner);
		break;
	case NDD_MODE_RESTORING:
	case NDD_MODE_HELD:
		ops = kagent_port_ops_get(port);
		if (ops)
			pid = ops->holder(port);
		kagent_port_ops_put(ops);
		break;
	default:
		break;
	}
	kagent_session_put(session);
	return pid;
}

/**
 * kagent_port_driver() - driver that is bound to the device now
 * @port: port
 * @buf: its name; empty if there is none
 * @size: of @buf
 */
void kagent_port_driver(struct kagent_port *port, char *buf, size_t size)
{
	const struct kagent_provider_ops *ops = kagent_port_ops_get(port);

	memset(buf, 0, size);
	if (ops)
		ops->driver(port, buf, size);
	kagent_port_ops_put(ops);
}
