/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * Sampled requests: the dice are thrown when a request is taken, the report is written when its
 * response has been forwarded to the end. One that the proxy goes on with is the proxy's to log.
 * Nothing waits: with the ring buffer full the sample is lost and counted.
 */
#ifndef TULLE_HTTP_SAMPLE_H
#define TULLE_HTTP_SAMPLE_H

#include "http_lease.h"

/* Bit for the lease's `keep`: TULLE_LEASE_SAMPLED or 0. The lease is HELD by the caller; if it
 * is not any more, no request comes of it, and at worst another one's sample tells this route. */
static __always_inline __u8 tulle_sample_dice(const struct tulle_config *config, __u64 handle,
					      const struct tulle_http_table *table, __u32 route,
					      const struct tulle_http_cluster *cluster)
{
	struct tulle_http_sampled *at;
	__u32 id = (__u32)handle - 1;

	if (!config->http_sample || bpf_get_prandom_u32() > config->http_sample)
		return 0;
	at = bpf_map_lookup_elem(&tulle_http_sampled, &id);
	if (!at)
		return 0;
	at->table = table->number;
	at->route = route;
	at->cluster = ((__u64)cluster - (__u64)&table->cluster) / sizeof(*cluster);
	at->head_nanos = 0;
	at->response_bytes = 0;
	return TULLE_LEASE_SAMPLED;
}

/* The head of the response was seen. */
static __always_inline void tulle_sample_head(__u32 id, __u64 nanos, __u64 bytes)
{
	struct tulle_http_sampled *at = bpf_map_lookup_elem(&tulle_http_sampled, &id);

	if (at) {
		at->head_nanos = nanos;
		at->response_bytes = bytes;
	}
}

/* Not inlined: verified once, and so that the object's BTF has the struct. 0: filled. */
__noinline int tulle_sample_fill(struct tulle_http_sample *sample, __u32 id,
				 const struct tulle_http_client *client)
{
	const struct tulle_http_sampled *at = bpf_map_lookup_elem(&tulle_http_sampled, &id);
	const struct tulle_lease *lease = bpf_map_lookup_elem(&tulle_leases, &id);
	__u32 length;

	if (!sample || !lease || !at || !client)
		return -1;
	length = client->head_length;
	if (length > TULLE_HTTP_REQUEST_MAX || client->number != lease->client_number)
		return -1;
	sample->ts = bpf_ktime_get_ns();
	sample->nanos = sample->ts - lease->since_ns;
	sample->head_nanos = at->head_nanos;
	sample->response_bytes = at->response_bytes;
	sample->request_bytes = lease->request_bytes;
	sample->client_addr = lease->client.local;
	sample->client_port = lease->client.lport;
	sample->server_addr = lease->server.local;
	sample->server_port = lease->server.lport;
	sample->service = lease->service;
	sample->source = lease->source;
	sample->workload = lease->workload;
	sample->table = at->table;
	sample->route = at->route;
	sample->cluster = at->cluster;
	sample->code = lease->code;
	sample->length = length;
	sample->pad = 0;
	return bpf_probe_read_kernel(sample->head, length, client->head);
}

/*
 * To be submitted or discarded; NULL: none. Called before the lease is given up: until then neither
 * it nor the copy of the request's head is anybody else's.
 */
static __always_inline struct tulle_http_sample *tulle_sample_begin(const struct tulle_lease *lease,
								    __u32 id)
{
	const struct tulle_http_client *client =
		bpf_map_lookup_elem(&tulle_http_clients, &lease->client);
	struct tulle_http_sample *sample;

	if (!client)
		return NULL;
	sample = bpf_ringbuf_reserve(&tulle_http_samples, sizeof(*sample), 0);
	if (!sample) {
		tulle_count(TULLE_REASON_HTTP_SAMPLE_LOST);
		return NULL;
	}
	if (tulle_sample_fill(sample, id, client)) {
		bpf_ringbuf_discard(sample, 0);
		return NULL;
	}
	return sample;
}

#endif
