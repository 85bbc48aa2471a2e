/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * What sockets are told about their addresses. cgroup/getpeername4|6: the application keeps seeing
 * the address that it dialled. cgroup/getsockname4|6: a server sees the address and port that it
 * bound, not those that it got for them (see bind.c).
 * cgroup/getsockopt, on the proxy's cgroup: SO_ORIGINAL_DST, the question that every transparent
 * proxy knows, answered without connection tracking; TULLE_OPT_ACCEPTED, who calls (see caller.h);
 * and what kernel HTTP tells the proxy (see http_options.c).
 *
 * Failure policy: open; the kernel's own answer stays.
 *
 * Kernel: getpeername and getsockname 5.8, getsockopt 5.3; tried on 6.1 and 6.18. In getsockopt
 * older kernels have neither socket cookie nor storage, hence a map by the connection's four
 * numbers.
 */
#include "lib/caller.h"
#include "lib/http_info.h"
#include "lib/sock_addr.h"

#define TULLE_SOL_IP            0
#define TULLE_SOL_IPV6          41
#define TULLE_SO_ORIGINAL_DST   80 /* IP6T_SO_ORIGINAL_DST is 80 as well */
#define TULLE_SOCKADDR_IN_SIZE  16
#define TULLE_SOCKADDR_IN6_SIZE 28

static __always_inline int tulle_getpeername(struct bpf_sock_addr *ctx, bool inet6)
{
	const struct tulle_dialled *dialled;
	struct bpf_sock *sk = ctx->sk;
	struct tulle_addr peer;
	__u16 port;

	if (!sk)
		return TULLE_PROCEED;
	dialled = bpf_sk_storage_get(&tulle_dialled, sk, NULL, 0);
	if (!dialled)
		return TULLE_PROCEED;
	tulle_user_addr(ctx, inet6, &peer, &port);
	if (port != dialled->target_port || !tulle_addr_equal(&peer, &dialled->target) ||
	    (port == dialled->port && tulle_addr_equal(&peer, &dialled->addr)))
		return TULLE_PROCEED;
	tulle_set_user_addr(ctx, inet6, &dialled->addr, dialled->port);
	tulle_count(TULLE_REASON_PEERNAME);
	return TULLE_PROCEED;
}

SEC("cgroup/getpeername4")
int tulle_getpeer4(struct bpf_sock_addr *ctx)
{
	return tulle_getpeername(ctx, false);
}

SEC("cgroup/getpeername6")
int tulle_getpeer6(struct bpf_sock_addr *ctx)
{
	return tulle_getpeername(ctx, true);
}

static __always_inline int tulle_getsockname(struct bpf_sock_addr *ctx, bool inet6)
{
	const struct tulle_bound *bound;
	struct bpf_sock *sk = ctx->sk;
	struct tulle_addr local;
	__u16 port;

	if (!sk)
		return TULLE_PROCEED;
	bound = bpf_sk_storage_get(&tulle_bound, sk, NULL, 0);
	if (!bound)
		return TULLE_PROCEED;
	tulle_user_addr(ctx, inet6, &local, &port);
	if (tulle_addr_equal(&local, &bound->own))
		tulle_set_user_addr(ctx, inet6, &bound->asked, bound->port);
	return TULLE_PROCEED;
}

SEC("cgroup/getsockname4")
int tulle_getsock4(struct bpf_sock_addr *ctx)
{
	return tulle_getsockname(ctx, false);
}

SEC("cgroup/getsockname6")
int tulle_getsock6(struct bpf_sock_addr *ctx)
{
	return tulle_getsockname(ctx, true);
}

static __always_inline __u32 tulle_who(const struct tulle_config *config,
				       const struct tulle_conn *conn, const struct tulle_addr *src)
{
	__u32 v4;

	if (conn)
		return tulle_conn_current(conn) ? TULLE_WHO_NAMED : TULLE_WHO_UNNAMED;
	if (tulle_net_of(config, src, &v4) != TULLE_NET_RANGE || !tulle_on_this_node(config, v4) ||
	    v4 == config->host_addr.w[3] || v4 == config->proxy_addr.w[3] ||
	    v4 == config->agent_addr.w[3])
		return TULLE_WHO_NOBODY;
	return TULLE_WHO_UNNAMED;
}

