/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * Kernel HTTP: layouts shared with user space. See http.c for how they work together.
 *
 * Four sockets take part. C is the client application's, D the proxy's end of that connection
 * (accepted), U the proxy's connection to an endpoint, S the server application's end of it.
 *
 *   client  one per connection C-D to a service that speaks HTTP; found by C's tuple. Says who owns
 *           the connection: the kernel may take the next request, or all bytes go to the proxy.
 *   lease   one per connection U-S that the proxy has offered. Its word says what is going on on
 *           it; every change is a compare-and-swap, so kernel and proxy never both act.
 *   pool    the leases to one endpoint that nobody holds, one pool for each event loop of the
 *           proxy, so that U and D are always on the same loop.
 *   table   the compiled routes and policies of a service port, never changed in place.
 *
 * The proxy speaks with the programs through socket options on its own sockets D and U (level
 * TULLE_SOL), so it needs no capability and no map, and the kernel knows which socket is meant.
 */
#ifndef TULLE_HTTP_TYPES_H
#define TULLE_HTTP_TYPES_H

#include "types.h"

/* Sizes of a table; a service whose configuration does not fit stays with the proxy. */
#define TULLE_HTTP_ROUTES   32
#define TULLE_HTTP_RULES    16
#define TULLE_HTTP_NAMES    4  /* header fields that any condition of the table looks at */
#define TULLE_HTTP_NAME     32 /* bytes of such a field's name */
#define TULLE_HTTP_VALUE    32 /* bytes of a value that is compared */
#define TULLE_HTTP_PATH     64 /* bytes of a path pattern */
#define TULLE_HTTP_SHARES   64 /* shares of all routes together */
#define TULLE_HTTP_CLUSTERS 16
#define TULLE_HTTP_MEMBERS  256 /* weighted endpoints of all clusters together */

/* Methods as bits; a method that is not among them is the proxy's. */
enum tulle_http_method {
	TULLE_HTTP_GET = 0,
	TULLE_HTTP_HEAD = 1,
	TULLE_HTTP_POST = 2,
	TULLE_HTTP_PUT = 3,
	TULLE_HTTP_DELETE = 4,
	TULLE_HTTP_OPTIONS = 5,
	TULLE_HTTP_PATCH = 6,
	TULLE_HTTP_ANSWER = 255, /* only in http_parse.h: no request, a response */
};

enum tulle_http_path_kind {
	TULLE_HTTP_PATH_ANY = 0,
	TULLE_HTTP_PATH_EXACT = 1,
	TULLE_HTTP_PATH_PREFIX = 2,  /* begins with these characters */
	TULLE_HTTP_PATH_SEGMENT = 3, /* is this, or begins with this and a slash */
};

enum tulle_http_field_op {
	TULLE_HTTP_FIELD_NONE = 0, /* no condition */
	TULLE_HTTP_FIELD_EXACT = 1,
	TULLE_HTTP_FIELD_PRESENT = 2,
};

struct tulle_http_field {
	__u64 value[TULLE_HTTP_VALUE / 8]; /* zero padded; EXACT only */
	__u8 name;                         /* index into the table's names */
	__u8 op;
	__u8 invert; /* 1: must not hold; an absent field satisfies it */
	__u8 length; /* of the value */
	__u32 pad;
};

/* Conditions of a route or of a policy rule; all must hold. */
struct tulle_http_when {
	__u64 path[TULLE_HTTP_PATH / 8]; /* zero padded */
	__u64 mask[TULLE_HTTP_PATH / 8]; /* ff for each byte of the pattern */
	struct tulle_http_field field[2];
	__u32 methods; /* 1 << enum tulle_http_method; 0: any */
	__u8 path_kind;
	__u8 path_length;
	__u16 pad;
};

enum tulle_http_route_action {
	TULLE_HTTP_TO_PROXY = 0, /* the route needs what only the proxy can do */
	TULLE_HTTP_FORWARD = 1,
};

/* Responses that the proxy must see, because the route's retry policy may want them again. */
#define TULLE_HTTP_KEEP_5XX     (1 << 0)
#define TULLE_HTTP_KEEP_GATEWAY (1 << 1) /* 502, 503, 504 */
#define TULLE_HTTP_KEEP_503     (1 << 2)
#define TULLE_HTTP_KEEP_409     (1 << 3)
/* The request may have to be sent again and its body is kept by nobody but the proxy: a request
 * with a body goes there.
 */
