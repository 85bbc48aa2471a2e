/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * The record of a client's connection: whose it is.
 *
 * At first, and whenever C has sent something that the kernel did not take, the connection is the
 * proxy's, and all bytes go to D. The proxy gives it to the kernel with the number of bytes that it
 * has read; the owner's bit is set only if that is all that C has ever given to the proxy's side,
 * and in one compare-and-swap with that number. C's program adds what it passes before it clears
 * the bit: a GIVE before the addition is undone, one after it sees the larger number. So while the
 * bit is set, nothing that C has sent is on its way to the proxy or waits there.
 *
 * A busy client's next request is often there before a GIVE that follows the answer. So the proxy
 * may name the bytes that it is about to write, and D's program gives the connection in the run
 * that sends the last of them.
 *
 * The other direction: D's program and S's program both put bytes into C's queue. The bit is set
 * only if nothing that D has sent is still on TCP: then it is in C's queue or read, in front of
 * whatever S sends later.
 *
 * Where the number is too large (a message that was partly accepted by TCP or by the queue is
 * counted again when the application sends the rest) the connection stays the proxy's for good,
 * which is slower and never wrong.
 */
#ifndef TULLE_HTTP_CLIENT_H
#define TULLE_HTTP_CLIENT_H

#include "http_lease.h"
#include "splice.h"

/* The record of the connection of C, whose direction this is. */
static __always_inline struct tulle_http_client *tulle_client_of(const struct tulle_splice *splice)
{
	struct tulle_socket_key key;

	tulle_key_swap(&splice->peer, &key);
	return bpf_map_lookup_elem(&tulle_http_clients, &key);
}

static __always_inline void tulle_client_passed(struct tulle_http_client *client, __u32 size)
{
	__sync_fetch_and_add(&client->word, (__u64)size);
	__sync_fetch_and_and(&client->word, ~TULLE_CLIENT_OWNED);
}

/* The kernel's address of the socket at the end of `splice` that sends. */
static __always_inline const struct tcp_sock *tulle_sender(const struct tulle_splice *splice)
{
	const struct tulle_peer *self;
	struct tulle_socket_key key;

	tulle_key_swap(&splice->peer, &key);
	self = bpf_map_lookup_elem(&tulle_peers, &key);
	return self && tulle_is_socket(self) ? (const struct tcp_sock *)self->sock : NULL;
}

/* Is nothing of this direction on TCP, so that bytes put into the reader's queue come behind it? */
static __always_inline bool tulle_in_order(struct tulle_splice *splice)
{
	const struct tcp_sock *reader;

	if (splice->spliced)
		return true;
	reader = tulle_reader(splice);
	return reader && tulle_tcp_empty(tulle_sender(splice), reader, splice);
}

/* Gives the connection, of which this much was read; `splice` is D's. */
static __always_inline void tulle_client_give(struct tulle_splice *splice, __u64 consumed,
					      __u32 loop)
{
	struct tulle_http_client *client;
	struct tulle_lease *lease;
	__u64 word, handle;
	__u32 state;

	client = bpf_map_lookup_elem(&tulle_http_clients, &splice->peer);
	if (!client)
		return;
	word = tulle_load(&client->word);
	if ((word & ~TULLE_CLIENT_OWNED) != consumed || splice->spilled || client->pipelines ||
	    !tulle_config_if(TULLE_F_SPLICE) || !tulle_in_order(splice)) {
		tulle_count(TULLE_REASON_HTTP_NOT_GIVEN);
		return;
	}
	/*
	 * A lease in hand that the proxy has taken is forgotten: the exchange that may have been
	 * on it is over, that is what GIVE says. With one that is still under way it says nothing.
	 */
	handle = tulle_load(&client->lease);
	if (handle) {
		lease = tulle_lease_of(handle);
		state = lease ? TULLE_LEASE_STATE(tulle_load(&lease->word)) : TULLE_LEASE_PROXY;
		if (tulle_lease_busy(state))
			return;
		if (state != TULLE_LEASE_HELD)
			tulle_swap(&client->lease, handle, 0);
	}
	client->loop = loop;
	if (word & TULLE_CLIENT_OWNED)
		return;
	if (!tulle_swap(&client->word, word, word | TULLE_CLIENT_OWNED)) {
		tulle_count(TULLE_REASON_HTTP_NOT_GIVEN);
		return;
	}
	client->gives++;
	tulle_count(TULLE_REASON_HTTP_GIVEN);
}

/* TULLE_OPT_GIVE. */
static __always_inline void tulle_client_offer(struct tulle_splice *splice,
					       const struct tulle_http_give *give)
{
	splice->after = give->after;
	splice->loop = give->loop;
	splice->consumed = give->consumed;
	if (!give->after)
		tulle_client_give(splice, give->consumed, give->loop);
}

/*
 * D has sent `size` of the bytes after which it gives the connection: they will be put into C's
 * queue when this run is over, or went to TCP, where they would not be in order.
 */
static __always_inline void tulle_client_sent(struct tulle_splice *splice, __u32 size)
{
	__u32 after = splice->after;

	splice->after = 0;
	if (!splice->spliced || size > after) {
		tulle_count(TULLE_REASON_HTTP_NOT_GIVEN);
		return;
	}
	if (size < after)
		splice->after = after - size;
	else
		tulle_client_give(splice, splice->consumed, splice->loop);
}

#endif
