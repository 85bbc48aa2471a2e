/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* Configuration, the caller's role, and counters. */
#ifndef TULLE_MESH_H
#define TULLE_MESH_H

#include "addr.h"
#include "maps.h"

/* Deepest cgroup level at which an enrolled cgroup is searched for (the root is level 0). */
#define TULLE_CGROUP_LEVELS 12

/* Verdicts of the cgroup socket hooks. */
#define TULLE_PROCEED 1
#define TULLE_REFUSE  0 /* the system call fails with EPERM, unless another error is set */

static __always_inline void tulle_add(__u32 reason, __u64 value)
{
	__u64 *counter = bpf_map_lookup_elem(&tulle_counters, &reason);

	if (counter)
		*counter += value; /* per CPU: no atomics */
}

static __always_inline void tulle_count(__u32 reason)
{
	tulle_add(reason, 1);
}

/* NULL unless the agent has written a configuration of our schema with this flag on. */
static __always_inline const struct tulle_config *tulle_config_if(__u32 flag)
{
	__u32 zero = 0;
	const struct tulle_config *config = bpf_map_lookup_elem(&tulle_config, &zero);

	if (!config || config->schema != TULLE_SCHEMA || !(config->flags & flag))
		return NULL;
	return config;
}

/* The place of an address of this node in the arrays of addresses; of either family. */
static __always_inline __u32 tulle_host_part(const struct tulle_config *config, __u32 v4)
{
	return bpf_ntohl(v4 & ~config->node_mask);
}

/* Whose address of the workload range is this (its IPv4 form)? The workload's id; 0: nobody's here.
 */
static __always_inline __u32 tulle_workload_at(const struct tulle_config *config, __u32 v4)
{
	__u32 place = tulle_host_part(config, v4);
	const __u32 *workload;

	if (!tulle_on_this_node(config, v4))
		return 0;
	workload = bpf_map_lookup_elem(&tulle_homes, &place);
	return workload ? *workload : 0;
}

/* NULL: `place` is no place of this node. */
static __always_inline struct tulle_tenant *tulle_tenant_at(__u32 place)
{
	return bpf_map_lookup_elem(&tulle_tenants, &place);
}

/* Has the workload as many connections into the mesh as one may have? */
static __always_inline bool tulle_tenant_full(const struct tulle_config *config, __u32 place)
{
	const struct tulle_tenant *tenant = tulle_tenant_at(place);

	return tenant && tenant->open >= (config->caller_conns ?: TULLE_CALLER_CONNS);
}

static __always_inline __u64 tulle_epoch_now(void)
{
	__u32 zero = 0;
	const __u64 *epoch = bpf_map_lookup_elem(&tulle_epoch, &zero);

	return epoch ? *epoch : 0;
}

/*
 * Who calls: the enrolled cgroup of the current task, or the nearest enrolled one above it. NULL:
 * "host". Only for hooks that run in the caller's system call.
 */
static __always_inline const struct tulle_workload *tulle_caller(__u64 *cgroup)
{
	const struct tulle_workload *caller, *nearest = NULL;
	__u64 id = bpf_get_current_cgroup_id();

	*cgroup = id;
	caller = bpf_map_lookup_elem(&tulle_cgroups, &id);
	if (caller)
		return caller;
	/* From the root down: most callers are no workload's, and few groups are deep. */
#pragma unroll
	for (int level = 1; level <= TULLE_CGROUP_LEVELS; level++) {
		id = bpf_get_current_ancestor_cgroup_id(level);
		if (!id || id == *cgroup)
			break;
		caller = bpf_map_lookup_elem(&tulle_cgroups, &id);
		if (caller)
			nearest = caller;
	}
	return nearest;
}

static __always_inline __u8 tulle_role_of(const struct tulle_workload *caller)
{
	return caller ? caller->role : TULLE_ROLE_HOST;
}

/* May this caller use an address of the workload range as its own? `v4`: its IPv4 form. */
static __always_inline bool tulle_is_own(const struct tulle_config *config,
					 const struct tulle_workload *caller,
					 const struct tulle_addr *addr, __u32 v4)
{
	switch (tulle_role_of(caller)) {
	case TULLE_ROLE_WORKLOAD:
		return tulle_addr_equal(addr, &caller->addr4) ||
		       tulle_addr_equal(addr, &caller->addr6);
	/*
	 * Only this node's prefix is local, so only there could an address be forged; the rest of
	 * the range may be in use for something else on this host.
	 */
	case TULLE_ROLE_PROXY:
		return v4 == config->proxy_addr.w[3] || !tulle_on_this_node(config, v4);
	case TULLE_ROLE_AGENT:
		return v4 == config->agent_addr.w[3] || !tulle_on_this_node(config, v4);
	default:
		return v4 == config->host_addr.w[3] || !tulle_on_this_node(config, v4);
	}
}

/* Is this source, which a socket has been bound to, one that the caller may not use? */
static __always_inline bool tulle_is_foreign(const struct tulle_config *config,
					     const struct tulle_workload *caller,
					     const struct tulle_addr *source)
{
	enum tulle_net net;
	__u32 v4;

	net = tulle_net_of(config, source, &v4);
	return net == TULLE_NET_VIP ||
	       (net == TULLE_NET_RANGE && !tulle_is_own(config, caller, source, v4));
}

/* The one mesh address of a caller that is no workload, v4-mapped. */
static __always_inline const struct tulle_addr *tulle_infra_addr(const struct tulle_config *config,
								 __u8 role)
{
	switch (role) {
	case TULLE_ROLE_PROXY:
		return &config->proxy_addr;
	case TULLE_ROLE_AGENT:
		return &config->agent_addr;
	default:
		return &config->host_addr;
	}
}

#endif