#define TULLE_HTTP_KEEP_BODY (1 << 7)

struct tulle_http_route {
	struct tulle_http_when when;
	__u16 first_share; /* into shares */
	__u16 shares;      /* 1 or more with FORWARD */
	__u8 action;       /* enum tulle_http_route_action */
	__u8 keep;         /* TULLE_HTTP_KEEP_* */
	__u16 pad;
	__u32 timeout_ms; /* from the end of the request; 0: none. The proxy watches it */
	__u32 weight;     /* sum of the shares' weights: the last one's `until` */
};

struct tulle_http_share {
	__u32 until; /* sum of the weights up to and including this share */
	__u16 cluster;
	__u16 pad;
};

#define TULLE_HTTP_LEAST_REQUEST (1 << 0) /* the better of two; otherwise at random */

struct tulle_http_cluster {
	__u16 first; /* into members */
	__u16 members;
	__u32 flags;
};

/* One weighted place of an endpoint; an endpoint of weight 2 has two. */
struct tulle_http_member {
	__u32 pool;     /* tulle_http_pools.pool */
	__u32 workload; /* of the endpoint, for the metrics; 0: none of this node */
};

/* Rules are looked at as Istio does: a DENY that matches refuses, then one ALLOW must match if
 * there is any. The kernel never refuses: what it cannot prove allowed goes to the proxy, which
 * decides again and answers.
 */
enum tulle_http_verdict {
	TULLE_HTTP_DENY = 0,
	TULLE_HTTP_ALLOW = 1,
};

/* Rule i concerns a caller if bit i of its tulle_http_sources entry is set. */
struct tulle_http_rule {
	struct tulle_http_when when;
	__u8 verdict;
	__u8 pad[7];
};

struct tulle_http_name {
	__u64 word[TULLE_HTTP_NAME / 8]; /* lower case, zero padded */
	__u32 length;
	__u32 pad;
};

/* tulle_http_tables: table number -> this. A number is never used again, and a table is deleted a
 * second after the last record named it; a program still compares `number` when it has decided.
 */
struct tulle_http_table {
	__u32 number;
	__u32 service; /* tulle_service.id */
	__u16 routes;
	__u16 rules;
	__u16 names;
	__u8 any_allow; /* some rule allows, so one must match */
	__u8 to_proxy;  /* 1: everything to the proxy (configuration not provable) */
	__u32 body_max; /* largest request body that is taken, bytes */
	__u32 pad;
	struct tulle_http_name name[TULLE_HTTP_NAMES];
	struct tulle_http_route route[TULLE_HTTP_ROUTES];
	struct tulle_http_rule rule[TULLE_HTTP_RULES];
	struct tulle_http_share share[TULLE_HTTP_SHARES];
	struct tulle_http_cluster cluster[TULLE_HTTP_CLUSTERS];
	struct tulle_http_member member[TULLE_HTTP_MEMBERS];
};

/* tulle_http_services: tulle_service.id (__u32) -> this. Absent: no kernel HTTP. */
struct tulle_http_service {
	__u32 table;
	__u32 pad;
};

/* tulle_http_sources: which rules of a table concern a caller -> __u32 bits. Absent: the agent has
 * not said yet, so the proxy decides. Not looked up for a table without rules.
 */
struct tulle_http_source_key {
	__u32 table;
	__u32 workload;
};

/* tulle_http_stats, per CPU, written when the kernel has forwarded a whole response head. */
#define TULLE_HTTP_BUCKETS 20
struct tulle_http_stat_key {
	__u32 service;  /* tulle_service.id */
	__u32 source;   /* workload ids */
	__u32 workload; /* of the endpoint */
	__u32 pool;
	__u16 code;
	__u16 pad;
};

