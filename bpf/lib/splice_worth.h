/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * Is a new connection worth splicing? To offer both ends costs as much as two exchanges over TCP
 * cost more than spliced ones. A workload that calls another over and over with connections of an
 * exchange or two is therefore left on TCP, as long as it goes on doing so: one of every 16 is
 * spliced all the same, and each that turns out to be of use counts against the habit.
 *
 * Asked only of workloads that want all of theirs spliced. Rare connections are always offered:
 * what they cost does not matter, and what becomes of them is not known. Kernel HTTP and the node
 * proxy's connections are not asked; those are kept.
 */
#ifndef TULLE_SPLICE_WORTH_H
#define TULLE_SPLICE_WORTH_H

#include "mesh.h"

#define TULLE_HABIT_SECOND   1000000000ULL
#define TULLE_HABIT_MESSAGES 4   /* of both ends together: two exchanges */
#define TULLE_HABIT_BRIEF    256 /* brief connections a second that make it one */
#define TULLE_HABIT_TURN     16
#define TULLE_HABIT_AGAINST  64 /* what a connection that was worth it weighs */

/* Counters run a little apart when CPUs meet here: nothing depends on one more or less. */
static __always_inline void tulle_habit_age(struct tulle_habit *habit, __u64 now)
{
	__u64 age = now - habit->since;

	if ((__s64)age < (__s64)TULLE_HABIT_SECOND)
		return;
	habit->last = age < 2 * TULLE_HABIT_SECOND ? habit->brief : 0;
	habit->brief = 0;
	habit->since = now;
}

/* A connection between two workloads has ended. */
static __always_inline void tulle_habit_learn(__u32 client, __u32 server, __u32 messages, __u64 now)
{
	struct tulle_habit_key key = {.client = client, .server = server};
	struct tulle_habit first = {.since = now, .brief = 1};
	struct tulle_habit *habit = bpf_map_lookup_elem(&tulle_habits, &key);
	bool brief = messages <= TULLE_HABIT_MESSAGES;

	if (!habit) {
		if (brief)
			bpf_map_update_elem(&tulle_habits, &key, &first, BPF_NOEXIST);
		return;
	}
	tulle_habit_age(habit, now);
	if (brief) {
		habit->brief++;
		return;
	}
	habit->brief = habit->brief > TULLE_HABIT_AGAINST ? habit->brief - TULLE_HABIT_AGAINST : 0;
	habit->last = habit->last > TULLE_HABIT_AGAINST ? habit->last - TULLE_HABIT_AGAINST : 0;
}

/* Asked once for a connection, by the end that calls. */
static __always_inline bool tulle_worth_splicing(__u32 client, __u32 server, __u64 now)
{
	struct tulle_habit_key key = {.client = client, .server = server};
	struct tulle_habit *habit = bpf_map_lookup_elem(&tulle_habits, &key);

	if (!habit)
		return true;
	tulle_habit_age(habit, now);
	if (habit->brief < TULLE_HABIT_BRIEF && habit->last < TULLE_HABIT_BRIEF)
		return true;
	if (habit->turns++ % TULLE_HABIT_TURN == 0)
		return true;
	tulle_count(TULLE_REASON_SPLICE_BRIEF);
	return false;
}

#endif
