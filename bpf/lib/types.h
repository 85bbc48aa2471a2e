/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * Layouts shared with user space. Every struct is laid out without implicit padding, so that a
 * writer that zeroes the bytes it does not name always builds the right key.
 *
 * Ports are host order. IPv4 is kept v4-mapped (::ffff:a.b.c.d). The IPv6 twin of a mesh IPv4
 * address is a /96 prefix followed by the IPv4 address, so that one body serves both families.
 */
#ifndef TULLE_TYPES_H
#define TULLE_TYPES_H

#include <linux/types.h>

/* Bump when a layout or a meaning changes; the agent refuses pins of another schema. */
#define TULLE_SCHEMA 1

/*
 * With TULLE_OTHER_LAYOUT (make other-layout) some structs are laid out differently, as a later
 * version's might be: for tests of the agent's upgrade only. The names of added fields begin with
 * "reserved": nobody has to know them.
 */
#ifdef TULLE_OTHER_LAYOUT
#define TULLE_ADDED(name) __u32 name[2];
#else
#define TULLE_ADDED(name)
#endif

/* Network byte order, as in struct in6_addr. */
struct tulle_addr {
	__u32 w[4];
};

/* tulle_config.flags */
#define TULLE_F_CAPTURE (1 << 0) /* connect and UDP rewriting */
#define TULLE_F_SPLICE  (1 << 1) /* offer sockets to sk_msg */
#define TULLE_F_KERNEL_L4                                                                          \
	(1 << 2)               /* choose endpoints in the kernel; off: L4 services use the proxy */
#define TULLE_F_BIND  (1 << 3) /* address per workload and the bind guard */
#define TULLE_F_GUARD (1 << 4) /* sk_lookup guard */
#define TULLE_F_DNS   (1 << 5) /* capture port 53 */

/*
 * The mesh has stopped and workloads go on: their listeners answer at the host's addresses, on
 * ports on which no program of the host listens.
 */
#define TULLE_F_LEND (1 << 6)

/* Answers from outside the mesh find the fixed port that asked (see asked.h). */
#define TULLE_F_ANSWERS (1 << 7)

enum tulle_outbound_policy {
	TULLE_OUTBOUND_ALLOW_ANY = 0,     /* unknown VIP: proxy; anything else: untouched */
	TULLE_OUTBOUND_REGISTRY_ONLY = 1, /* both: EPERM and an event */
	TULLE_OUTBOUND_ASK = 2,           /* as ALLOW_ANY: the proxy fetches what is missing */
};

/* tulle_config, element 0. All zero: every program passes everything untouched. */
struct tulle_config {
	__u32 schema; /* TULLE_SCHEMA, else the programs do nothing */
	__u32 flags;
	TULLE_ADDED(reserved_config)
	__u32 outbound_policy;
	__u32 splice_limit; /* bytes in a reader's queue above which a direction spills; 0: 1 MiB */
	/* Cookie of the network namespace that the guard stands in. 0: who calls is judged by
	 * address alone, as nobody has said in which namespace the records are to be looked up.
	 */
	__u64 netns;
	/* IPv4 networks and masks, network byte order. */
	__u32 range_net, range_mask;
	__u32 node_net, node_mask;
	__u32 vip_net, vip_mask;
	/* First 96 bits of the IPv6 twins; all zero: no twin. */
	struct tulle_addr range6;
	struct tulle_addr vip6;
	/* v4-mapped; their twins follow from range6. */
	struct tulle_addr host_addr;
	struct tulle_addr proxy_addr;
	struct tulle_addr agent_addr;
	/* Listeners; *4 is v4-mapped. A zero port: no such listener. */
	struct tulle_addr outbound4;
	struct tulle_addr outbound6;
	struct tulle_addr dns4;
	struct tulle_addr dns6;
	__u16 outbound4_port;
	__u16 outbound6_port;
	__u16 dns4_port;
	__u16 dns6_port;
	/* Of the requests that kernel HTTP forwards: one is reported if a random number does not
	 * pass this. 0: none.
	 */
	__u32 http_sample;
	/* Connections into the mesh that one workload may have open. 0: TULLE_CALLER_CONNS */
	__u32 caller_conns;
};
#define TULLE_CALLER_CONNS 16384

