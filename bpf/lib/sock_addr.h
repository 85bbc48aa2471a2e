/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * struct bpf_sock_addr in one form for both families. `inet6` is a constant at every call, so the
 * compiler leaves only the accesses that the hook's attach type permits.
 */
#ifndef TULLE_SOCK_ADDR_H
#define TULLE_SOCK_ADDR_H

#include <bpf/bpf_core_read.h>

#include "addr.h"
#include "kernel.h"
#include "maps.h"

/*
 * The compiler forgets what it knows of the pointer, so it reads ctx->field with the field's own
 * offset: an address inside the context that it computed once for several reads is refused.
 */
#define TULLE_PLAIN(pointer) asm volatile("" : "+r"(pointer))

#define TULLE_SOCK_STREAM 1
#define TULLE_TCP         6
#define TULLE_UDP         17
#define TULLE_MPTCP       262

/* 6, 17, or 0 for what is not ours (raw, ICMP, SCTP). */
static __always_inline __u8 tulle_proto_of(const struct bpf_sock_addr *ctx)
{
	__u32 protocol = ctx->protocol;

	if (protocol == TULLE_TCP || protocol == TULLE_MPTCP)
		return TULLE_TCP;
	return protocol == TULLE_UDP ? TULLE_UDP : 0;
}

static __always_inline void tulle_user_addr(const struct bpf_sock_addr *ctx, bool inet6,
					    struct tulle_addr *addr, __u16 *port)
{
	if (inet6)
		tulle_addr_set(addr, ctx->user_ip6[0], ctx->user_ip6[1], ctx->user_ip6[2],
			       ctx->user_ip6[3]);
	else
		tulle_addr_set_v4(addr, ctx->user_ip4);
	*port = bpf_ntohs((__u16)ctx->user_port);
}

static __always_inline void tulle_set_user_addr(struct bpf_sock_addr *ctx, bool inet6,
						const struct tulle_addr *addr, __u16 port)
{
	if (inet6) {
		ctx->user_ip6[0] = addr->w[0];
		ctx->user_ip6[1] = addr->w[1];
		ctx->user_ip6[2] = addr->w[2];
		ctx->user_ip6[3] = addr->w[3];
	} else {
		ctx->user_ip4 = addr->w[3];
	}
	ctx->user_port = bpf_htons(port);
}

/* The address that the socket has been bound to, of the wildcard's form for none. */
static __always_inline bool tulle_source_of(const struct bpf_sock_addr *ctx, bool inet6,
					    struct tulle_addr *source)
{
	const struct bpf_sock *sk;

	TULLE_PLAIN(ctx);
	sk = ctx->sk;
	if (!sk)
		return false;
	if (inet6)
		tulle_addr_set(source, sk->src_ip6[0], sk->src_ip6[1], sk->src_ip6[2],
			       sk->src_ip6[3]);
	else
		tulle_addr_set_v4(source, sk->src_ip4);
	return true;
}

/* Has the socket this source address already (any port)? */
static __always_inline bool tulle_source_is(const struct bpf_sock_addr *ctx, bool inet6,
					    const struct tulle_addr *addr)
{
	struct tulle_addr source;

	return tulle_source_of(ctx, inet6, &source) && tulle_addr_equal(&source, addr);
}

/* IPV6_V6ONLY: such a socket cannot use a v4-mapped address. */
static __always_inline bool tulle_ipv6_only(const struct bpf_sock_addr *ctx, __u8 proto)
{
	struct bpf_sock *sk = ctx->sk;
	const struct sock *kernel;

	if (!sk)
		return false;
	if (proto == TULLE_TCP)
		kernel = (const struct sock *)bpf_skc_to_tcp6_sock(sk);
	else
		kernel = (const struct sock *)bpf_skc_to_udp6_sock(sk);
	if (!kernel)
		return false;
	return BPF_CORE_READ_BITFIELD_PROBED(&kernel->__sk_common, skc_ipv6only);
}

#define TULLE_ECONNREFUSED 111

/*
 * The verdict for a call that is refused. Where nobody serves, programs are told what they would be
 * told of a port on which nobody listens, and try again or elsewhere; kernels before 5.18 know
 * EPERM alone.
 */
static __always_inline int tulle_refuse(__u16 reason)
{
	if ((reason == TULLE_REASON_NO_ENDPOINT || reason == TULLE_REASON_SERVICE_REFUSED) &&
	    bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_set_retval))
		bpf_set_retval(-TULLE_ECONNREFUSED);
	return TULLE_REFUSE;
}

#endif
