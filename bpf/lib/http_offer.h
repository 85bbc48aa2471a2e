/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* The life of a lease: allocated and offered by U's socket option, given up when U closes. */
#ifndef TULLE_HTTP_OFFER_H
#define TULLE_HTTP_OFFER_H

#include "http_client.h"
#include "waits.h"

static __always_inline bool tulle_lease_number(__u32 *id)
{
	__u32 zero = 0, *next;

	if (!bpf_map_pop_elem(&tulle_lease_free, id))
		return true;
	next = bpf_map_lookup_elem(&tulle_lease_next, &zero);
	if (!next || *(volatile __u32 *)next >= TULLE_LEASES)
		return false;
	*id = __sync_fetch_and_add(next, 1);
	return *id < TULLE_LEASES;
}

/* The lease of U, made at its first offer. NULL: no room. */
static __always_inline struct tulle_lease *
tulle_lease_for(struct bpf_sock *sk, const struct tulle_splice *splice, __u32 *id)
{
	struct tulle_http_server server = {};
	struct tulle_lease *lease;
	__u32 *leased;

	leased = bpf_sk_storage_get(&tulle_leased, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
	if (!leased)
		return NULL;
	if (*leased) {
		*id = *leased - 1;
		return bpf_map_lookup_elem(&tulle_leases, id);
	}
	if (!tulle_lease_number(id))
		return NULL;
	lease = bpf_map_lookup_elem(&tulle_leases, id);
	if (!lease)
		return NULL;
	lease->tenure++;
	lease->server = splice->peer;
	server.lease = *id + 1;
	server.tenure = lease->tenure;
	if (bpf_map_update_elem(&tulle_http_servers, &splice->peer, &server, BPF_ANY)) {
		bpf_map_push_elem(&tulle_lease_free, id, 0);
		return NULL;
	}
	*leased = *id + 1;
	return lease;
}

static __always_inline struct tulle_http_pool *tulle_pool_make(__u32 number, __u32 loop)
{
	struct tulle_http_pool_key key = {.pool = number, .loop = loop};
	struct tulle_http_pool *pool = bpf_map_lookup_elem(&tulle_http_pools, &key);
	__u32 zero = 0;
	const void *blank;

	if (pool)
		return pool;
	blank = bpf_map_lookup_elem(&tulle_http_blank, &zero);
	if (!blank)
		return NULL;
	bpf_map_update_elem(&tulle_http_pools, &key, blank, BPF_NOEXIST);
	return bpf_map_lookup_elem(&tulle_http_pools, &key);
}

/* TULLE_OPT_OFFER of a connection by which it is found out whether its server waits. */
static __always_inline void tulle_watched_offer(const struct tulle_splice *splice)
{
	const struct tulle_peer *end = bpf_map_lookup_elem(&tulle_watched, &splice->peer);
	const struct tulle_tenant *server = tulle_server_at(&splice->peer);

	if (server && end && end->sock && tulle_is_socket(end))
		tulle_waits_learn(server, splice->peer.lport, (const struct sock *)end->sock);
	tulle_count(TULLE_REASON_HTTP_SERVER_WATCHED);
}

/* Is the server, whose sockets were not seen waiting before, seen waiting now? */
static __always_inline bool tulle_waits_now(struct tulle_splice *splice)
{
	const struct sock *end = (const struct sock *)tulle_reader(splice);
	const struct tulle_tenant *server = tulle_server_at(&splice->peer);

	return end && server && server->splicing != TULLE_SPLICING_ALL &&
	       tulle_waits_learn(server, splice->peer.lport, end) == TULLE_WAITS_YES;
}

/* TULLE_OPT_OFFER; `splice` is U's. */
static __always_inline void tulle_lease_offer(struct bpf_sock *sk, struct tulle_splice *splice,
					      const struct tulle_http_offer *offer)
{
	struct tulle_sockaddr endpoint = {};
	struct tulle_http_pool *pool;
	struct tulle_lease *lease;
	const __u32 *number;
	__u32 id;
	int slot;

	endpoint.addr = splice->peer.local;
	endpoint.port = splice->peer.lport;
	number = bpf_map_lookup_elem(&tulle_http_endpoints, &endpoint);
	if (!number || splice->spilled || !tulle_config_if(TULLE_F_SPLICE) ||
	    !tulle_in_order(splice) || tulle_waits_now(splice)) {
		tulle_count(TULLE_REASON_HTTP_NOT_OFFERED);
		return;
	}
	lease = tulle_lease_for(sk, splice, &id);
	if (!lease) {
		tulle_count(TULLE_REASON_HTTP_LEASES_FULL);
		return;
	}
	if (TULLE_LEASE_STATE(tulle_load(&lease->word)) != TULLE_LEASE_PROXY)
		return;
	pool = tulle_pool_make(*number, offer->loop);
	slot = pool ? tulle_pool_enter(pool) : -1;
	if (!pool || slot < 0) {
		tulle_count(TULLE_REASON_HTTP_POOL_FULL);
		return;
	}
	TULLE_OPAQUE(slot);
	/* Nobody else looks at a lease that is the proxy's. */
	lease->generation++;
	lease->cookie = offer->cookie;
	lease->pool = *number;
	lease->loop = offer->loop;
	lease->slot = slot;
	lease->since_ns = 0;
	lease->client_number = 0;
	lease->code = 0;
	lease->timeout_ms = 0;
	pool->lease[(__u32)slot % TULLE_HTTP_POOL] = tulle_lease_handle(id, lease->generation);
	__sync_lock_test_and_set(
		&lease->word, tulle_lease_word((__u64)lease->generation << 32, TULLE_LEASE_POOLED));
	__sync_fetch_and_or(&pool->idle[((__u32)slot / 64) % TULLE_HTTP_POOL_WORDS],
			    1ull << ((__u32)slot % 64));
	tulle_count(TULLE_REASON_HTTP_OFFERED);
}

/* The number of a lease that ended in the middle is soon another's: its client remembers it. */
static __always_inline void tulle_lease_lost(const struct tulle_lease *lease, __u32 id)
{
	__u64 word = tulle_load(&lease->word);
	__u32 state = TULLE_LEASE_TAKEN(word);
	__u64 handle = tulle_lease_handle(id, lease->generation);
	struct tulle_http_client *client;

	if (!tulle_lease_busy(state))
		return;
	client = bpf_map_lookup_elem(&tulle_http_clients, &lease->client);
	if (!client || client->number != lease->client_number ||
	    tulle_load(&client->lease) != handle)
		return;
	client->lost_cookie = lease->cookie;
	client->lost_state = state;
	client->lost_left = state == TULLE_LEASE_BODY ? TULLE_LEASE_LEFT(word) : 0;
	client->lost = handle;
}

/* U has closed. */
static __always_inline void tulle_lease_end(struct bpf_sock *sk, const struct tulle_splice *splice)
{
	__u32 *leased = bpf_sk_storage_get(&tulle_leased, sk, NULL, 0);
	struct tulle_lease *lease;
	__u32 id;

	if (!leased || !*leased)
		return;
	id = *leased - 1;
	*leased = 0;
	lease = bpf_map_lookup_elem(&tulle_leases, &id);
	if (!lease)
		return;
	tulle_lease_take(lease, ~0u);
	tulle_lease_lost(lease, id);
	lease->tenure++;
	bpf_map_delete_elem(&tulle_http_servers, &splice->peer);
	bpf_map_push_elem(&tulle_lease_free, &id, 0);
}

#endif
