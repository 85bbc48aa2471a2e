/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* Requests that the kernel has answered whole or in part, for the agent's metrics. */
#ifndef TULLE_HTTP_STATS_H
#define TULLE_HTTP_STATS_H

#include "http_lease.h"

#define TULLE_MS 1000000ull

/* Index of the first bound that the time does not pass; bounds as in http_types.h. */
static __always_inline __u32 tulle_http_bucket(__u64 nanos)
{
	if (nanos <= TULLE_MS / 2)
		return 0;
	if (nanos <= 10 * TULLE_MS)
		return nanos <= TULLE_MS ? 1 : nanos <= 5 * TULLE_MS ? 2 : 3;
	if (nanos <= 100 * TULLE_MS)
		return nanos <= 25 * TULLE_MS ? 4 : nanos <= 50 * TULLE_MS ? 5 : 6;
	if (nanos <= 1000 * TULLE_MS)
		return nanos <= 250 * TULLE_MS ? 7 : nanos <= 500 * TULLE_MS ? 8 : 9;
	if (nanos <= 10000 * TULLE_MS)
		return nanos <= 2500 * TULLE_MS ? 10 : nanos <= 5000 * TULLE_MS ? 11 : 12;
	if (nanos <= 300000 * TULLE_MS)
		return nanos <= 30000 * TULLE_MS ? 13 : nanos <= 60000 * TULLE_MS ? 14 : 15;
	if (nanos <= 1800000 * TULLE_MS)
		return nanos <= 600000 * TULLE_MS ? 16 : 17;
	return nanos <= 3600000 * TULLE_MS ? 18 : 19;
}

static __always_inline void tulle_http_account(const struct tulle_http_stat_key *key, __u64 nanos,
					       __u32 request_bytes, __u64 response_bytes)
{
	struct tulle_http_stat *stat = bpf_map_lookup_elem(&tulle_http_stats, key);
	__u32 zero = 0;
	const void *blank;

	if (!stat) {
		blank = bpf_map_lookup_elem(&tulle_http_blank, &zero);
		if (blank)
			bpf_map_update_elem(&tulle_http_stats, key, blank, BPF_NOEXIST);
		stat = bpf_map_lookup_elem(&tulle_http_stats, key);
		if (!stat) {
			tulle_count(TULLE_REASON_HTTP_STATS_FULL);
			return;
		}
	}
	/* Per CPU, but a program may be preempted by another one on the same CPU. */
	__sync_fetch_and_add(&stat->requests, 1);
	__sync_fetch_and_add(&stat->request_bytes, (__u64)request_bytes);
	__sync_fetch_and_add(&stat->response_bytes, response_bytes);
	__sync_fetch_and_add(&stat->nanos, nanos);
	__sync_fetch_and_add(&stat->bucket[tulle_http_bucket(nanos)], 1);
}

#endif
