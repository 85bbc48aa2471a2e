/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * cgroup/bind4, bind6: an address per workload without a network namespace, the guard that makes a
 * workload's address an attested identity on its own host, and the one that keeps the mesh's own
 * ports from everybody else, also while nobody of the mesh lives.
 *
 * Failure policy: without configuration open; addresses and ports of the mesh closed (EPERM).
 *
 * Kernel: 5.8; tried on 6.1 and 6.18.
 */
#include "lib/event.h"
#include "lib/sock_addr.h"

/*
 * Port 0 is a client, or a server that lets the kernel choose. Its address is left alone because a
 * client needs the host's address to reach the world; if the socket comes to listen, sockops finds
 * here whose port that is.
 */
static __always_inline void tulle_bind_any_port(struct bpf_sock_addr *ctx,
						const struct tulle_workload *caller)
{
	struct tulle_owner *owner;
	struct bpf_sock *sk = ctx->sk;

	if (ctx->type != TULLE_SOCK_STREAM || !sk)
		return;
	owner = bpf_sk_storage_get(&tulle_owners, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
	if (!owner) {
		tulle_count(TULLE_REASON_STORAGE_FULL);
		return;
	}
	owner->workload = caller->id;
	owner->addr4 = caller->addr4;
	owner->addr6 = caller->addr6;
}

/*
 * The port behind one that the workload declares, 0 for none: the kernel does not let one address
 * and the wildcard have the same port, so a workload's sockets stay away from it and leave it to
 * the host; the guard finds them all the same. The port behind follows from the declared one alone:
 * whoever of the workload binds the port a second time is refused as ever. An MPTCP listener cannot
 * be in a map of sockets, and datagrams would be answered from the port behind.
 */
static __always_inline __u16 tulle_port_behind(struct bpf_sock_addr *ctx,
					       const struct tulle_config *config,
					       const struct tulle_workload *caller, __u16 port)
{
	struct tulle_declared_key key = {.workload = caller->id, .port = port};
	const struct tcp_sock *tcp;
	const __u32 *behind;
	struct bpf_sock *sk;

	TULLE_PLAIN(ctx);
	sk = ctx->sk;
	if (!sk || !port || tulle_proto_of(ctx) != TULLE_TCP || !(config->flags & TULLE_F_GUARD) ||
	    !config->netns || config->netns != bpf_get_netns_cookie(ctx))
		return 0;
	behind = bpf_map_lookup_elem(&tulle_behind, &key);
	if (!behind)
		return 0;
	tcp = (const struct tcp_sock *)bpf_skc_to_tcp_sock(sk);
	if (!tcp || (bpf_core_field_exists(struct tcp_sock, is_mptcp) && tcp->is_mptcp))
		return 0;
	return *behind;
}

/*
 * Binds to an own address of the workload, behind where that can be. False where the socket could
 * not keep what it asked for.
 */
static __always_inline bool tulle_bind_own(struct bpf_sock_addr *ctx, bool inet6,
					   const struct tulle_config *config,
					   const struct tulle_workload *caller,
					   const struct tulle_addr *asked,
					   const struct tulle_addr *own, __u16 port)
{
	__u16 behind = tulle_port_behind(ctx, config, caller, port);
	struct tulle_bound *bound;
	struct bpf_sock *sk;

	if (!behind && tulle_addr_equal(asked, own)) {
		tulle_set_user_addr(ctx, inet6, own, port);
		return true;
	}
	TULLE_PLAIN(ctx);
	sk = ctx->sk;
	bound = sk ? bpf_sk_storage_get(&tulle_bound, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE) : NULL;
	if (!bound) {
		tulle_count(TULLE_REASON_STORAGE_FULL);
		return false;
	}
	bound->asked = *asked;
	bound->own = *own;
	bound->port = port;
	tulle_set_user_addr(ctx, inet6, own, behind ?: port);
	return true;
}

/* False where the address stays the wildcard. */
static __always_inline bool tulle_bind_wildcard(struct bpf_sock_addr *ctx, bool inet6,
						const struct tulle_config *config,
						const struct tulle_workload *caller, __u16 port)
{
	const struct tulle_addr *own = &caller->addr4;

	/* A dual-stack wildcard (what every Java program opens) serves IPv4, so it becomes IPv4. */
	if (inet6 && tulle_ipv6_only(ctx, tulle_proto_of(ctx))) {
		own = &caller->addr6;
		if (tulle_addr_is_zero(own)) {
			tulle_count(TULLE_REASON_NO_OWN_ADDR6);
			return false;
		}
	}
	if (!tulle_bind_own(ctx, inet6, config, caller, own, own, port))
		tulle_set_user_addr(ctx, inet6, own, port);
	tulle_count(TULLE_REASON_BIND_OWN);
	return true;
}

/*
 * Many servers listen on 127.0.0.1 unless they are told otherwise. On a port that their workload
 * declares they are meant to be reached, so they get its own address, where "localhost" of the same
 * workload reaches them too; and two workloads can have the same port. getsockname answers what was
 * asked for (names.c). False: left alone.
 */
static __always_inline bool tulle_bind_loopback(struct bpf_sock_addr *ctx, bool inet6,
						const struct tulle_config *config,
						const struct tulle_workload *caller,
						const struct tulle_addr *addr, __u16 port)
{
	struct tulle_declared_key key = {.workload = caller->id, .port = port};
	const struct tulle_addr *own = &caller->addr4;

	if (tulle_proto_of(ctx) != TULLE_TCP || !bpf_map_lookup_elem(&tulle_declared, &key))
		return false;
	if (inet6 && tulle_ipv6_only(ctx, TULLE_TCP)) {
		own = &caller->addr6;
		if (tulle_addr_is_zero(own))
			return false;
	}
	if (!tulle_bind_own(ctx, inet6, config, caller, addr, own, port))
		return false;
	tulle_count(TULLE_REASON_BIND_LOOPBACK);
	return true;
}

/*
 * Is that a port of the mesh itself? Whoever had it could receive what is meant for the node proxy
 * while no proxy lives. Containers of other network namespaces have ports of their own.
 */
static __always_inline bool tulle_is_mesh_port(struct bpf_sock_addr *ctx, __u8 role,
					       const struct tulle_addr *addr, __u16 port)
{
	struct tulle_port_key key = {.port = port, .proto = tulle_proto_of(ctx)};
	const struct tulle_port *found = bpf_map_lookup_elem(&tulle_ports, &key);

	if (!found || (found->netns && found->netns != bpf_get_netns_cookie(ctx)))
		return false;
	/* The control plane is in no group of the mesh, and binds before the agent is there. */
	if (found->flags & TULLE_PORT_ROOT && role == TULLE_ROLE_HOST &&
	    !(__u32)bpf_get_current_uid_gid())
		return false;
	return found->flags & TULLE_PORT_EVERYWHERE || tulle_addr_is_any(addr) ||
	       tulle_addr_is_loopback(addr);
}

/* An address that is nobody's in the mesh: 0, or why it is refused. */
static __always_inline __u16 tulle_bind_outside(struct bpf_sock_addr *ctx, bool inet6,
						const struct tulle_config *config,
						const struct tulle_workload *caller,
						const struct tulle_addr *addr, __u16 port)
{
	__u8 role = tulle_role_of(caller);

	if (role == TULLE_ROLE_WORKLOAD && tulle_addr_is_any(addr)) {
		if (!port) {
			tulle_bind_any_port(ctx, caller);
			return 0;
		}
		if (tulle_bind_wildcard(ctx, inet6, config, caller, port))
			return 0;
	}
	if (role == TULLE_ROLE_WORKLOAD && tulle_addr_is_loopback(addr) &&
	    tulle_bind_loopback(ctx, inet6, config, caller, addr, port))
		return 0;
	if (role == TULLE_ROLE_PROXY || role == TULLE_ROLE_AGENT ||
	    !tulle_is_mesh_port(ctx, role, addr, port))
		return 0;
	return TULLE_REASON_BIND_MESH_PORT;
}

static __always_inline int tulle_bind(struct bpf_sock_addr *ctx, bool inet6)
{
	const struct tulle_config *config = tulle_config_if(TULLE_F_BIND);
	const struct tulle_workload *caller;
	__u16 reason = TULLE_REASON_BIND_FOREIGN;
	struct tulle_addr addr;
	struct bpf_sock *sk;
	enum tulle_net net;
	bool workload;
	__u64 cgroup;
	__u16 port;
	__u32 v4;

	if (!config)
		return TULLE_PROCEED;
	tulle_user_addr(ctx, inet6, &addr, &port);
	net = tulle_net_of(config, &addr, &v4);
	/* Clients that bind no port are left alone before anything is looked up. */
	if (net == TULLE_NET_OTHER && !port && !tulle_addr_is_any(&addr))
		return TULLE_PROCEED;
	caller = tulle_caller(&cgroup);
	workload = tulle_role_of(caller) == TULLE_ROLE_WORKLOAD;
	/* The ranges are this host's: a container with its own network may have the same ones. */
	if (net != TULLE_NET_OTHER && !workload && config->netns &&
	    config->netns != bpf_get_netns_cookie(ctx))
		return TULLE_PROCEED;
	TULLE_PLAIN(ctx);
	sk = ctx->sk;
	/* Of an earlier bind that failed. */
	if (workload && sk)
		bpf_sk_storage_delete(&tulle_bound, sk);
	if (net == TULLE_NET_OTHER) {
		reason = tulle_bind_outside(ctx, inet6, config, caller, &addr, port);
		if (!reason)
			return TULLE_PROCEED;
	} else if (net == TULLE_NET_VIP) {
		reason = TULLE_REASON_BIND_VIP;
	} else if (tulle_is_own(config, caller, &addr, v4)) {
		if (workload)
			tulle_bind_own(ctx, inet6, config, caller, &addr, &addr, port);
		return TULLE_PROCEED;
	}
	tulle_report(TULLE_EVENT_BIND, reason, caller, cgroup, &addr, port, tulle_proto_of(ctx));
	return TULLE_REFUSE;
}

SEC("cgroup/bind4")
int tulle_bind4(struct bpf_sock_addr *ctx)
{
	return tulle_bind(ctx, false);
}

SEC("cgroup/bind6")
int tulle_bind6(struct bpf_sock_addr *ctx)
{
	return tulle_bind(ctx, true);
}
