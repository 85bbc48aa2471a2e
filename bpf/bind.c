/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * cgroup/bind4, bind6: an address per workload without a network namespace, and the guard that
 * makes a workload's address an attested identity on its own host.
 *
 * Failure policy: without configuration open; addresses of the mesh closed (EPERM).
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

static __always_inline void tulle_bind_wildcard(struct bpf_sock_addr *ctx, bool inet6,
						const struct tulle_workload *caller, __u16 port)
{
	/* A dual-stack wildcard (what every Java program opens) serves IPv4, so it becomes IPv4. */
	if (inet6 && tulle_ipv6_only(ctx, tulle_proto_of(ctx))) {
		if (tulle_addr_is_zero(&caller->addr6)) {
			tulle_count(TULLE_REASON_NO_OWN_ADDR6);
			return;
		}
		tulle_set_user_addr(ctx, inet6, &caller->addr6, port);
	} else {
		tulle_set_user_addr(ctx, inet6, &caller->addr4, port);
	}
	tulle_count(TULLE_REASON_BIND_OWN);
}

static __always_inline int tulle_bind(struct bpf_sock_addr *ctx, bool inet6)
{
	const struct tulle_config *config = tulle_config_if(TULLE_F_BIND);
	const struct tulle_workload *caller;
	__u16 reason = TULLE_REASON_BIND_FOREIGN;
	struct tulle_addr addr;
	enum tulle_net net;
	__u64 cgroup;
	__u16 port;
	__u32 v4;

	if (!config)
		return TULLE_PROCEED;
	tulle_user_addr(ctx, inet6, &addr, &port);
	net = tulle_net_of(config, &addr, &v4);
	if (net == TULLE_NET_OTHER) {
		if (!tulle_addr_is_any(&addr))
			return TULLE_PROCEED;
		caller = tulle_caller(&cgroup);
		if (!caller || caller->role != TULLE_ROLE_WORKLOAD)
			return TULLE_PROCEED;
		if (port)
			tulle_bind_wildcard(ctx, inet6, caller, port);
		else
			tulle_bind_any_port(ctx, caller);
		return TULLE_PROCEED;
	}
	caller = tulle_caller(&cgroup);
	if (net == TULLE_NET_VIP)
		reason = TULLE_REASON_BIND_VIP;
	else if (tulle_is_own(config, caller, &addr, v4))
		return TULLE_PROCEED;
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
