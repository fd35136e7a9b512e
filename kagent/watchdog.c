// SPDX-License-Identifier: GPL-2.0-only
/*
 * watchdog.c - is the owner of a port still serving it?
 *
 * A timer looks four times in an interval. Silence is measured from the look at
 * which the last progress was seen: a warning comes after 1 to 1 1/2 intervals,
 * the end after 1 1/2 to 2.
 *
 *	 progress     1           1 1/2        2   intervals
 *	----|----------|------------|----------|---->
 *		       [ warning    ][  end    ]
 *
 * The administrator may want another end than the owner's (enum ndd_on_hang): a
 * signal and some more time, or nothing but to be told.
 */
#include <linux/hrtimer.h>
#include <linux/module.h>
#include <linux/sched/signal.h>

#include "session.h"
#include "trace.h"

#define KAGENT_LOOKS	4	/* in an interval */

/* Who gives back (NDD_GIVE_BACK), or is on its way through exit, takes down what
 * it has without a thread that serves: no reason to kill it, unless that never
 * ends.
 */
#define KAGENT_LEAVING_US	(10 * USEC_PER_SEC)

/* What has been given to the process comes back within a ring of the NIC; not while
 * the peer has it pause, which lasts no seconds. The stack's own transmit watchdog
 * waits as long.
 */
static unsigned int stall_ms = 5000;
module_param(stall_ms, uint, 0644);
MODULE_PARM_DESC(stall_ms, "the owner is warned when none of the kernel's frames came back for so long");

#define KAGENT_STALL_MAX_MS	60000

enum kagent_stop {
	KAGENT_RUNS,
	KAGENT_STOPPED,		/* SIGSTOP and its like */
	KAGENT_TRACED,		/* by a debugger */
	KAGENT_EXITING,		/* without a core dump, which may take for ever */
};

static enum kagent_stop kagent_group_stopped(const struct signal_struct *signal)
{
	unsigned int flags = READ_ONCE(signal->flags);

	if (flags & SIGNAL_STOP_STOPPED)
		return KAGENT_STOPPED;
	if (flags & SIGNAL_GROUP_EXIT && !READ_ONCE(signal->core_state))
		return KAGENT_EXITING;
	return KAGENT_RUNS;
}

/* How are the owner's threads stopped, if they are? */
static enum kagent_stop kagent_owner_stopped(struct pid *owner)
{
	enum kagent_stop stop = KAGENT_RUNS;
	struct task_struct *leader, *thread;

	rcu_read_lock();
	leader = pid_task(owner, PIDTYPE_TGID);
	if (leader) {
		for_each_thread(leader, thread) {
			if (READ_ONCE(thread->ptrace) &&
			    task_is_traced(thread)) {
				stop = KAGENT_TRACED;
				break;
			}
		}
		if (stop == KAGENT_RUNS)
			stop = kagent_group_stopped(leader->signal);
	}
	rcu_read_unlock();
	return stop;
}

/**
 * kagent_owner_traced() - does a debugger hold one of the owner's threads?
 * @owner: thread group
 *
 * Return: it does
 */
bool kagent_owner_traced(struct pid *owner)
{
	return kagent_owner_stopped(owner) == KAGENT_TRACED;
}

static void kagent_alive(struct kagent_alive *alive, ktime_t now)
{
	alive->since = now;
	alive->warned = false;
	alive->hangs = false;
	alive->signalled = false;
}

/* For the timer's counters: nobody else writes them. */
static void kagent_count(u64 *counter)
{
	WRITE_ONCE(*counter, *counter + 1);
}

/* Return: the time is up. */
static bool kagent_silent(struct kagent_session *session,
			  struct kagent_alive *alive, ktime_t now, u32 limit_us)
{
	s64 silent_us = ktime_us_delta(now, alive->since);

	if (silent_us >= limit_us && !alive->warned) {
		alive->warned = true;
		kagent_count(&session->port->watched.warnings);
		WRITE_ONCE(session->health->warned, ++session->warned);
		trace_kagent_warn(session->port->name, silent_us);
		kagent_signal(&session->rings[0]);
		kagent_port_ask(session->port, KAGENT_ASK_WARN);
	}
	return silent_us >= limit_us + limit_us / 2;
}

