/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * tc, both directions, on the host's real interfaces: bytes and packets of workloads that leave the
 * host or come to it; and what fixed ports of workloads ask the outside (lib/asked.h), for which
 * alone the one of arriving packets is on lo too.
 *
 * A workload talks to the outside from the host's own addresses,
 * so it is its socket's cgroup that tells whose a packet is: on the way out the packet has its
 * socket, on the way in the socket is looked up.
 *
 * Failure policy: open, always: the packet goes on to whatever else is there.
 *
 * Kernel: 5.15 (clsact) or 6.6 (tcx); tried on 6.18.
 */
#include "lib/account.h"
#include "lib/asked_wire.h"

#define TULLE_TC_NEXT -1 /* tcx and clsact in direct action mode: go on */

/* So far above the socket's own cgroup a workload's is searched. */
#define TULLE_TC_CLIMB 32

static __always_inline struct tulle_traffic *tulle_wire_traffic(const struct tulle_config *config,
								__u64 cgroup)
{
	const struct tulle_workload *workload = bpf_map_lookup_elem(&tulle_cgroups, &cgroup);

	if (!workload || workload->role != TULLE_ROLE_WORKLOAD)
		return NULL;
	return tulle_traffic_of(config, workload->addr4.w[3]);
}

SEC("tc")
int tulle_tc_egress(struct __sk_buff *skb)
{
	const struct tulle_config *config = tulle_config_if(TULLE_F_CAPTURE);
	struct tulle_traffic *traffic = NULL;
	struct tulle_packet packet;
	__u64 own, cgroup;

	if (!config)
		return TULLE_TC_NEXT;
	if (config->flags & TULLE_F_ANSWERS && tulle_packet_of(skb, &packet))
		tulle_ask_as(skb, config, &packet);
	own = bpf_skb_cgroup_id(skb);
	if (!own)
		return TULLE_TC_NEXT;
	traffic = tulle_wire_traffic(config, own);
	for (int level = TULLE_CGROUP_LEVELS; level > 0 && !traffic; level--) {
		cgroup = bpf_skb_ancestor_cgroup_id(skb, level);
		if (cgroup && cgroup != own)
			traffic = tulle_wire_traffic(config, cgroup);
	}
	if (traffic) {
		traffic->wire_sent += skb->wire_len;
		traffic->wire_sent_packets += skb->gso_segs ?: 1;
	}
	return TULLE_TC_NEXT;
}

/* Whose socket is a packet for? Fragments after the first have no ports and are not counted. */
static __always_inline struct bpf_sock *tulle_wire_socket(struct __sk_buff *skb)
{
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	struct bpf_sock_tuple tuple = {};
	const struct tulle_ports *ports;
	__u32 size;
	__u8 protocol;

	if (skb->protocol == TULLE_ETH_IP) {
		const struct tulle_ipv4 *ip = data + TULLE_ETH_SIZE;

		/* Options are rare enough to go uncounted. */
		if ((void *)(ip + 1) > end || ip->version_length != 0x45 ||
		    ip->fragment & bpf_htons(0x1fff))
			return NULL;
		protocol = ip->protocol;
		ports = (const void *)(ip + 1);
		if ((void *)(ports + 1) > end)
			return NULL;
		tuple.ipv4.saddr = ip->src;
		tuple.ipv4.daddr = ip->dst;
		tuple.ipv4.sport = ports->src;
		tuple.ipv4.dport = ports->dst;
		size = sizeof(tuple.ipv4);
	} else if (skb->protocol == TULLE_ETH_IPV6) {
		const struct tulle_ipv6 *ip = data + TULLE_ETH_SIZE;

		if ((void *)(ip + 1) > end)
			return NULL;
		protocol = ip->next;
		ports = (const void *)(ip + 1);
		if ((void *)(ports + 1) > end)
			return NULL;
		__builtin_memcpy(tuple.ipv6.saddr, ip->src, sizeof(ip->src));
		__builtin_memcpy(tuple.ipv6.daddr, ip->dst, sizeof(ip->dst));
		tuple.ipv6.sport = ports->src;
		tuple.ipv6.dport = ports->dst;
		size = sizeof(tuple.ipv6);
	} else {
		return NULL;
	}
	if (protocol == 6)
		return bpf_sk_lookup_tcp(skb, &tuple, size, BPF_F_CURRENT_NETNS, 0);
	if (protocol == 17)
		return bpf_sk_lookup_udp(skb, &tuple, size, BPF_F_CURRENT_NETNS, 0);
	return NULL;
}

/*
 * tc programs may not ask for a socket's cgroup, so it is read from the kernel's own structures.
 * The address comes by way of memory: the verifier lets nobody calculate with a socket's.
 */
static __always_inline struct tulle_traffic *tulle_socket_traffic(const struct tulle_config *config,
								  struct bpf_sock *sk)
{
	const struct cgroup_subsys_state *parent;
	struct tulle_traffic *traffic;
	const struct cgroup *cgroup;
	__u64 address = 0;

	if (bpf_probe_read_kernel(&address, sizeof(address), &sk))
		return NULL;
	cgroup = BPF_CORE_READ((const struct sock *)address, sk_cgrp_data.cgroup);
	for (int level = 0; level < TULLE_TC_CLIMB && cgroup; level++) {
		traffic = tulle_wire_traffic(config, BPF_CORE_READ(cgroup, kn, id));
		if (traffic)
			return traffic;
		parent = BPF_CORE_READ(cgroup, self.parent);
		if (!parent)
			return NULL;
		cgroup = BPF_CORE_READ(parent, cgroup);
	}
	return NULL;
}

SEC("tc")
int tulle_tc_ingress(struct __sk_buff *skb)
{
	const struct tulle_config *config = tulle_config_if(TULLE_F_CAPTURE);
	struct tulle_traffic *traffic;
	struct tulle_packet packet;
	struct bpf_sock *sk = NULL;

	if (!config)
		return TULLE_TC_NEXT;
	if (config->flags & TULLE_F_ANSWERS && tulle_packet_of(skb, &packet) &&
	    !(skb->ifindex == TULLE_LO && tulle_ask_as(skb, config, &packet)))
		sk = tulle_answer(skb, config, &packet);
	if (skb->ifindex == TULLE_LO) {
		if (sk)
			bpf_sk_release(sk);
		return TULLE_TC_NEXT;
	}
	if (!sk)
		sk = tulle_wire_socket(skb);
	if (!sk)
		return TULLE_TC_NEXT;
	traffic = tulle_socket_traffic(config, sk);
	bpf_sk_release(sk);
	if (traffic) {
		/* Here wire_len lacks the Ethernet header; merged packets count their headers once.
		 */
		traffic->wire_received += skb->len;
		traffic->wire_received_packets += skb->gso_segs ?: 1;
	}
	return TULLE_TC_NEXT;
}
