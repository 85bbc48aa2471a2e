/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* Addresses: IPv4 and IPv6 in one form, and where in the mesh they lie. */
#ifndef TULLE_ADDR_H
#define TULLE_ADDR_H

#include <stdbool.h>
#include <bpf/bpf_endian.h>

#include "types.h"

#define TULLE_AF_INET  2
#define TULLE_AF_INET6 10

#define TULLE_V4MAPPED bpf_htonl(0x0000ffff)

enum tulle_net {
	TULLE_NET_OTHER = 0,
	TULLE_NET_RANGE = 1, /* workload addresses */
	TULLE_NET_VIP = 2,   /* service addresses */
};

static __always_inline void tulle_addr_set_v4(struct tulle_addr *addr, __u32 v4)
{
	addr->w[0] = 0;
	addr->w[1] = 0;
	addr->w[2] = TULLE_V4MAPPED;
	addr->w[3] = v4;
}

static __always_inline void tulle_addr_set(struct tulle_addr *addr, __u32 w0, __u32 w1, __u32 w2,
					   __u32 w3)
{
	addr->w[0] = w0;
	addr->w[1] = w1;
	addr->w[2] = w2;
	addr->w[3] = w3;
}

static __always_inline bool tulle_addr_equal(const struct tulle_addr *a, const struct tulle_addr *b)
{
	return a->w[0] == b->w[0] && a->w[1] == b->w[1] && a->w[2] == b->w[2] && a->w[3] == b->w[3];
}

static __always_inline bool tulle_addr_is_zero(const struct tulle_addr *addr)
{
	return !(addr->w[0] | addr->w[1] | addr->w[2] | addr->w[3]);
}

static __always_inline bool tulle_addr_is_v4(const struct tulle_addr *addr)
{
	return addr->w[0] == 0 && addr->w[1] == 0 && addr->w[2] == TULLE_V4MAPPED;
}

/* The wildcard of either family. */
static __always_inline bool tulle_addr_is_any(const struct tulle_addr *addr)
{
	return addr->w[3] == 0 && (tulle_addr_is_v4(addr) || tulle_addr_is_zero(addr));
}

static __always_inline bool tulle_addr_is_loopback(const struct tulle_addr *addr)
{
	if (tulle_addr_is_v4(addr))
		return (addr->w[3] & bpf_htonl(0xff000000)) == bpf_htonl(0x7f000000);
	return addr->w[0] == 0 && addr->w[1] == 0 && addr->w[2] == 0 && addr->w[3] == bpf_htonl(1);
}

static __always_inline bool tulle_addr_same_96(const struct tulle_addr *addr,
					       const struct tulle_addr *prefix)
{
	return prefix->w[0] && addr->w[0] == prefix->w[0] && addr->w[1] == prefix->w[1] &&
	       addr->w[2] == prefix->w[2];
}

/*
 * Where an address lies. Inside the mesh *v4 is its IPv4 form, also for the IPv6 twins, so that
 * everything after this question is asked once for both families.
 */
static __always_inline enum tulle_net tulle_net_of(const struct tulle_config *config,
						   const struct tulle_addr *addr, __u32 *v4)
{
	*v4 = addr->w[3];
	if (tulle_addr_is_v4(addr)) {
		if (config->range_mask && (*v4 & config->range_mask) == config->range_net)
			return TULLE_NET_RANGE;
		if (config->vip_mask && (*v4 & config->vip_mask) == config->vip_net)
			return TULLE_NET_VIP;
		return TULLE_NET_OTHER;
	}
	if (tulle_addr_same_96(addr, &config->range6))
		return TULLE_NET_RANGE;
	if (tulle_addr_same_96(addr, &config->vip6))
		return TULLE_NET_VIP;
	return TULLE_NET_OTHER;
}

static __always_inline bool tulle_on_this_node(const struct tulle_config *config, __u32 v4)
{
	return config->node_mask && (v4 & config->node_mask) == config->node_net;
}

/* The IPv6 twin of an address of the workload range; zero if the mesh has no IPv6. */
static __always_inline void tulle_addr_twin(const struct tulle_config *config, __u32 v4,
					    struct tulle_addr *twin)
{
	*twin = config->range6;
	twin->w[3] = config->range6.w[0] ? v4 : 0;
}

#endif
