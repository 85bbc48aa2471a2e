/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* S's side of kernel HTTP: what a leased server sends goes to the client that waits for it. */
#ifndef TULLE_HTTP_RESPONSE_H
#define TULLE_HTTP_RESPONSE_H

#include "http_client.h"
#include "http_outcome.h"
#include "http_sample.h"
#include "http_stats.h"

/* Of a message that lies in several pieces this much is made one before it is read. */
#define TULLE_HTTP_STRAIGHTEN 1024

/* The lease of the connection that S is the end of; NULL: none. */
static __always_inline struct tulle_lease *tulle_server_lease(struct tulle_splice *splice)
{
	const struct tulle_http_server *server;
	struct tulle_lease *lease;
	__u32 id;

	if (!splice->lease) {
		struct tulle_socket_key key;

		tulle_key_swap(&splice->peer, &key);
		server = bpf_map_lookup_elem(&tulle_http_servers, &key);
		if (!server)
			return NULL;
		splice->tenure = server->tenure;
		splice->lease = server->lease;
	}
	id = splice->lease - 1;
	lease = bpf_map_lookup_elem(&tulle_leases, &id);
	return lease && lease->tenure == splice->tenure ? lease : NULL;
}

static __always_inline bool tulle_client_full(const struct tulle_lease *lease)
{
	const struct tulle_config *config = tulle_config_if(TULLE_F_SPLICE);

	return !config || tulle_queued((const struct tcp_sock *)lease->reader.sock) >
				  (config->splice_limit ?: TULLE_SPLICE_LIMIT);
}

static __always_inline bool tulle_kept(__u8 keep, __u16 code)
{
	return (keep & TULLE_HTTP_KEEP_5XX && code >= 500) ||
	       (keep & TULLE_HTTP_KEEP_GATEWAY && code >= 502 && code <= 504) ||
	       (keep & TULLE_HTTP_KEEP_503 && code == 503) ||
	       (keep & TULLE_HTTP_KEEP_409 && code == 409);
}

/* What most heads need; a longer one is read again. */
#define TULLE_HTTP_FIRST_READ 512

/* Not inlined: two callers, and verified once. */
__noinline int tulle_http_answer_read(struct tulle_http_answer *answer, __u32 length, __u32 method)
{
	if (!answer)
		return TULLE_REASON_HTTP_ANSWER_PARTIAL;
	return tulle_http_parse_response(answer->head, length, method == TULLE_HTTP_HEAD,
					 &answer->zero, &answer->message);
}

/* The first bytes of a response. On 0 *answer has read them. */
static __always_inline __u32 tulle_server_head(struct sk_msg_md *msg,
					       struct tulle_http_answer *answer, __u32 method,
					       __u32 size)
{
	__u32 least = size > TULLE_HTTP_STRAIGHTEN ? TULLE_HTTP_STRAIGHTEN : size;
	__u64 length = (__u64)msg->data_end - (__u64)msg->data;
	__u32 reason, first;

	if (length < least) {
		if (bpf_msg_pull_data(
			    msg, 0, size > TULLE_HTTP_RESPONSE_MAX ? TULLE_HTTP_RESPONSE_MAX : size,
			    0))
			return TULLE_REASON_HTTP_ANSWER_PARTIAL;
		length = (__u64)msg->data_end - (__u64)msg->data;
	}
	if (!length)
		return TULLE_REASON_HTTP_ANSWER_PARTIAL;
	if (length > TULLE_HTTP_RESPONSE_MAX)
		length = TULLE_HTTP_RESPONSE_MAX;
	first = length > TULLE_HTTP_FIRST_READ ? TULLE_HTTP_FIRST_READ : length;
	if (bpf_probe_read_kernel(answer->head, first, msg->data))
		return TULLE_REASON_HTTP_ANSWER_PARTIAL;
	reason = tulle_http_answer_read(answer, first, method);
	if (reason != TULLE_REASON_HTTP_ANSWER_PARTIAL || first == length)
		return reason;
	if (bpf_probe_read_kernel(answer->head, length, msg->data))
		return TULLE_REASON_HTTP_ANSWER_PARTIAL;
	return tulle_http_answer_read(answer, length, method);
}

/*
 * The rest of a message in several pieces of which only some could be queued: the whole message
 * was counted and goes where its beginning went, whatever has become of the lease since.
 */
