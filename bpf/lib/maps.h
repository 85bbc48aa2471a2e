/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * All maps. Written by: agent (config, cgroups, homes, tenants, services, slots, members, epoch,
 * permit, access, declared, ports, accepting and declared entries of listen) or the kernel (the
 * rest). Sizes may be changed before load.
 *
 * Hashes written rarely are not preallocated: most of their room stays unused on most hosts.
 */
#ifndef TULLE_MAPS_H
#define TULLE_MAPS_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "reasons.h"
#include "types.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct tulle_config);
} tulle_config SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u64);
	__type(value, struct tulle_workload);
} tulle_cgroups SEC(".maps");

/* Who has an address of this node, by its host part -> workload id; 0: nobody. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, TULLE_HOSTS_MAX);
	__type(key, __u32);
	__type(value, __u32);
} tulle_homes SEC(".maps");

/* The same -> lease, and how much of the caller's share of tulle_conns is in use. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, TULLE_HOSTS_MAX);
	__type(key, __u32);
	__type(value, struct tulle_tenant);
} tulle_tenants SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct tulle_service_key);
	__type(value, struct tulle_service);
} tulle_services SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 262144);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct tulle_slot_key);
	__type(value, struct tulle_endpoint);
} tulle_slots SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct tulle_member_key);
	__type(value, __u32);
} tulle_members SEC(".maps");

/* Which endpoint a caller of a STICKY service had last. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 65536);
	__type(key, struct tulle_affinity_key);
	__type(value, struct tulle_affinity_value);
} tulle_affinity SEC(".maps");

/*
 * Counted up by the agent after every change of what it writes: a decision that was kept is only
 * good in the same epoch. 0: nothing may be kept.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} tulle_epoch SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct tulle_sockaddr);
	__type(value, struct tulle_listener);
} tulle_listen SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct tulle_declared_key);
	__type(value, __u8);
} tulle_declared SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct tulle_declared_key);
	__type(value, __u32);
} tulle_behind SEC(".maps");

/* Put in by sockops when they begin to listen; an entry ends with its socket. */
struct {
	__uint(type, BPF_MAP_TYPE_SOCKHASH);
	__uint(max_entries, 32768);
	__type(key, struct tulle_front_key);
	__type(value, __u64);
} tulle_fronts SEC(".maps");

/* Per socket of a workload that is bound to something else than it believes. */
struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct tulle_bound);
} tulle_bound SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct tulle_port_key);
	__type(value, struct tulle_port);
} tulle_ports SEC(".maps");

/* The mesh's own listening sockets. The agent puts them in; an entry ends with its socket. */
struct {
	__uint(type, BPF_MAP_TYPE_SOCKHASH);
	__uint(max_entries, 256);
	__type(key, struct tulle_sockaddr);
	__type(value, __u64);
} tulle_accepting SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32); /* port */
	__type(value, struct tulle_lent);
} tulle_lent SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_SOCKHASH);
	__uint(max_entries, 16384);
	__type(key, struct tulle_lending_key);
	__type(value, __u64);
} tulle_lending SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct tulle_permit_key);
	__type(value, __u8);
} tulle_permit SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 131072);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct tulle_access_key);
	__type(value, struct tulle_access);
} tulle_access SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, TULLE_POLICIES_MAX);
	__type(key, __u32);
	__type(value, __u64);
} tulle_denials SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_SOCKHASH);
	__uint(max_entries, 65536);
	__type(key, struct tulle_socket_key);
	__type(value, __u64);
} tulle_sockets SEC(".maps");

/*
 * What enter.c calls. A socket of tulle_sockets keeps the program that it was inserted with for as
 * long as it lives, so that program must be one that never has to change.
 */
struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u32);
} tulle_entries SEC(".maps");

/*
 * Where the reader of a spliced socket lives, from established to closed; private to sockops and
 * sk_msg.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct tulle_socket_key);
	__type(value, struct tulle_peer);
} tulle_peers SEC(".maps");

/* Per socket that got bytes over TCP, by its cookie, until it is closed; see arrive.c. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u64);
	__type(value, struct tulle_arrived);
} tulle_arrived SEC(".maps");

/* Per socket: what the application dialled. */
struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct tulle_dialled);
} tulle_dialled SEC(".maps");

/* Per UDP socket: the last decision. */
struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct tulle_sent);
} tulle_sent SEC(".maps");

/* Per socket: state of the sending direction of a spliced connection. */
struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct tulle_splice);
} tulle_splices SEC(".maps");

/* Per listening socket of a workload that could not be given an address at bind (port 0). */
struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct tulle_owner);
} tulle_owners SEC(".maps");

/* Answers to unconnected datagrams: which address the application expects them from. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct tulle_datagram_key);
	__type(value, struct tulle_sockaddr);
} tulle_datagrams SEC(".maps");

/* Who has been asked from a fixed port: nobody else outside the mesh may answer there. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct tulle_asked_key);
	__type(value, struct tulle_asked);
} tulle_asked SEC(".maps");

/* Apart, as callers have as many ports as they like: none pushes out what a workload has asked. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct tulle_asked_key);
	__type(value, struct tulle_asked);
} tulle_callers SEC(".maps");

/* No LRU: who makes a live connection is never forgotten. Each workload has a share (mesh.h). */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 131072);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct tulle_socket_key);
	__type(value, struct tulle_conn);
} tulle_conns SEC(".maps");

/*
 * No LRU: what is in it has been counted and may not have been read yet. The agent removes pairs of
 * workloads that have gone, and makes the entry of all that there is no room for.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct tulle_pair_key);
	__type(value, struct tulle_pair);
} tulle_pairs SEC(".maps");

/* Who calls whom with connections too brief to be worth splicing (see splice_worth.h). */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct tulle_habit_key);
	__type(value, struct tulle_habit);
} tulle_habits SEC(".maps");

/* Services of ports that do not say what is spoken, on which a request has been seen: id -> 1. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, __u32);
	__type(value, __u32);
} tulle_spoken SEC(".maps");

/* Whether servers wait in their calls: enum tulle_waits (see waits.h). */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct tulle_waits_key);
	__type(value, __u32);
} tulle_waits SEC(".maps");

/* Server ends of connections by which that is found out. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct tulle_socket_key);
	__type(value, struct tulle_peer);
} tulle_watched SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, TULLE_HOSTS_MAX);
	__type(key, __u32);
	__type(value, struct tulle_traffic);
} tulle_traffic SEC(".maps");

/* Per CPU: how many events were written in the running second. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 2); /* TULLE_RATE_* */
	__type(key, __u32);
	__type(value, struct tulle_event_rate);
} tulle_rate SEC(".maps");

/* u64 per CPU, indexed by enum tulle_reason. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, TULLE_REASON_MAX);
	__type(key, __u32);
	__type(value, __u64);
} tulle_counters SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 256 * 1024);
} tulle_events SEC(".maps");

#endif
