/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * Where does a workload's connection or datagram go? One decision for TCP and UDP, IPv4 and IPv6;
 * the hooks only carry it out.
 */
#ifndef TULLE_DECIDE_H
#define TULLE_DECIDE_H

#include "access.h"
#include "mesh.h"
#include "sock_addr.h"

#define TULLE_DNS_PORT 53

/*
 * A service record may change between its lookup and the slot's; each try sees a newer one. And an
 * endpoint may have stopped listening before the agent has taken it out of the slots: further tries
 * go round the slots in steps that reach every fifth of them.
 */
#define TULLE_SLOT_TRIES 5

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
	__u32 service;  /* 0: none, or served by the proxy alone */
	__u32 workload; /* of the endpoint; 0: unknown */
	__u32 http;     /* enum tulle_speaks: may the kernel serve requests to `service`? */
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

/*
 * Callers that hash alike on every node and in the node proxy (EndpointBalancer of the model):
 * the mixing of MurmurHash3 over the IPv4 address.
 */
static __always_inline __u32 tulle_caller_hash(const struct tulle_workload *caller)
{
	__u32 h = bpf_ntohl(caller->addr4.w[3]);

	h ^= h >> 16;
	h *= 0x85ebca6b;
	h ^= h >> 13;
	h *= 0xc2b2ae35;
	return h ^ (h >> 16);
}

static __always_inline __u32 tulle_pick_slot(struct tulle_service *service, __u32 slots,
					     __u8 choice, const struct tulle_workload *caller)
{
	if (choice == TULLE_CHOICE_HASH || choice == TULLE_CHOICE_STICKY)
		return tulle_caller_hash(caller) % slots;
	if (choice == TULLE_CHOICE_ROUND_ROBIN)
		return (__u32)__sync_fetch_and_add(&service->next, 1) % slots;
	return bpf_get_prandom_u32() % slots;
}

static __always_inline bool tulle_is_member(__u32 service, const struct tulle_sockaddr *endpoint)
{
	struct tulle_member_key key = {.service = service, .endpoint = *endpoint};

	return bpf_map_lookup_elem(&tulle_members, &key);
}

static __always_inline void tulle_decide_to(struct tulle_decision *d, __u32 service,
					    const struct tulle_addr *addr, __u16 port,
					    __u32 workload)
{
	d->addr = *addr;
	d->port = port;
	d->workload = workload;
	d->action = TULLE_ACT_MESH;
	d->reason = TULLE_REASON_CONNECT_KERNEL;
	d->service = service;
}

/*
 * Would a connect be refused at once? Only of workloads on this node it is known where they listen:
 * the guard admits nobody to any other port (guard.c).
 */
static __always_inline bool tulle_is_deaf(const struct tulle_config *config,
					  const struct tulle_addr *addr, __u16 port)
{
	struct tulle_sockaddr key = {.addr = *addr, .port = port};
	const struct tulle_listener *listener;
	__u32 v4;

	if (!(config->flags & TULLE_F_GUARD) ||
	    tulle_net_of(config, addr, &v4) != TULLE_NET_RANGE || !tulle_on_this_node(config, v4))
		return false;
	listener = bpf_map_lookup_elem(&tulle_listen, &key);
	return !listener || !listener->sockets;
}

/* The endpoint that this caller had last, if it is still one and the time has not passed. */
static __always_inline bool tulle_decide_sticky(struct tulle_decision *d,
						const struct tulle_config *config,
						const struct tulle_service *service,
						const struct tulle_workload *caller)
{
	struct tulle_affinity_key key = {.service = service->id, .caller = caller->addr4.w[3]};
	struct tulle_affinity_value *last = bpf_map_lookup_elem(&tulle_affinity, &key);
	struct tulle_sockaddr endpoint;
	__u64 now;

	if (!last)
		return false;
	now = bpf_ktime_get_ns();
	endpoint = last->endpoint;
	if (now - last->seen > service->sticky * 1000000000ull ||
	    !tulle_is_member(service->id, &endpoint) ||
	    tulle_is_deaf(config, &endpoint.addr, endpoint.port))
		return false;
	last->seen = now;
	tulle_decide_to(d, service->id, &endpoint.addr, endpoint.port, last->workload);
	return true;
}