static __always_inline int tulle_server_rest(struct sk_msg_md *msg, struct bpf_sock *sk,
					     struct tulle_splice *splice)
{
	struct tulle_http_answer *answer = bpf_sk_storage_get(&tulle_answers, sk, NULL, 0);

	if (answer &&
	    bpf_msg_redirect_hash(msg, &tulle_sockets, &answer->target, BPF_F_INGRESS) == SK_PASS) {
		splice->pieces = 1;
		return SK_PASS;
	}
	tulle_count(TULLE_REASON_SPLICE_DROPPED);
	return SK_DROP;
}

/* 0: on its way to C. Otherwise why not; except after TAKE_RACE and DROPPED nothing was changed. */
static __always_inline __u32 tulle_server_send(struct sk_msg_md *msg, struct bpf_sock *sk,
					       struct tulle_splice *splice,
					       struct tulle_lease *lease, __u64 word, __u32 size)
{
	struct tulle_http_stat_key key = {
		.service = lease->service,
		.source = lease->source,
		.workload = lease->workload,
		.pool = lease->pool,
	};
	bool first = TULLE_LEASE_STATE(word) == TULLE_LEASE_SENT, counted = lease->counted;
	bool sampled = lease->keep & TULLE_LEASE_SAMPLED;
	struct tulle_http_sample *sample = NULL;
	__u64 total = TULLE_LEASE_LEFT(word), body = 0, nanos = 0, next;
	__u32 reason, request_bytes = lease->request_bytes;
	struct tulle_http_answer *answer;

	if (splice->spilled || !tulle_is_socket(&lease->reader) || tulle_client_full(lease))
		return TULLE_REASON_HTTP_SPILL;
	answer = bpf_sk_storage_get(&tulle_answers, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
	if (!answer)
		return TULLE_REASON_HTTP_ANSWER_PARTIAL;
	if (first) {
		reason = tulle_server_head(msg, answer, lease->method, size);
		if (reason)
			return reason;
		key.code = answer->message.code;
		if (tulle_kept(lease->keep, key.code))
			return TULLE_REASON_HTTP_ANSWER_KEPT;
		body = answer->message.body;
		total = answer->message.head + body;
		nanos = bpf_ktime_get_ns() - lease->since_ns;
	}
	if (size > total)
		return TULLE_REASON_HTTP_ANSWER_SYNTAX;
	if ((__u64)msg->data_end - (__u64)msg->data < size) {
		answer->target = lease->client;
		splice->pieces = 1;
	}
	if (bpf_msg_redirect_hash(msg, &tulle_sockets, &lease->client, BPF_F_INGRESS) != SK_PASS) {
		splice->pieces = 0;
		return TULLE_REASON_HTTP_CLIENT_GONE;
	}

	next = word & (TULLE_LEASE_OFFER(~0u) | TULLE_LEASE_PIECES);
	if (total == size)
		next |= TULLE_LEASE_BITS(TULLE_LEASE_HELD);
	else
		next |= TULLE_LEASE_BITS(TULLE_LEASE_ANSWER) | (total - size);
	if (first)
		lease->code = key.code;
	if (sampled) {
		if (first)
			tulle_sample_head(splice->lease - 1, nanos, body);
		if (total == size)
			sample = tulle_sample_begin(lease, splice->lease - 1);
	}
	if (!tulle_swap(&lease->word, word, next)) {
		if (sample)
			bpf_ringbuf_discard(sample, 0);
		/*
		 * The proxy took it since we looked: aim at U instead. In order, as U had read all
		 * that S ever sent when it was offered, and S has sent nothing to it since.
		 */
		if (bpf_msg_redirect_hash(msg, &tulle_sockets, &splice->peer, BPF_F_INGRESS) !=
		    SK_PASS)
			return TULLE_REASON_HTTP_DROPPED;
		answer->target = splice->peer;
		splice->spliced = 1;
		splice->ever = 1;
		return TULLE_REASON_HTTP_TAKE_RACE;
	}
	/* From here on the lease may be in use for the next request. */
	if (sample) {
		bpf_ringbuf_submit(sample, 0);
		tulle_count(TULLE_REASON_HTTP_SAMPLED);
	}
	if (first) {
		tulle_http_ended(key.pool, key.code);
		tulle_http_account(&key, nanos, request_bytes, body);
		tulle_count(TULLE_REASON_HTTP_RESPONSE);
	}
	if (total == size) {
		if (counted)
			tulle_pool_active(lease, -1);
		tulle_count(TULLE_REASON_HTTP_COMPLETE);
	}
	return 0;
}

#endif
