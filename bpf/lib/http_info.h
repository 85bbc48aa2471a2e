/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* What kernel HTTP tells the proxy about its sockets: TULLE_OPT_CLIENT and TULLE_OPT_LEASE. */
#ifndef TULLE_HTTP_INFO_H
#define TULLE_HTTP_INFO_H

#include "http_body.h"
#include "waits.h"

/* Several words that belong together may change while they are read; the state is read first and
 * last decides nothing: the proxy asks after it has taken the lease, when nobody changes them.
 */
static __always_inline bool tulle_info_client(struct bpf_sockopt *ctx, struct bpf_sock *sk)
{
	struct tulle_http_client_info *info = ctx->optval;
	const struct tulle_http_client *client;
	const struct tulle_splice *splice;
	const struct tulle_lease *lease;
	__u64 handle, word;

	splice = bpf_sk_storage_get(&tulle_splices, sk, NULL, 0);
	if (!splice || splice->http != TULLE_HTTP_D)
		return false;
	client = bpf_map_lookup_elem(&tulle_http_clients, &splice->peer);
	if (!client || (void *)(info + 1) > ctx->optval_end)
		return false;
	word = tulle_load(&client->word);
	handle = tulle_load(&client->lease);
	info->passed = word & ~TULLE_CLIENT_OWNED;
	info->owned = word >> 63;
	info->since_ns = client->since_ns;
	info->gives = client->gives;
	info->head_length = client->head_length;
	info->body_length = client->body_length;
	info->taken = TULLE_LEASE_PROXY;
	info->lease = 0;
	info->left = 0;
	info->state = TULLE_LEASE_PROXY;
	lease = handle ? tulle_lease_of(handle) : NULL;
	if (lease) {
		info->lease = lease->cookie;
		word = tulle_load(&lease->word);
		info->state = TULLE_LEASE_STATE(word);
		if (info->state == TULLE_LEASE_PROXY)
			info->taken = TULLE_LEASE_TAKEN(word);
		if (info->state == TULLE_LEASE_BODY || info->taken == TULLE_LEASE_BODY)
			info->left = TULLE_LEASE_LEFT(word);
	} else if (handle && client->lost == handle) {
		info->lease = client->lost_cookie;
		info->taken = client->lost_state;
		info->left = client->lost_left;
	}
	for (int i = 0; i < TULLE_HTTP_COPY / 8; i++)
		((__u64 *)info->head)[i] = ((const __u64 *)client->head)[i];
	ctx->optlen = sizeof(*info);
	return true;
}

/*
 * Would a new connection to the same server be lent, or at least not be spliced as this one is?
 * So it is where a watched server was found not to wait, and where one that is spliced was found
 * to.
 */
static __always_inline bool tulle_info_renew(const struct tulle_splice *splice)
{
	const struct tulle_tenant *server = tulle_server_at(&splice->peer);
	__u32 waits = server ? tulle_waits_of(server, splice->peer.lport) : 0;

	if (splice->http == TULLE_HTTP_WATCH)
		return waits == TULLE_WAITS_NOT;
	return splice->http == TULLE_HTTP_U && server && server->splicing != TULLE_SPLICING_ALL &&
	       waits == TULLE_WAITS_YES;
}

static __always_inline bool tulle_info_lease(struct bpf_sockopt *ctx, struct bpf_sock *sk)
{
	struct tulle_http_lease_info *info = ctx->optval;
	const struct tulle_splice *splice;
	const struct tulle_lease *lease;
	const __u32 *leased;
	__u64 word;
	__u32 id, state;

	splice = bpf_sk_storage_get(&tulle_splices, sk, NULL, 0);
	if (!splice || (void *)(info + 1) > ctx->optval_end)
		return false;
	leased = bpf_sk_storage_get(&tulle_leased, sk, NULL, 0);
	if (!leased || !*leased) {
		if (!tulle_info_renew(splice))
			return false;
		__builtin_memset(info, 0, sizeof(*info));
		info->remaining = TULLE_LEASE_RENEW;
		ctx->optlen = sizeof(*info);
		return true;
	}
	id = *leased - 1;
	lease = bpf_map_lookup_elem(&tulle_leases, &id);
	if (!lease)
		return false;
	word = tulle_load(&lease->word);
	state = TULLE_LEASE_STATE(word);
	info->cookie = lease->cookie;
	info->state = state;
	info->taken = state == TULLE_LEASE_PROXY ? TULLE_LEASE_TAKEN(word) : TULLE_LEASE_PROXY;
	info->remaining = TULLE_LEASE_LEFT(word);
	if (word & TULLE_LEASE_PIECES && !tulle_sends_over(&lease->reader, 0))
		info->remaining |= TULLE_LEASE_UNPROVEN;
	if (state == TULLE_LEASE_PROXY && tulle_info_renew(splice))
		info->remaining |= TULLE_LEASE_RENEW;
	info->client = lease->client_number;
	info->since_ns = lease->since_ns;
	info->timeout_ms = lease->timeout_ms;
	info->code = lease->code;
	info->client_port = lease->client.lport;
	info->client_addr = lease->client.local;
	ctx->optlen = sizeof(*info);
	return true;
}

/* Was it one of ours? */
static __always_inline bool tulle_info(struct bpf_sockopt *ctx)
{
	struct bpf_sock *sk = ctx->sk;
	bool done = false;

	if (!sk)
		return false;
	if (ctx->optname == TULLE_OPT_CLIENT)
		done = tulle_info_client(ctx, sk);
	else if (ctx->optname == TULLE_OPT_LEASE)
		done = tulle_info_lease(ctx, sk);
	if (done)
		ctx->retval = 0;
	return done;
}

#endif
