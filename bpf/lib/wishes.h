/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * Has a program asked its socket for something that a sockmap does not do (docs/splicing.md)? What
 * is set by the time that it is decided counts: before connect, before listen, or on what has been
 * accepted until its first answer.
 */
#ifndef TULLE_WISHES_H
#define TULLE_WISHES_H

#include <bpf/bpf_core_read.h>

#include "kernel.h"
#include "types.h"

#define TULLE_SNDBUF_LOCK 1
#define TULLE_RCVBUF_LOCK 2

/* What waits for a reader past TCP (splice.c) is bounded by this, whatever buffers were asked for.
 */
#define TULLE_BUFFER_LEAST (1 << 20)

static __always_inline unsigned long tulle_wish_flags(void)
{
	return 1ul << bpf_core_enum_value(enum sock_flags___tulle, SOCK_ZEROCOPY___tulle) |
	       1ul << bpf_core_enum_value(enum sock_flags___tulle, SOCK_RCVTSTAMP___tulle) |
	       1ul << bpf_core_enum_value(enum sock_flags___tulle, SOCK_URGINLINE___tulle);
}

static __always_inline bool tulle_small_buffers(const struct sock *sock)
{
	__u32 locks = BPF_CORE_READ_BITFIELD_PROBED(sock, sk_userlocks);

	return (locks & TULLE_SNDBUF_LOCK && BPF_CORE_READ(sock, sk_sndbuf) < TULLE_BUFFER_LEAST) ||
	       (locks & TULLE_RCVBUF_LOCK && BPF_CORE_READ(sock, sk_rcvbuf) < TULLE_BUFFER_LEAST);
}

static __always_inline bool tulle_has_wishes(const struct sock *sock)
{
	const struct tcp_sock *tcp = (const struct tcp_sock *)sock;

	return BPF_CORE_READ(sock, __sk_common.skc_flags) & tulle_wish_flags() ||
	       BPF_CORE_READ_BITFIELD_PROBED(sock, sk_tsflags) ||
	       BPF_CORE_READ(sock, sk_rcvlowat) > 1 || BPF_CORE_READ(sock, sk_peek_off) >= 0 ||
	       BPF_CORE_READ(sock, sk_filter) || BPF_CORE_READ(sock, sk_max_pacing_rate) != ~0ul ||
	       BPF_CORE_READ(tcp, inet_conn.icsk_user_timeout) ||
	       BPF_CORE_READ(tcp, notsent_lowat) ||
	       BPF_CORE_READ_BITFIELD_PROBED(tcp, recvmsg_inq) || tulle_small_buffers(sock);
}

#endif