enum tulle_role {
	TULLE_ROLE_HOST = 0,
	TULLE_ROLE_WORKLOAD = 1,
	TULLE_ROLE_PROXY = 2,
	TULLE_ROLE_AGENT = 3,
};

/* tulle_cgroups: cgroup id (__u64) -> who runs in it and below. */
struct tulle_workload {
	TULLE_ADDED(reserved_workload)
	__u32 id;
	__u8 role; /* enum tulle_role */
	__u8 pad[3];
	struct tulle_addr addr4; /* v4-mapped; zero for PROXY and AGENT (config has theirs) */
	struct tulle_addr addr6; /* zero: no IPv6 address leased */
	__u64 lease;             /* WORKLOAD: never the number of another lease, unlike id */
};

/* tulle_tenants: who has an address of this node now, by its host part. */
struct tulle_tenant {
	TULLE_ADDED(reserved_tenant)
	__u64 lease;    /* 0: nobody */
	__u32 open;     /* its records in tulle_conns, counted by the programs */
	__u32 splicing; /* enum tulle_splicing, for as long as the lease */
};

/* Which of a workload's sockets may be spliced: programs notice it (docs/splicing.md). */
enum tulle_splicing {
	TULLE_SPLICING_HTTP = 0, /* those that speak HTTP, as far as they cannot notice */
	TULLE_SPLICING_ALL = 1,  /* all, towards others of this kind and the proxy */
	TULLE_SPLICING_NONE = 2,
};

/* tulle_services */
struct tulle_service_key {
	struct tulle_addr vip; /* v4-mapped also where the IPv6 twin is dialled */
	__u16 port;
	__u8 proto; /* 6 TCP, 17 UDP */
	__u8 pad;
};

/* Does a service that the proxy routes speak HTTP, which the kernel may serve? */
enum tulle_speaks {
	TULLE_SPEAKS_OTHER = 0,
	TULLE_SPEAKS_HTTP = 1,
	TULLE_SPEAKS_MAYBE = 2, /* as soon as it has: tulle_spoken */
};

enum tulle_service_mode {
	TULLE_MODE_KERNEL = 1, /* endpoint from tulle_slots */
	TULLE_MODE_PROXY = 2,
	TULLE_MODE_REFUSE = 3,
	TULLE_MODE_HTTP = 4, /* as PROXY for connect; its requests are HTTP (see http_types.h) */
	TULLE_MODE_MAYBE_HTTP = 5, /* the same, if they are: its port does not say what is spoken */
};

/* How a slot is chosen; equal chances unless said otherwise, weights are in the slots. */
enum tulle_choice {
	TULLE_CHOICE_RANDOM = 0,
	TULLE_CHOICE_HASH = 1,        /* by the caller's address; the slots are a Maglev table */
	TULLE_CHOICE_ROUND_ROBIN = 2, /* one after the other, all callers together */
	TULLE_CHOICE_STICKY = 3,      /* what the caller had last (tulle_affinity), else as HASH */
};

struct tulle_service {
#ifdef TULLE_OTHER_LAYOUT
	__u32 slots;
	__u32 reserved_service;
	__u32 generation;
	__u32 id;
#else
	__u32 id;
	__u32 generation;
	__u32 slots;
#endif
	__u16 reason; /* why not the kernel, for `explain`; shown in events of refusals */
	__u8 mode;
	__u8 choice;  /* enum tulle_choice */
	__u32 next;   /* ROUND_ROBIN: counted up by the programs */
	__u32 sticky; /* STICKY: seconds after its last connect at which a caller is forgotten */
};