static void kagent_spare(struct kagent_session *session,
			 enum ndd_reason reason)
{
	WRITE_ONCE(session->hang, reason);
	trace_kagent_hang(session->port->name, reason);
	kagent_port_ask(session->port, KAGENT_ASK_HANG);
}

/* The owner hangs. Return: the hold is over, as the administrator wants it. */
static bool kagent_hang_ends(struct kagent_session *session,
			     struct kagent_alive *alive, ktime_t now,
			     enum ndd_reason reason)
{
	struct kagent_port *port = session->port;
	bool news = !alive->hangs;

	/* the owner itself has said what is to be done then */
	if (reason == NDD_REASON_DEBUGGER)
		return true;
	if (news) {
		alive->hangs = true;
		kagent_count(&port->watched.hangs);
	}
	switch (READ_ONCE(port->on_hang)) {
	case NDD_ON_HANG_REPORT:
		break;
	case NDD_ON_HANG_SIGNAL:
		if (alive->signalled &&
		    ktime_ms_delta(now, alive->hangs_since) >=
		    READ_ONCE(port->hang_grace_ms))
			return true;
		if (alive->signalled)
			break;
		news = true;
		alive->signalled = true;
		alive->hangs_since = now;
		kagent_count(&port->watched.signals);
		kill_pid(session->owner, SIGABRT, 1);
		break;
	default:
		return true;
	}
	if (news)
		kagent_spare(session, reason);
	return false;
}

/* Asleep is alive, unless what should have woken it is still there. */
static bool kagent_sleeps_well(struct kagent_session *session)
{
	u32 i;

	if (READ_ONCE(session->health->service_state) != NDD_ASLEEP)
		return false;
	for (i = 0; i < session->queues; i++) {
		struct kagent_ring *ktx = &session->rings[i].ktx;

		if (READ_ONCE(*ktx->consumer) != READ_ONCE(ktx->index))
			return false;
	}
	return true;
}

/* Return: why the hold is over, NDD_REASON_NONE if it is not. */
static enum ndd_reason kagent_check_service(struct kagent_session *session,
					    ktime_t now)
{
	enum kagent_stop stop = kagent_owner_stopped(session->owner);
	u32 progress = READ_ONCE(session->health->progress);
	struct kagent_alive *alive = &session->service;
	u32 limit_us = session->watch.interval_us;

	if (stop == KAGENT_EXITING ||
	    test_bit(KAGENT_SESSION_GIVEN_BACK, &session->flags))
		limit_us = max_t(u32, limit_us, KAGENT_LEAVING_US);
	if (progress != alive->progress ||
	    (stop == KAGENT_RUNS && kagent_sleeps_well(session)) ||
	    (stop == KAGENT_TRACED &&
	     session->watch.on_debugger == NDD_ON_DEBUGGER_HOLD)) {
		alive->progress = progress;
		kagent_alive(alive, now);
		return NDD_REASON_NONE;
	}
	if (!kagent_silent(session, alive, now, limit_us))
		return NDD_REASON_NONE;
	switch (stop) {
	case KAGENT_STOPPED:
		return NDD_REASON_STOPPED;
	case KAGENT_TRACED:
		return NDD_REASON_DEBUGGER;
	default:
		return NDD_REASON_WATCHDOG;
	}
}

static enum ndd_reason kagent_check_app(struct kagent_session *session,
					ktime_t now)
{
	u32 progress = READ_ONCE(session->health->app_progress);
	struct kagent_alive *alive = &session->app;

	if (!session->watch.app_deadline_us)
		return NDD_REASON_NONE;
	if (progress != alive->progress ||
	    READ_ONCE(session->health->app_state) == NDD_ASLEEP ||
	    kagent_owner_stopped(session->owner) != KAGENT_RUNS ||
	    test_bit(KAGENT_SESSION_GIVEN_BACK, &session->flags)) {
		/* that one is stopped or leaves is the other check's affair */
		alive->progress = progress;
		kagent_alive(alive, now);
		return NDD_REASON_NONE;
	}
	if (!kagent_silent(session, alive, now,
			   session->watch.app_deadline_us))
		return NDD_REASON_NONE;
	return NDD_REASON_APP_DEADLINE;
}

