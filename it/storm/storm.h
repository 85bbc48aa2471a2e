/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The same random operations on two sides: connections between two workloads of a mesh, and their
 * twins on plain loopback. Each side has two processes, the ends of its connections; all four and
 * the judge share the memory of a pair.
 *
 * What is drawn depends on the seed and on what both ends agree about, never on time: turn by turn
 * one end acts while the other one is still, and begins only when everything that was sent to it
 * lies there. So each operation has to give the same on both sides. In some turns both ends act at
 * once; then content, order and the end of what arrives are compared, not how the calls cut it.
 */
#ifndef TULLE_STORM_H
#define TULLE_STORM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "../equality/pattern.h"

#define SLOTS   24
#define TURNS   160
#define RECORDS 16384
#define PAIRS   16

/* How much may lie unread while one end acts alone: far below every limit, so no call waits. */
#define UNREAD_BYTES    12000
#define UNREAD_MESSAGES 20
#define UNREAD_TIGHT    2000

enum { CLIENT, SERVER, ENDS };
enum { TWIN, MESH, SIDES };

#define OPS(X)                                                                                     \
	X(DIAL)                                                                                    \
	X(SEND_NOTHING)                                                                            \
	X(SEND)                                                                                    \
	X(WRITE)                                                                                   \
	X(WRITEV)                                                                                  \
	X(SENDMSG)                                                                                 \
	X(SENDMMSG)                                                                                \
	X(SENDFILE)                                                                                \
	X(SPLICE_TO)                                                                               \
	X(RECV)                                                                                    \
	X(READ)                                                                                    \
	X(READV)                                                                                   \
	X(RECVMSG)                                                                                 \
	X(RECVMMSG)                                                                                \
	X(PEEK)                                                                                    \
	X(RECV_ALL)                                                                                \
	X(RECV_TRUNC)                                                                              \
	X(RECV_NOTHING)                                                                            \
	X(RECV_ERRORS)                                                                             \
	X(RECV_TIMED)                                                                              \
	X(SPLICE_FROM)                                                                             \
	X(WAITING)                                                                                 \
	X(POLL)                                                                                    \
	X(EPOLL)                                                                                   \
	X(EDGE)                                                                                    \
	X(SELECT)                                                                                  \
	X(NONBLOCK)                                                                                \
	X(FIONBIO_)                                                                                \
	X(OPTION)                                                                                  \
	X(ERROR)                                                                                   \
	X(NAMES)                                                                                   \
	X(DUP)                                                                                     \
	X(PASS)                                                                                    \
	X(CORK)                                                                                    \
	X(FORK)                                                                                    \
	X(PING)                                                                                    \
	X(PING_ALL)                                                                                \
	X(FLOOD)                                                                                   \
	X(FLOOD_BY_TWO)                                                                            \
	X(FLOOD_SIGNALLED)                                                                         \
	X(FILL)                                                                                    \
	X(SIGNAL)                                                                                  \
	X(SHUT_WRITE)                                                                              \
	X(SHUT_READ)                                                                               \
	X(SHUT_BOTH)                                                                               \
	X(DRAIN)                                                                                   \
	X(CLOSE)                                                                                   \
	X(RESET)                                                                                   \
	X(CLOSE_BY_CHILD)

#define NAME(op) OP_##op,
enum op { OPS(NAME) OP_COUNT };
#undef NAME

/* Beyond errno: what no side may ever have. */
enum {
	E_WRONG = 1000, /* another byte than the one that belongs there */
	E_LOST,         /* bytes that were sent do not come */
	E_MORE,         /* more bytes than were sent */
	E_NO_END,       /* the other end's end does not come */
};

/* What one operation gave. */
struct record {
	uint8_t op, slot;
	uint8_t odd; /* times a call gave what only a spliced socket may give, and was repeated */
	uint16_t turn;
	int16_t error;
	int32_t result;
};

/* One end of a connection; both ends of a side read and write it. */
struct end {
	uint64_t sent, got;
	uint32_t messages; /* since the other end had read all */
	uint8_t shut_write, shut_read, closed, nonblock;
	uint8_t edge; /* an edge is due */
};

/* Nobody will read what is sent to it: TCP answers with a reset. */
static inline bool is_deaf(const struct end *end)
{
	return end->closed || (end->shut_read && end->shut_write);
}

struct conn {
	uint64_t seed;
	uint32_t life;
	uint8_t open, was_reset;
	uint8_t early; /* an end was closed with bytes unread */
	uint8_t hit;   /* something was sent to a deaf end */
	uint8_t tight; /* had small buffers: its window grows again slowly */
	struct end ends[ENDS];
};

enum turn_kind {
	SOLO_SEND,
	SOLO_RECEIVE,
	SOLO_END,
	BOTH_DIAL,
	BOTH_PING,
	BOTH_FLOOD,
	BOTH_SIGNAL,
	FINISH
};