/* tulle_slots: written for a generation before the service record names that generation. */
struct tulle_slot_key {
	__u32 service;
	__u32 generation;
	__u32 slot; /* 0 <= slot < slots */
};

struct tulle_endpoint {
	TULLE_ADDED(reserved_endpoint)
	struct tulle_addr addr;
	__u32 workload;
	__u16 port;
	__u16 pad;
};

/* An address and a port; the key of tulle_listen. */
struct tulle_sockaddr {
	struct tulle_addr addr;
	__u16 port;
	__u16 pad;
};

/* tulle_listen: which ports of a workload's address may be reached at all. */
#define TULLE_LISTEN_DECLARED 0x80000000u /* written by the agent; the kernel never deletes it */
struct tulle_listener {
	TULLE_ADDED(reserved_listener)
	__u32 workload;
	__u32 sockets; /* learned listening sockets, counted by sockops, | TULLE_LISTEN_DECLARED */
};

/*
 * tulle_ports: ports of the mesh itself. On loopback and wildcard addresses nobody but the node
 * proxy and the agent may bind them, dead or alive.
 */
struct tulle_port_key {
	__u16 port;
	__u8 proto; /* 6 TCP, 17 UDP */
	__u8 pad;
};

#define TULLE_PORT_HELD (1 << 0) /* connections go to its socket in tulle_accepting or nowhere */
#define TULLE_PORT_EVERYWHERE                                                                      \
	(1 << 1)                 /* published: refused on the host's other addresses as well       \
				  */
#define TULLE_PORT_ROOT (1 << 2) /* root outside every workload may have it as well */

struct tulle_port {
	__u64 netns; /* cookie of the only network namespace that is meant; 0: any */
	__u32 flags;
	__u32 pad;
};

/*
 * tulle_lent: ports at the host's addresses that lead to workloads while TULLE_F_LEND is on.
 * Written by user space when the mesh stops, taken back when a program of the host begins to listen
 * there.
 */
struct tulle_lent {
	__u64 netns;    /* cookie of the host's network namespace */
	__u32 workload; /* whose listeners have it: no other workload's will */
	__u32 pad;
};

/* tulle_lending: the workloads' listening sockets for these ports. */
struct tulle_lending_key {
	__u16 port;
	__u8 loopback; /* 1: for connections to loopback; 0: to the host's other addresses */
	__u8 pad;
};

/*
 * tulle_declared: TCP ports that a workload says it listens on; value __u8 is not read.
 * tulle_behind: the port that its sockets for such a port are bound to in truth (__u32), so that a
 * program of the host can have the port itself on all of the host's addresses.
 */
struct tulle_declared_key {
	__u32 workload;
	__u16 port;
	__u16 pad;
};

/* tulle_fronts: the sockets that listen behind, by what they are reached at. */
#define TULLE_FRONTS_MAX 8 /* sockets of one port (SO_REUSEPORT) of which one is found */
struct tulle_front_key {
	struct tulle_addr addr;
	__u16 port;
	__u16 index; /* < TULLE_FRONTS_MAX */
};

/*
 * tulle_members: endpoints that a service has now (value 1), for those who keep theirs: callers of
 * STICKY services and unconnected UDP sockets. Written before the record of a new generation names
 * them, removed after the record that no longer does.
 */
struct tulle_member_key {
	__u32 service;
	struct tulle_sockaddr endpoint;
};

/* tulle_affinity */
struct tulle_affinity_key {
	__u32 service;
	__u32 caller; /* its IPv4 address, network byte order */
};

struct tulle_affinity_value {
	struct tulle_sockaddr endpoint;
	__u32 workload;
	__u64 seen; /* ns, CLOCK_MONOTONIC */
};

