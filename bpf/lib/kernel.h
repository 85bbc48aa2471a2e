/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * The few kernel fields that are read outside the stable contexts. Offsets are taken from the
 * running kernel's BTF at load (CO-RE), so nothing here depends on the kernel of the build host.
 */
#ifndef TULLE_KERNEL_H
#define TULLE_KERNEL_H

#include <linux/types.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct atomic_t___tulle {
	int counter;
};

struct refcount_t___tulle {
	struct atomic_t___tulle refs;
};

struct atomic64_t___tulle {
	__s64 counter;
};

struct sock_common {
	volatile unsigned char skc_state;
	unsigned char skc_ipv6only : 1;
	unsigned long skc_flags;
	struct proto *skc_prot;
	struct atomic64_t___tulle skc_cookie;
};

struct kernfs_node {
	__u64 id;
};

struct cgroup_subsys_state {
	struct cgroup *cgroup;
	struct cgroup_subsys_state *parent;
};

struct cgroup {
	struct cgroup_subsys_state self;
	struct kernfs_node *kn;
};

struct sock_cgroup_data {
	struct cgroup *cgroup;
};

struct proto {
	unsigned long *memory_pressure;
};

struct in_ifaddr {
	__u32 ifa_local;
};

struct in_device {
	struct in_ifaddr *ifa_list;
};

struct in6_addr {
	union {
		__u32 u6_addr32[4];
	} in6_u;
};

struct inet6_ifaddr {
	struct in6_addr addr;
	struct list_head {
		struct list_head *next;
	} if_list;
};

struct inet6_dev {
	struct list_head addr_list;
};

struct net_device {
	unsigned int flags;
	struct in_device *ip_ptr;
	struct inet6_dev *ip6_ptr;
};

struct dst_entry {
	struct net_device *dev;
};

struct file {
	unsigned int f_flags;
};

struct socket {
	struct file *file;
};

struct sk_filter {
	struct refcount_t___tulle refcnt;
};

enum sock_flags___tulle {
	SOCK_URGINLINE___tulle,
	SOCK_RCVTSTAMP___tulle,
	SOCK_ZEROCOPY___tulle,
};

struct sock {
	struct sock_common __sk_common;
	struct socket *sk_socket;
	unsigned long sk_max_pacing_rate;
	struct sk_filter *sk_filter;
	__u32 sk_tsflags;
	int sk_rcvlowat;
	int sk_rcvbuf;
	int sk_sndbuf;
	__s32 sk_peek_off;
	__u8 sk_userlocks : 4;
	struct dst_entry *sk_dst_cache;
	void *sk_user_data;
	struct sock_cgroup_data sk_cgrp_data;
	__u8 sk_shutdown;
	struct {
		struct atomic_t___tulle rmem_alloc;
	} sk_backlog;
};

struct inet_connection_sock {
	__u32 icsk_user_timeout;
};

struct tcp_sock {
	struct inet_connection_sock inet_conn;
	__u32 notsent_lowat;
	__u8 recvmsg_inq : 1;
	__u32 rcv_nxt;
	__u32 copied_seq;
	__u32 snd_una;
	__u32 write_seq;
	__u32 data_segs_out;
	__u64 bytes_sent;
	__u64 bytes_retrans;
	_Bool is_mptcp; /* from 5.6 on, where MPTCP is compiled in */
};

/* Came together with exact copied_seq accounting of redirected bytes (6.6.128, 6.12.75, 6.18.14).
 */
struct sk_psock {
	__u32 msg_tot_len;
	struct refcount_t___tulle refcnt;
};

struct sk_msg {
	struct sock *sk_redir;
};

struct sk_buff {
	struct net_device *dev;
	char cb[48];
};

#pragma clang attribute pop

#endif
