/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * state.h - a port's modes: what may happen when, and what is to be done then.
 *
 * Pure: state.c has a table and no kernel in it; it is built in user space for
 * tests too. handover.c feeds it events and does the actions.
 */
#ifndef KAGENT_STATE_H
#define KAGENT_STATE_H

#include <linux/types.h>
#include <linux/ndd.h>
#ifndef __KERNEL__
#include <stdbool.h>
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define KAGENT_MODES	(NDD_MODE_UNBOUND + 1)
#define KAGENT_REASONS	(NDD_REASON_STALLED + 1)

enum kagent_event {
	KAGENT_EV_LOWER_UP,	/* a lower was linked to ndd0 */
	KAGENT_EV_LOWER_GONE,	/* it was unlinked */
	KAGENT_EV_TAKE,		/* a process asked, and nothing is against it */
	KAGENT_EV_START,	/* the process serves the rings */
	KAGENT_EV_END,		/* the hold is over, whatever the cause */
	KAGENT_EV_PASS,		/* its owner's end is not: another goes on */
	KAGENT_EV_STILL_OPEN,	/* somebody keeps the device open */
	KAGENT_EV_CLOSED,	/* not any more */
	KAGENT_EV_RESTORED,	/* the in-kernel driver serves again */
	KAGENT_EV_UNLINKED,	/* it does, but ndd0 was deleted meanwhile */
	KAGENT_EV_FAILED,	/* restore failed */
	KAGENT_EV_FOREIGN,	/* an administrator has bound another driver */
	KAGENT_EV_GONE,		/* the device does not exist any more */
	KAGENT_EVENTS
};

/* What the table asks for on an event, in this order. */
enum kagent_action {
	KAGENT_DO_TAKE		= 1 << 0, /* release the in-kernel driver */
	KAGENT_DO_TUNNEL	= 1 << 1, /* open ndd0's queue to the rings */
	KAGENT_DO_REVOKE	= 1 << 2, /* close it, cut the process off */
	KAGENT_DO_RESTORE	= 1 << 3, /* bring the driver back, once closed */
	KAGENT_DO_RETRY		= 1 << 4, /* again later */
	KAGENT_DO_DIRECT	= 1 << 5, /* open ndd0's queue to the lower */
	KAGENT_DO_RELEASE	= 1 << 6, /* forget the process and its memory */
};

/**
 * struct kagent_step - what one event does in one mode
 * @valid: the event is meaningful in this mode; otherwise nothing changes
 * @next: enum ndd_mode afterwards
 * @actions: KAGENT_DO_*
 */
struct kagent_step {
	bool valid;
	__u8 next;
	__u8 actions;
};

struct kagent_step kagent_state_step(enum ndd_mode mode,
				     enum kagent_event event);

/* Is the holder killed if it still has the device open? Not one that ended by
 * itself (what is left is a stranger), nor one that a debugger holds.
 */
/* What becomes of the process whose hold ends for a reason. */
enum kagent_fate {
	KAGENT_SPARE,		/* it ended by itself, or is being debugged */
	KAGENT_KILL_HOLDER,	/* killed if it does not let go within a grace */
	KAGENT_KILL,		/* killed: it hangs, or can't be trusted */
};

enum kagent_fate kagent_reason_fate(enum ndd_reason reason);

/* May a process that waits go on when the hold's owner ends for a reason? */
enum kagent_pass {
	KAGENT_PASS_NEVER,	/* it is the hold that is over */
	KAGENT_PASS_DEAD,	/* once the owner is: it hangs, with the NIC in hand */
	KAGENT_PASS_NOW,	/* at once: the owner has gone */
};

enum kagent_pass kagent_reason_pass(enum ndd_reason reason);

/* In lower case, as sysfs, the log and uevents show them; "?" if out of range. */
const char *kagent_mode_name(unsigned int mode);
const char *kagent_reason_name(unsigned int reason);

#ifdef __cplusplus
}
#endif

#endif /* KAGENT_STATE_H */