/*
 * tulle_permit: callers outside the mesh that may reach a workload; value __u8 is not read. With
 * TULLE_SOURCE_GUARDED and port 0 it says the opposite of callers in the mesh: what tulle_access
 * does not allow them is refused.
 */
enum tulle_source {
	TULLE_SOURCE_HOST = 1, /* this host: its mesh address (.1) or loopback */
	TULLE_SOURCE_OUTSIDE =
		2, /* every other address that is no local workload, proxy or agent */
	TULLE_SOURCE_GUARDED = 3, /* authorization policies are about the workload, or may be */
};

struct tulle_permit_key {
	struct tulle_addr dst; /* v4-mapped: one entry serves the IPv6 twin as well */
	__u16 port;            /* 0: every port */
	__u8 source;
	__u8 pad;
};

/*
 * tulle_access: what the authorization policies of a workload of this node settle for the TCP
 * connections of another one. No entry: not known, which is never permission. Ports are the
 * called workload's own; 0 stands for every port that none of its policies names.
 */
struct tulle_access_key {
	__u32 dst; /* workload ids */
	__u32 src;
	__u16 port;
	__u16 pad;
};

enum tulle_verdict {
	TULLE_VERDICT_UNKNOWN = 0,
	TULLE_VERDICT_ALLOW = 1,
	TULLE_VERDICT_DENY = 2,
};

struct tulle_access {
	TULLE_ADDED(reserved_access)
	__u32 verdict; /* enum tulle_verdict */
	__u32 policy;  /* which one refuses: an index of tulle_denials */
};

/* tulle_denials: refused connections, per CPU, by the agent's numbers for policies. */
#define TULLE_POLICIES_MAX 1024

/* tulle_sockets and tulle_peers: one end of a local connection. */
struct tulle_socket_key {
	__u64 netns; /* cookie */
	struct tulle_addr local;
	struct tulle_addr remote;
	__u32 lport;
	__u32 rport;
};

/* From here to the events: private to the programs. */
struct tulle_peer {
	__u64 sock;   /* kernel address, only ever read through bpf_probe_read_kernel */
	__u64 cookie; /* proves that the address still holds the same socket */
};

/* What has come to a spliced socket over TCP. */
struct tulle_arrived {
	__u32 next;   /* the sequence number after the last byte */
	__u32 broken; /* 1: bytes are missing, nothing more is given to the reader */
};

struct tulle_dialled {
	struct tulle_addr addr;   /* as dialled, in the socket's own family */
	struct tulle_addr target; /* what it became */
	__u32 workload;
	__u16 port;
	__u16 target_port;
	__u8 proxied; /* the target is the node proxy */
	__u8 http;    /* and what is known of the service: enum tulle_speaks */
	__u8 pad[2];
	__u32 service; /* the kernel's or HTTP service that was dialled; 0: none */
	__u32 place;   /* host part of the workload's address */
	__u32 pad2;
	__u64 lease;
};

/*
 * Per UDP socket: the last decision, which the next datagram to the same destination takes over
 * while nothing has changed, and the endpoint that the socket keeps.
 */
struct tulle_sent {
	__u64 epoch; /* tulle_epoch of the decision; 0: none */
	__u64 cgroup;
	struct tulle_addr dst; /* as given by the application */
	struct tulle_addr target;
	struct tulle_addr given;  /* source that came with the datagram */
	struct tulle_addr source; /* source that it got instead; zero: left alone */
	__u16 port;
	__u16 target_port;
	__u16 reason;
	__u8 rewritten; /* target differs from dst */
	__u8 ever;      /* some datagram was rewritten: answers have to be looked at */
	__u32 service;  /* whose endpoint is kept; 0: none */
	struct tulle_sockaddr endpoint;
	__u32 endpoint_workload;
};

