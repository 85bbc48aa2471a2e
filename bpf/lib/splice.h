/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* One direction of a spliced connection: the rules at the top of splice.c, for all that send. */
#ifndef TULLE_SPLICE_H
#define TULLE_SPLICE_H

#include <bpf/bpf_core_read.h>

#include "account.h"
#include "kernel.h"

#define TULLE_SPLICE_LIMIT (1 << 20)
#define TULLE_TCP_CLOSE    7

/* RCV_SHUTDOWN and SEND_SHUTDOWN */
#define TULLE_SHUTDOWN_BOTH 3

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
 * The reader has shut both halves: nobody will read what comes, and TCP answers it with a reset. In
 * the queue it would lie for ever, and the sender would not be told.
 */
static __always_inline bool tulle_reads_no_more(const struct tcp_sock *reader)
{
	const struct sock *sock = (const struct sock *)reader;

	return BPF_CORE_READ(sock, sk_shutdown) == TULLE_SHUTDOWN_BOTH;
}

/*
 * Nothing of this direction is under way on TCP or unread behind it: both ends count in the same
 * sequence numbers, and the sender is locked, so what holds now goes on holding. Acknowledgements
 * are not asked, they may come 40 ms later.
 */
static __always_inline bool tulle_tcp_empty(const struct tcp_sock *sender,
					    const struct tcp_sock *reader,
					    const struct tulle_splice *splice)
{
	__u32 written;

	if (!sender)
		return false;
	if (!bpf_core_field_exists(struct sk_psock, msg_tot_len) &&
	    (splice->ever || BPF_CORE_READ(sender, bytes_sent)))
		return false;
	written = BPF_CORE_READ(sender, write_seq);
	return BPF_CORE_READ(reader, rcv_nxt) == written &&
	       BPF_CORE_READ(reader, copied_seq) == written && !tulle_queued(reader);
}

/*
 * To TCP. A small message that straddles a page would leave as two segments, of which Nagle holds
 * the second back for 40 ms.
 */
static __always_inline int tulle_pass(struct sk_msg_md *msg, __u32 size)
{
	if (size <= TULLE_PULL_MAX && (__u64)msg->data_end - (__u64)msg->data < size)
		bpf_msg_pull_data(msg, 0, size, 0);
	tulle_count(TULLE_REASON_SPLICE_PASSED);
	return SK_PASS;
}

/*
 * Is this the rest of a message of which a first part was redirected? The kernel runs the program
 * again for it and still knows the old target: a rest that is merely passed would go there, and
 * that socket may be gone by now.
 */
static __always_inline bool tulle_is_rest(struct sk_msg_md *msg)
{
	const struct sk_msg *kernel = (const struct sk_msg *)msg;

	/* The verifier wants `msg` itself for its fields, not an address next to them. */
	barrier_var(kernel);
	return BPF_CORE_READ(kernel, sk_redir);
}

/* To the reader's queue at any rate: what cannot go there must not go anywhere. */
static __always_inline int tulle_splice_rest(struct sk_msg_md *msg, struct tulle_splice *splice)
{
	if (bpf_msg_redirect_hash(msg, &tulle_sockets, &splice->peer, BPF_F_INGRESS) != SK_PASS) {
		tulle_count(TULLE_REASON_SPLICE_DROPPED);
		return SK_DROP;
	}
	splice->ever = 1;
	return SK_PASS;
}

/* Sends one message on by splicing, or by TCP where that is not proven to keep the order. */
static __always_inline int tulle_splice_message(struct sk_msg_md *msg, struct bpf_sock *sk,
						struct tulle_splice *splice)
{
	const struct tulle_config *config = tulle_config_if(TULLE_F_SPLICE);
	const struct tcp_sock *reader;
	__u32 limit, size = msg->size;

	if (!config)
		goto pass;
	reader = tulle_reader(splice);
	if (!reader || tulle_reads_no_more(reader))
		goto pass;
	limit = config->splice_limit ?: TULLE_SPLICE_LIMIT;
	if (tulle_queued(reader) > limit) {
		if (splice->spliced) {
			tulle_count(TULLE_REASON_SPLICE_SPILL);
			splice->spilled = 1;
		}
		goto pass;
	}
	if (splice->spilled ||
	    (!splice->spliced && !tulle_tcp_empty(bpf_skc_to_tcp_sock(sk), reader, splice)))
		goto pass;

	if (bpf_msg_redirect_hash(msg, &tulle_sockets, &splice->peer, BPF_F_INGRESS) != SK_PASS) {
		/* Closed, or not yet accepted into the sockhash. */
		tulle_count(TULLE_REASON_SPLICE_PEER_GONE);
		goto pass;
	}
	if (!splice->spliced) {
		tulle_count(splice->ever ? TULLE_REASON_SPLICE_RETURN : TULLE_REASON_SPLICE_START);
		splice->spliced = 1;
		splice->ever = 1;
	}
	tulle_count(TULLE_REASON_SPLICE_MESSAGES);
	tulle_add(TULLE_REASON_SPLICE_BYTES, size);
	splice->bytes += size;
	splice->messages++;
	tulle_traffic_mesh(config, splice->peer.remote.w[3], splice->peer.local.w[3], size);
	return SK_PASS;

pass:
	splice->spliced = 0;
	return tulle_is_rest(msg) ? tulle_splice_rest(msg, splice) : tulle_pass(msg, size);
}

#endif
