/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * trace.h - tracepoints: /sys/kernel/tracing/events/kagent/.
 *
 * kagent_mode	a port changed its mode
 * kagent_warn	the watchdog warned an owner
 * kagent_hang	it found one hanging, and spared it
 * kagent_wake	a process was woken for KTX
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM kagent

#if !defined(KAGENT_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define KAGENT_TRACE_H

#include <linux/netdevice.h>
#include <linux/tracepoint.h>
#include <uapi/linux/ndd.h>

TRACE_EVENT(kagent_mode,
	TP_PROTO(const char *port, u32 from, u32 to, u32 reason),
	TP_ARGS(port, from, to, reason),
	TP_STRUCT__entry(
		__array(char, port, NDD_NAME_LEN)
		__field(u32, from)
		__field(u32, to)
		__field(u32, reason)
	),
	TP_fast_assign(
		strscpy(__entry->port, port, NDD_NAME_LEN);
		__entry->from = from;
		__entry->to = to;
		__entry->reason = reason;
	),
	TP_printk("port=%s from=%u to=%u reason=%u", __entry->port,
		  __entry->from, __entry->to, __entry->reason)
);

TRACE_EVENT(kagent_warn,
	TP_PROTO(const char *port, s64 silent_us),
	TP_ARGS(port, silent_us),
	TP_STRUCT__entry(
		__array(char, port, NDD_NAME_LEN)
		__field(s64, silent_us)
	),
	TP_fast_assign(
		strscpy(__entry->port, port, NDD_NAME_LEN);
		__entry->silent_us = silent_us;
	),
	TP_printk("port=%s silent_us=%lld", __entry->port, __entry->silent_us)
);

TRACE_EVENT(kagent_hang,
	TP_PROTO(const char *port, u32 reason),
	TP_ARGS(port, reason),
	TP_STRUCT__entry(
		__array(char, port, NDD_NAME_LEN)
		__field(u32, reason)
	),
	TP_fast_assign(
		strscpy(__entry->port, port, NDD_NAME_LEN);
		__entry->reason = reason;
	),
	TP_printk("port=%s reason=%u", __entry->port, __entry->reason)
);

TRACE_EVENT(kagent_wake,
	TP_PROTO(const struct net_device *dev, u32 queue),
	TP_ARGS(dev, queue),
	TP_STRUCT__entry(
		__field(int, ifindex)
		__field(u32, queue)
	),
	TP_fast_assign(
		__entry->ifindex = dev->ifindex;
		__entry->queue = queue;
	),
	TP_printk("ifindex=%d queue=%u", __entry->ifindex, __entry->queue)
);

#endif /* KAGENT_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
