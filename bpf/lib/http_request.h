/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* C's side of kernel HTTP: take a request to a server's connection, or not at all. */
#ifndef TULLE_HTTP_REQUEST_H
#define TULLE_HTTP_REQUEST_H

#include "http_body.h"
#include "http_route.h"
#include "http_sample.h"

/* Up to this size a message is made one piece of memory, which is queued whole or not at all. */
#define TULLE_HTTP_MESSAGE_MAX 32768

/*
 * Is the last request that the kernel took over and done? Then *held is the lease that C still has
 * in hand, or 0. Anything else is a request too early, or one whose end the kernel did not see.
 * HTTP_BODY_SENT: not over, the message is a part of its body.
 */
static __always_inline __u32 tulle_client_ready(struct tulle_http_client *client, __u64 *held)
{
	struct tulle_lease *lease;
	__u32 state;
	__u64 word;

	*held = tulle_load(&client->lease);
	if (!*held)
		return 0;
	lease = tulle_lease_of(*held);
	if (!lease)
		return TULLE_REASON_HTTP_LEASE_LOST;
	word = tulle_load(&lease->word);
	if (word == tulle_lease_word(*held, TULLE_LEASE_HELD))
		return 0;
	state = TULLE_LEASE_STATE(word);
	if (state == TULLE_LEASE_BODY)
		return TULLE_REASON_HTTP_BODY_SENT;
	if (word == (tulle_lease_word(*held, TULLE_LEASE_HELD) | TULLE_LEASE_PIECES)) {
		/* While a piece of the last request may be on its way, nothing else goes there. */
		if (!tulle_sends_over(&client->self, 1))
			return TULLE_REASON_HTTP_SENDS_OVERLAP;
		return tulle_swap(&lease->word, word, word & ~TULLE_LEASE_PIECES)
			       ? 0
			       : TULLE_REASON_HTTP_LEASE_LOST;
	}
	if (state == TULLE_LEASE_SENT || state == TULLE_LEASE_ANSWER) {
		client->pipelines = 1;
		return TULLE_REASON_HTTP_PIPELINED;
	}
	/* Taken while nothing was outstanding; of this offer, as the generation says. */
	if (state == TULLE_LEASE_PROXY && TULLE_LEASE_TAKEN(word) == TULLE_LEASE_HELD) {
		client->lease = 0;
		*held = 0;
		return 0;
	}
	return TULLE_REASON_HTTP_LEASE_LOST;
}

/*
 * All of the message, or of a large one the beginning, in one piece that nobody else can change;
 * its head copied to the record.
 */
static __always_inline __u32 tulle_client_read(struct sk_msg_md *msg,
					       struct tulle_http_client *client, __u32 size)
{
	__u32 length = size > TULLE_HTTP_REQUEST_MAX ? TULLE_HTTP_REQUEST_MAX : size;
	__u32 least = size > TULLE_HTTP_MESSAGE_MAX ? length : size;
	void *data = msg->data, *end = msg->data_end;

	if ((__u64)end - (__u64)data < least) {
		if (bpf_msg_pull_data(msg, 0, least, 0))
			return TULLE_REASON_HTTP_LARGE;
		data = msg->data;
		end = msg->data_end;
		if ((__u64)end - (__u64)data < least)
			return TULLE_REASON_HTTP_LARGE;
	}
	if (bpf_probe_read_kernel(client->head, length, data))
		return TULLE_REASON_HTTP_SYNTAX;
	return 0;
}

/* A lease to this endpoint, HELD by this client: the one in hand, or one of the pool. 0: none. */
static __always_inline __u64 tulle_client_lease(struct tulle_http_client *client, __u64 held,
						const struct tulle_http_member *member)
{
	struct tulle_http_pool *pool;
	struct tulle_lease *lease;
	__u64 handle;

	if (held) {
		lease = tulle_lease_of(held);
		if (lease && lease->pool == member->pool && lease->loop == client->loop)
			return held;
	}
	pool = tulle_pool_of(member->pool, client->loop);
	if (!pool)
		return 0;
	handle = tulle_pool_pop(pool);
	if (!handle)
		return 0;
	if (held)
		tulle_lease_return(held);
	client->lease = handle;
	return handle;
}

