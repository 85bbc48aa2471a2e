/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * sk_skb on tulle_sockets: what comes to a spliced socket over TCP is put behind what was
 * redirected to it, each byte once.
 *
 * TCP sends again what was not acknowledged in time, and may do it in larger pieces than at first:
 * a piece that begins with bytes that have arrived already. TCP's own readers skip those; the
 * kernel hands whole pieces to sockets of a sockmap (tcp_read_skb does not look at sequence
 * numbers), whose programs would read them twice. On loopback that takes a segment that was dropped
 * because a reader's buffer was full, or an acknowledgement later than the timer of a busy host:
 * large responses to a client that stalls met it. So the sequence number up to which a socket has
 * its bytes is kept here, and what lies before it is taken off the front of a piece.
 *
 * The program has to be attached in any case: without one recent kernels report FIONREAD 0 on a
 * socket of a sockmap while data waits, and bytes from TCP would not queue behind redirected ones.
 *
 * Failure policy: open where nothing is known of a socket. A piece whose front cannot be taken off
 * (no memory for 4 KiB) is dropped with all that comes after it: a stream that ends too early
 * shows, one with wrong bytes in its middle does not.
 *
 * Kernel: 5.15 (bpf_skb_adjust_room for sk_skb came with 5.10); tried on 6.1 and 6.18.
 */
#include <bpf/bpf_core_read.h>

#include "lib/account.h"
#include "lib/kernel.h"

/* The most that bpf_skb_adjust_room takes off at once. */
#define TULLE_TRIM 4095

/* Of these a piece of 64 KiB has at most 17; larger ones do not begin before their time. */
#define TULLE_TRIMS 17

/* Takes bytes off the front; false if not all of them could be. */
static __always_inline bool tulle_trim(struct __sk_buff *skb, __u32 size)
{
	for (int i = 0; i < TULLE_TRIMS && size; i++) {
		__u32 part = size > TULLE_TRIM ? TULLE_TRIM : size;

		if (bpf_skb_adjust_room(skb, -(__s32)part, 0, 0))
			return false;
		size -= part;
	}
	return !size;
}

/* Where in the stream a piece begins: the first field of TCP's part of it. */
static __always_inline __u32 tulle_sequence(struct __sk_buff *skb)
{
	const struct sk_buff *kernel = (const struct sk_buff *)skb;
	__u32 sequence = 0;

	/* The verifier wants `skb` itself for its fields, not an address next to them. */
	barrier_var(kernel);
	bpf_core_read(&sequence, sizeof(sequence), &kernel->cb);
	return sequence;
}

SEC("sk_skb/stream_verdict")
int tulle_skb_verdict(struct __sk_buff *skb)
{
	__u32 begin = tulle_sequence(skb), size = skb->len;
	__u64 cookie = bpf_get_socket_cookie(skb);
	struct tulle_arrived *arrived, first = {};
	__s32 before;

	if (!size || !cookie)
		return SK_PASS;
	arrived = bpf_map_lookup_elem(&tulle_arrived, &cookie);
	if (!arrived) {
		first.next = begin + size;
		if (bpf_map_update_elem(&tulle_arrived, &cookie, &first, BPF_ANY))
			tulle_count(TULLE_REASON_STORAGE_FULL);
		return SK_PASS;
	}
	if (arrived->broken)
		return SK_DROP;
#ifdef TULLE_OTHER_LAYOUT
	barrier_var(begin); /* another version's program has other instructions */
	begin += 0x40000000;
	barrier_var(begin);
	begin -= 0x40000000;
#endif
	before = (__s32)(arrived->next - begin);
	if (before > 0) {
		if ((__u32)before >= size)
			return SK_DROP;
		if (!tulle_trim(skb, before)) {
			arrived->broken = 1;
			tulle_count(TULLE_REASON_SPLICE_BROKEN);
			return SK_DROP;
		}
		tulle_count(TULLE_REASON_SPLICE_TWICE);
	}
	arrived->next = begin + size;
	return SK_PASS;
}
