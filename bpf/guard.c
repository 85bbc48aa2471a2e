/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * sk_lookup: who may reach a workload's address, and which socket gets what is sent to the mesh's
 * own ports. Runs once a connection (at the SYN) and for
 * datagrams that no connected socket takes. A refused caller gets ECONNREFUSED at once.
 *
 * TCP: who calls is said by the connection's record (see caller.h), under the lease that the caller
 * has now. A workload's address without a record is nobody, and so is a workload's connection under
 * a lease that has ended. The addresses of the host, the proxy and the agent are believed because
 * nobody else can have them: bind and connect programs hand out the addresses of this node's
 * prefix, and the kernel drops packets from outside that carry a local source. An address of the
 * workload range that is not leased here is "outside": traffic between hosts comes through the node
 * proxies.
 *
 * What authorization policies settle for a caller in the mesh and a port of the called workload is
 * enforced here; who comes through the node proxy was asked there. A caller of whom nothing is
 * known is refused: connect.c takes it to the proxy instead, but for those who connect in the very
 * moment in which something changes.
 *
 * UDP: callers are known by their addresses. Those of the mesh may send to any port, as answers go
 * to ports that nobody announced, and datagrams are not subject to authorization policies. Of
 * others only what a workload has asked may answer (asked.h).
 *
 * Failure policy: without configuration open; for addresses of workloads closed.
 *
 * Kernel: 5.9; tried on 6.1 and 6.18.
 */
#include "lib/access.h"
#include "lib/asked.h"
#include "lib/caller.h"
#include "lib/event.h"

#define TULLE_PROTO_TCP 6
#define TULLE_PROTO_UDP 17

static __always_inline bool tulle_permitted(__u32 dst, __u16 port, __u8 source)
{
	struct tulle_permit_key key = {.port = port, .source = source};

	tulle_addr_set_v4(&key.dst, dst);
	if (bpf_map_lookup_elem(&tulle_permit, &key))
		return true;
	key.port = 0;
	return bpf_map_lookup_elem(&tulle_permit, &key);
}

static __always_inline int tulle_guard_drop(struct bpf_sk_lookup *ctx, __u16 reason, __u32 workload,
					    const struct tulle_addr *src,
					    const struct tulle_addr *dst)
{
	struct tulle_event *event;

	tulle_count(reason);
	event = tulle_event_begin(TULLE_EVENT_GUARD, reason);
	if (event) {
		event->workload = workload;
		event->src = *src;
		event->dst = *dst;
		event->sport = bpf_ntohs(ctx->remote_port);
		event->dport = ctx->local_port;
		event->proto = ctx->protocol;
		bpf_ringbuf_submit(event, 0);
	}
	return SK_DROP;
}

/* Datagrams of the mesh resolver come from the host's loopback address. */
static __always_inline bool tulle_is_dns(const struct tulle_config *config,
					 const struct tulle_addr *addr, __u16 port)
{
	return (port == config->dns4_port && tulle_addr_equal(addr, &config->dns4)) ||
	       (port == config->dns6_port && tulle_addr_equal(addr, &config->dns6));
}

/* Volatile: as in sockops.c, no read may go through a computed context pointer. */
static __always_inline void tulle_lookup_addrs(const volatile struct bpf_sk_lookup *ctx,
					       struct tulle_addr *dst, struct tulle_addr *src)
{
	__u32 dst4 = ctx->local_ip4, src4 = ctx->remote_ip4;

	tulle_addr_set(dst, ctx->local_ip6[0], ctx->local_ip6[1], ctx->local_ip6[2],
		       ctx->local_ip6[3]);
	tulle_addr_set(src, ctx->remote_ip6[0], ctx->remote_ip6[1], ctx->remote_ip6[2],
		       ctx->remote_ip6[3]);
	if (ctx->family != TULLE_AF_INET6) {
		tulle_addr_set_v4(dst, dst4);
		tulle_addr_set_v4(src, src4);
	}
}

/*
 * A captured connection ends at the mesh's own listening socket or nowhere: whoever else listens on
 * that port (because it was there first, or shares it with SO_REUSEPORT) gets nothing.
 */
