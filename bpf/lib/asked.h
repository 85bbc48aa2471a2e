/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * UDP programs of workloads that serve and call from one fixed port (NTP, SIP, WireGuard, a
 * resolver): bound to all addresses, they have got the workload's own (bind.c), at which nothing
 * outside the mesh answers. So what they send to the outside leaves with the address that it would
 * have without the mesh, and answers to that come in by tc and are given to the socket:
 *
 *  - a socket that is not connected is left to the kernel's choice of a source, datagram by
 *    datagram (tulle_ask);
 *  - a connected one keeps its source in the kernel, so the packet gets another one on its way:
 *    on lo as it arrives, elsewhere as it leaves (tulle_ask_as).
 *
 * That opens the port to nobody else: an answer is one that comes from the very address and port
 * that were asked, to the port that asked, within TULLE_ASK_NS of the last datagram there, while
 * the same lease has the address. Whoever has the port on the host itself has what comes to it, and
 * of two workloads that ask one remote from one port the first has the answers.
 */
#ifndef TULLE_ASKED_H
#define TULLE_ASKED_H

#include "mesh.h"
#include "sock_addr.h"

/* Also a mapping's usual life in a NAT. */
#define TULLE_ASK_NS (180 * 1000000000ull)

static __always_inline bool tulle_asked_fresh(const struct tulle_asked *asked)
{
	const struct tulle_tenant *tenant = tulle_tenant_at(asked->place);

	/* Signed: another CPU may have seen one since this one asked for the time. */
	return (__s64)(bpf_ktime_get_ns() - asked->seen) <= (__s64)TULLE_ASK_NS && tenant &&
	       asked->lease && tenant->lease == asked->lease;
}

/* What is between a port of a workload and a remote; NULL: nothing, or no more. */
static __always_inline const struct tulle_asked *tulle_asked_of(const struct tulle_addr *remote,
								__u16 rport, __u16 lport)
{
	struct tulle_asked_key key = {.remote = *remote, .rport = rport, .lport = lport};
	const struct tulle_asked *asked = bpf_map_lookup_elem(&tulle_asked, &key);

	return asked && tulle_asked_fresh(asked) ? asked : NULL;
}

/* May the remote answer to this address? */
static __always_inline bool tulle_is_answer(const struct tulle_config *config,
					    const struct tulle_addr *remote, __u16 rport,
					    const struct tulle_sockaddr *own)
{
	const struct tulle_asked *asked;

	if (!(config->flags & TULLE_F_ANSWERS))
		return false;
	asked = tulle_asked_of(remote, rport, own->port);
	return asked && tulle_addr_equal(&asked->own, &own->addr);
}

/*
 * A remote that a permit lets call the workload is answered from the address that it has called.
 * What the workload has asked it goes before.
 */
static __always_inline void tulle_remote_called(const struct tulle_config *config,
						const struct tulle_addr *remote, __u16 rport,
						const struct tulle_sockaddr *own, __u32 v4)
{
	struct tulle_asked_key key = {.remote = *remote, .rport = rport, .lport = own->port};
	struct tulle_asked *before, first = {};
	const struct tulle_tenant *tenant;

	if (!(config->flags & TULLE_F_ANSWERS))
		return;
	first.place = tulle_host_part(config, v4);
	tenant = tulle_tenant_at(first.place);
	if (!tenant)
		return;
	before = bpf_map_lookup_elem(&tulle_callers, &key);
	if (before && tulle_asked_fresh(before)) {
		if (before->lease == tenant->lease)
			before->seen = bpf_ktime_get_ns();
		return;
	}
	first.seen = bpf_ktime_get_ns();
	first.lease = tenant->lease;
	first.own = own->addr;
	bpf_map_update_elem(&tulle_callers, &key, &first, BPF_ANY);
}

/*
 * A workload's socket sends to the outside, or connects to it. True if it does that from a fixed
 * port of its own address, and answers will come to that.
 */
static __always_inline bool tulle_ask(struct bpf_sock_addr *ctx, bool inet6,
				      const struct tulle_config *config,
				      const struct tulle_workload *caller,
				      const struct tulle_addr *dst, __u16 port, __u32 kind)
{
	const struct tulle_addr *own = tulle_addr_is_v4(dst) ? &caller->addr4 : &caller->addr6;
	struct tulle_asked_key key = {.remote = *dst, .rport = port};
	struct tulle_port_key mesh = {.proto = TULLE_UDP};
	struct tulle_asked *before, *called, now = {.kind = kind};
	struct bpf_sock *sk;
	bool fresh, mine;

	if (!(config->flags & TULLE_F_ANSWERS) || tulle_addr_is_zero(own) ||
	    !tulle_source_is(ctx, inet6, own) || config->netns != bpf_get_netns_cookie(ctx))
		return false;
	TULLE_PLAIN(ctx);
	sk = ctx->sk;
	if (!sk)
		return false;
	key.lport = sk->src_port;
	if (!key.lport)
		return false;
	/* At the host's addresses nobody speaks in the name of the mesh's own resolver. */
	mesh.port = key.lport;
	if (bpf_map_lookup_elem(&tulle_ports, &mesh))
		return false;
	/* The kernel takes the wildcard for localhost. */
	if (tulle_addr_is_any(dst)) {
		if (tulle_addr_is_v4(dst))
			tulle_addr_set_v4(&key.remote, bpf_htonl(0x7f000001));
		else
			tulle_addr_set(&key.remote, 0, 0, 0, bpf_htonl(1));
	}
	now.seen = bpf_ktime_get_ns();
	now.lease = caller->lease;
	now.own = *own;
	now.place = tulle_host_part(config, caller->addr4.w[3]);
	before = bpf_map_lookup_elem(&tulle_asked, &key);
	fresh = before && tulle_asked_fresh(before);
	mine = before && before->lease == caller->lease && tulle_addr_equal(&before->own, own);
	/* One socket of the port is connected, and stays so, whatever others of it send. */
	if (mine && before->kind == TULLE_ASKING_CONNECTED)
		now.kind = TULLE_ASKING_CONNECTED;
	if (mine && fresh) {
		before->seen = now.seen;
		before->kind = now.kind;
		return true;
	}
	called = bpf_map_lookup_elem(&tulle_callers, &key);
	if (called && called->lease == caller->lease && tulle_asked_fresh(called)) {
		called->seen = now.seen;
		return false;
	}
	if (!fresh && !bpf_map_update_elem(&tulle_asked, &key, &now, BPF_ANY))
		return true;
	tulle_count(TULLE_REASON_ASK_TAKEN);
	return false;
}

#endif
