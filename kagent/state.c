// SPDX-License-Identifier: GPL-2.0-only
/*
 * state.c - the table of a port's modes and events. See state.h.
 */
#include "state.h"

#define STEP(mode, event, to, todo)					\
	[NDD_MODE_##mode][KAGENT_EV_##event] = {			\
		.valid = true,						\
		.next = NDD_MODE_##to,					\
		.actions = (todo),					\
	}

#define REVOKE_RESTORE	(KAGENT_DO_REVOKE | KAGENT_DO_RESTORE)
#define DIRECT_AGAIN	(KAGENT_DO_DIRECT | KAGENT_DO_RELEASE)

static const struct kagent_step steps[KAGENT_MODES][KAGENT_EVENTS] = {
	STEP(NONE, LOWER_UP, DIRECT, KAGENT_DO_DIRECT),

	STEP(DIRECT, LOWER_GONE, NONE, 0),
	STEP(DIRECT, GONE, NONE, 0),
	STEP(DIRECT, TAKE, TAKING, KAGENT_DO_TAKE),

	/* the lower goes away because of the take: no event of its own */
	STEP(TAKING, START, TUNNEL, KAGENT_DO_TUNNEL),
	STEP(TAKING, END, RESTORING, REVOKE_RESTORE),

	STEP(TUNNEL, END, RESTORING, REVOKE_RESTORE),
	STEP(TUNNEL, PASS, TUNNEL, 0),

	STEP(RESTORING, RESTORED, DIRECT, DIRECT_AGAIN),
	STEP(RESTORING, UNLINKED, NONE, KAGENT_DO_RELEASE),
	STEP(RESTORING, STILL_OPEN, HELD, 0),
	STEP(RESTORING, FAILED, LOST, KAGENT_DO_RETRY),
	STEP(RESTORING, FOREIGN, UNBOUND, KAGENT_DO_RELEASE),
	STEP(RESTORING, GONE, NONE, KAGENT_DO_RELEASE),

	STEP(HELD, CLOSED, RESTORING, KAGENT_DO_RESTORE),

	/* retried in place: LOST is told once, not at every try */
	STEP(LOST, RESTORED, DIRECT, DIRECT_AGAIN),
	STEP(LOST, LOWER_UP, DIRECT, DIRECT_AGAIN),
	STEP(LOST, UNLINKED, NONE, KAGENT_DO_RELEASE),
	STEP(LOST, STILL_OPEN, HELD, 0),
	STEP(LOST, FAILED, LOST, KAGENT_DO_RETRY),
	STEP(LOST, FOREIGN, UNBOUND, KAGENT_DO_RELEASE),
	STEP(LOST, GONE, NONE, KAGENT_DO_RELEASE),

	STEP(UNBOUND, LOWER_UP, DIRECT, KAGENT_DO_DIRECT),
	STEP(UNBOUND, GONE, NONE, 0),
};

struct kagent_step kagent_state_step(enum ndd_mode mode,
				     enum kagent_event event)
{
	const struct kagent_step ignored = { .next = (__u8)mode };

	if ((unsigned int)mode >= KAGENT_MODES ||
	    (unsigned int)event >= KAGENT_EVENTS || !steps[mode][event].valid)
		return ignored;
	return steps[mode][event];
}

enum kagent_fate kagent_reason_fate(enum ndd_reason reason)
{
	switch (reason) {
	case NDD_REASON_WATCHDOG:
	case NDD_REASON_APP_DEADLINE:
	case NDD_REASON_STOPPED:
	case NDD_REASON_PROTOCOL:
	case NDD_REASON_STALLED:
		return KAGENT_KILL;
	case NDD_REASON_TAKE_TIMEOUT:
	case NDD_REASON_DEVICE_GONE:
	case NDD_REASON_LINK_DELETED:
	case NDD_REASON_ADMIN:
		return KAGENT_KILL_HOLDER;
	default:
		return KAGENT_SPARE;
	}
}

enum kagent_pass kagent_reason_pass(enum ndd_reason reason)
{
	switch (reason) {
	case NDD_REASON_GIVEN_BACK:
	case NDD_REASON_DIED:
		return KAGENT_PASS_NOW;
	case NDD_REASON_WATCHDOG:
	case NDD_REASON_APP_DEADLINE:
	case NDD_REASON_STOPPED:
		return KAGENT_PASS_DEAD;
	default:
		return KAGENT_PASS_NEVER;
	}
}

const char *kagent_mode_name(unsigned int mode)
{
	static const char * const names[KAGENT_MODES] = {
		[NDD_MODE_NONE] = "none",
		[NDD_MODE_DIRECT] = "direct",
		[NDD_MODE_TAKING] = "taking",
		[NDD_MODE_TUNNEL] = "tunnel",
		[NDD_MODE_RESTORING] = "restoring",
		[NDD_MODE_LOST] = "lost",
		[NDD_MODE_HELD] = "held",
		[NDD_MODE_UNBOUND] = "unbound",
	};

	return mode < KAGENT_MODES ? names[mode] : "?";
}

const char *kagent_reason_name(unsigned int reason)
{
	static const char * const names[KAGENT_REASONS] = {
		[NDD_REASON_NONE] = "none",
		[NDD_REASON_CREATED] = "created",
		[NDD_REASON_TAKEN] = "taken",
		[NDD_REASON_STARTED] = "started",
		[NDD_REASON_GIVEN_BACK] = "given-back",
		[NDD_REASON_DIED] = "died",
		[NDD_REASON_TAKE_FAILED] = "take-failed",
		[NDD_REASON_TAKE_TIMEOUT] = "take-timeout",
		[NDD_REASON_WATCHDOG] = "watchdog",
		[NDD_REASON_APP_DEADLINE] = "app-deadline",
		[NDD_REASON_STOPPED] = "stopped",
		[NDD_REASON_DEBUGGER] = "debugger",
		[NDD_REASON_PROTOCOL] = "protocol",
		[NDD_REASON_RESTORED] = "restored",
		[NDD_REASON_RESTORE_FAILED] = "restore-failed",
		[NDD_REASON_DEVICE_GONE] = "device-gone",
		[NDD_REASON_LINK_DELETED] = "link-deleted",
		[NDD_REASON_ADMIN] = "admin",
		[NDD_REASON_PASSED] = "passed",
		[NDD_REASON_STALLED] = "stalled",
	};

	return reason < KAGENT_REASONS ? names[reason] : "?";
}
