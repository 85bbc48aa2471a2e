/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * cgroup/connect4, connect6: capture. TCP of every kind and connected UDP, also from io_uring and
 * TCP Fast Open; an IPv4 destination of an AF_INET6 socket (Java) arrives here v4-mapped.
 *
 * Here, in the caller's own system call, it is settled who makes the connection (see caller.h).
 *
 * Failure policy: without configuration open (the host must work); for a workload closed: what
 * cannot be carried out is refused with EPERM, never sent elsewhere. A source that belongs to
 * somebody else in the mesh is refused for everybody: the bind programs hand none out, but a socket
 * may have been bound before them, or by somebody who passed it on.
 *
 * Kernel: 5.8 (cgroup ids and socket storage in these hooks); tried on 6.1 and 6.18.
 */
#include "lib/asked.h"
#include "lib/decide.h"
#include "lib/event.h"

struct tulle_sockaddr_in {
	__u16 family;
	__u16 port_be;
	__u32 addr;
	__u8 zero[8];
};

struct tulle_sockaddr_in6 {
	__u16 family;
	__u16 port_be;
	__u32 flow;
	struct tulle_addr addr;
	__u32 scope;
};

/*
 * Binds the source address, port left to the kernel. Fails if the application has bound the socket
 * already, or the address is not local (an IPv6 address must stand on an interface, AnyIP routes
 * do not suffice). A socket that keeps its source from an earlier connect counts as bound.
 */
static __always_inline bool tulle_bind_source(struct bpf_sock_addr *ctx, bool inet6,
					      const struct tulle_addr *source)
{
	int err;

	if (tulle_addr_is_zero(source))
		return false;
	if (inet6) {
		struct tulle_sockaddr_in6 sa = {.family = TULLE_AF_INET6, .addr = *source};

		err = bpf_bind(ctx, (struct sockaddr *)&sa, sizeof(sa));
	} else {
		struct tulle_sockaddr_in sa = {.family = TULLE_AF_INET, .addr = source->w[3]};

		err = bpf_bind(ctx, (struct sockaddr *)&sa, sizeof(sa));
	}
	if (err && !tulle_source_is(ctx, inet6, source)) {
		tulle_count(TULLE_REASON_SOURCE_NOT_BOUND);
		return false;
	}
	tulle_count(TULLE_REASON_SOURCE_BOUND);
	return true;
}

/*
 * Callers that are no workload: the node proxy and the agent call workloads from addresses of
 * their own, which the guard knows. The host is given its address by the preferred source of the
 * node's route; IPv6 has no such thing on local addresses and would lend the caller the target's
 * own address, as if the workload called itself.
 */
static __always_inline int tulle_connect_infra(struct bpf_sock_addr *ctx, bool inet6,
					       const struct tulle_config *config,
					       const struct tulle_workload *caller, __u64 cgroup,
					       const struct tulle_addr *dst, __u16 port, __u8 proto)
{
	__u8 role = tulle_role_of(caller);
	const struct tulle_addr *own = tulle_infra_addr(config, role);
	const struct tulle_addr any = {};
	struct tulle_addr twin;
	__u32 v4;

	if (tulle_net_of(config, dst, &v4) != TULLE_NET_RANGE)
		return TULLE_PROCEED;
	if (tulle_addr_is_v4(dst)) {
		if (role != TULLE_ROLE_HOST)
			tulle_bind_source(ctx, inet6, own);
		return TULLE_PROCEED;
	}
	if (role == TULLE_ROLE_HOST && !tulle_on_this_node(config, v4))
		return TULLE_PROCEED;
	tulle_addr_twin(config, own->w[3], &twin);
	if (tulle_bind_source(ctx, inet6, &twin) || !tulle_source_is(ctx, inet6, &any))
		return TULLE_PROCEED;
	tulle_report(TULLE_EVENT_CONNECT, TULLE_REASON_SOURCE_FOREIGN, caller, cgroup, dst, port,
		     proto);
	return TULLE_REFUSE;
}

