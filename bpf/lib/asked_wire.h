/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* What asked.h is about, packet by packet: for tc, on lo and on the host's real interfaces. */
#ifndef TULLE_ASKED_WIRE_H
#define TULLE_ASKED_WIRE_H

#include <bpf/bpf_core_read.h>

#include "asked.h"
#include "wire.h"

/* Number of lo in every network namespace. */
#define TULLE_LO 1

/* IPv6 addresses of an interface that are looked at for one to send from. */
#define TULLE_ADDRESSES 16

struct tulle_packet {
	struct tulle_addr src;
	struct tulle_addr dst;
	__u16 sport;
	__u16 dport;
	__u32 udp; /* where its header is, from IP's on */
};

/* A whole datagram: pieces of one have their ports in the first only. */
static __always_inline bool tulle_packet_of(struct __sk_buff *skb, struct tulle_packet *packet)
{
	struct tulle_ports ports;

	if (skb->protocol == TULLE_ETH_IP) {
		struct tulle_ipv4 ip;

		if (bpf_skb_load_bytes_relative(skb, 0, &ip, sizeof(ip), BPF_HDR_START_NET) ||
		    ip.protocol != TULLE_UDP || ip.fragment & bpf_htons(0x3fff))
			return false;
		packet->udp = (ip.version_length & 15) * 4;
		tulle_addr_set_v4(&packet->src, ip.src);
		tulle_addr_set_v4(&packet->dst, ip.dst);
	} else if (skb->protocol == TULLE_ETH_IPV6) {
		struct tulle_ipv6 ip;

		if (bpf_skb_load_bytes_relative(skb, 0, &ip, sizeof(ip), BPF_HDR_START_NET) ||
		    ip.next != TULLE_UDP)
			return false;
		packet->udp = sizeof(ip);
		tulle_addr_set(&packet->src, ip.src[0], ip.src[1], ip.src[2], ip.src[3]);
		tulle_addr_set(&packet->dst, ip.dst[0], ip.dst[1], ip.dst[2], ip.dst[3]);
	} else {
		return false;
	}
	if (bpf_skb_load_bytes_relative(skb, packet->udp, &ports, sizeof(ports), BPF_HDR_START_NET))
		return false;
	packet->sport = bpf_ntohs(ports.src);
	packet->dport = bpf_ntohs(ports.dst);
	return true;
}

/* The socket that gets what comes from there to `dst`. The caller releases it. */
static __always_inline struct bpf_sock *tulle_packet_socket(struct __sk_buff *skb,
							    const struct tulle_packet *packet,
							    const struct tulle_addr *dst)
{
	struct bpf_sock_tuple tuple = {};

	if (tulle_addr_is_v4(dst)) {
		tuple.ipv4.saddr = packet->src.w[3];
		tuple.ipv4.daddr = dst->w[3];
		tuple.ipv4.sport = bpf_htons(packet->sport);
		tuple.ipv4.dport = bpf_htons(packet->dport);
		return bpf_sk_lookup_udp(skb, &tuple, sizeof(tuple.ipv4), BPF_F_CURRENT_NETNS, 0);
	}
	__builtin_memcpy(tuple.ipv6.saddr, packet->src.w, sizeof(tuple.ipv6.saddr));
	__builtin_memcpy(tuple.ipv6.daddr, dst->w, sizeof(tuple.ipv6.daddr));
	tuple.ipv6.sport = bpf_htons(packet->sport);
	tuple.ipv6.dport = bpf_htons(packet->dport);
	return bpf_sk_lookup_udp(skb, &tuple, sizeof(tuple.ipv6), BPF_F_CURRENT_NETNS, 0);
}

/* What is sent on to another machine is nobody's here, and may have no socket. */
static __always_inline bool tulle_packet_forwarded(struct __sk_buff *skb,
						   const struct tulle_packet *packet)
{
	struct bpf_fib_lookup route = {.ifindex = skb->ifindex, .l4_protocol = TULLE_UDP};
	long way;

	if (skb->ifindex == TULLE_LO)
		return false;
	if (tulle_addr_is_v4(&packet->dst)) {
		route.family = TULLE_AF_INET;
		route.ipv4_src = packet->src.w[3];
		route.ipv4_dst = packet->dst.w[3];
	} else {
		route.family = TULLE_AF_INET6;
		__builtin_memcpy(route.ipv6_src, packet->src.w, sizeof(route.ipv6_src));
		__builtin_memcpy(route.ipv6_dst, packet->dst.w, sizeof(route.ipv6_dst));
	}
	way = bpf_fib_lookup(skb, &route, sizeof(route), 0);
	return way != BPF_FIB_LKUP_RET_NOT_FWDED && way != BPF_FIB_LKUP_RET_FWD_DISABLED;
}

/*
 * An answer goes to the socket that asked, unless somebody of the host has its port. Returns that
 * socket, which the caller releases.
 */