/* Returns 0 if the message is on its way to S, TULLE_REASON_HTTP_TAKE_RACE or _DROPPED. */
static __always_inline __u32 tulle_client_send(struct sk_msg_md *msg, struct bpf_sock *sk,
					       __u32 size, struct tulle_splice *splice,
					       struct tulle_http_client *client, __u64 handle,
					       const struct tulle_http_route *route,
					       const struct tulle_http_cluster *cluster,
					       const struct tulle_http_member *member, __u8 sampled)
{
	bool counted = cluster->members > 1 && cluster->flags & TULLE_HTTP_LEAST_REQUEST, sent;
	struct tulle_lease *lease = tulle_lease_of(handle);
	struct tulle_socket_key self;
	__u64 now = bpf_ktime_get_ns(), left, word;
	__u32 reason = 0;
	bool split;

	if (!lease)
		return TULLE_REASON_HTTP_LEASE_LOST;
	client->since_ns = now;
	client->head_length = client->message.head;
	client->body_length = client->message.body;
	tulle_key_swap(&splice->peer, &self);
	left = client->message.head + client->message.body - size;
	split = left || size > TULLE_HTTP_MESSAGE_MAX;
	word = tulle_lease_word(handle, left ? TULLE_LEASE_BODY : TULLE_LEASE_SENT) | left;
	if (split) {
		word |= TULLE_LEASE_PIECES;
		reason = tulle_server_refuses(&lease->server);
		if (!reason && !tulle_client_target(msg, sk, splice, &lease->server))
			reason = TULLE_REASON_HTTP_SPILL;
		if (reason == TULLE_REASON_HTTP_SPILL)
			return reason;
	}

	if (reason ||
	    bpf_msg_redirect_hash(msg, &tulle_sockets, &lease->server, BPF_F_INGRESS) != SK_PASS) {
		splice->pieces = 0;
		tulle_lease_take(lease, 1u << TULLE_LEASE_HELD);
		return TULLE_REASON_HTTP_SERVER_GONE;
	}
	bpf_spin_lock(&lease->lock);
	sent = tulle_load(&lease->word) == tulle_lease_word(handle, TULLE_LEASE_HELD);
	if (sent) {
		lease->client = self;
		lease->reader = client->self;
		lease->client_number = client->number;
		lease->since_ns = now;
		lease->service = client->service;
		lease->source = client->source;
		lease->workload = member->workload;
		lease->request_bytes = client->message.body;
		lease->timeout_ms = route->timeout_ms;
		lease->keep = route->keep | sampled;
		lease->method = client->message.method;
		lease->code = 0;
		lease->counted = counted;
		sent = tulle_swap(&lease->word, tulle_lease_word(handle, TULLE_LEASE_HELD), word);
	}
	bpf_spin_unlock(&lease->lock);
	if (sent) {
		if (counted)
			tulle_pool_active(lease, 1);
		return 0;
	}
	/*
	 * The proxy took it since we looked, and a redirect cannot be called off, only aimed
	 * elsewhere: at D, which is in order (the kernel owns the connection, so D has read all
	 * that C ever sent).
	 */
	return tulle_client_divert(msg, sk, splice);
}

/* Methods whose requests have no body by custom. */
#define TULLE_HTTP_BODILESS                                                                        \
	(1u << TULLE_HTTP_GET | 1u << TULLE_HTTP_HEAD | 1u << TULLE_HTTP_DELETE |                  \
	 1u << TULLE_HTTP_OPTIONS)

/* The head that was read into the record, against the table. */
__noinline int tulle_http_understand(struct tulle_http_client *client,
				     const struct tulle_http_table *table, __u32 size)
{
	__u32 length = size > TULLE_HTTP_REQUEST_MAX ? TULLE_HTTP_REQUEST_MAX : size, reason;

	if (!client || !table)
		return TULLE_REASON_HTTP_NO_TABLE;
	reason = tulle_http_parse_request(client->head, length, size, &client->zero, table,
					  &client->message);
	if (reason)
		return reason;
	/*
	 * A server that ignores the body of a GET would read it as its next request, which no
	 * policy has seen: not on a connection that is used again.
	 */
	if (client->message.body && TULLE_HTTP_BODILESS >> (client->message.method & 31) & 1)
		return TULLE_REASON_HTTP_METHOD_BODY;
	return client->message.body > table->body_max ? TULLE_REASON_HTTP_BODY : 0;
}