/* What a spliced socket is to kernel HTTP; the names are those of http_types.h. */
enum tulle_http_role {
	TULLE_HTTP_NOBODY = 0,
	TULLE_HTTP_C = 1,
	TULLE_HTTP_D = 2,
	TULLE_HTTP_U = 3,
	TULLE_HTTP_S = 4,
	TULLE_HTTP_WATCH = 5, /* the proxy's, not spliced: does the server wait? (waits.h) */
};

struct tulle_splice {
	struct tulle_socket_key peer;
	struct tulle_peer reader;
	__u16 spliced; /* 1: no byte of this direction is under way on TCP */
	__u16 spilled; /* 1: stays on TCP for good */
	__u32 ever;    /* 1: some byte of this direction has been redirected */
	__u32 http;    /* enum tulle_http_role */
	__u32 lease;   /* S: its lease, once it was found; 0: not yet */
	__u32 tenure;  /* of that lease */
	/* D: what it still has to send before the connection is given (TULLE_OPT_GIVE); 0: nothing
	 */
	__u32 after;
	__u32 loop;
	__u32 pieces; /* C, S: the last message had several, so the next run may be for its rest */
	__u64 consumed;
	__u64 bytes; /* redirected so far */
	__u32 messages;
	__u32 pad;
};

/*
 * Of a socket that was bound to something else than it asked for: from loopback to the workload's
 * own address, or to a port behind (tulle_behind), or both.
 */
struct tulle_bound {
	struct tulle_addr asked;
	struct tulle_addr own;
	__u16 port; /* that was asked for */
	__u16 pad;
};

struct tulle_owner {
	__u32 workload;
	struct tulle_addr addr4;
	struct tulle_addr addr6;
};

struct tulle_datagram_key {
	__u64 socket; /* cookie */
	struct tulle_addr addr;
	__u32 port;
	__u32 pad;
};

/*
 * tulle_asked: whom outside the mesh a workload has sent datagrams to from a fixed port; and
 * tulle_callers: who of them has called that port, by a permit. Ports are host order; the remote's
 * family is that of the datagrams.
 */
struct tulle_asked_key {
	struct tulle_addr remote;
	__u16 rport;
	__u16 lport;
};

enum tulle_asking {
	TULLE_ASKING = 1,           /* the kernel chooses the source of each datagram */
	TULLE_ASKING_CONNECTED = 2, /* the socket cannot send from another address than its own */
};

struct tulle_asked {
	__u64 seen; /* ns, CLOCK_MONOTONIC: when it last sent one there, or was called */
	__u64 lease;
	struct tulle_addr own; /* what the socket is bound to */
	__u32 place;           /* host part of its IPv4 form */
	__u32 kind;            /* enum tulle_asking; 0 in tulle_callers */
};

struct tulle_event_rate {
	__u64 second;
	__u64 written;
};

/*
 * tulle_traffic, per CPU: what a workload has sent and received, by the host part of its address.
 * Bytes "mesh" are those of TCP connections between ends on this node, payload only; "wire" is what
 * passed a real interface, whole packets.
 */
#define TULLE_HOSTS_MAX 4096 /* addresses of a node: a /20 */
struct tulle_traffic {
	__u64 mesh_sent;
	__u64 mesh_received;
	__u64 wire_sent;
	__u64 wire_received;
	__u64 wire_sent_packets;
	__u64 wire_received_packets;
	__u64 opened;   /* connections of the mesh that it began */
	__u64 accepted; /* and that it took */
};

/*
 * tulle_conns: a TCP connection of a workload that stays on this host, by its caller's key: who
 * makes it, as the connect program saw it. From before the SYN until both ends have closed.
 */
enum tulle_conn_kind {
	TULLE_CONN_DIRECT = 0,  /* to a workload's address */
	TULLE_CONN_PROXIED = 1, /* redirected to the node proxy */
	TULLE_CONN_LOCAL = 2,   /* to some other port of this host, untouched */
};

