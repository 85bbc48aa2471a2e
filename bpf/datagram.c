/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * cgroup/sendmsg4|6, recvmsg4|6: unconnected UDP (DNS and UDP services) and the source address
 * that connected UDP sockets show. A v4-mapped destination of an AF_INET6 socket is sent through
 * sendmsg4 and received through recvmsg6.
 *
 * Failure policy: as connect. recvmsg never fails, it shows the true address at worst.
 *
 * Kernel: 5.8; tried on 6.18.
 */
#include "lib/decide.h"
#include "lib/event.h"

/* Makes answers come back to the workload's address, unless the application chose a source. */
static __always_inline void tulle_set_source(struct bpf_sock_addr *ctx, bool inet6,
					     const struct tulle_workload *caller)
{
	const struct bpf_sock *sk = ctx->sk;

	if (!sk)
		return;
	if (!inet6) {
		if (!sk->src_ip4)
			ctx->msg_src_ip4 = caller->addr4.w[3];
		return;
	}
	if (tulle_addr_is_zero(&caller->addr6))
		return;
	if (sk->src_ip6[0] | sk->src_ip6[1] | sk->src_ip6[2] | sk->src_ip6[3])
		return;
	ctx->msg_src_ip6[0] = caller->addr6.w[0];
	ctx->msg_src_ip6[1] = caller->addr6.w[1];
	ctx->msg_src_ip6[2] = caller->addr6.w[2];
	ctx->msg_src_ip6[3] = caller->addr6.w[3];
}

/* Keeps the address that the application expects the answer from, and the chosen slot. */
static __always_inline bool tulle_expect(struct bpf_sock_addr *ctx,
					 const struct tulle_workload *caller,
					 const struct tulle_decision *d,
					 const struct tulle_addr *dst, __u16 port)
{
	struct tulle_sockaddr expected = {.addr = *dst, .port = port};
	struct tulle_datagram_key key = {
		.socket = bpf_get_socket_cookie(ctx),
		.addr = d->addr,
		.port = d->port,
	};
	struct tulle_dialled *dialled;
	struct bpf_sock *sk = ctx->sk;

	if (!sk)
		return false;
	dialled = bpf_sk_storage_get(&tulle_dialled, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
	if (!dialled)
		return false;
	dialled->workload = caller->id;
	if (d->generation) {
		dialled->service = d->service;
		dialled->generation = d->generation;
		dialled->slot = d->slot;
	}
	return !bpf_map_update_elem(&tulle_datagrams, &key, &expected, BPF_ANY);
}

static __always_inline int tulle_sendmsg(struct bpf_sock_addr *ctx, bool inet6)
{
	const struct tulle_config *config = tulle_config_if(TULLE_F_CAPTURE);
	const struct tulle_workload *caller;
	struct bpf_sock *sk = ctx->sk;
	struct tulle_decision d;
	struct tulle_addr dst;
	__u64 cgroup;
	__u16 port;

	if (!config || ctx->protocol != TULLE_UDP || !sk)
		return TULLE_PROCEED;
	caller = tulle_caller(&cgroup);
	if (!caller || caller->role != TULLE_ROLE_WORKLOAD)
		return TULLE_PROCEED;
	tulle_user_addr(ctx, inet6, &dst, &port);

	tulle_decide(&d, config, caller, bpf_sk_storage_get(&tulle_dialled, sk, NULL, 0), &dst,
		     port, TULLE_UDP);
	if (d.action == TULLE_ACT_PASS)
		return TULLE_PROCEED;
	if (d.action != TULLE_ACT_MESH)
		goto refuse;

	/* Here the kernel cannot cross from IPv6 to v4-mapped, but a mesh address has a twin. */
	if (inet6 && tulle_addr_is_v4(&d.addr)) {
		__u32 v4;

		if (tulle_net_of(config, &d.addr, &v4) != TULLE_NET_RANGE || !config->range6.w[0]) {
			d.reason = TULLE_REASON_FAMILY_MISMATCH;
			goto refuse;
		}
		tulle_addr_twin(config, v4, &d.addr);
	} else if (!inet6 && !tulle_addr_is_v4(&d.addr)) {
		d.reason = TULLE_REASON_FAMILY_MISMATCH;
		goto refuse;
	}
	if (!tulle_addr_equal(&d.addr, &dst) || d.port != port) {
		if (!tulle_expect(ctx, caller, &d, &dst, port)) {
			d.reason = TULLE_REASON_STORAGE_FULL;
			goto refuse;
		}
		tulle_set_user_addr(ctx, inet6, &d.addr, d.port);
		tulle_count(d.reason == TULLE_REASON_CONNECT_DNS ? TULLE_REASON_DATAGRAM_DNS
								 : TULLE_REASON_DATAGRAM_KERNEL);
	}
	tulle_set_source(ctx, inet6, caller);
	return TULLE_PROCEED;
refuse:
	tulle_report(TULLE_EVENT_SENDMSG, d.reason, caller, cgroup, &dst, port, TULLE_UDP);
	return TULLE_REFUSE;
}

static __always_inline int tulle_recvmsg(struct bpf_sock_addr *ctx, bool inet6)
{
	const struct tulle_sockaddr *expected;
	struct tulle_datagram_key key = {};
	struct bpf_sock *sk = ctx->sk;
	__u16 port;

	/* Sockets that never sent to the mesh have no storage: all but free for the host. */
	if (!sk || !bpf_sk_storage_get(&tulle_dialled, sk, NULL, 0))
		return TULLE_PROCEED;
	tulle_user_addr(ctx, inet6, &key.addr, &port);
	key.socket = bpf_get_socket_cookie(ctx);
	key.port = port;
	expected = bpf_map_lookup_elem(&tulle_datagrams, &key);
	if (expected)
		tulle_set_user_addr(ctx, inet6, &expected->addr, expected->port);
	return TULLE_PROCEED; /* the kernel admits no other answer here */
}

SEC("cgroup/sendmsg4")
int tulle_sendmsg4(struct bpf_sock_addr *ctx)
{
	return tulle_sendmsg(ctx, false);
}

SEC("cgroup/sendmsg6")
int tulle_sendmsg6(struct bpf_sock_addr *ctx)
{
	return tulle_sendmsg(ctx, true);
}

SEC("cgroup/recvmsg4")
int tulle_recvmsg4(struct bpf_sock_addr *ctx)
{
	return tulle_recvmsg(ctx, false);
}

SEC("cgroup/recvmsg6")
int tulle_recvmsg6(struct bpf_sock_addr *ctx)
{
	return tulle_recvmsg(ctx, true);
}