static __always_inline int tulle_to_mesh(struct bpf_sk_lookup *ctx, const struct tulle_addr *src,
					 const struct tulle_sockaddr *dst)
{
	struct tulle_port_key key = {.port = dst->port, .proto = TULLE_PROTO_TCP};
	const struct tulle_port *port = bpf_map_lookup_elem(&tulle_ports, &key);
	struct bpf_sock *sk;
	long err;

	if (!port || !(port->flags & TULLE_PORT_HELD))
		return SK_PASS;
	sk = bpf_map_lookup_elem(&tulle_accepting, dst);
	if (sk) {
		err = bpf_sk_assign(ctx, sk, BPF_SK_LOOKUP_F_NO_REUSEPORT);
		bpf_sk_release(sk);
		if (!err)
			return SK_PASS;
	}
	return tulle_guard_drop(ctx, TULLE_REASON_GUARD_NO_PROXY, 0, src, &dst->addr);
}

/*
 * While the mesh is stopped: a workload's listener for a connection to the host itself. The
 * accepted connection has the address that was dialled.
 */
static __always_inline bool tulle_lend(struct bpf_sk_lookup *ctx, const struct tulle_sockaddr *dst)
{
	struct tulle_lending_key key = {.port = dst->port};
	__u32 port = dst->port;
	struct bpf_sock *sk;
	long err;

	if (!bpf_map_lookup_elem(&tulle_lent, &port))
		return false;
	key.loopback = tulle_addr_is_loopback(&dst->addr);
	sk = bpf_map_lookup_elem(&tulle_lending, &key);
	if (!sk)
		return false;
	err = bpf_sk_assign(ctx, sk, 0);
	bpf_sk_release(sk);
	return !err;
}

/* The listening socket of the workload, where that is bound to a port behind (see bind.c). */
static __always_inline void tulle_to_front(struct bpf_sk_lookup *ctx, __u32 workload,
					   const struct tulle_sockaddr *dst)
{
	struct tulle_declared_key declared = {.workload = workload, .port = dst->port};
	struct tulle_front_key key = {.addr = dst->addr, .port = dst->port};
	struct bpf_sock *sk;
	long err;

	if (!bpf_map_lookup_elem(&tulle_behind, &declared))
		return;
	for (int i = 0; i < TULLE_FRONTS_MAX; i++) {
		key.index = i;
		sk = bpf_map_lookup_elem(&tulle_fronts, &key);
		if (!sk)
			continue;
		err = bpf_sk_assign(ctx, sk, 0);
		bpf_sk_release(sk);
		if (!err)
			return;
	}
}

/* The record of the connection that a SYN begins; the guard stands in the host's namespace. */
static __always_inline const struct tulle_conn *tulle_lookup_conn(const struct tulle_config *config,
								  const struct tulle_addr *src,
								  __u32 sport,
								  const struct tulle_sockaddr *dst)
{
	struct tulle_socket_key key = {
		.netns = config->netns,
		.local = *src,
		.remote = dst->addr,
		.lport = sport,
		.rport = dst->port,
	};

	return bpf_map_lookup_elem(&tulle_conns, &key);
}

static __always_inline bool tulle_listens(const struct tulle_sockaddr *dst)
{
	const struct tulle_listener *listener = bpf_map_lookup_elem(&tulle_listen, dst);

	return listener && listener->sockets;
}