/* TULLE_OPT_ACCEPTED */
static __always_inline void tulle_tell_accepted(struct bpf_sockopt *ctx,
						const struct tulle_config *config,
						const struct tulle_conn *conn,
						const struct tulle_socket_key *key)
{
	struct tulle_accepted *told = ctx->optval;

	if ((void *)(told + 1) > ctx->optval_end)
		return;
	__builtin_memset(told, 0, sizeof(*told));
	told->who = tulle_who(config, conn, &key->local);
	if (conn && told->who == TULLE_WHO_NAMED)
		told->lease = conn->lease;
	if (conn && conn->kind == TULLE_CONN_PROXIED) {
		told->dialled = conn->dialled.addr;
		told->port = conn->dialled.port;
		tulle_count(TULLE_REASON_ORIGINAL_DST);
	}
	ctx->optlen = sizeof(*told);
	/* Two stores: the verifier refuses the one that a compiler makes of them. */
	asm volatile("" ::: "memory");
	ctx->retval = 0;
}

SEC("cgroup/getsockopt")
int tulle_getsockopt(struct bpf_sockopt *ctx)
{
	const struct tulle_sockaddr *original;
	const struct tulle_config *config;
	struct tulle_socket_key key = {};
	const struct tulle_conn *conn;
	struct bpf_sock *sk = ctx->sk;
	__u8 *value, *end;

	if (ctx->level == TULLE_SOL && ctx->optname != TULLE_OPT_ACCEPTED) {
		tulle_info(ctx);
		return TULLE_PROCEED;
	}
	if (!sk || (ctx->level != TULLE_SOL && ctx->optname != TULLE_SO_ORIGINAL_DST))
		return TULLE_PROCEED;
	if (ctx->level != TULLE_SOL && ctx->level != TULLE_SOL_IP && ctx->level != TULLE_SOL_IPV6)
		return TULLE_PROCEED;
	config = tulle_config_if(TULLE_F_CAPTURE);
	if (!config)
		return TULLE_PROCEED;
	tulle_caller_key(config, sk, &key);
	conn = bpf_map_lookup_elem(&tulle_conns, &key);
	if (ctx->level == TULLE_SOL) {
		tulle_tell_accepted(ctx, config, conn, &key);
		return TULLE_PROCEED;
	}
	if (!conn || conn->kind != TULLE_CONN_PROXIED)
		return TULLE_PROCEED;
	original = &conn->dialled;
	value = ctx->optval;
	end = ctx->optval_end;
	if (ctx->level == TULLE_SOL_IP) {
		if (!tulle_addr_is_v4(&original->addr) || value + TULLE_SOCKADDR_IN_SIZE > end)
			return TULLE_PROCEED;
		__builtin_memset(value, 0, TULLE_SOCKADDR_IN_SIZE);
		*(__u16 *)value = TULLE_AF_INET;
		*(__u16 *)(value + 2) = bpf_htons(original->port);
		*(__u32 *)(value + 4) = original->addr.w[3];
		ctx->optlen = TULLE_SOCKADDR_IN_SIZE;
	} else {
		if (value + TULLE_SOCKADDR_IN6_SIZE > end)
			return TULLE_PROCEED;
		__builtin_memset(value, 0, TULLE_SOCKADDR_IN6_SIZE);
		*(__u16 *)value = TULLE_AF_INET6;
		*(__u16 *)(value + 2) = bpf_htons(original->port);
		*(__u32 *)(value + 8) = original->addr.w[0];
		*(__u32 *)(value + 12) = original->addr.w[1];
		*(__u32 *)(value + 16) = original->addr.w[2];
		*(__u32 *)(value + 20) = original->addr.w[3];
		ctx->optlen = TULLE_SOCKADDR_IN6_SIZE;
	}
	ctx->retval = 0;
	tulle_count(TULLE_REASON_ORIGINAL_DST);
	return TULLE_PROCEED;
}
