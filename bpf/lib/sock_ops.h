/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* The ends of the connection that a sockops program is told of. */
#ifndef TULLE_SOCK_OPS_H
#define TULLE_SOCK_OPS_H

#include "addr.h"

/*
 * Both forms are read (volatile) before the family decides: a compiler that merges the branches
 * would read through a computed context pointer, which the verifier refuses.
 */
static __always_inline void tulle_ops_local(const volatile struct bpf_sock_ops *ctx,
					    struct tulle_addr *addr)
{
	__u32 v4 = ctx->local_ip4;

	tulle_addr_set(addr, ctx->local_ip6[0], ctx->local_ip6[1], ctx->local_ip6[2],
		       ctx->local_ip6[3]);
	if (ctx->family != TULLE_AF_INET6)
		tulle_addr_set_v4(addr, v4);
}

static __always_inline void tulle_ops_remote(const volatile struct bpf_sock_ops *ctx,
					     struct tulle_addr *addr)
{
	__u32 v4 = ctx->remote_ip4;

	tulle_addr_set(addr, ctx->remote_ip6[0], ctx->remote_ip6[1], ctx->remote_ip6[2],
		       ctx->remote_ip6[3]);
	if (ctx->family != TULLE_AF_INET6)
		tulle_addr_set_v4(addr, v4);
}

static __always_inline void tulle_ops_key(struct bpf_sock_ops *ctx, struct tulle_socket_key *key)
{
	tulle_ops_local(ctx, &key->local);
	tulle_ops_remote(ctx, &key->remote);
	key->lport = ctx->local_port;
	key->rport = bpf_ntohl(ctx->remote_port);
	key->netns = bpf_get_netns_cookie(ctx);
}

#endif
