/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * Who makes a connection, known by the connection and not by its address.
 *
 * The connect program runs in the system call of whoever connects, and keeps in the socket which
 * workload that is and under which lease. When the source port is chosen and the SYN not yet sent,
 * sockops writes that down under the connection's four numbers (tulle_conns). The guard, and the
 * node proxy by TULLE_OPT_ACCEPTED, judge by this record; a source address is only held against
 * it: a workload's address without a record is nobody.
 *
 * So it does not matter what the socket was bound to, when it was made or by whom, or whether it is
 * a service, a workload, a published port or the proxy itself that is dialled. Whoever connects a
 * socket is its caller, and stays it when the socket is passed on.
 *
 * A record lives until both ends have closed: the proxy may ask after the caller has gone. It is
 * never evicted. Each workload has a share of the map; with its share in use, its next connect is
 * refused.
 */
#ifndef TULLE_CALLER_H
#define TULLE_CALLER_H

#include "mesh.h"
#include "pairs.h"

/* The same connection from its other end. */
static __always_inline void tulle_key_swap(const struct tulle_socket_key *key,
					   struct tulle_socket_key *swapped)
{
	swapped->netns = key->netns;
	swapped->local = key->remote;
	swapped->remote = key->local;
	swapped->lport = key->rport;
	swapped->rport = key->lport;
}

/* Returns false if somebody else has removed it. */
static __always_inline bool tulle_conn_forget(const struct tulle_socket_key *key, __u32 place)
{
	struct tulle_tenant *tenant = tulle_tenant_at(place);

	if (bpf_map_delete_elem(&tulle_conns, key))
		return false;
	/* The agent begins anew with each lease, so it may be less than what is left of the last.
	 */
	if (tenant && tenant->open)
		__sync_fetch_and_add(&tenant->open, -1);
	return true;
}

/*
 * Writes the record of a connection. One with the same numbers may be there, of a caller that has
 * closed while the other end still reads: two callers must not be taken for each other, so it is
 * nobody's from then on (the other end answers such a SYN with a reset anyway).
 */
static __always_inline void tulle_conn_begin(const struct tulle_socket_key *own,
					     struct tulle_conn *conn)
{
	struct tulle_tenant *tenant = tulle_tenant_at(conn->place);
	struct tulle_conn *before, last;
	int err;

	/* What the connect program let through at once with others. */
	if (tenant && tenant->open >= 2 * TULLE_CALLER_CONNS)
		goto full;
	err = bpf_map_update_elem(&tulle_conns, own, conn, BPF_NOEXIST);
	if (!err) {
		if (tenant)
			__sync_fetch_and_add(&tenant->open, 1);
		return;
	}
	before = bpf_map_lookup_elem(&tulle_conns, own);
	if (!before)
		goto full;
	if (before->accepted && before->ended)
		conn->lease = 0;
	/* Of the same place or not: the one before has closed, and its end will not be told. */
	last = *before;
	if (tulle_conn_forget(own, last.place))
		tulle_pair_closed(&last);
	if (!bpf_map_update_elem(&tulle_conns, own, conn, BPF_ANY)) {
		if (tenant)
			__sync_fetch_and_add(&tenant->open, 1);
		return;
	}
full:
	tulle_count(TULLE_REASON_CONNS_FULL);
}

/* Has the caller in the record still the lease that it had then? */
static __always_inline bool tulle_conn_current(const struct tulle_conn *conn)
{
	const struct tulle_tenant *tenant = tulle_tenant_at(conn->place);

	return conn->lease && tenant && tenant->lease == conn->lease;
}

/*
 * The accepted connection as the connecting side wrote it down. All fields are read (volatile)
 * before the family decides: a compiler that merges the two branches would compute an address
 * inside the socket, which the verifier refuses.
 */
static __always_inline void tulle_caller_key(const struct tulle_config *config,
					     const volatile struct bpf_sock *sk,
					     struct tulle_socket_key *key)
{
	struct tulle_addr remote6, local6;
	__u32 remote4 = sk->dst_ip4, local4 = sk->src_ip4;

	tulle_addr_set(&remote6, sk->dst_ip6[0], sk->dst_ip6[1], sk->dst_ip6[2], sk->dst_ip6[3]);
	tulle_addr_set(&local6, sk->src_ip6[0], sk->src_ip6[1], sk->src_ip6[2], sk->src_ip6[3]);
	key->netns = config->netns;
	key->lport = bpf_ntohs((__u16)sk->dst_port);
	key->rport = sk->src_port;
	if (sk->family == TULLE_AF_INET6) {
		key->local = remote6;
		key->remote = local6;
	} else {
		tulle_addr_set_v4(&key->local, remote4);
		tulle_addr_set_v4(&key->remote, local4);
	}
}

#endif
