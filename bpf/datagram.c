/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * cgroup/sendmsg4|6, recvmsg4|6: unconnected UDP (DNS and UDP services) and the source address
 * that connected UDP sockets show. A v4-mapped destination of an AF_INET6 socket is sent through
 * sendmsg4 and received through recvmsg6.
 *
 * Failure policy: as connect. recvmsg never fails, it shows the true address at worst.
 *
 * Kernel: 5.8; tried on 6.1 and 6.18.
 */
#include "lib/asked.h"
#include "lib/decide.h"
#include "lib/event.h"

static __always_inline void tulle_msg_source(const struct bpf_sock_addr *ctx, bool inet6,
					     struct tulle_addr *source)
{
	if (inet6)
		tulle_addr_set(source, ctx->msg_src_ip6[0], ctx->msg_src_ip6[1],
			       ctx->msg_src_ip6[2], ctx->msg_src_ip6[3]);
	else
		tulle_addr_set_v4(source, ctx->msg_src_ip4);
}

/* Each store with the field's own offset, also where all are of the same value. */
static __always_inline void tulle_set_msg_source(struct bpf_sock_addr *ctx, bool inet6,
						 const struct tulle_addr *source)
{
	TULLE_PLAIN(ctx);
	if (inet6) {
		ctx->msg_src_ip6[0] = source->w[0];
		TULLE_PLAIN(ctx);
		ctx->msg_src_ip6[1] = source->w[1];
		TULLE_PLAIN(ctx);
		ctx->msg_src_ip6[2] = source->w[2];
		TULLE_PLAIN(ctx);
		ctx->msg_src_ip6[3] = source->w[3];
	} else {
		ctx->msg_src_ip4 = source->w[3];
	}
}

/* Has the application chosen a source, by bind or with the message (IP_PKTINFO)? */
static __always_inline bool tulle_source_chosen(const struct bpf_sock_addr *ctx, bool inet6)
{
	struct tulle_addr any = {}, source;

	TULLE_PLAIN(ctx);
	tulle_msg_source(ctx, inet6, &source);
	if (!tulle_addr_is_any(&source))
		return true;
	if (!inet6)
		tulle_addr_set_v4(&any, 0);
	return ctx->sk && !tulle_source_is(ctx, inet6, &any);
}

/*
 * A source address given with the message passes by the bind hook, so it is judged here, for every
 * caller; and so is the one that the socket has been bound to, perhaps by somebody else.
 */
static __always_inline bool tulle_source_foreign(const struct bpf_sock_addr *ctx, bool inet6,
						 const struct tulle_config *config,
						 const struct tulle_workload *caller)
{
	struct tulle_addr source;

	tulle_msg_source(ctx, inet6, &source);
	return tulle_is_foreign(config, caller, &source) ||
	       (tulle_source_of(ctx, inet6, &source) && tulle_is_foreign(config, caller, &source));
}

/* As tulle_connect_infra. */
static __always_inline void tulle_sendmsg_infra(struct bpf_sock_addr *ctx, bool inet6,
						const struct tulle_config *config, __u8 role,
						const struct tulle_addr *dst)
{
	const struct tulle_addr *own = tulle_infra_addr(config, role);
	struct tulle_addr source = *own;
	__u32 v4;

	if (tulle_net_of(config, dst, &v4) != TULLE_NET_RANGE || tulle_source_chosen(ctx, inet6))
		return;
	if (inet6)
		tulle_addr_twin(config, own->w[3], &source);
	else if (role == TULLE_ROLE_HOST)
		return;
	tulle_set_msg_source(ctx, inet6, &source);
}

/*
 * Keeps the decision for the next datagram to the same destination and, if it was rewritten, the
 * address that the application expects the answer from.
 */
