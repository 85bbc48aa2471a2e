/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * sk_msg and sk_skb on tulle_sockets: what one end of a local connection sends goes straight into
 * the other end's receive queue, past TCP.
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
 *             wrong bytes, rarely and on a busy host; the cause is not understood.
 *
 * What the application has consumed is known where redirected bytes are kept apart in copied_seq
 * (kernels 6.6.128, 6.12.75, 6.18.14 and later, recognised by a field of struct sk_psock).
 * Elsewhere a direction is spliced only if it never sent a byte over TCP, and one that spilled
 * stays on TCP for good.
 *
 * Failure policy: always SK_PASS; TCP carries what is not redirected. SK_DROP would show as EACCES
 * in the application.
 *
 * Not preserved: MSG_OOB loses its urgency, MSG_ZEROCOPY gets no completions, TCP statistics and
 * packet captures do not see the bytes, and a blocking reader without timeout that waits while a
 * reset arrives sees EAGAIN before ECONNRESET (the kernel's own doing; end of stream is exact).
 *
 * Kernel: 5.15 loads; the bound needs redirected bytes in sk_rmem_alloc (6.13 and stable kernels of
 * early 2025, 6.1.192 too), FIONREAD needs the exact accounting named above: the agent's self-test
 * has to prove both. Tried on 6.1 and 6.18.
 */
#include <bpf/bpf_core_read.h>

#include "lib/kernel.h"
#include "lib/mesh.h"

#define TULLE_SPLICE_LIMIT (1 << 20)
#define TULLE_TCP_CLOSE    7

/* Above this size a message is not worth straightening before it is passed to TCP. */
#define TULLE_PULL_MAX 4096

static __always_inline bool tulle_is_socket(const struct tulle_peer *peer)
{
	const struct sock *sock = (const struct sock *)peer->sock;

	return (__u64)BPF_CORE_READ(sock, __sk_common.skc_cookie.counter) == peer->cookie;
}

/*
 * The reader's socket, found at the first message; later only the proof that its address still
 * holds it. A socket that was reset and not yet closed by its application can still be there under
 * a tuple that a new connection uses again: it has left the sockhash, so it is not taken.
 */
static __always_inline const struct tcp_sock *tulle_reader(struct tulle_splice *splice)
{
	const struct tulle_peer *peer;
	const struct sock *sock;

	if (!splice->reader.sock) {
		peer = bpf_map_lookup_elem(&tulle_peers, &splice->peer);
		if (!peer)
			return NULL;
		sock = (const struct sock *)peer->sock;
		if (BPF_CORE_READ(sock, __sk_common.skc_state) == TULLE_TCP_CLOSE)
			return NULL;
		splice->reader = *peer;
	}
	if (!tulle_is_socket(&splice->reader)) {
		splice->reader.sock = 0;
		return NULL;
	}
	return (const struct tcp_sock *)splice->reader.sock;
}

static __always_inline __u32 tulle_queued(const struct tcp_sock *reader)
{
	const struct sock *sock = (const struct sock *)reader;

	return BPF_CORE_READ(sock, sk_backlog.rmem_alloc.counter);
}

/*
 * Nothing of this direction is under way on TCP or unread behind it: both ends count in the same
 * sequence numbers, and the sender is locked, so what holds now goes on holding. Acknowledgements
 * are not asked, they may come 40 ms later.
 */
static __always_inline bool tulle_tcp_empty(struct bpf_sock *sk, const struct tcp_sock *reader,
					    const struct tulle_splice *splice)
{
	const struct tcp_sock *sender = bpf_skc_to_tcp_sock(sk);
	__u32 written;

	if (!sender)
		return false;
	if (!bpf_core_field_exists(struct sk_psock, msg_tot_len) &&
	    (splice->ever || sender->bytes_sent))
		return false;
	written = sender->write_seq;
	return BPF_CORE_READ(reader, rcv_nxt) == written &&
	       BPF_CORE_READ(reader, copied_seq) == written && !tulle_queued(reader);
}

/*
 * To TCP. A small message that straddles a page would leave as two segments, of which Nagle holds
 * the second back for 40 ms.
 */
static __always_inline int tulle_pass(struct sk_msg_md *msg)
{
	__u32 size = msg->size;

	if (size <= TULLE_PULL_MAX && (__u64)msg->data_end - (__u64)msg->data < size)
		bpf_msg_pull_data(msg, 0, size, 0);
	tulle_count(TULLE_REASON_SPLICE_PASSED);
	return SK_PASS;
}

SEC("sk_msg")
int tulle_skmsg(struct sk_msg_md *msg)
{
	const struct tulle_config *config = tulle_config_if(TULLE_F_SPLICE);
	const struct tcp_sock *reader;
	struct tulle_splice *splice;
	struct bpf_sock *sk = msg->sk;
	__u32 limit, size = msg->size;

	if (!sk)
		return SK_PASS;
	splice = bpf_sk_storage_get(&tulle_splices, sk, NULL, 0);
	if (!splice)
		return SK_PASS;
	if (!config) {
		splice->spliced = 0;
		return tulle_pass(msg);
	}
	reader = tulle_reader(splice);
	if (!reader) {
		splice->spliced = 0;
		return tulle_pass(msg);
	}
	limit = config->splice_limit ?: TULLE_SPLICE_LIMIT;
	if (tulle_queued(reader) > limit) {
		if (splice->spliced) {
			tulle_count(TULLE_REASON_SPLICE_SPILL);
			splice->spilled = 1;
		}
		splice->spliced = 0;
		return tulle_pass(msg);
	}
	if (splice->spilled || (!splice->spliced && !tulle_tcp_empty(sk, reader, splice)))
		return tulle_pass(msg);

	if (bpf_msg_redirect_hash(msg, &tulle_sockets, &splice->peer, BPF_F_INGRESS) != SK_PASS) {
		/* Closed, or not yet accepted into the sockhash. */
		tulle_count(TULLE_REASON_SPLICE_PEER_GONE);
		splice->spliced = 0;
		return tulle_pass(msg);
	}
	if (!splice->spliced) {
		tulle_count(splice->ever ? TULLE_REASON_SPLICE_RETURN : TULLE_REASON_SPLICE_START);
		splice->spliced = 1;
		splice->ever = 1;
	}
	tulle_count(TULLE_REASON_SPLICE_MESSAGES);
	tulle_add(TULLE_REASON_SPLICE_BYTES, size);
	return SK_PASS;
}

/*
 * Does nothing, but has to be attached: without a verdict program recent kernels report FIONREAD 0
 * on a socket of a sockmap while data waits, and bytes from TCP would not queue behind redirected
 * ones.
 */
SEC("sk_skb/stream_verdict")
int tulle_skb_verdict(struct __sk_buff *skb)
{
	return SK_PASS;
}
