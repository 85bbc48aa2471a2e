/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * The sk_msg program that is attached to tulle_sockets: goes on to the one in tulle_entries. A
 * socket keeps the program that it was inserted with until it closes, and the kernel has no way to
 * exchange it; so this one never changes, and connections that outlive an upgrade of the agent run
 * the new programs, on the new maps, from the moment the entry is exchanged.
 *
 * Failure policy: open; without an entry (the mesh is being removed) TCP carries everything.
 */
#include "lib/kernel.h"
#include "lib/maps.h"

#define TULLE_ENTRY_SKMSG 0 /* known to the agent */

SEC("sk_msg")
int tulle_enter(struct sk_msg_md *msg)
{
	bpf_tail_call(msg, &tulle_entries, TULLE_ENTRY_SKMSG);
	return SK_PASS;
}