struct plan {
	uint8_t kind, slot, actor;
	uint16_t turn;
};

struct log {
	volatile uint32_t count;
	struct record records[RECORDS];
};

/* One side of a pair: all that its two ends know of each other. */
struct side {
	volatile uint32_t bell[ENDS];           /* futexes */
	volatile uint32_t holder, joint, begun; /* begun: episodes */
	struct plan plan;
	uint32_t slots;
	struct conn conns[SLOTS];
	volatile uint32_t signalled; /* handlers that ran */
	volatile uint32_t full;      /* of a fill: 1: nothing more goes in, 2: all is sent */
	volatile uint8_t broken;     /* E_…: the episode ends */
	char broken_how[200];

	volatile pid_t pids[ENDS];
	volatile uint64_t calls[ENDS]; /* made so far, for the watchdog and for counting */
	volatile uint8_t now[ENDS];    /* the operation that is being made */
	volatile uint32_t done[ENDS];  /* episodes */
	uint64_t kinds[ENDS][OP_COUNT];
	uint64_t connections[ENDS], past[ENDS]; /* past: that sent bytes without TCP */
	uint64_t bytes[ENDS], tcp_bytes[ENDS];
	struct log logs[2][ENDS];
};

enum broken {
	BREAK_NOTHING,
	BREAK_FLIP,
	BREAK_LOSE,
	BREAK_SWAP,
	BREAK_DOUBLE,
	BREAK_END,
	BREAK_ERROR,
	BREAK_HANG
};

struct pair {
	uint64_t seed;
	uint32_t number, first_episode;
	int breaks, break_at; /* enum broken: what the twin's client does at this send of its own */
	volatile uint32_t granted, over;
	struct side sides[SIDES];
};

/* One process. */
struct me {
	struct pair *pair;
	struct side *side;
	int which, end; /* TWIN or MESH, CLIENT or SERVER */
	const char *host;
	int port, listener;
	int fds[SLOTS], edges[SLOTS];
	uint32_t episode;
	uint64_t sends;
};

extern struct me me;

struct rng {
	uint64_t state;
};

static inline uint64_t draw(struct rng *rng)
{
	return mix(rng->state += 0x632be59bd9b4e019ull);
}

static inline uint32_t below(struct rng *rng, uint32_t bound)
{
	return (uint32_t)((draw(rng) >> 32) * bound >> 32);
}

static inline bool one_in(struct rng *rng, uint32_t n)
{
	return below(rng, n) == 0;
}

/* What is drawn at a place of the run, whatever was drawn before. */
static inline struct rng rng_at(uint32_t turn, uint32_t who)
{
	return (struct rng){
		mix(me.pair->seed ^ mix((uint64_t)me.pair->number << 48 ^
					(uint64_t)me.episode << 24 ^ (uint64_t)turn << 4 ^ who))};
}

/* Of the bytes that an end sends. */
static inline uint64_t bytes_seed(const struct conn *conn, int from)
{
	return conn->seed ^ ((uint64_t)from + 1) << 56;
}

/* call.c: one operation each, written down */
struct record *write_down(int op, int slot, long result, int error);
void begin_call(int op);
void broke(int error, const char *format, ...);
void check_bytes(int slot, const uint8_t *bytes, uint64_t at, size_t count);
void note_received(int slot, size_t count);
void hold_back(void);
bool take_error(int slot);
void send_some(struct rng *rng, int slot, size_t room);
void send_by(struct rng *rng, int slot, size_t count);
void receive_some(struct rng *rng, int slot);
void option_some(struct rng *rng, int slot);
void flush(int slot);
uint8_t *scratch(void);
#define SCRATCH (4 << 20)
void pass_to_self(int slot);

/* pass.c: a socket over a Unix socket */
void pass_on(int slot, int to);
bool take_passed(int slot, int from);
void watch_edges(int slot);

/* turn.c */
void solo(const struct plan *plan);
bool wait_quiet(int slot);
void let_go(int slot);

/* together.c */
#define PATIENCE_MS 15000
void together(const struct plan *plan);
void set_waiting(int slot, bool waits);

/* flood.c, interrupt.c: turns of both, too */
void flood(const struct plan *plan);
void signals(const struct plan *plan);
void catch_signals(void);

/* end.c */
struct pair *map_pairs(const char *file, int pairs);
int end_main(char **words);

/* judge.c */
int judge_main(char **words);

static inline struct end *mine(int slot)
{
	return &me.side->conns[slot].ends[me.end];
}

static inline struct end *theirs(int slot)
{
	return &me.side->conns[slot].ends[!me.end];
}

static inline size_t unread(int slot)
{
	return theirs(slot)->sent - mine(slot)->got;
}

#endif
