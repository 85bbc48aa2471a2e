/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * Who has sent and received how much, and one record per connection that the kernel balanced.
 *
 * Bytes of connections inside the mesh are counted where they leave: spliced ones message by
 * message in sk_msg, those on TCP when their sender closes. Nothing is counted per packet on lo.
 *
 * A connection's record (tulle_conns, see caller.h) ends with whichever end closes last, since each
 * end knows only what it has sent past TCP itself. Records are also what the agent drains by: they
 * name the service and the endpoint of every live connection.
 */
#ifndef TULLE_ACCOUNT_H
#define TULLE_ACCOUNT_H

#include "caller.h"
#include "event.h"
#include "splice_worth.h"

/* Flow records a second and CPU, apart from the limit for refusals. */
#define TULLE_FLOWS_PER_SECOND 100

/* The counters of a workload by its IPv4 address (either family's form of it); NULL: not counted.
 */
static __always_inline struct tulle_traffic *tulle_traffic_of(const struct tulle_config *config,
							      __u32 v4)
{
	__u32 index = tulle_host_part(config, v4);

	return index ? bpf_map_lookup_elem(&tulle_traffic, &index) : NULL;
}

/* Both in IPv4 form. What is no address of this node is not counted: the proxy's loopback address.
 */
static __always_inline void tulle_traffic_mesh(const struct tulle_config *config, __u32 from,
					       __u32 to, __u64 bytes)
{
	struct tulle_traffic *traffic;

	traffic = tulle_on_this_node(config, from) ? tulle_traffic_of(config, from) : NULL;
	if (traffic)
		traffic->mesh_sent += bytes;
	traffic = tulle_on_this_node(config, to) ? tulle_traffic_of(config, to) : NULL;
	if (traffic)
		traffic->mesh_received += bytes;
}

/* The caller's end is established: is the connection worth splicing? `own` is its key. */
static __always_inline bool tulle_conn_worth(const struct tulle_socket_key *own)
{
	const struct tulle_conn *conn = bpf_map_lookup_elem(&tulle_conns, own);

	return !conn || tulle_worth_splicing(conn->client, conn->server, conn->began);
}

static __always_inline void tulle_flow(const struct tulle_socket_key *key,
				       const struct tulle_conn *conn)
{
	struct tulle_event *event;

	tulle_count(TULLE_REASON_FLOW);
	event = tulle_event_reserve(TULLE_EVENT_FLOW, TULLE_REASON_FLOW, TULLE_RATE_FLOWS,
				    TULLE_FLOWS_PER_SECOND);
	if (!event)
		return;
	event->workload = conn->client;
	event->server = conn->server;
	event->service = conn->service;
	event->src = key->local;
	event->dst = key->remote;
	event->sport = key->lport;
	event->dport = key->rport;
	event->proto = 6;
	event->role = TULLE_ROLE_WORKLOAD;
	event->sent = conn->sent;
	event->received = conn->received;
	event->nanos = event->ts - conn->began;
	event->rtt_us = conn->rtt_us;
	event->retransmits = conn->retransmits;
	bpf_ringbuf_submit(event, 0);
}

/*
 * One end of a connection has closed: `own` is its key, `sent` what it gave away. A caller's end
 * that goes while the other has never existed is a connection that never was.
 */
static __always_inline void tulle_conn_end(const struct tulle_socket_key *own, __u64 sent,
					   __u32 messages, __u32 rtt_us, __u32 retransmits)
{
	struct tulle_conn *conn = bpf_map_lookup_elem(&tulle_conns, own);
	struct tulle_socket_key key = *own;
	struct tulle_conn last;
	bool active = conn;
	__u32 ended;

	/* Which end it is cannot be asked; only one of the two keys can have a record. */
	if (!active) {
		tulle_key_swap(own, &key);
		conn = bpf_map_lookup_elem(&tulle_conns, &key);
	}
	if (!conn)
		return;
	if (active) {
		if (!conn->accepted) {
			tulle_conn_forget(&key, conn->place);
			return;
		}
		conn->sent = sent;
		conn->rtt_us = rtt_us;
	} else {
		conn->received = sent;
	}
	__sync_fetch_and_add(&conn->retransmits, retransmits);
	__sync_fetch_and_add(&conn->messages, messages);
	ended = __sync_fetch_and_add(&conn->ended, 1);
	/* Both ends close on CPUs of their own: exactly one of them is second. */
	if (!ended)
		return;
	last = *conn;
	if (!tulle_conn_forget(&key, last.place) || last.kind != TULLE_CONN_DIRECT)
		return;
	tulle_pair_closed(&last);
	tulle_habit_learn(last.client, last.server, last.messages, bpf_ktime_get_ns());
	tulle_flow(&key, &last);
}

#endif
