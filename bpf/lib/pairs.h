/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * How many connections that the kernel balanced were made by whom to whom, and their bytes: what
 * Istio's metrics of TCP tell, for the agent to read. Unlike the records of tulle_flow nothing is
 * left out when there is much to count.
 *
 * A connection counts as opened when its other end exists and as closed when both ends have closed,
 * which is when its bytes are known.
 */
#ifndef TULLE_PAIRS_H
#define TULLE_PAIRS_H

#include "maps.h"

/* Found or made; without room the one of all the others, NULL where there is not even that. */
static __always_inline struct tulle_pair *tulle_pair_of(const struct tulle_conn *conn)
{
	struct tulle_pair_key key = {
		.client = conn->client,
		.server = conn->server,
		.service = conn->service,
	};
	struct tulle_pair *pair = bpf_map_lookup_elem(&tulle_pairs, &key);
	struct tulle_pair blank = {};

	if (pair)
		return pair;
	/* Another CPU may make it at the same time: either's will do. */
	bpf_map_update_elem(&tulle_pairs, &key, &blank, BPF_NOEXIST);
	pair = bpf_map_lookup_elem(&tulle_pairs, &key);
	if (pair)
		return pair;
	__builtin_memset(&key, 0, sizeof(key));
	return bpf_map_lookup_elem(&tulle_pairs, &key);
}

static __always_inline void tulle_pair_opened(const struct tulle_conn *conn)
{
	struct tulle_pair *pair = conn->kind == TULLE_CONN_DIRECT ? tulle_pair_of(conn) : NULL;

	if (pair)
		__sync_fetch_and_add(&pair->opened, 1);
}

static __always_inline void tulle_pair_closed(const struct tulle_conn *conn)
{
	struct tulle_pair *pair;

	if (conn->kind != TULLE_CONN_DIRECT || !conn->accepted)
		return;
	pair = tulle_pair_of(conn);
	if (!pair)
		return;
	__sync_fetch_and_add(&pair->sent, conn->sent);
	__sync_fetch_and_add(&pair->received, conn->received);
	__sync_fetch_and_add(&pair->closed, 1);
}

#endif
