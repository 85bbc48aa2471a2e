/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * Where does a workload's connection or datagram go? One decision for TCP and UDP, IPv4 and IPv6;
 * the hooks only carry it out.
 */
#ifndef TULLE_DECIDE_H
#define TULLE_DECIDE_H

#include "mesh.h"
#include "sock_addr.h"

#define TULLE_DNS_PORT 53

/* A service record may change between its lookup and the slot's; each try sees a newer one. */
#define TULLE_SLOT_TRIES 3

enum tulle_action {
	TULLE_ACT_PASS = 0,   /* untouched */
	TULLE_ACT_REFUSE = 1, /* with reason */
	TULLE_ACT_MESH = 2,   /* to addr:port, source bound */
	TULLE_ACT_PROXY = 3,  /* to the node proxy, source bound */
};

struct tulle_decision {
	struct tulle_addr addr;
	__u16 port;
	__u16 reason;
	__u32 action;
	/* The slot behind addr; generation 0: none. */
	__u32 service;
	__u32 generation;
	__u32 slot;
	__u32 http; /* 1: `service` speaks HTTP, and the kernel may serve its requests */
};

static __always_inline void tulle_decide_proxy(struct tulle_decision *d, __u16 reason)
{
	d->action = TULLE_ACT_PROXY;
	d->reason = reason;
}

static __always_inline void tulle_decide_refuse(struct tulle_decision *d, __u16 reason)
{
	d->action = TULLE_ACT_REFUSE;
	d->reason = reason;
}

/* `keep`: the slot that this socket used before, if it is of the same service; may be NULL. */
static __always_inline __u32 tulle_pick_slot(const struct tulle_service *service,
					     const struct tulle_workload *caller,
					     const struct tulle_dialled *keep)
{
	if (keep && keep->service == service->id && keep->generation == service->generation)
		return keep->slot;
	if (service->affinity == TULLE_AFFINITY_WORKLOAD)
		return (caller->id * 2654435761u) % service->slots;
	return bpf_get_prandom_u32() % service->slots;
}

/*
 * A KERNEL service: an endpoint by slot. False: the slots did not hold still, which no bound can
 * exclude; the node proxy knows the endpoints too.
 */
static __always_inline bool tulle_decide_endpoint(struct tulle_decision *d,
						  const struct tulle_service_key *key,
						  const struct tulle_workload *caller,
						  const struct tulle_dialled *keep)
{
#pragma unroll
	for (int i = 0; i < TULLE_SLOT_TRIES; i++) {
		const struct tulle_service *found = bpf_map_lookup_elem(&tulle_services, key);
		const struct tulle_endpoint *endpoint;
		struct tulle_service service;
		struct tulle_slot_key slot;

		if (!found)
			return false;
		service = *found;
		if (!service.slots) {
			tulle_decide_refuse(d, TULLE_REASON_NO_ENDPOINT);
			return true;
		}
		slot.service = service.id;
		slot.generation = service.generation;
		slot.slot = tulle_pick_slot(&service, caller, keep);
		endpoint = bpf_map_lookup_elem(&tulle_slots, &slot);
		if (!endpoint)
			continue;
		d->addr = endpoint->addr;
		d->port = endpoint->port;
		d->action = TULLE_ACT_MESH;
		d->reason = TULLE_REASON_CONNECT_KERNEL;
		d->service = service.id;
		d->generation = service.generation;
		d->slot = slot.slot;
		return true;
	}
	tulle_count(TULLE_REASON_SLOT_MISSING);
	return false;
}

static __always_inline bool tulle_decide_service(struct tulle_decision *d,
						 const struct tulle_config *config,
						 const struct tulle_service_key *key,
						 const struct tulle_workload *caller,
						 const struct tulle_dialled *keep)
{
	const struct tulle_service *service = bpf_map_lookup_elem(&tulle_services, key);
	bool udp = key->proto == TULLE_UDP;

	if (!service)
		return false;
	if (service->mode == TULLE_MODE_REFUSE) {
		tulle_decide_refuse(d, TULLE_REASON_SERVICE_REFUSED);
		return true;
	}
	if (service->mode == TULLE_MODE_KERNEL && (udp || config->flags & TULLE_F_KERNEL_L4) &&
	    tulle_decide_endpoint(d, key, caller, keep))
		return true;
	if (udp) {
		tulle_decide_refuse(d, TULLE_REASON_UDP_NEEDS_PROXY);
		return true;
	}
	tulle_decide_proxy(d, TULLE_REASON_CONNECT_PROXY);
	if (service->mode == TULLE_MODE_HTTP) {
		d->service = service->id;
		d->http = 1;
	}
	return true;
}