/* Number of the route that the request may take in the kernel, or a reason, negative. */
__noinline int tulle_http_decide(const struct tulle_http_client *client,
				 const struct tulle_http_table *table)
{
	const struct tulle_http_route *route;
	int number;

	if (!client || !table)
		return -TULLE_REASON_HTTP_NO_TABLE;
	number = tulle_http_find(table, client);
	if (number < 0)
		return -TULLE_REASON_HTTP_NO_ROUTE;
	TULLE_OPAQUE(number);
	route = &table->route[(__u32)number % TULLE_HTTP_ROUTES];
	if (route->action != TULLE_HTTP_FORWARD || !route->shares ||
	    (client->message.body && route->keep & TULLE_HTTP_KEEP_BODY))
		return -TULLE_REASON_HTTP_ROUTE_PROXY;
	return tulle_http_allowed(table, client) ? number : -TULLE_REASON_HTTP_NOT_PROVEN;
}

/* 0 or HTTP_BODY_SENT: on its way to S. Otherwise why not. */
static __always_inline __u32 tulle_client_take(struct sk_msg_md *msg, struct bpf_sock *sk,
					       struct tulle_splice *splice,
					       struct tulle_http_client *client)
{
	const struct tulle_http_cluster *cluster;
	const struct tulle_config *config;
	const struct tulle_http_service *service;
	const struct tulle_http_member *member;
	const struct tulle_http_table *table;
	const struct tulle_http_route *route;
	__u64 held, handle;
	__u32 reason, number, size = msg->size;
	int choice;

	if (!(tulle_load(&client->word) & TULLE_CLIENT_OWNED))
		return TULLE_REASON_HTTP_PROXYS;
	reason = tulle_client_ready(client, &held);
	if (reason == TULLE_REASON_HTTP_BODY_SENT)
		return tulle_client_body(msg, sk, splice, client, held, size);
	if (reason)
		return reason;
	if (!size)
		return TULLE_REASON_HTTP_PARTIAL;
	service = bpf_map_lookup_elem(&tulle_http_services, &client->service);
	if (!service)
		return TULLE_REASON_HTTP_NO_TABLE;
	number = service->table;
	table = bpf_map_lookup_elem(&tulle_http_tables, &number);
	config = tulle_config_if(TULLE_F_SPLICE);
	if (!table || !config)
		return TULLE_REASON_HTTP_NO_TABLE;
	if (table->to_proxy)
		return TULLE_REASON_HTTP_ROUTE_PROXY;

	/* No request is outstanding, so nobody needs the copy of the last one any more. */
	client->head_length = 0;
	reason = tulle_client_read(msg, client, size);
	if (reason)
		return reason;
	/* Read again: the verifier need not tell small messages from large ones any more. */
	size = msg->size;
	reason = tulle_http_understand(client, table, size);
	if (reason)
		return reason;
	choice = tulle_http_decide(client, table);
	if (choice < 0)
		return -choice;
	TULLE_OPAQUE(choice);
	route = &table->route[(__u32)choice % TULLE_HTTP_ROUTES];
	cluster = tulle_http_share(table, route, client);
	member = tulle_http_choose(table, cluster, client);
	handle = member ? tulle_client_lease(client, held, member) : 0;
	if (!handle)
		return TULLE_REASON_HTTP_NO_LEASE;
	/* Its memory is another table's by now? Then nothing that was read is proven. */
	if (*(const volatile __u32 *)&table->number != number)
		return TULLE_REASON_HTTP_NO_TABLE;
	return tulle_client_send(msg, sk, size, splice, client, handle, route, cluster, member,
				 tulle_sample_dice(config, handle, table, choice, cluster));
}

#endif