struct tulle_conn {
	__u64 began; /* ns, CLOCK_MONOTONIC */
	__u64 sent;  /* by the caller; known once it has closed */
	__u64 received;
	__u64 lease;   /* the caller's; 0: two connections met in this record, so nobody's */
	__u32 place;   /* of the caller in tulle_tenants */
	__u32 client;  /* workload ids */
	__u32 server;  /* 0: the other end is no workload */
	__u32 service; /* 0: no service of the kernel was dialled */
	__u32 rtt_us;
	__u32 retransmits;
	__u32 ended; /* ends that have closed */
	struct tulle_sockaddr dialled;
	__u32 messages; /* of both ends that have closed */
	__u16 kind;     /* enum tulle_conn_kind */
	__u16 accepted; /* 1: the other end has existed */
};

/*
 * TULLE_OPT_ACCEPTED, of the node proxy's accepted sockets: who called, and whom. Level and numbers
 * of options are those of http_types.h.
 */
#define TULLE_OPT_ACCEPTED 7
enum tulle_who {
	TULLE_WHO_NOBODY = 0,  /* no workload of this node made it */
	TULLE_WHO_NAMED = 1,   /* the workload with this lease */
	TULLE_WHO_UNNAMED = 2, /* a workload's address or lease, but not the one that has it now */
};

struct tulle_accepted {
	__u64 lease; /* NAMED, else 0 */
	struct tulle_addr dialled;
	__u32 who;  /* enum tulle_who */
	__u16 port; /* dialled; 0: the connection was not redirected */
	__u16 pad;
};

/*
 * tulle_pairs: connections that the kernel balanced, by who called whom and as which service; 0/0/0
 * counts for those that there is no room for.
 */
struct tulle_pair_key {
	__u32 client, server; /* workload ids */
	__u32 service;        /* 0: no service of the kernel was dialled */
};

struct tulle_pair {
	__u64 opened; /* the other end has existed */
	__u64 closed; /* both ends; only then are their bytes added */
	__u64 sent;   /* by the callers */
	__u64 received;
};

/* tulle_habits */
struct tulle_habit_key {
	__u32 client, server; /* workload ids */
};

struct tulle_habit {
	__u64 since; /* ns, CLOCK_MONOTONIC: when the running second began */
	__u32 brief; /* connections of the running second that ended after few messages */
	__u32 last;  /* of the second before */
	__u32 turns; /* connections begun while it was in force */
	__u32 pad;
};

/* tulle_waits: how the sockets behave that a listener of a lease has accepted. */
struct tulle_waits_key {
	__u64 lease;
	__u32 port;
	__u32 pad;
};

enum tulle_waits {
	TULLE_WAITS_NOT = 1, /* those that were looked at are in non-blocking mode */
	TULLE_WAITS_YES = 2, /* one was not */
};

enum tulle_event_type {
	TULLE_EVENT_CONNECT = 1,
	TULLE_EVENT_BIND = 2,
	TULLE_EVENT_SENDMSG = 3,
	TULLE_EVENT_GUARD = 4,
	TULLE_EVENT_FLOW = 5, /* a connection has ended */
};

/* tulle_events */
struct tulle_event {
	TULLE_ADDED(reserved_event)
	__u64 ts;       /* ns, CLOCK_MONOTONIC */
	__u64 cgroup;   /* 0 where no process is known (guard) */
	__u32 workload; /* caller's id; guard: the target's; 0 unknown */
	__u32 pid;
	__u16 type; /* enum tulle_event_type */
	__u16 reason;
	__u16 sport;
	__u16 dport;
	struct tulle_addr src;
	struct tulle_addr dst;
	__u8 proto;
	__u8 role; /* enum tulle_role of the caller */
	__u8 pad[6];
	char comm[16];
	/* FLOW only; the caller's view. */
	__u64 sent;
	__u64 received;
	__u64 nanos;
	__u32 rtt_us;
	__u32 retransmits;
	__u32 service;
	__u32 server; /* workload id */
};

#endif