struct tulle_http_stat {
	__u64 requests;
	__u64 request_bytes;  /* bodies */
	__u64 response_bytes; /* bodies, by Content-Length */
	__u64 nanos;          /* sum, request seen to response head seen */
	/* Bounds in ms: 0.5 1 5 10 25 50 100 250 500 1000 2500 5000 10000 30000 60000 300000 600000
	 * 1800000 3600000 inf: those of istio_request_duration_milliseconds.
	 */
	__u64 bucket[TULLE_HTTP_BUCKETS];
};

/* tulle_http_endpoints: struct tulle_sockaddr -> __u32 pool, written by the agent. */

/* tulle_http_pools: leases that nobody holds, last in, first out. */
#define TULLE_HTTP_POOL 256
struct tulle_http_pool_key {
	__u32 pool;
	__u32 loop; /* the proxy's event loop: process number << 10 | place in the process */
};

/*
 * tulle_http_outcomes: how requests to an endpoint ended one after the other, whoever forwarded
 * them: the programs count what they forward, the proxy says the rest (TULLE_OPT_OUTCOME). At
 * place pool % TULLE_HTTP_ENDPOINTS; the agent gives no two living pools the same place, and begins
 * a record before it names the pool. Sums are not here, see tulle_http_stats.
 */
#define TULLE_HTTP_ENDPOINTS 16384
struct tulle_http_outcomes {
	__u32 pool;
	__u32 errors;  /* 5xx, or no response at all, since the last other response */
	__u32 gateway; /* 502, 503, 504, or no response at all */
	__u32 local;   /* no response at all: connecting failed, reset, timeout */
};

/*
 * tulle_http_samples, a ring buffer: a request that was forwarded whole, and its response. A ring
 * has no layout of its own, and what is unread may be read by a later agent: if this changes, the
 * ring needs another name.
 */
#define TULLE_HTTP_SAMPLE_HEAD 1024
struct tulle_http_sample {
	__u64 ts;             /* ns, CLOCK_MONOTONIC: the response's last byte */
	__u64 nanos;          /* from the request to there */
	__u64 head_nanos;     /* from the request to the response's head */
	__u64 response_bytes; /* bodies */
	__u64 request_bytes;
	struct tulle_addr client_addr;
	struct tulle_addr server_addr;
	__u16 client_port;
	__u16 server_port;
	__u32 service;  /* tulle_service.id */
	__u32 source;   /* workload ids */
	__u32 workload; /* of the endpoint */
	__u32 table;    /* tulle_http_table.number, for the next two */
	__u16 route;
	__u16 cluster;
	__u16 code;
	__u16 length;                      /* of the request's head */
	__u8 head[TULLE_HTTP_SAMPLE_HEAD]; /* as received, without the body */
	__u32 pad;
};

/*
 * Pools are made by the program that takes an offer (http_offer.h) and removed by the agent alone:
 * when no table names the endpoint any more, or when the loop's process has gone.
 */

/* tulle_http_calls, program array that the agent fills after the load: with either program missing
 * there is no kernel HTTP, and nothing else is missing.
 */
#define TULLE_HTTP_CALL_REQUEST  0 /* tulle_request */
#define TULLE_HTTP_CALL_RESPONSE 1 /* tulle_response */

/* ---- the proxy's view: socket options, level TULLE_SOL ---- */

#define TULLE_SOL 0x7475

/* set on D, struct tulle_http_give: the proxy has read and written this much of the connection and
 * owes nothing; from now on the kernel may take requests. Ignored when bytes are under way that the
 * proxy has not read, or when no record of the connection exists. Always succeeds.
 */
#define TULLE_OPT_GIVE 1
struct tulle_http_give {
	__u64 consumed; /* bytes that the proxy has read from D since accept */
	__u32 loop;
	/*
	 * Bytes that the proxy is going to write to D next, the end of its answer: the connection
	 * is given together with the last of them, before C can read it. So a client that sends its
	 * next request at once does not come too early, which it mostly does when GIVE follows the
	 * answer. 0: given now. Another GIVE, or other bytes than these, call it off.
	 */
	__u32 after;
};

/* get on D: struct tulle_http_client_info; EOPNOTSUPP when there is no record. (What the kernel
 * says to an option that nobody answers: EOPNOTSUPP to getsockopt, ENOPROTOOPT to setsockopt.)
 */