SEC("sk_lookup")
int tulle_sk_lookup(struct bpf_sk_lookup *ctx)
{
	const struct tulle_config *config = tulle_config_if(TULLE_F_GUARD);
	struct tulle_sockaddr dst = {};
	const struct tulle_conn *conn;
	struct tulle_addr src = {};
	__u32 workload, caller = 0, dst4, src4, protocol = ctx->protocol;
	enum tulle_net net;
	__u16 reason;
	__u8 source;
	bool known;

	if (!config || (protocol != TULLE_PROTO_TCP && protocol != TULLE_PROTO_UDP))
		return SK_PASS;
	tulle_lookup_addrs(ctx, &dst.addr, &src);
	dst.port = ctx->local_port;
	if (config->flags & TULLE_F_LEND && protocol == TULLE_PROTO_TCP &&
	    tulle_net_of(config, &dst.addr, &dst4) == TULLE_NET_OTHER && tulle_lend(ctx, &dst)) {
		tulle_count(TULLE_REASON_GUARD_LENT);
		return SK_PASS;
	}
	if (protocol == TULLE_PROTO_TCP && tulle_addr_is_loopback(&dst.addr))
		return tulle_to_mesh(ctx, &src, &dst);
	if (tulle_net_of(config, &dst.addr, &dst4) != TULLE_NET_RANGE ||
	    !tulle_on_this_node(config, dst4))
		return SK_PASS;
	/* The host's, the proxy's and the agent's own addresses are the host's business. */
	if (dst4 == config->host_addr.w[3] || dst4 == config->proxy_addr.w[3] ||
	    dst4 == config->agent_addr.w[3])
		return SK_PASS;

	workload = tulle_workload_at(config, dst4);
	if (!workload)
		return tulle_guard_drop(ctx, TULLE_REASON_GUARD_NO_WORKLOAD, 0, &src, &dst.addr);

	net = tulle_net_of(config, &src, &src4);
	known = net == TULLE_NET_RANGE && tulle_on_this_node(config, src4) &&
		src4 != config->host_addr.w[3];
	if (known && (src4 == config->proxy_addr.w[3] || src4 == config->agent_addr.w[3])) {
		reason = TULLE_REASON_GUARD_PROXY;
		goto admitted;
	}
	if (known)
		caller = tulle_workload_at(config, src4);
	if (protocol == TULLE_PROTO_TCP) {
		conn = tulle_lookup_conn(config, &src, bpf_ntohs(ctx->remote_port), &dst);
		if (conn) {
			if (!tulle_conn_current(conn))
				return tulle_guard_drop(ctx, TULLE_REASON_GUARD_FORMER, workload,
							&src, &dst.addr);
			if (caller && caller != conn->client)
				return tulle_guard_drop(ctx, TULLE_REASON_GUARD_UNNAMED, workload,
							&src, &dst.addr);
			caller = conn->client;
		} else if (caller && config->netns && config->flags & TULLE_F_CAPTURE) {
			/* Late packets of closed connections come here too, mostly to a caller's
			 * port.
			 */
			if (!tulle_listens(&dst)) {
				tulle_count(TULLE_REASON_GUARD_NO_LISTENER);
				return SK_DROP;
			}
			return tulle_guard_drop(ctx, TULLE_REASON_GUARD_UNNAMED, workload, &src,
						&dst.addr);
		}
	}
	if (caller) {
		reason = TULLE_REASON_GUARD_WORKLOAD;
		goto admitted;
	}
	if (protocol == TULLE_PROTO_UDP && tulle_is_dns(config, &src, bpf_ntohs(ctx->remote_port)))
		return SK_PASS;
	source = tulle_addr_is_loopback(&src) ||
				 (net == TULLE_NET_RANGE && src4 == config->host_addr.w[3])
			 ? TULLE_SOURCE_HOST
			 : TULLE_SOURCE_OUTSIDE;
	reason = TULLE_REASON_GUARD_PERMIT;
	if (tulle_permitted(dst4, dst.port, source)) {
		if (protocol == TULLE_PROTO_UDP)
			tulle_remote_called(config, &src, bpf_ntohs(ctx->remote_port), &dst, dst4);
	} else if (protocol == TULLE_PROTO_UDP &&
		   tulle_is_answer(config, &src, bpf_ntohs(ctx->remote_port), &dst)) {
		reason = TULLE_REASON_ANSWER;
	} else {
		return tulle_guard_drop(ctx,
					source == TULLE_SOURCE_HOST ? TULLE_REASON_GUARD_HOST
								    : TULLE_REASON_GUARD_OUTSIDE,
					workload, &src, &dst.addr);
	}

admitted:
	if (protocol == TULLE_PROTO_TCP) {
		/*
		 * Without a listener of the workload the lookup could end at a wildcard listener
		 * of the host. Counted only: late packets of closed connections come here too.
		 */
		if (!tulle_listens(&dst)) {
			tulle_count(TULLE_REASON_GUARD_NO_LISTENER);
			return SK_DROP;
		}
		if (caller) {
			__u16 refused = tulle_access_refused(workload, dst4, caller, dst.port);

			if (refused)
				return tulle_guard_drop(ctx, refused, workload, &src, &dst.addr);
		}
		tulle_to_front(ctx, workload, &dst);
	}
	tulle_count(reason);
	return SK_PASS;
}
