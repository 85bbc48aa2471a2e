/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * sk_msg on tulle_sockets: what one end of a local connection sends goes straight into the other
 * end's receive queue, past TCP.
 *
 * Nothing in a sockmap pushes back by itself, and redirected bytes could overtake bytes that are
 * still under way on TCP. So each direction of a connection is in one of two states:
 *
 *   on TCP    (at first) messages are passed. It turns to spliced before a message if the
 *             reader's application has consumed every byte that this side ever gave to TCP:
 *             nothing is left that could be overtaken.
 *   spliced   messages are redirected. If the reader's queue holds more than the limit the
 *             direction turns back to TCP, whose window makes the sender wait. The queue is in
 *             front of everything that TCP delivers later (the verdict program puts TCP's bytes
 *             behind it), so the order stays exact. A direction that spilled stays on TCP for good:
 *             while it was allowed to come back, a stalled reader behind a relay was seen to get
 *             wrong bytes, rarely and on a busy host. That was TCP (arrive.c), not the way back; it
 *             has not been opened again.
 *
 * What the application has consumed is known where redirected bytes are kept apart in copied_seq
 * (kernels 6.6.128, 6.12.75, 6.18.14 and later, recognised by a field of struct sk_psock).
 * Elsewhere a direction is spliced only if it never sent a byte over TCP, and one that spilled
 * stays on TCP for good.
 *
 * Failure policy: always SK_PASS; TCP carries what is not redirected. SK_DROP would show as EACCES
 * in the application.
 *
 * Not preserved: much that programs notice (docs/splicing.md). So a socket gets here only where it
 * speaks HTTP and its program does not wait in its calls, or where its workload asks for it: see
 * tulle_way_of in sockops.c, and waits.h.
 *
 * Kernel: 5.15 loads; the bound needs redirected bytes in sk_rmem_alloc (6.13 and stable kernels of
 * early 2025, 6.1.192 too), FIONREAD needs the exact accounting named above: the agent's self-test
 * has to prove both. Tried on 6.1 and 6.18.
 */
#include "lib/http_call.h"
#include "lib/splice.h"

SEC("sk_msg")
int tulle_skmsg(struct sk_msg_md *msg)
{
	struct tulle_splice *splice;
	struct bpf_sock *sk = msg->sk;
	__u32 size = msg->size;
	int verdict;

	if (!sk)
		return SK_PASS;
	splice = bpf_sk_storage_get(&tulle_splices, sk, NULL, 0);
	if (!splice)
		return SK_PASS;
	/* After its own end a program gets EPIPE; that is TCP's to say. */
	if (sk->state != BPF_TCP_ESTABLISHED && sk->state != BPF_TCP_CLOSE_WAIT)
		return SK_PASS;
	if (splice->http)
		tulle_http_call(msg, splice);
	verdict = tulle_splice_message(msg, sk, splice);
	if (splice->after)
		tulle_client_sent(splice, size);
	return verdict;
}