/* Progress and indices are words; what has come back, piece by piece, the kernel counts
 * itself. A link that is down sends nothing, and the stack knows.
 */
static enum ndd_reason kagent_check_sending(struct kagent_session *session,
					    ktime_t now)
{
	u32 stall_us = min_t(u32, READ_ONCE(stall_ms), KAGENT_STALL_MAX_MS) *
		       USEC_PER_MSEC;
	u32 limit_us = max(session->watch.interval_us, stall_us);
	struct kagent_alive *alive = &session->sending;
	u32 i, away = 0, returned = 0;

	for (i = 0; i < session->queues; i++) {
		struct kagent_rings *rings = &session->rings[i];
		u32 here = kagent_pieces_away(rings);

		away += here;
		returned += READ_ONCE(rings->returned);
		/* back already, and nobody has asked to be told of it */
		if (here && kagent_ring_ready(&rings->ktx_done))
			kagent_look(session, i);
	}
	if (!away || returned != alive->progress ||
	    READ_ONCE(session->port->link.link) == NDD_LINK_DOWN ||
	    kagent_owner_stopped(session->owner) != KAGENT_RUNS ||
	    test_bit(KAGENT_SESSION_GIVEN_BACK, &session->flags)) {
		alive->progress = returned;
		kagent_alive(alive, now);
		return NDD_REASON_NONE;
	}
	if (!kagent_silent(session, alive, now, limit_us))
		return NDD_REASON_NONE;
	return NDD_REASON_STALLED;
}

/* Return: why the hold is over, NDD_REASON_NONE if it is not. */
static enum ndd_reason kagent_judge(struct kagent_session *session,
				    ktime_t now)
{
	enum ndd_reason reason = kagent_check_service(session, now);

	if (reason && kagent_hang_ends(session, &session->service, now, reason))
		return reason;
	reason = kagent_check_app(session, now);
	if (reason && kagent_hang_ends(session, &session->app, now, reason))
		return reason;
	reason = kagent_check_sending(session, now);
	if (reason && kagent_hang_ends(session, &session->sending, now, reason))
		return reason;
	return NDD_REASON_NONE;
}

static enum hrtimer_restart kagent_watchdog(struct hrtimer *timer)
{
	struct kagent_session *session =
		container_of(timer, struct kagent_session, timer);
	ktime_t now = ktime_get();
	enum ndd_reason reason = kagent_judge(session, now);

	if (reason) {
		kagent_count(&session->port->watched.ends);
		kagent_port_end(session->port, session, reason);
		return HRTIMER_NORESTART;
	}
	hrtimer_forward(timer, now, session->period);
	return HRTIMER_RESTART;
}

/**
 * kagent_watchdog_init() - make it ready
 * @session: new
 */
void kagent_watchdog_init(struct kagent_session *session)
{
	hrtimer_init(&session->timer, CLOCK_MONOTONIC, HRTIMER_MODE_REL_SOFT);
	session->timer.function = kagent_watchdog;
}

/**
 * kagent_watchdog_start() - look after a hold from now on
 * @session: hold
 */
void kagent_watchdog_start(struct kagent_session *session)
{
	u32 shortest = session->watch.interval_us;
	ktime_t now = ktime_get();

	if (session->watch.app_deadline_us)
		shortest = min(shortest, session->watch.app_deadline_us);
	session->period = ns_to_ktime((u64)shortest * NSEC_PER_USEC /
				      KAGENT_LOOKS);
	kagent_alive(&session->service, now);
	kagent_alive(&session->app, now);
	kagent_alive(&session->sending, now);
	hrtimer_start(&session->timer, session->period, HRTIMER_MODE_REL_SOFT);
}

/**
 * kagent_watchdog_stop() - no more; may sleep, may be called without a start
 * @session: hold
 */
void kagent_watchdog_stop(struct kagent_session *session)
{
	hrtimer_cancel(&session->timer);
}
