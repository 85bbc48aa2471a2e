/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * Kernel HTTP at the beginning and the end of a socket.
 *
 * A record is made before connect() returns to C and before D exists (C answers the SYN-ACK
 * first), and removed when D closes: until then the proxy may ask about a request whose client has
 * already gone. The next connection with the same tuple makes a new one, and D's cookie keeps a
 * late end of the old connection from removing it.
 */
#ifndef TULLE_HTTP_LIFE_H
#define TULLE_HTTP_LIFE_H

#include "http_offer.h"

#define TULLE_TCP_FIN_WAIT1 4
#define TULLE_TCP_LAST_ACK  9

/* A blank record; 1.3 KiB are too much for the stack. */
static __always_inline bool tulle_client_begin(const struct tulle_socket_key *key,
					       const struct tulle_dialled *dialled,
					       const struct tulle_peer *self)
{
	struct tulle_http_client *client;
	__u32 zero = 0;
	const void *blank = bpf_map_lookup_elem(&tulle_http_blank, &zero);

	if (!blank || bpf_map_update_elem(&tulle_http_clients, key, blank, BPF_ANY)) {
		tulle_count(TULLE_REASON_HTTP_CLIENTS_FULL);
		return false;
	}
	client = bpf_map_lookup_elem(&tulle_http_clients, key);
	if (!client)
		return false;
	client->number = self->cookie;
	client->self = *self;
	client->service = dialled->service;
	client->source = dialled->workload;
	tulle_count(TULLE_REASON_HTTP_CLIENT);
	return true;
}

/* D is there: its end will end the record. */
static __always_inline bool tulle_client_accepted(const struct tulle_splice *splice, __u64 cookie)
{
	struct tulle_http_client *client = bpf_map_lookup_elem(&tulle_http_clients, &splice->peer);

	if (!client)
		return false;
	client->proxy = cookie;
	return true;
}

/* D or U goes to another state. */
static __always_inline void tulle_http_state(struct bpf_sock_ops *ctx)
{
	struct bpf_sock *sk = ctx->sk;
	struct tulle_http_client *client;
	struct tulle_splice *splice;
	__u32 state = ctx->args[1];

	if (!sk || (state != TULLE_TCP_CLOSE && state != TULLE_TCP_FIN_WAIT1 &&
		    state != TULLE_TCP_LAST_ACK))
		return;
	splice = bpf_sk_storage_get(&tulle_splices, sk, NULL, 0);
	if (!splice)
		return;
	if (splice->http == TULLE_HTTP_U) {
		/* Closed by the proxy; S may keep its end open for long. */
		tulle_lease_end(sk, splice);
	} else if (splice->http == TULLE_HTTP_D) {
		client = bpf_map_lookup_elem(&tulle_http_clients, &splice->peer);
		if (!client || client->proxy != bpf_get_socket_cookie(ctx))
			return;
		/* An answer of S could not come behind the end of the stream. */
		__sync_fetch_and_and(&client->word, ~TULLE_CLIENT_OWNED);
		if (state == TULLE_TCP_CLOSE)
			bpf_map_delete_elem(&tulle_http_clients, &splice->peer);
	}
}

#endif