static __always_inline void tulle_stick(const struct tulle_decision *d,
					const struct tulle_workload *caller)
{
	struct tulle_affinity_key key = {.service = d->service, .caller = caller->addr4.w[3]};
	struct tulle_affinity_value last = {.workload = d->workload, .seen = bpf_ktime_get_ns()};

	last.endpoint.addr = d->addr;
	last.endpoint.port = d->port;
	bpf_map_update_elem(&tulle_affinity, &key, &last, BPF_ANY);
}

/*
 * A KERNEL service: an endpoint by slot, or the one that this UDP socket (`keep`, may be NULL) used
 * before. False: the slots did not hold still, which no bound can exclude; the node proxy knows the
 * endpoints too. Where nobody seems to listen the last one found is as good as any.
 */
static __always_inline bool tulle_decide_endpoint(struct tulle_decision *d,
						  const struct tulle_config *config,
						  const struct tulle_service_key *key,
						  const struct tulle_workload *caller,
						  const struct tulle_sent *keep)
{
	bool decided = false;
	__u32 drawn = 0;

#pragma unroll
	for (int i = 0; i < TULLE_SLOT_TRIES; i++) {
		struct tulle_service *found = bpf_map_lookup_elem(&tulle_services, key);
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
		if (i == 0) {
			if (keep && keep->service == service.id &&
			    tulle_is_member(service.id, &keep->endpoint)) {
				tulle_decide_to(d, service.id, &keep->endpoint.addr,
						keep->endpoint.port, keep->endpoint_workload);
				return true;
			}
			if (service.choice == TULLE_CHOICE_STICKY &&
			    tulle_decide_sticky(d, config, &service, caller))
				return true;
			drawn = tulle_pick_slot(found, service.slots, service.choice, caller);
		} else {
			drawn += service.slots / TULLE_SLOT_TRIES | 1;
		}
		slot.service = service.id;
		slot.generation = service.generation;
		slot.slot = drawn % service.slots;
		endpoint = bpf_map_lookup_elem(&tulle_slots, &slot);
		if (!endpoint)
			continue;
		tulle_decide_to(d, service.id, &endpoint->addr, endpoint->port, endpoint->workload);
		decided = true;
		if (key->proto == TULLE_TCP && tulle_is_deaf(config, &d->addr, d->port))
			continue;
		if (service.choice == TULLE_CHOICE_STICKY)
			tulle_stick(d, caller);
		return true;
	}
	if (!decided)
		tulle_count(TULLE_REASON_SLOT_MISSING);
	return decided;
}

static __always_inline bool
tulle_decide_service(struct tulle_decision *d, const struct tulle_config *config,
		     const struct tulle_service_key *key, const struct tulle_workload *caller,
		     const struct tulle_sent *keep, const struct tulle_addr *dst)
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
	    tulle_decide_endpoint(d, config, key, caller, keep)) {
		/* Datagrams are not subject to authorization policies. */
		if (udp || d->action != TULLE_ACT_MESH ||
		    !tulle_must_ask(config, &d->addr, d->port, caller->id))
			return true;
		d->addr = *dst;
		d->port = key->port;
		d->service = 0;
		d->workload = 0;
		tulle_decide_proxy(d, TULLE_REASON_CONNECT_PROXY);
		return true;
	}
	if (udp) {
		tulle_decide_refuse(d, TULLE_REASON_UDP_NEEDS_PROXY);
		return true;
	}
	tulle_decide_proxy(d, TULLE_REASON_CONNECT_PROXY);
	if (service->mode == TULLE_MODE_HTTP || service->mode == TULLE_MODE_MAYBE_HTTP) {
		d->service = service->id;
		d->http = service->mode == TULLE_MODE_HTTP ? TULLE_SPEAKS_HTTP : TULLE_SPEAKS_MAYBE;
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
					 const struct tulle_sent *keep,
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
	d->workload = 0;
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
	if (tulle_decide_service(d, config, &key, caller, keep, dst))
		return;
	if (net == TULLE_NET_RANGE) {
		if (proto == TULLE_TCP && tulle_must_ask(config, dst, port, caller->id)) {
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
