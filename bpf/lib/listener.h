/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * Listening sockets as they come and go: what workloads listen on is learned, those behind a port
 * (see bind.c) are found at their front, and while the mesh is stopped ports are lent.
 */
#ifndef TULLE_LISTENER_H
#define TULLE_LISTENER_H

#include "mesh.h"
#include "sock_ops.h"

static __always_inline bool tulle_learn(const struct tulle_addr *addr, __u16 port, __u32 workload)
{
	struct tulle_sockaddr key = {.addr = *addr, .port = port};
	struct tulle_listener first = {.workload = workload, .sockets = 1};
	struct tulle_listener *listener;

	if (!bpf_map_update_elem(&tulle_listen, &key, &first, BPF_NOEXIST))
		return true;
	/* SO_REUSEPORT, or declared by the agent: count the socket. */
	listener = bpf_map_lookup_elem(&tulle_listen, &key);
	if (!listener)
		return false;
	listener->workload = workload;
	__sync_fetch_and_add(&listener->sockets, 1);
	return true;
}

static __always_inline void tulle_forget(const struct tulle_addr *addr, __u16 port)
{
	struct tulle_sockaddr key = {.addr = *addr, .port = port};
	struct tulle_listener *listener = bpf_map_lookup_elem(&tulle_listen, &key);

	if (!listener || !(listener->sockets & ~TULLE_LISTEN_DECLARED))
		return;
	__sync_fetch_and_add(&listener->sockets, -1);
	if (!listener->sockets)
		bpf_map_delete_elem(&tulle_listen, &key);
}

/* Whose socket listens, and where it is reached; no workload: nobody's of the mesh. */
struct tulle_listening {
	__u32 workload;
	__u32 v4; /* of its address */
	__u16 port;
};

/*
 * While the mesh is stopped: a port that was lent to the listeners of a workload is lent to those
 * that it opens later, and what a program of the host listens on is its own again. Nobody is left
 * who could ask authorization policies who calls: what they are about stays closed.
 */
static __always_inline void tulle_lend_listener(struct bpf_sock_ops *ctx,
						const struct tulle_listening *what)
{
	struct tulle_permit_key guarded = {.source = TULLE_SOURCE_GUARDED};
	struct tulle_lending_key key = {.loopback = 1};
	const struct tulle_bound *bound;
	const struct tulle_lent *lent;
	struct bpf_sock *sk = ctx->sk;
	__u32 port = what->workload ? what->port : ctx->local_port;

	lent = bpf_map_lookup_elem(&tulle_lent, &port);
	if (!lent)
		return;
	if (!what->workload) {
		if (lent->netns == bpf_get_netns_cookie(ctx))
			bpf_map_delete_elem(&tulle_lent, &port);
		return;
	}
	tulle_addr_set_v4(&guarded.dst, what->v4);
	if (!sk || lent->workload != what->workload || bpf_map_lookup_elem(&tulle_permit, &guarded))
		return;
	key.port = port;
	bound = bpf_sk_storage_get(&tulle_bound, sk, NULL, 0);
	bpf_sock_hash_update(ctx, &tulle_lending, &key, BPF_NOEXIST);
	if (bound && tulle_addr_is_loopback(&bound->asked))
		return;
	key.loopback = 0;
	bpf_sock_hash_update(ctx, &tulle_lending, &key, BPF_NOEXIST);
}

/* Makes a socket that is bound behind found at its front. */
static __always_inline bool tulle_stand_behind(struct bpf_sock_ops *ctx,
					       const struct tulle_addr *addr, __u16 port)
{
	struct tulle_front_key key = {.addr = *addr, .port = port};

	for (int i = 0; i < TULLE_FRONTS_MAX; i++) {
		key.index = i;
		if (!bpf_sock_hash_update(ctx, &tulle_fronts, &key, BPF_NOEXIST))
			return true;
	}
	return false;
}

/*
 * A socket that listens on a workload's own address, or one with a port chosen by the kernel that
 * a workload owns (see bind.c), makes its port reachable; its end takes that back, whatever the
 * configuration has become. A socket behind that cannot be found there counts for nothing.
 */
static __always_inline void tulle_listener_changed(struct bpf_sock_ops *ctx,
						   const struct tulle_config *config,
						   bool listening, struct tulle_listening *what)
{
	const struct tulle_bound *bound;
	const struct tulle_owner *owner;
	struct bpf_sock *sk = ctx->sk;
	__u16 port = ctx->local_port;
	struct tulle_addr local;
	bool stored = true;

	what->port = port;
	tulle_ops_local(ctx, &local);
	if (!sk)
		return;
	if (tulle_addr_is_any(&local)) {
		owner = bpf_sk_storage_get(&tulle_owners, sk, NULL, 0);
		if (!owner)
			return;
		what->workload = owner->workload;
		what->v4 = owner->addr4.w[3];
		if (listening) {
			stored = tulle_learn(&owner->addr4, port, owner->workload);
			if (!tulle_addr_is_zero(&owner->addr6))
				tulle_learn(&owner->addr6, port, owner->workload);
		} else {
			tulle_forget(&owner->addr4, port);
			if (!tulle_addr_is_zero(&owner->addr6))
				tulle_forget(&owner->addr6, port);
		}
	} else {
		bound = bpf_sk_storage_get(&tulle_bound, sk, NULL, 0);
		if (bound && tulle_addr_equal(&local, &bound->own))
			port = what->port = bound->port;
		if (!listening) {
			tulle_forget(&local, port);
			return;
		}
		if (tulle_net_of(config, &local, &what->v4) != TULLE_NET_RANGE)
			return;
		what->workload = tulle_workload_at(config, what->v4);
		if (!what->workload)
			return;
		stored = port == ctx->local_port || tulle_stand_behind(ctx, &local, port);
		if (stored)
			stored = tulle_learn(&local, port, what->workload);
		else
			bpf_sk_storage_delete(&tulle_bound, sk);
	}
	if (listening)
		tulle_count(stored ? TULLE_REASON_LISTEN_LEARNED : TULLE_REASON_LISTEN_FULL);
}

#endif
