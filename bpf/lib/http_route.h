/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * What a service's table says about a request: route, permission, endpoint. Counters of loops start
 * from a number that the verifier does not know and are masked, so that one turn stands for all.
 */
#ifndef TULLE_HTTP_ROUTE_H
#define TULLE_HTTP_ROUTE_H

#include "http_lease.h"

static __always_inline bool tulle_http_path_is(const struct tulle_http_when *when,
					       const struct tulle_http_client *client)
{
	__u32 size = client->message.path_size, length = when->path_length;
	__u32 at = client->message.path;

	if (size < length || (when->path_kind == TULLE_HTTP_PATH_EXACT && size != length))
		return false;
	if (when->path_kind == TULLE_HTTP_PATH_SEGMENT && size > length &&
	    tulle_byte(client->head, TULLE_HTTP_REQUEST_MASK, at + length) != '/')
		return false;
#pragma unroll
	for (__u32 i = 0; i < TULLE_HTTP_PATH / 8; i++) {
		if (8 * i >= length)
			break;
		if ((tulle_word(client->head, TULLE_HTTP_REQUEST_MASK, at + 8 * i) &
		     when->mask[i]) != when->path[i])
			return false;
	}
	return true;
}

static __always_inline bool tulle_http_field_is(const struct tulle_http_field *field,
						const struct tulle_http_client *client)
{
	struct tulle_http_span value = client->message.value[field->name % TULLE_HTTP_NAMES];

	if (!value.length)
		return false;
	if (field->op != TULLE_HTTP_FIELD_EXACT)
		return true;
	if (value.length != field->length)
		return false;
#pragma unroll
	for (__u32 i = 0; i < TULLE_HTTP_VALUE / 8; i++) {
		if (8 * i >= value.length)
			break;
		if ((tulle_word(client->head, TULLE_HTTP_REQUEST_MASK, value.at + 8 * i) &
		     tulle_bytes(value.length - 8 * i)) != field->value[i])
			return false;
	}
	return true;
}

static __always_inline bool tulle_http_holds(const struct tulle_http_when *when,
					     const struct tulle_http_client *client)
{
	if (when->methods && !(when->methods >> (client->message.method & 31) & 1))
		return false;
	if (when->path_kind != TULLE_HTTP_PATH_ANY && !tulle_http_path_is(when, client))
		return false;
#pragma unroll
	for (int i = 0; i < 2; i++) {
		const struct tulle_http_field *field = &when->field[i];

		if (field->op != TULLE_HTTP_FIELD_NONE &&
		    tulle_http_field_is(field, client) == !!field->invert)
			return false;
	}
	return true;
}

static __always_inline __u32 tulle_unknown_zero(const struct tulle_http_client *client)
{
	return *(const volatile __u32 *)&client->zero;
}

/* Number of the first route that matches; -1: none. */
static __always_inline int tulle_http_find(const struct tulle_http_table *table,
					   const struct tulle_http_client *client)
{
	__u64 path = tulle_word(client->head, TULLE_HTTP_REQUEST_MASK, client->message.path);
	__u32 routes = table->routes;

	for (__u32 i = 0; i < TULLE_HTTP_ROUTES; i++) {
		const struct tulle_http_when *when = &table->route[i].when;

		if (i >= routes)
			break;
		/* Most routes differ in the first eight characters of the path. */
		if ((path & when->mask[0]) == when->path[0] && tulle_http_holds(when, client))
			return i;
	}
	return -1;
}

/* Proven to be allowed? */
static __always_inline bool tulle_http_allowed(const struct tulle_http_table *table,
					       const struct tulle_http_client *client)
{
	struct tulle_http_source_key key = {.table = table->number, .workload = client->source};
	__u32 i = tulle_unknown_zero(client) % TULLE_HTTP_RULES, bits;
	const __u32 *concern;
	bool allowed = !table->any_allow;

	if (!table->rules)
		return allowed;
	concern = bpf_map_lookup_elem(&tulle_http_sources, &key);
	if (!concern)
		return false;
	bits = *concern;
	TULLE_TURNS(rules, TULLE_HTTP_RULES)
	{
		const struct tulle_http_rule *rule;

		if (i >= table->rules)
			break;
		rule = &table->rule[i];
		if (bits >> i & 1 && tulle_http_holds(&rule->when, client)) {
			if (rule->verdict != TULLE_HTTP_ALLOW)
				return false;
			allowed = true;
		}
		i = (i + 1) % TULLE_HTTP_RULES;
	}
	return allowed;
}

/* The cluster that the route's weights fall on. */
static __always_inline const struct tulle_http_cluster *
tulle_http_share(const struct tulle_http_table *table, const struct tulle_http_route *route,
		 const struct tulle_http_client *client)
{
	__u32 i = route->first_share % TULLE_HTTP_SHARES, dice;

	if (route->shares > 1 && route->weight) {
		dice = bpf_get_prandom_u32() % route->weight;
		TULLE_TURNS(shares, TULLE_HTTP_SHARES)
		{
			if (dice < table->share[i].until)
				break;
			i = (i + 1) % TULLE_HTTP_SHARES;
		}
	}
	return &table->cluster[table->share[i].cluster % TULLE_HTTP_CLUSTERS];
}

static __always_inline const struct tulle_http_member *
tulle_http_member(const struct tulle_http_table *table, const struct tulle_http_cluster *cluster)
{
	__u32 i = cluster->first;

	if (cluster->members > 1)
		i += bpf_get_prandom_u32() % cluster->members;
	return &table->member[i % TULLE_HTTP_MEMBERS];
}

/* An endpoint of the cluster. Requests under way are those of this event loop and the kernel. */
static __always_inline const struct tulle_http_member *
tulle_http_choose(const struct tulle_http_table *table, const struct tulle_http_cluster *cluster,
		  const struct tulle_http_client *client)
{
	const struct tulle_http_member *one, *two;
	const struct tulle_http_pool *first, *second;

	if (!cluster->members)
		return NULL;
	one = tulle_http_member(table, cluster);
	if (cluster->members == 1 || !(cluster->flags & TULLE_HTTP_LEAST_REQUEST))
		return one;
	two = tulle_http_member(table, cluster);
	if (one->pool == two->pool)
		return one;
	first = tulle_pool_of(one->pool, client->loop);
	second = tulle_pool_of(two->pool, client->loop);
	if (!first || !second)
		return one;
	return *(const volatile __u32 *)&second->active < *(const volatile __u32 *)&first->active
		       ? two
		       : one;
}

#endif
