/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* What authorization policies settle for TCP connections between workloads of this node. */
#ifndef TULLE_ACCESS_H
#define TULLE_ACCESS_H

#include "mesh.h"

/* Are policies about the workload with this IPv4 address, or may they be? */
static __always_inline bool tulle_is_guarded(__u32 v4)
{
	struct tulle_permit_key key = {.source = TULLE_SOURCE_GUARDED};

	tulle_addr_set_v4(&key.dst, v4);
	return bpf_map_lookup_elem(&tulle_permit, &key);
}

/* NULL: not known. */
static __always_inline const struct tulle_access *tulle_access_of(__u32 dst, __u32 src, __u16 port)
{
	struct tulle_access_key key = {.dst = dst, .src = src, .port = port};
	const struct tulle_access *found = bpf_map_lookup_elem(&tulle_access, &key);

	if (found || !port)
		return found;
	key.port = 0;
	return bpf_map_lookup_elem(&tulle_access, &key);
}

/* For the guard: 0 if the caller may connect, else why not. A workload may always call itself. */
static __always_inline __u16 tulle_access_refused(__u32 dst, __u32 dst4, __u32 src, __u16 port)
{
	const struct tulle_access *access;
	__u64 *denied;
	__u32 policy;

	if (dst == src || !tulle_is_guarded(dst4))
		return 0;
	access = tulle_access_of(dst, src, port);
	if (!access || access->verdict == TULLE_VERDICT_UNKNOWN)
		return TULLE_REASON_GUARD_POLICY_UNKNOWN;
	if (access->verdict == TULLE_VERDICT_ALLOW)
		return 0;
	policy = access->policy;
	denied = bpf_map_lookup_elem(&tulle_denials, &policy);
	if (denied)
		*denied += 1;
	return TULLE_REASON_GUARD_POLICY;
}

/*
 * For connect: must the node proxy be asked, because the guard cannot decide? That is so where
 * nothing is known yet (the proxy waits until it is), where no guard is in force, and for a
 * workload that calls itself by a service or by its own address: the guard lets that pass, as it
 * cannot tell it from localhost.
 */
static __always_inline bool tulle_must_ask(const struct tulle_config *config,
					   const struct tulle_addr *addr, __u16 port, __u32 src)
{
	const struct tulle_access *access;
	__u32 v4, dst;

	if (tulle_net_of(config, addr, &v4) != TULLE_NET_RANGE || !tulle_is_guarded(v4))
		return false;
	if (!(config->flags & TULLE_F_GUARD))
		return true;
	dst = tulle_workload_at(config, v4);
	if (!dst)
		return true;
	access = tulle_access_of(dst, src, port);
	if (!access || access->verdict == TULLE_VERDICT_UNKNOWN)
		return true;
	return dst == src && access->verdict != TULLE_VERDICT_ALLOW;
}

#endif