static __always_inline bool tulle_keep(struct bpf_sock_addr *ctx, struct tulle_sent *sent,
				       __u64 cgroup, const struct tulle_decision *d,
				       const struct tulle_addr *dst, __u16 port,
				       const struct tulle_sockaddr *endpoint)
{
	struct tulle_sockaddr expected = {.addr = *dst, .port = port};
	struct tulle_datagram_key key = {
		.socket = bpf_get_socket_cookie(ctx),
		.addr = d->addr,
		.port = d->port,
	};

	sent->rewritten = !tulle_addr_equal(&d->addr, dst) || d->port != port;
	if (sent->rewritten) {
		if (bpf_map_update_elem(&tulle_datagrams, &key, &expected, BPF_ANY))
			return false;
		sent->ever = 1;
	}
	if (d->service) {
		sent->service = d->service;
		sent->endpoint = *endpoint;
		sent->endpoint_workload = d->workload;
	}
	sent->cgroup = cgroup;
	sent->dst = *dst;
	sent->port = port;
	sent->target = d->addr;
	sent->target_port = d->port;
	sent->reason = d->reason == TULLE_REASON_CONNECT_DNS ? TULLE_REASON_DATAGRAM_DNS
							     : TULLE_REASON_DATAGRAM_KERNEL;
	return true;
}

static __always_inline void tulle_carry_out(struct bpf_sock_addr *ctx, bool inet6,
					    const struct tulle_sent *sent)
{
	if (sent->rewritten) {
		tulle_set_user_addr(ctx, inet6, &sent->target, sent->target_port);
		tulle_count(sent->reason);
	}
	if (!tulle_addr_is_zero(&sent->source))
		tulle_set_msg_source(ctx, inet6, &sent->source);
}

/*
 * To the outside from a fixed port: as without the mesh the kernel chooses the source, unless the
 * program has.
 */
static __always_inline void tulle_sendmsg_outside(struct bpf_sock_addr *ctx, bool inet6,
						  const struct tulle_config *config,
						  const struct tulle_workload *caller,
						  const struct tulle_addr *dst, __u16 port)
{
	const struct tulle_addr any = {};
	struct tulle_addr source;

	tulle_msg_source(ctx, inet6, &source);
	if (tulle_addr_equal(&source, inet6 ? &caller->addr6 : &caller->addr4) &&
	    tulle_ask(ctx, inet6, config, caller, dst, port, TULLE_ASKING))
		tulle_set_msg_source(ctx, inet6, &any);
}

