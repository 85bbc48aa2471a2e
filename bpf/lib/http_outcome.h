/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * What outlier detection goes by: failures of an endpoint one after the other. All CPUs, and the
 * proxy, count in one record, as "one after the other" has no meaning for parts. A good response
 * only reads it, unless it ends a series: the line of memory stays shared.
 *
 * Two that end at the same moment may come in either order; so may they at the proxy.
 */
#ifndef TULLE_HTTP_OUTCOME_H
#define TULLE_HTTP_OUTCOME_H

#include "http_maps.h"

static __always_inline void tulle_series(__u32 *series, bool goes_on)
{
	if (goes_on)
		__sync_fetch_and_add(series, 1);
	else if (*(const volatile __u32 *)series)
		*(volatile __u32 *)series = 0;
}

/* A try ended with this status; 0: without a response. Not inlined: verified once. */
__noinline int tulle_http_ended(__u32 pool, __u32 code)
{
	__u32 place = pool % TULLE_HTTP_ENDPOINTS;
	struct tulle_http_outcomes *at = bpf_map_lookup_elem(&tulle_http_outcomes, &place);

	/* A lease may outlive its pool, whose place another one has then. */
	if (!at || at->pool != pool)
		return 0;
	tulle_series(&at->errors, !code || code >= 500);
	tulle_series(&at->gateway, !code || (code >= 502 && code <= 504));
	tulle_series(&at->local, !code);
	return 0;
}

/* TULLE_OPT_OUTCOME. */
static __always_inline void tulle_http_outcome_told(const struct tulle_http_outcome *outcome)
{
	const __u32 *pool = bpf_map_lookup_elem(&tulle_http_endpoints, &outcome->endpoint);

	if (pool)
		tulle_http_ended(*pool, outcome->code);
}

#endif
