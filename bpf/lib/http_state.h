/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* Kernel HTTP: what the programs keep between two runs. Private to them, unlike http_types.h. */
#ifndef TULLE_HTTP_STATE_H
#define TULLE_HTTP_STATE_H

#include "http_parse.h"
#include "http_types.h"

/*
 * tulle_http_clients: a connection C-D, keyed by C's end. `word` is the owner's bit and the number
 * of bytes that C has given to the proxy's side: one word, so that the proxy can be given the bit
 * only as long as it has read every such byte (see http_client.h).
 */
#define TULLE_CLIENT_OWNED (1ull << 63)

struct tulle_http_client {
	__u64 word;
	__u64 number;   /* C's socket cookie, never used again */
	__u64 proxy;    /* D's socket cookie; 0 until D is accepted */
	__u64 lease;    /* handle of the lease in hand, 0: none */
	__u64 since_ns; /* of the last request that was taken */
	struct tulle_peer self;
	__u32 service;
	__u32 source; /* C's workload */
	__u32 loop;
	__u32 head_length; /* of the last request that was taken, in head */
	__u32 body_length;
	__u32 zero;      /* stays zero; a number that the verifier does not know */
	__u32 pipelines; /* 1: was seen to pipeline, so it is never given again */
	__u32 gives;     /* how often GIVE set the owner's bit; written by D's process only */
	/* A lease in hand that ended, by a reset, before the answer: its number may be another's.
	 */
	__u64 lost; /* handle, 0: none */
	__u64 lost_cookie;
	__u32 lost_state; /* that it was in */
	__u32 lost_left;  /* BODY: bytes of the request's body that were still to come */
	struct tulle_http_message message;
	__u8 head[TULLE_HTTP_REQUEST_ROOM];
};

/*
 * tulle_leases: a connection U-S. The word: state, the state that it was in when it became the
 * proxy's, sequence of the offer, whether the request came in several pieces (http_body.h), bytes
 * to come of the request's body (BODY) or of the response's (ANSWER).
 */
#define TULLE_LEASES          16384
#define TULLE_LEASE_STATE(w)  ((w) >> 61)
#define TULLE_LEASE_TAKEN(w)  (((w) >> 58) & 7)
#define TULLE_LEASE_SEQ(w)    (((w) >> 42) & 0xffff)
#define TULLE_LEASE_PIECES    (1ull << 41)
#define TULLE_LEASE_LEFT_MAX  ((1ull << 41) - 1)
#define TULLE_LEASE_LEFT(w)   ((w) & TULLE_LEASE_LEFT_MAX)
#define TULLE_LEASE_BITS(s)   ((__u64)(s) << 61)
#define TULLE_LEASE_WAS(s)    ((__u64)(s) << 58)
#define TULLE_LEASE_OFFER(g)  (((__u64)(g) & 0xffff) << 42)
#define TULLE_LEASE_STATES(w) ((w) & ~((7ull << 61) | (7ull << 58)))

struct tulle_lease {
	__u64 word;
	__u64 cookie; /* the proxy's name for U */
	__u64 since_ns;
	__u64 client_number;
	struct tulle_socket_key server; /* S */
	struct tulle_socket_key client; /* C; from SENT on */
	struct tulle_peer reader;       /* C */
	__u32 generation;               /* one more with every offer, never set back */
	__u32 tenure;                   /* one more with every U that has this number */
	__u32 pool;
	__u32 loop;
	__u32 slot; /* in its pool */
	__u32 service;
	__u32 source;
	__u32 workload; /* of the endpoint */
	__u32 request_bytes;
	__u32 timeout_ms;
	__u16 code;
	__u8 method;
	__u8 keep;    /* TULLE_HTTP_KEEP_*, TULLE_LEASE_SAMPLED */
	__u8 counted; /* among the pool's `active` while it is BODY, SENT or ANSWER */
	__u8 pad[3];
	/*
	 * Held by whoever makes it the proxy's and by C's program while it writes what the request
	 * needs: a program that is stopped between two instructions (a kernel that preempts, a
	 * virtual processor that waits) must not write into a lease that is another's by now.
	 */
	struct bpf_spin_lock lock;
	__u32 pad2;
};

/* Among a lease's `keep` bits: the request is to be reported, see http_sample.h. */
#define TULLE_LEASE_SAMPLED (1 << 6)

/* tulle_http_sampled: of a request with that bit, by the number of its lease, what the lease does
 * not say.
 */
struct tulle_http_sampled {
	__u64 head_nanos;
	__u64 response_bytes;
	__u32 table;
	__u16 route;
	__u16 cluster;
};

/* A lease as a client or a pool names it: number and generation, so a later offer is another. */
static __always_inline __u64 tulle_lease_handle(__u32 id, __u32 generation)
{
	return (__u64)generation << 32 | (id + 1);
}

/* tulle_http_servers: S's end -> its lease, from the first offer until U closes. */
struct tulle_http_server {
	__u32 lease; /* number + 1 */
	__u32 tenure;
};

/*
 * tulle_http_pools. `used` has a bit for each lease of the pool from its offer until it becomes the
 * proxy's, `idle` for those in state POOLED; only atomic operations, no lock.
 */
#define TULLE_HTTP_POOL_WORDS (TULLE_HTTP_POOL / 64)

struct tulle_http_pool {
	__u64 used[TULLE_HTTP_POOL_WORDS];
	__u64 idle[TULLE_HTTP_POOL_WORDS];
	__u64 lease[TULLE_HTTP_POOL]; /* handles */
	__u32 active;                 /* requests under way */
	__u32 zero;                   /* stays zero, as in struct tulle_http_client */
};

struct tulle_http_blank {
	__u8 zero[4096];
};

/* Scratch of S's program: the head of a response. */
struct tulle_http_answer {
	struct tulle_http_message message;
	struct tulle_socket_key target; /* of a message in several pieces */
	__u32 zero;
	__u32 pad;
	__u8 head[TULLE_HTTP_RESPONSE_ROOM];
};

#endif