static __always_inline __u16 tulle_sendmsg_workload(struct bpf_sock_addr *ctx, bool inet6,
						    const struct tulle_config *config,
						    const struct tulle_workload *caller,
						    __u64 cgroup, __u64 epoch,
						    const struct tulle_addr *dst, __u16 port)
{
	struct tulle_sockaddr endpoint = {};
	struct tulle_sent *sent;
	struct tulle_decision d;
	struct bpf_sock *sk;

	TULLE_PLAIN(ctx);
	sk = ctx->sk;
	if (!sk)
		return TULLE_REASON_NONE;
	sent = bpf_sk_storage_get(&tulle_sent, sk, NULL, 0);
	tulle_decide(&d, config, caller, sent, dst, port, TULLE_UDP);
	if (d.action == TULLE_ACT_PASS) {
		tulle_sendmsg_outside(ctx, inet6, config, caller, dst, port);
		return TULLE_REASON_NONE;
	}
	if (d.action != TULLE_ACT_MESH)
		return d.reason;

	/* Here the kernel cannot cross from IPv6 to v4-mapped, but a mesh address has a twin. */
	endpoint.addr = d.addr;
	endpoint.port = d.port;
	if (inet6 && tulle_addr_is_v4(&d.addr)) {
		__u32 v4;

		if (tulle_net_of(config, &d.addr, &v4) != TULLE_NET_RANGE || !config->range6.w[0])
			return TULLE_REASON_FAMILY_MISMATCH;
		tulle_addr_twin(config, v4, &d.addr);
	} else if (!inet6 && !tulle_addr_is_v4(&d.addr)) {
		return TULLE_REASON_FAMILY_MISMATCH;
	}
	if (!sent) {
		sent = bpf_sk_storage_get(&tulle_sent, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
		if (!sent)
			return TULLE_REASON_STORAGE_FULL;
	}
	sent->epoch = 0;
	tulle_msg_source(ctx, inet6, &sent->given);
	tulle_addr_set(&sent->source, 0, 0, 0, 0);
	if (!tulle_keep(ctx, sent, cgroup, &d, dst, port, &endpoint))
		return TULLE_REASON_STORAGE_FULL;
	/* So that answers come back to the workload, and the target knows who asks. */
	if (!tulle_source_chosen(ctx, inet6)) {
		const struct tulle_addr *own = inet6 ? &caller->addr6 : &caller->addr4;

		if (!tulle_addr_is_zero(own))
			sent->source = *own;
		else if (d.reason != TULLE_REASON_CONNECT_DNS)
			return TULLE_REASON_SOURCE_FOREIGN;
	}
	sent->epoch = epoch;
	tulle_carry_out(ctx, inet6, sent);
	return TULLE_REASON_NONE;
}

/*
 * The same process group sends to the same destination with the same source as last time, and
 * nothing that decides has changed since: servers answering one client and clients of one server
 * spend most of their datagrams here.
 */
static __always_inline bool tulle_sendmsg_again(struct bpf_sock_addr *ctx, bool inet6, __u64 epoch,
						const struct tulle_addr *dst, __u16 port)
{
	const struct tulle_sent *sent;
	struct tulle_addr given;
	struct bpf_sock *sk;

	TULLE_PLAIN(ctx);
	sk = ctx->sk;
	if (!sk || !epoch)
		return false;
	sent = bpf_sk_storage_get(&tulle_sent, sk, NULL, 0);
	if (!sent || sent->epoch != epoch || sent->port != port ||
	    !tulle_addr_equal(&sent->dst, dst) || sent->cgroup != bpf_get_current_cgroup_id())
		return false;
	tulle_msg_source(ctx, inet6, &given);
	if (!tulle_addr_equal(&sent->given, &given))
		return false;
	tulle_carry_out(ctx, inet6, sent);
	return true;
}

static __always_inline int tulle_sendmsg(struct bpf_sock_addr *ctx, bool inet6)
{
	const struct tulle_config *config = tulle_config_if(TULLE_F_CAPTURE);
	const struct tulle_workload *caller;
	__u16 port, reason = TULLE_REASON_NONE;
	struct tulle_addr dst;
	__u64 cgroup, epoch;

	if (!config || ctx->protocol != TULLE_UDP)
		return TULLE_PROCEED;
	tulle_user_addr(ctx, inet6, &dst, &port);
	epoch = tulle_epoch_now();
	if (tulle_sendmsg_again(ctx, inet6, epoch, &dst, port))
		return TULLE_PROCEED;
	caller = tulle_caller(&cgroup);
	if (tulle_source_foreign(ctx, inet6, config, caller))
		reason = TULLE_REASON_SOURCE_FOREIGN;
	else if (caller && caller->role == TULLE_ROLE_WORKLOAD)
		reason = tulle_sendmsg_workload(ctx, inet6, config, caller, cgroup, epoch, &dst,
						port);
	else
		tulle_sendmsg_infra(ctx, inet6, config, tulle_role_of(caller), &dst);
	if (!reason)
		return TULLE_PROCEED;
	tulle_report(TULLE_EVENT_SENDMSG, reason, caller, cgroup, &dst, port, TULLE_UDP);
	return tulle_refuse(reason);
}

static __always_inline int tulle_recvmsg(struct bpf_sock_addr *ctx, bool inet6)
{
	const struct tulle_sockaddr *expected;
	struct tulle_datagram_key key = {};
	const struct tulle_sent *sent;
	struct bpf_sock *sk = ctx->sk;
	__u16 port;

	/* Sockets that never sent to the mesh have no storage: all but free for the host. */
	if (!sk)
		return TULLE_PROCEED;
	sent = bpf_sk_storage_get(&tulle_sent, sk, NULL, 0);
	if (!sent || !sent->ever)
		return TULLE_PROCEED;
	tulle_user_addr(ctx, inet6, &key.addr, &port);
	if (sent->target_port == port && tulle_addr_equal(&sent->target, &key.addr)) {
		tulle_set_user_addr(ctx, inet6, &sent->dst, sent->port);
		return TULLE_PROCEED;
	}
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
