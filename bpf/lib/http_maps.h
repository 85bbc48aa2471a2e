/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * The maps of kernel HTTP. Written by: agent (services, tables, sources, endpoints, the beginning
 * of outcomes, and the two programs of calls) or the kernel (the rest).
 */
#ifndef TULLE_HTTP_MAPS_H
#define TULLE_HTTP_MAPS_H

#include "http_state.h"
#include "maps.h"

/*
 * The two programs that tulle_skmsg calls, so that splicing does not need them to load. User space
 * puts them in: [TULLE_HTTP_CALL_REQUEST] = tulle_request, [TULLE_HTTP_CALL_RESPONSE] =
 * tulle_response. Without them the proxy is never given a connection.
 */
struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, __u32);
} tulle_http_calls SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__type(value, struct tulle_http_service);
} tulle_http_services SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__type(value, struct tulle_http_table);
} tulle_http_tables SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 262144);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct tulle_http_source_key);
	__type(value, __u32);
} tulle_http_sources SEC(".maps");

/* Endpoints on this node -> pool. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, TULLE_HTTP_ENDPOINTS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct tulle_sockaddr);
	__type(value, __u32);
} tulle_http_endpoints SEC(".maps");

/* How requests to an endpoint ended, by its pool. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, TULLE_HTTP_ENDPOINTS);
	__type(key, __u32);
	__type(value, struct tulle_http_outcomes);
} tulle_http_outcomes SEC(".maps");

/* Element 0: zeros, to make a new pool or client of. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct tulle_http_blank);
} tulle_http_blank SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct tulle_http_pool_key);
	__type(value, struct tulle_http_pool);
} tulle_http_pools SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct tulle_socket_key);
	__type(value, struct tulle_http_client);
} tulle_http_clients SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, TULLE_LEASES);
	__type(key, __u32);
	__type(value, struct tulle_lease);
} tulle_leases SEC(".maps");

/* Numbers of leases that were used and given up; before that they are counted up. */
struct {
	__uint(type, BPF_MAP_TYPE_STACK);
	__uint(max_entries, TULLE_LEASES);
	__type(value, __u32);
} tulle_lease_free SEC(".maps");

/* Element 0: the lowest number that was never used. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} tulle_lease_next SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, TULLE_LEASES);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct tulle_socket_key);
	__type(value, struct tulle_http_server);
} tulle_http_servers SEC(".maps");

/* Per socket, on U: the number of its lease + 1. */
struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, __u32);
} tulle_leased SEC(".maps");

/* Per socket, on S. */
struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct tulle_http_answer);
} tulle_answers SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 16384);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct tulle_http_stat_key);
	__type(value, struct tulle_http_stat);
} tulle_http_stats SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, TULLE_LEASES);
	__type(key, __u32);
	__type(value, struct tulle_http_sampled);
} tulle_http_sampled SEC(".maps");

/* Apart from tulle_events, so that samples and refusals do not push each other out. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 512 * 1024);
} tulle_http_samples SEC(".maps");

#endif