static __always_inline bool tulle_proxy_target(struct tulle_decision *d,
					       const struct bpf_sock_addr *ctx, bool inet6,
					       const struct tulle_config *config)
{
	bool v4 = tulle_addr_is_v4(&d->addr);

	if (!v4 && (!config->outbound6_port ||
		    (tulle_addr_is_zero(&config->outbound6) && config->outbound4_port)))
		v4 = !tulle_ipv6_only(ctx, TULLE_TCP);
	d->addr = v4 ? config->outbound4 : config->outbound6;
	d->port = v4 ? config->outbound4_port : config->outbound6_port;
	return d->port;
}

static __always_inline bool tulle_bound_foreign(const struct bpf_sock_addr *ctx, bool inet6,
						const struct tulle_config *config,
						const struct tulle_workload *caller)
{
	struct tulle_addr source;

	return tulle_source_of(ctx, inet6, &source) && tulle_is_foreign(config, caller, &source);
}

/* Keeps who dialled what, for getpeername, recvmsg and the record of the connection. */
static __always_inline bool tulle_remember(struct bpf_sock_addr *ctx,
					   const struct tulle_config *config,
					   const struct tulle_workload *caller,
					   const struct tulle_decision *d,
					   const struct tulle_addr *dst, __u16 port, __u8 proto)
{
	struct tulle_dialled *dialled;
	struct bpf_sock *sk = ctx->sk;

	if (!sk)
		return false;
	dialled = bpf_sk_storage_get(&tulle_dialled, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
	if (!dialled)
		return false;
	dialled->addr = *dst;
	dialled->port = port;
	dialled->target = d->addr;
	dialled->target_port = d->port;
	dialled->workload = caller->id;
	dialled->place = tulle_host_part(config, caller->addr4.w[3]);
	dialled->lease = caller->lease;
	dialled->proxied = d->action == TULLE_ACT_PROXY;
	dialled->http = d->http;
	dialled->service = d->service;
	if (proto == TULLE_UDP) {
		struct tulle_datagram_key key = {
			.socket = bpf_get_socket_cookie(ctx),
			.addr = d->addr,
			.port = d->port,
		};
		struct tulle_sockaddr expected = {.addr = *dst, .port = port};

		struct tulle_sent *sent;

		sent = bpf_sk_storage_get(&tulle_sent, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
		if (!sent)
			return false;
		sent->epoch = 0;
		sent->ever = 1;
		sent->dst = *dst;
		sent->port = port;
		sent->target = d->addr;
		sent->target_port = d->port;
		bpf_map_update_elem(&tulle_datagrams, &key, &expected, BPF_ANY);
	}
	return true;
}

static __always_inline int tulle_connect_workload(struct bpf_sock_addr *ctx, bool inet6,
						  const struct tulle_config *config,
						  const struct tulle_workload *caller, __u64 cgroup,
						  const struct tulle_addr *dst, __u16 port,
						  __u8 proto)
{
	const struct tulle_addr *source;
	struct bpf_sock *sk = ctx->sk;
	struct tulle_addr original = *dst;
	struct tulle_decision d;
	bool rewritten;

	/*
	 * A socket may be connected again: nothing of the last time may show. But the kernel keeps
	 * the receive queue of a sockmap over a TCP disconnect, so the old connection's end would
	 * be read as the new one's.
	 */
	if (sk) {
		bpf_sk_storage_delete(&tulle_dialled, sk);
		if (proto == TULLE_UDP)
			bpf_sk_storage_delete(&tulle_sent, sk);
		if (proto == TULLE_TCP && bpf_sk_storage_get(&tulle_splices, sk, NULL, 0)) {
			d.reason = TULLE_REASON_RECONNECT;
			goto refuse;
		}
	}

	tulle_decide(&d, config, caller, NULL, dst, port, proto);
	if (d.action == TULLE_ACT_REFUSE)
		goto refuse;
	if (proto == TULLE_TCP &&
	    (d.action != TULLE_ACT_PASS || tulle_addr_is_loopback(dst) || tulle_addr_is_any(dst)) &&
	    tulle_tenant_full(config, tulle_host_part(config, caller->addr4.w[3]))) {
		d.reason = TULLE_REASON_CALLER_CONNS;
		goto refuse;
	}
	if (d.action == TULLE_ACT_PASS) {
		/* It may be to a port of this host behind which the node proxy is: published ones.
		 */
		if (proto == TULLE_TCP &&
		    !tulle_remember(ctx, config, caller, &d, dst, port, proto)) {
			d.reason = TULLE_REASON_STORAGE_FULL;
			goto refuse;
		}
		if (proto == TULLE_UDP)
			tulle_ask(ctx, inet6, config, caller, dst, port, TULLE_ASKING_CONNECTED);
		tulle_count(d.reason);
		return TULLE_PROCEED;
	}

	if (d.action == TULLE_ACT_MESH) {
		bool v4 = tulle_addr_is_v4(&d.addr);

		if (!inet6 && !v4) {
			d.reason = TULLE_REASON_FAMILY_MISMATCH;
			goto refuse;
		}
		source = v4 ? &caller->addr4 : &caller->addr6;
		if (!tulle_bind_source(ctx, inet6, source) &&
		    d.reason != TULLE_REASON_CONNECT_DNS) {
			/*
			 * Without its own source address a workload would be taken for the host,
			 * or with IPv6 for the target itself, by whom it calls. The proxy knows it
			 * all the same, by the connection's record; UDP has no such way.
			 */
			if (proto != TULLE_TCP) {
				d.reason = TULLE_REASON_SOURCE_FOREIGN;
				goto refuse;
			}
			if (d.reason == TULLE_REASON_CONNECT_LOCALHOST)
				original = d.addr;
			d.addr = original;
			tulle_decide_proxy(&d, TULLE_REASON_CONNECT_PROXY);
			if (!tulle_proxy_target(&d, ctx, inet6, config)) {
				d.reason = TULLE_REASON_SOURCE_FOREIGN;
				goto refuse;
			}
		}
	} else {
		if (!tulle_proxy_target(&d, ctx, inet6, config)) {
			d.reason = TULLE_REASON_NO_ENDPOINT;
			goto refuse;
		}
		source = tulle_addr_is_v4(&d.addr) ? &caller->addr4 : &caller->addr6;
		tulle_bind_source(ctx, inet6, source);
	}

	rewritten = !tulle_addr_equal(&d.addr, dst) || d.port != port;
	if ((rewritten || proto == TULLE_TCP) &&
	    !tulle_remember(ctx, config, caller, &d, &original, port, proto)) {
		d.reason = TULLE_REASON_STORAGE_FULL;
		goto refuse;
	}
	if (rewritten)
		tulle_set_user_addr(ctx, inet6, &d.addr, d.port);
	tulle_count(d.reason);
	return TULLE_PROCEED;
refuse:
	tulle_report(TULLE_EVENT_CONNECT, d.reason, caller, cgroup, dst, port, proto);
	return tulle_refuse(d.reason);
}

static __always_inline int tulle_connect(struct bpf_sock_addr *ctx, bool inet6)
{
	const struct tulle_config *config = tulle_config_if(TULLE_F_CAPTURE);
	const struct tulle_workload *caller;
	struct tulle_addr dst;
	__u64 cgroup;
	__u16 port;
	__u8 proto;

	if (!config)
		return TULLE_PROCEED;
	proto = tulle_proto_of(ctx);
	if (!proto)
		return TULLE_PROCEED;
	tulle_user_addr(ctx, inet6, &dst, &port);
	caller = tulle_caller(&cgroup);
	if (tulle_bound_foreign(ctx, inet6, config, caller)) {
		tulle_report(TULLE_EVENT_CONNECT, TULLE_REASON_SOURCE_FOREIGN, caller, cgroup, &dst,
			     port, proto);
		return TULLE_REFUSE;
	}
	if (caller && caller->role == TULLE_ROLE_WORKLOAD)
		return tulle_connect_workload(ctx, inet6, config, caller, cgroup, &dst, port,
					      proto);
	return tulle_connect_infra(ctx, inet6, config, caller, cgroup, &dst, port, proto);
}

SEC("cgroup/connect4")
int tulle_connect4(struct bpf_sock_addr *ctx)
{
	return tulle_connect(ctx, false);
}

SEC("cgroup/connect6")
int tulle_connect6(struct bpf_sock_addr *ctx)
{
	return tulle_connect(ctx, true);
}
