/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * Kernel HTTP: two sk_msg programs that tulle_skmsg calls for the sockets concerned. See
 * http_types.h for the parts (C, D, U, S) and what the proxy does.
 *
 * A request that C sends goes straight into S's receive queue if the kernel owns the connection,
 * the message is exactly one plain request or its beginning (http_body.h), the table proves where
 * it may go, and a lease to that endpoint is to be had. The answer goes straight into C's queue as
 * long as its end can be told. Everything else is passed to the proxy's end of the connection by
 * the rules of splice.c, unread and unchanged, and then the connection, or the lease, is the
 * proxy's.
 *
 * What can happen at the same time, and why nothing is lost, repeated or swapped:
 *
 * 1. The proxy gives (GIVE) while C sends. C's program counts bytes before it clears the owner's
 *    bit; GIVE sets the bit only together with the count that it knows. See http_client.h.
 * 2. The proxy takes (TAKE) a lease while a program is about to use it. The redirect is prepared
 *    first (it moves nothing before the program has ended), then the word is swapped. If the swap
 *    fails the redirect is aimed at the proxy's end instead, D or U, which is in order: the kernel
 *    owned the connection, so the proxy had read everything. If that end has left the sockhash the
 *    connection is closed, and the message is dropped (the sender gets an error) rather than sent
 *    to a stranger. Swapping first would be worse: with a redirect that fails afterwards the proxy
 *    may have seen SENT already and answer a request that then comes to it again.
 * 3. S closes. Before the redirect: it has left the sockhash, the redirect fails, the request goes
 *    to the proxy. After it, with the request unread: the proxy sees U's end of stream with the
 *    lease in SENT and asks for the copy of the head.
 * 4. C closes while S answers: the redirect fails, the rest goes to U, the proxy throws it away.
 * 5. S answers before the program of C has ended: not possible, the request is put into S's queue
 *    after that, and the word is SENT before.
 * 6. C sends the next request before the end of the last answer (pipelining): the word is not HELD
 *    and the request goes to the proxy, which adopts the exchange first and keeps the order. S's
 *    program makes the word HELD just before its bytes are put into C's queue. A client that
 *    pipelines, and whose next request comes within this moment and goes to another endpoint,
 *    could get the answers in the wrong order. The kernel has no hook after the move; a client
 *    that waits for its answers cannot meet this, and one that was once seen to pipeline is the
 *    proxy's for good.
 * 7. Two threads send on C at once: the kernel releases C's lock while it moves bytes. The second
 *    one finds SENT, see 6. Two on S: the program runs under S's lock and counts what it lets
 *    through, in the order of the runs.
 * 8. Memory runs short and only a part of a message can be queued: the kernel runs the program
 *    again for the rest, and still knows the target of the run before. A request of up to 32 KiB is
 *    one piece of memory, which is queued whole or not at all. Others may have several: counted
 * whole in the first run, and a rest goes where the beginning went, or nowhere; it is never merely
 *    passed, as the kernel would send it to the old target, which may be gone (tulle_is_rest). If
 *    nothing can be queued the sender gets ENOMEM and closes, as TCP's senders do in such a case.
 * 9. U closes and its lease, its tuple, or C's tuple is used again: leases have a tenure (a U) and
 *    a generation (an offer), records the cookie of D, readers that of C.
 * 10. The agent replaces the table: a request reads one table, whose number is compared at the end.
 *    The agent deletes it a second later.
 * 11. C's queue is full (nothing in a sockmap pushes back): the lease becomes the proxy's with the
 *    number of bytes still to come, S's bytes go to U, over TCP once that queue is full too, so
 *    that S has to wait.
 * 12. A record (tulle_http_clients) is removed while C's program uses it: only if D closes within
 *    that run. The memory may then be another connection's record: its count grows and it stays
 *    the proxy's for good.
 *
 * Failure policy: always SK_PASS, towards the proxy, with a reason counted; SK_DROP only in 2.
 *
 * Kernel: 6.4 (open-coded iterators); tried on 6.18. Not loaded: plain splicing goes on.
 */
#include "lib/http_request.h"
#include "lib/http_response.h"

SEC("sk_msg")
int tulle_request(struct sk_msg_md *msg)
{
	struct tulle_http_client *client;
	struct tulle_splice *splice;
	struct bpf_sock *sk = msg->sk;
	__u32 reason;

	if (!sk)
		return SK_PASS;
	splice = bpf_sk_storage_get(&tulle_splices, sk, NULL, 0);
	if (!splice)
		return SK_PASS;
	client = tulle_client_of(splice);
	if (!client)
		return tulle_splice_message(msg, sk, splice);
	if (splice->pieces) {
		splice->pieces = 0;
		if (tulle_is_rest(msg))
			return tulle_client_rest(msg, sk, splice);
	}
	reason = tulle_client_take(msg, sk, splice, client);
	if (!reason || reason == TULLE_REASON_HTTP_BODY_SENT) {
		tulle_count(reason ?: TULLE_REASON_HTTP_REQUEST);
		return SK_PASS;
	}
	tulle_count(reason);
	tulle_client_passed(client, msg->size);
	if (reason == TULLE_REASON_HTTP_TAKE_RACE)
		return SK_PASS;
	if (reason == TULLE_REASON_HTTP_DROPPED)
		return SK_DROP;
	return tulle_splice_message(msg, sk, splice);
}

SEC("sk_msg")
int tulle_response(struct sk_msg_md *msg)
{
	struct tulle_splice *splice;
	struct bpf_sock *sk = msg->sk;
	struct tulle_lease *lease;
	__u32 reason, state;
	__u64 word;

	if (!sk)
		return SK_PASS;
	splice = bpf_sk_storage_get(&tulle_splices, sk, NULL, 0);
	if (!splice)
		return SK_PASS;
	if (splice->pieces) {
		splice->pieces = 0;
		if (tulle_is_rest(msg))
			return tulle_server_rest(msg, sk, splice);
	}
	lease = tulle_server_lease(splice);
	if (!lease)
		return tulle_splice_message(msg, sk, splice);
	word = tulle_load(&lease->word);
	state = TULLE_LEASE_STATE(word);
	if (state == TULLE_LEASE_PROXY)
		return tulle_splice_message(msg, sk, splice);
	if (state == TULLE_LEASE_SENT || state == TULLE_LEASE_ANSWER) {
		reason = tulle_server_send(msg, sk, splice, lease, word, msg->size);
		if (!reason)
			return SK_PASS;
	} else {
		reason = state == TULLE_LEASE_BODY ? TULLE_REASON_HTTP_EARLY
						   : TULLE_REASON_HTTP_UNASKED;
	}
	tulle_count(reason);
	if (reason == TULLE_REASON_HTTP_TAKE_RACE)
		return SK_PASS;
	if (reason == TULLE_REASON_HTTP_DROPPED)
		return SK_DROP;
	tulle_lease_take(lease, ~0u);
	return tulle_splice_message(msg, sk, splice);
}