static __always_inline struct bpf_sock *tulle_answer(struct __sk_buff *skb,
						     const struct tulle_config *config,
						     const struct tulle_packet *packet)
{
	const struct tulle_asked *asked;
	struct tulle_addr own;
	struct bpf_sock *sk;
	__u32 v4;

	asked = tulle_asked_of(&packet->src, packet->sport, packet->dport);
	if (!asked)
		return NULL;
	/* The addresses of the mesh are the guard's. */
	if (tulle_net_of(config, &packet->dst, &v4) != TULLE_NET_OTHER ||
	    tulle_packet_forwarded(skb, packet))
		return NULL;
	own = asked->own;
	sk = tulle_packet_socket(skb, packet, &packet->dst);
	if (sk) {
		bpf_sk_release(sk);
		return NULL;
	}
	sk = tulle_packet_socket(skb, packet, &own);
	if (sk)
		bpf_sk_assign(skb, sk, 0);
	return sk;
}

/* The interface's first address that the network may see. */
static __always_inline void tulle_interface_addr(struct __sk_buff *skb,
						 const struct tulle_config *config, bool v4,
						 struct tulle_addr *source)
{
	const struct sk_buff *kernel = (const struct sk_buff *)skb;
	const struct inet6_dev *six;
	const struct list_head *next;
	struct net_device *dev = NULL;
	__u32 unused;

	/* The verifier wants `skb` itself for its fields, not an address next to them. */
	barrier_var(kernel);
	bpf_core_read(&dev, sizeof(dev), &kernel->dev);
	if (v4) {
		tulle_addr_set_v4(source, BPF_CORE_READ(dev, ip_ptr, ifa_list, ifa_local));
		return;
	}
	six = BPF_CORE_READ(dev, ip6_ptr);
	next = BPF_CORE_READ(six, addr_list.next);
	for (int i = 0; i < TULLE_ADDRESSES; i++) {
		const struct inet6_ifaddr *one =
			(const void *)next - bpf_core_field_offset(struct inet6_ifaddr, if_list);

		if (next == (const void *)six + bpf_core_field_offset(struct inet6_dev, addr_list))
			break;
		BPF_CORE_READ_INTO(source, one, addr);
		/* Those of the link alone are for neighbours. */
		if ((source->w[0] & bpf_htonl(0xffc00000)) != bpf_htonl(0xfe800000) &&
		    tulle_net_of(config, source, &unused) == TULLE_NET_OTHER)
			return;
		next = BPF_CORE_READ(one, if_list.next);
	}
	tulle_addr_set(source, 0, 0, 0, 0);
}

/* Where IP's header is in the packet: behind Ethernet's, or at its begin. */
static __always_inline bool tulle_packet_network(struct __sk_buff *skb, __u32 *at)
{
	__u64 seen, wanted;

	if (bpf_skb_load_bytes_relative(skb, 0, &wanted, sizeof(wanted), BPF_HDR_START_NET))
		return false;
	*at = TULLE_ETH_SIZE;
	if (!bpf_skb_load_bytes(skb, *at, &seen, sizeof(seen)) && seen == wanted)
		return true;
	*at = 0;
	return !bpf_skb_load_bytes(skb, *at, &seen, sizeof(seen)) && seen == wanted;
}

static __always_inline void tulle_packet_source(struct __sk_buff *skb,
						const struct tulle_packet *packet,
						const struct tulle_addr *source)
{
	__u64 flags = BPF_F_PSEUDO_HDR | BPF_F_MARK_MANGLED_0;
	struct tulle_addr before = packet->src, after = *source;
	__u32 at, check;

	if (!tulle_packet_network(skb, &at))
		return;
	check = at + packet->udp + 6;
	if (tulle_addr_is_v4(source)) {
		bpf_l4_csum_replace(skb, check, before.w[3], after.w[3], flags | 4);
		bpf_l3_csum_replace(skb, at + 10, before.w[3], after.w[3], 4);
		bpf_skb_store_bytes(skb, at + 12, &after.w[3], 4, 0);
	} else {
		bpf_l4_csum_replace(
			skb, check, 0,
			bpf_csum_diff(before.w, sizeof(before), after.w, sizeof(after), 0), flags);
		bpf_skb_store_bytes(skb, at + 8, &after, sizeof(after), 0);
	}
	tulle_count(TULLE_REASON_ASKED_AS);
}

/*
 * A connected socket's datagram to the outside gets a source that the outside can answer to. True
 * if it is one.
 */
static __always_inline bool tulle_ask_as(struct __sk_buff *skb, const struct tulle_config *config,
					 const struct tulle_packet *packet)
{
	struct tulle_asked_key key = {
		.remote = packet->dst,
		.rport = packet->dport,
		.lport = packet->sport,
	};
	struct tulle_addr source;
	struct tulle_asked *asked;
	__u32 v4;

	if (tulle_net_of(config, &packet->src, &v4) != TULLE_NET_RANGE ||
	    !tulle_on_this_node(config, v4))
		return false;
	asked = bpf_map_lookup_elem(&tulle_asked, &key);
	if (!asked || asked->kind != TULLE_ASKING_CONNECTED ||
	    !tulle_addr_equal(&asked->own, &packet->src))
		return false;
	if (skb->ifindex != TULLE_LO)
		tulle_interface_addr(skb, config, tulle_addr_is_v4(&packet->src), &source);
	else if (tulle_addr_is_v4(&packet->dst) && tulle_addr_is_loopback(&packet->dst))
		tulle_addr_set_v4(&source, bpf_htonl(0x7f000001));
	else
		source = packet->dst;
	if (!tulle_addr_is_any(&source)) {
		asked->seen = bpf_ktime_get_ns();
		tulle_packet_source(skb, packet, &source);
	}
	return true;
}

#endif