#define TULLE_OPT_CLIENT 2
/* `lease` is told in state PROXY too: if U is still offered in the proxy's own books, and LEASE
 * says that it was taken from SENT or ANSWER, S's side has handed it over and its exchange comes
 * first.
 */

/* set on U, struct tulle_http_offer: the connection is idle, the kernel may lease it. Refused
 * without an error when the endpoint has no pool or the pool is full: TULLE_OPT_LEASE tells.
 */
#define TULLE_OPT_OFFER 3
struct tulle_http_offer {
	__u64 cookie; /* given back in the infos; the proxy's own name for U, not 0 */
	__u32 loop;
	__u32 pad;
};

/* set on U, struct tulle_http_take: the proxy wants the connection back if it is in one of these
 * states. Always succeeds; TULLE_OPT_LEASE tells the state that it was taken from.
 */
#define TULLE_OPT_TAKE 4
struct tulle_http_take {
	__u32 states; /* 1 << enum tulle_lease_state */
	__u32 pad;
};

/* get on U: struct tulle_http_lease_info; EOPNOTSUPP when it was never offered, unless it is to be
 * renewed.
 */
#define TULLE_OPT_LEASE 5

/* set on any socket of the proxy, struct tulle_http_outcome: how tries at an endpoint ended that
 * the proxy itself made. Ignored when kernel HTTP does not know the endpoint.
 */
#define TULLE_OPT_OUTCOME 6
struct tulle_http_outcome {
	struct tulle_sockaddr endpoint;
	__u32 code; /* of the response; 0: none came */
};

enum tulle_lease_state {
	TULLE_LEASE_PROXY = 0,  /* the proxy's own: not offered, taken back, or handed over */
	TULLE_LEASE_POOLED = 1, /* in a pool */
	TULLE_LEASE_HELD = 2,   /* a client's, nothing outstanding */
	TULLE_LEASE_SENT = 3,   /* a request is with the server, nothing of its response was seen */
	TULLE_LEASE_ANSWER = 4, /* response head forwarded, `remaining` bytes of the body to come */
	TULLE_LEASE_BODY = 5,   /* request head forwarded, `remaining` bytes of its body to come */
};

#define TULLE_HTTP_COPY                                                                            \
	1024 /* largest request head that is taken: a copy is kept for the proxy                   \
	      */

/* In `remaining`: the connection must not carry another request, now or later. */
#define TULLE_LEASE_UNPROVEN (1ull << 63)

/* In `remaining`: as soon as it is idle a new one is to take its place (see waits.h). */
#define TULLE_LEASE_RENEW (1ull << 62)

struct tulle_http_lease_info {
	__u64 cookie;
	__u64 client;   /* cookie-like number of the client record that holds it; 0: none */
	__u64 since_ns; /* CLOCK_MONOTONIC of the request; 0: none yet */
	/* Bytes to come, in or taken from ANSWER: of the response's body, BODY: of the request's.
	 * TULLE_LEASE_UNPROVEN: a piece of a request may still be on its way to the server.
	 * TULLE_LEASE_RENEW: a new connection is to take its place.
	 */
	__u64 remaining;
	__u32 state; /* enum tulle_lease_state, now */
	__u32 taken; /* state that it was in when it became the proxy's */
	__u32 timeout_ms;
	__u16 code; /* of the response whose head was forwarded; 0: none */
	__u16 client_port;
	struct tulle_addr client_addr; /* C's own address and port: D's remote end */
};

struct tulle_http_client_info {
	__u64 passed;               /* bytes that C gave to the proxy's side */
	__u64 lease;                /* cookie of the lease that it holds; 0: none */
	__u64 since_ns;             /* of the last request that the kernel took */
	__u32 owned;                /* 1: the kernel may take the next request */
	__u32 state;                /* enum tulle_lease_state of that lease */
	__u32 gives;                /* how often GIVE made the connection the kernel's */
	__u32 head_length;          /* of `head`; the body is never kept */
	__u32 body_length;          /* of the request's body */
	__u32 taken;                /* state that that lease was in when it became the proxy's */
	__u8 head[TULLE_HTTP_COPY]; /* of the last request that the kernel took, as received */
	__u64 left;                 /* bytes of its body that C has still to send, in BODY */
};

#endif