/* Does the workload itself listen on its own address? Then localhost means that. */
static __always_inline bool tulle_decide_localhost(struct tulle_decision *d,
						   const struct tulle_workload *caller, __u16 port)
{
	struct tulle_sockaddr own = {.addr = caller->addr4, .port = port};
	const struct tulle_listener *listener = bpf_map_lookup_elem(&tulle_listen, &own);

	if (!listener || !(listener->sockets & ~TULLE_LISTEN_DECLARED)) {
		if (tulle_addr_is_zero(&caller->addr6))
			return false;
		own.addr = caller->addr6;
		listener = bpf_map_lookup_elem(&tulle_listen, &own);
		if (!listener || !(listener->sockets & ~TULLE_LISTEN_DECLARED))
			return false;
	}
	d->addr = own.addr;
	d->port = port;
	d->action = TULLE_ACT_MESH;
	d->reason = TULLE_REASON_CONNECT_LOCALHOST;
	return true;
}

/* On return d->addr and d->port are the target, or as dialled where the action is not MESH. */
static __always_inline void tulle_decide(struct tulle_decision *d,
					 const struct tulle_config *config,
					 const struct tulle_workload *caller,
					 const struct tulle_dialled *keep,
					 const struct tulle_addr *dst, __u16 port, __u8 proto)
{
	struct tulle_service_key key = {.vip = *dst, .port = port, .proto = proto};
	enum tulle_net net;
	__u32 v4;

	d->addr = *dst;
	d->port = port;
	d->reason = TULLE_REASON_CONNECT_OUTSIDE;
	d->action = TULLE_ACT_PASS;
	d->service = 0;
	d->generation = 0;
	d->slot = 0;
	d->http = 0;

	net = tulle_net_of(config, dst, &v4);

	/* A resolver inside the mesh that is called by its address is meant. */
	if (port == TULLE_DNS_PORT && net == TULLE_NET_OTHER && config->flags & TULLE_F_DNS) {
		bool inet4 = tulle_addr_is_v4(dst) || !config->dns6_port;

		__u16 dns_port = inet4 ? config->dns4_port : config->dns6_port;

		if (dns_port) {
			d->addr = inet4 ? config->dns4 : config->dns6;
			d->port = dns_port;
			d->action = TULLE_ACT_MESH;
			d->reason = TULLE_REASON_CONNECT_DNS;
			return;
		}
	}
	/* The kernel takes connect(0.0.0.0) for localhost. */
	if (tulle_addr_is_loopback(dst) || tulle_addr_is_any(dst)) {
		if (proto == TULLE_TCP)
			tulle_decide_localhost(d, caller, port);
		return;
	}
	if (net == TULLE_NET_VIP)
		tulle_addr_set_v4(&key.vip, v4);
	if (tulle_decide_service(d, config, &key, caller, keep))
		return;
	if (net == TULLE_NET_RANGE) {
		struct tulle_permit_key guarded = {.source = TULLE_SOURCE_GUARDED};

		tulle_addr_set_v4(&guarded.dst, v4);
		if (proto == TULLE_TCP && bpf_map_lookup_elem(&tulle_permit, &guarded)) {
			tulle_decide_proxy(d, TULLE_REASON_CONNECT_PROXY);
			return;
		}
		d->action = TULLE_ACT_MESH;
		d->reason = TULLE_REASON_CONNECT_DIRECT;
		return;
	}
	if (net == TULLE_NET_VIP) {
		if (proto == TULLE_UDP)
			tulle_decide_refuse(d, TULLE_REASON_SENDMSG_REFUSED);
		else if (config->outbound_policy == TULLE_OUTBOUND_REGISTRY_ONLY)
			tulle_decide_refuse(d, TULLE_REASON_UNKNOWN_VIP);
		else
			tulle_decide_proxy(d, TULLE_REASON_CONNECT_ASK);
		return;
	}
	if (config->outbound_policy == TULLE_OUTBOUND_REGISTRY_ONLY)
		tulle_decide_refuse(d, TULLE_REASON_REGISTRY_ONLY);
}

#endif
