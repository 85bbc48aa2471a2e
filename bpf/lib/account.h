/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * Who has sent and received how much, and one record per connection that the kernel balanced.
 *
 * Bytes of connections inside the mesh are counted where they leave: spliced ones message by
 * message in sk_msg, those on TCP when their sender closes. Nothing is counted per packet on lo.
 *
 * A connection's record (tulle_conns) begins when its caller is established and ends with whichever
 * end closes last, since each end knows only what it has sent past TCP itself. Records are also
 * what the agent drains by: they name the service and the endpoint of every live connection.
 */
#ifndef TULLE_ACCOUNT_H
#define TULLE_ACCOUNT_H

#include "event.h"

/* Flow records a second and CPU, apart from the limit for refusals. */
#define TULLE_FLOWS_PER_SECOND 100

/* The counters of a workload by its IPv4 address (either family's form of it); NULL: not counted.
 */
static __always_inline struct tulle_traffic *tulle_traffic_of(const struct tulle_config *config,
							      __u32 v4)
{
	__u32 index = bpf_ntohl(v4 & ~config->node_mask);

	return index ? bpf_map_lookup_elem(&tulle_traffic, &index) : NULL;
}

static __always_inline void tulle_traffic_mesh(const struct tulle_config *config, __u32 from,
					       __u32 to, __u64 bytes)
{
	struct tulle_traffic *traffic = tulle_traffic_of(config, from);

	if (traffic)
		traffic->mesh_sent += bytes;
	traffic = tulle_traffic_of(config, to);
	if (traffic)
		traffic->mesh_received += bytes;
}

static __always_inline void tulle_conn_key(const struct tulle_socket_key *own, bool active,
					   struct tulle_socket_key *key)
{
	if (active) {
		*key = *own;
		return;
	}
	key->netns = own->netns;
	key->local = own->remote;
	key->remote = own->local;
	key->lport = own->rport;
	key->rport = own->lport;
}

/* A caller is established; `own` is its key. */
static __always_inline void tulle_conn_begin(const struct tulle_socket_key *own,
					     const struct tulle_dialled *dialled)
{
	struct tulle_conn conn = {.began = bpf_ktime_get_ns()};
	const __u32 *workload = bpf_map_lookup_elem(&tulle_addrs, &own->local);

	if (workload)
		conn.client = *workload;
	workload = bpf_map_lookup_elem(&tulle_addrs, &own->remote);
	if (workload)
		conn.server = *workload;
	if (dialled) {
		conn.service = dialled->service;
		conn.dialled.addr = dialled->addr;
		conn.dialled.port = dialled->port;
	}
	if (bpf_map_update_elem(&tulle_conns, own, &conn, BPF_ANY))
		tulle_count(TULLE_REASON_CONNS_FULL);
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

/* One end of a connection has closed: `key` is the caller's, `sent` what this end gave to TCP. */
static __always_inline void tulle_conn_end(const struct tulle_socket_key *key, bool active,
					   __u64 sent, __u32 rtt_us, __u32 retransmits)
{
	struct tulle_conn *conn = bpf_map_lookup_elem(&tulle_conns, key);
	struct tulle_conn last;
	__u32 ended;

	if (!conn)
		return;
	if (active) {
		conn->sent = sent;
		conn->rtt_us = rtt_us;
	} else {
		conn->received = sent;
	}
	__sync_fetch_and_add(&conn->retransmits, retransmits);
	ended = __sync_fetch_and_add(&conn->ended, 1);
	/* Both ends close on CPUs of their own: exactly one of them is second. */
	if (!ended)
		return;
	last = *conn;
	if (!bpf_map_delete_elem(&tulle_conns, key))
		tulle_flow(key, &last);
}

#endif
