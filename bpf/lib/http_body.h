/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * A request whose body comes in further sends than its head.
 *
 * The lease is in state BODY and counts what is still to come; each further send of C goes to the
 * same S. The send that brings the last byte makes the lease SENT, and all is as with a request in
 * one send. So the word says at any time exactly which bytes of the body are S's and which are for
 * whoever has the lease. C's program alone goes from BODY to SENT; the proxy's TAKE, and S's
 * program when the server speaks before the end (HTTP_EARLY), go from BODY to PROXY. From then on
 * C's bytes go to D, and the proxy sends them on: they come behind what is in S's queue.
 *
 * A body that cannot go on this way is the proxy's from that send on: S's queue is over the limit,
 * the message has bytes of a next request, S has gone.
 *
 * What is counted must have arrived. Two things could break that, and then the rest of a body would
 * be read as a request, without any policy, on a connection that may be somebody else's by then:
 *
 * 1. The kernel counts first (the program's run) and moves then, without C's lock. While one thread
 *    moves a piece another one may send the last, the server may answer early, and the lease be
 * used anew before the first piece is there. So a lease whose request came in pieces keeps a mark
 *    (TULLE_LEASE_PIECES) until nothing is being moved: each call of sendmsg and recvmsg on C holds
 *    a reference of its psock, and if there is none but the asker's, every piece has arrived. While
 *    it cannot be proven C's next request goes to the proxy, and a connection that the proxy takes
 *    is told to be UNPROVEN and must not be used again. Readers that wait in recvmsg count as well:
 *    the answer may be no where it could be yes, never the reverse.
 * 2. A move may fail for want of memory, which no program sees: the sender gets ENOMEM or a short
 *    count, and may send the same bytes again. That is possible only while TCP is under memory
 *    pressure (over the second number of net.ipv4.tcp_mem; the workload's own limit ends in an OOM
 *    kill first): then pieces go to the proxy.
 */
#ifndef TULLE_HTTP_BODY_H
#define TULLE_HTTP_BODY_H

#include "http_client.h"

/* Flags in the lowest bits of sk_user_data. */
#define TULLE_USER_DATA_FLAGS 7ull

/* Is no call of sendmsg or recvmsg on C under way, but `own` of them? Not inlined: verified once.
 */
__noinline int tulle_sends_over(const struct tulle_peer *client, __u32 own)
{
	const struct sk_psock *psock;
	const struct sock *sock;

	if (!client)
		return false;
	sock = (const struct sock *)client->sock;
	/* Freed: a socket lives as long as somebody sends on it. */
	if (!tulle_is_socket(client))
		return true;
	/* Reset: the sockhash has given up its own reference. */
	if (BPF_CORE_READ(sock, __sk_common.skc_state) == TULLE_TCP_CLOSE)
		return false;
	psock = (const struct sk_psock *)((__u64)BPF_CORE_READ(sock, sk_user_data) &
					  ~TULLE_USER_DATA_FLAGS);
	return psock && (__u32)BPF_CORE_READ(psock, refcnt.refs.counter) == 1 + own;
}

/* Why a piece must not be put into S's queue; 0: it may. */
__noinline int tulle_server_refuses(const struct tulle_socket_key *server)
{
	const struct tulle_config *config = tulle_config_if(TULLE_F_SPLICE);
	const struct tulle_peer *peer;
	const struct sock *sock;
	const unsigned long *flag;
	unsigned long pressure = 1;

	if (!server || !config)
		return TULLE_REASON_HTTP_SPILL;
	/* One that closed has left the sockhash at once, its memory when its last ACK has come. */
	peer = bpf_map_lookup_elem(&tulle_peers, server);
	if (!peer || !tulle_is_socket(peer))
		return TULLE_REASON_HTTP_SERVER_GONE;
	sock = (const struct sock *)peer->sock;
	flag = BPF_CORE_READ(sock, __sk_common.skc_prot, memory_pressure);
	if (tulle_queued((const struct tcp_sock *)sock) >
		    (config->splice_limit ?: TULLE_SPLICE_LIMIT) ||
	    bpf_probe_read_kernel(&pressure, sizeof(pressure), flag) || pressure)
		return TULLE_REASON_HTTP_SPILL;
	return 0;
}

/*
 * A message of several pieces of memory may be queued in part; the kernel then runs the program
 * again for the rest, which has to go where the beginning went. False: no memory to remember it.
 */
static __always_inline bool tulle_client_target(struct sk_msg_md *msg, struct bpf_sock *sk,
						struct tulle_splice *splice,
						const struct tulle_socket_key *target)
{
	struct tulle_http_answer *scratch;

	if ((__u64)msg->data_end - (__u64)msg->data >= msg->size)
		return true;
	scratch = bpf_sk_storage_get(&tulle_answers, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
	if (!scratch)
		return false;
	scratch->target = *target;
	splice->pieces = 1;
	return true;
}

/* Aims a prepared message at D instead: in order, as D has read all that C ever gave to it. */
static __always_inline __u32 tulle_client_divert(struct sk_msg_md *msg, struct bpf_sock *sk,
						 struct tulle_splice *splice)
{
	if (!tulle_client_target(msg, sk, splice, &splice->peer) ||
	    bpf_msg_redirect_hash(msg, &tulle_sockets, &splice->peer, BPF_F_INGRESS) != SK_PASS)
		return TULLE_REASON_HTTP_DROPPED;
	splice->spliced = !splice->spilled;
	splice->ever = 1;
	return TULLE_REASON_HTTP_TAKE_RACE;
}

/* The next piece of the body of the request that is on this lease. HTTP_BODY_SENT: on its way. */
static __always_inline __u32 tulle_client_body(struct sk_msg_md *msg, struct bpf_sock *sk,
					       struct tulle_splice *splice,
					       struct tulle_http_client *client, __u64 handle,
					       __u32 size)
{
	struct tulle_lease *lease = tulle_lease_of(handle);
	__u64 word, left, next;
	__u32 reason = 0;

	if (!lease)
		return TULLE_REASON_HTTP_LEASE_LOST;
	word = tulle_load(&lease->word);
	if ((word & ~TULLE_LEASE_LEFT_MAX) !=
	    (tulle_lease_word(handle, TULLE_LEASE_BODY) | TULLE_LEASE_PIECES))
		return TULLE_REASON_HTTP_LEASE_LOST;
	left = TULLE_LEASE_LEFT(word);
	if (size > left) {
		client->pipelines = 1;
		reason = TULLE_REASON_HTTP_PIPELINED;
	} else if (!tulle_sends_over(&client->self, 1)) {
		reason = TULLE_REASON_HTTP_SENDS_OVERLAP;
	} else if ((reason = tulle_server_refuses(&lease->server))) {
		/* It says why. */
	} else if (!tulle_client_target(msg, sk, splice, &lease->server)) {
		reason = TULLE_REASON_HTTP_SPILL;
	} else if (bpf_msg_redirect_hash(msg, &tulle_sockets, &lease->server, BPF_F_INGRESS) !=
		   SK_PASS) {
		splice->pieces = 0;
		reason = TULLE_REASON_HTTP_SERVER_GONE;
	}
	if (reason) {
		tulle_lease_take(lease, 1u << TULLE_LEASE_BODY);
		return reason;
	}
	if (size == left) {
		next = tulle_lease_word(handle, TULLE_LEASE_SENT) | TULLE_LEASE_PIECES;
		/* A route's timeout counts from the end of the request. */
		if (lease->timeout_ms)
			lease->timeout_ms += (bpf_ktime_get_ns() - lease->since_ns) / 1000000;
	} else {
		next = word - size;
	}
	if (tulle_swap(&lease->word, word, next))
		return TULLE_REASON_HTTP_BODY_SENT;
	return tulle_client_divert(msg, sk, splice);
}

/* The rest of a message of several pieces, counted whole with its beginning. */
static __always_inline int tulle_client_rest(struct sk_msg_md *msg, struct bpf_sock *sk,
					     struct tulle_splice *splice)
{
	struct tulle_http_answer *scratch = bpf_sk_storage_get(&tulle_answers, sk, NULL, 0);

	if (scratch && bpf_msg_redirect_hash(msg, &tulle_sockets, &scratch->target,
					     BPF_F_INGRESS) == SK_PASS) {
		splice->pieces = 1;
		return SK_PASS;
	}
	tulle_count(TULLE_REASON_SPLICE_DROPPED);
	return SK_DROP;
}

#endif
