/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* Events for user space: refusals, at most TULLE_EVENTS_PER_SECOND a CPU and second. */
#ifndef TULLE_EVENT_H
#define TULLE_EVENT_H

#include <bpf/bpf_core_read.h>

#include "mesh.h"

#define TULLE_EVENTS_PER_SECOND 200
#define TULLE_SECOND_NS         1000000000ull

/* Entries of tulle_rate. */
#define TULLE_RATE_REFUSALS 0
#define TULLE_RATE_FLOWS    1

/* A ring buffer slot to fill and submit, or NULL; what is lost is counted. */
static __always_inline struct tulle_event *tulle_event_reserve(__u16 type, __u16 reason,
							       __u32 which, __u64 per_second)
{
	struct tulle_event *event;
	struct tulle_event_rate *rate;
	__u64 now = bpf_ktime_get_ns();

	rate = bpf_map_lookup_elem(&tulle_rate, &which);
	if (!rate)
		return NULL;
	if (now / TULLE_SECOND_NS != rate->second) {
		rate->second = now / TULLE_SECOND_NS;
		rate->written = 0;
	}
	if (rate->written >= per_second) {
		tulle_count(TULLE_REASON_EVENT_LIMITED);
		return NULL;
	}
	event = bpf_ringbuf_reserve(&tulle_events, sizeof(*event), 0);
	if (!event) {
		tulle_count(TULLE_REASON_EVENT_LOST);
		return NULL;
	}
	rate->written++;
	__builtin_memset(event, 0, sizeof(*event));
	event->ts = now;
	event->type = type;
	event->reason = reason;
	return event;
}

static __always_inline struct tulle_event *tulle_event_begin(__u16 type, __u16 reason)
{
	return tulle_event_reserve(type, reason, TULLE_RATE_REFUSALS, TULLE_EVENTS_PER_SECOND);
}

/*
 * Counts a refusal and reports it with the process that asked; for hooks in a system call.
 *
 * Not inlined, so that the object's BTF describes struct tulle_event to user space (as it does
 * every type of a function's parameters) and the text exists once.
 */
static __noinline int tulle_event_fill(struct tulle_event *event, const struct tulle_addr *addr,
				       __u16 port, __u8 proto)
{
	if (!event || !addr)
		return 0;
	event->dst = *addr;
	event->dport = port;
	event->proto = proto;
	event->pid = bpf_get_current_pid_tgid() >> 32;
	bpf_get_current_comm(event->comm, sizeof(event->comm));
	return 0;
}

static __always_inline void tulle_report(__u16 type, __u16 reason,
					 const struct tulle_workload *caller, __u64 cgroup,
					 const struct tulle_addr *addr, __u16 port, __u8 proto)
{
	struct tulle_event *event;

	tulle_count(reason);
	event = tulle_event_begin(type, reason);
	if (!event)
		return;
	tulle_event_fill(event, addr, port, proto);
	event->cgroup = cgroup;
	if (caller) {
		event->workload = caller->id;
		event->role = caller->role;
		event->src = caller->addr4;
	}
	bpf_ringbuf_submit(event, 0);
}

#endif
