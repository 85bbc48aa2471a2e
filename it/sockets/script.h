/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a case is written with. Calls are made by the hand that has the end, on its first lane; what
 * is to go on meanwhile is begun on another one. Failures leave errno as the hand had it.
 */
#ifndef TULLE_SOCKETS_SCRIPT_H
#define TULLE_SOCKETS_SCRIPT_H

#include "hand.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>

#define LATE -1000 /* the call has not come back */
#define OVER -1001 /* it has come back before */

struct end {
	int hand, fd;
};

#define P(pointer)                       ((long)(pointer))
#define ACT(hand, what, ...)             act(hand, 0, what, (const long[WORDS]){__VA_ARGS__})
#define BEGIN(hand, lane, what, ...)     begin(hand, lane, what, (const long[WORDS]){__VA_ARGS__})
#define SYS(hand, name, ...)             ACT(hand, system_call, SYS_##name, ##__VA_ARGS__)
#define BEGIN_SYS(hand, lane, name, ...) BEGIN(hand, lane, system_call, SYS_##name, ##__VA_ARGS__)
/* A zeroed thing that hands see too. */
#define NEW(type) ((type *)room(sizeof(type)))
#define OUT       (shared->out)
#define IN        (shared->in)

/* How programs use their sockets, and what they speak. */
extern bool speaks_http, never_waits;
/* The accepting end is the one that does the odd thing. */
extern bool other_way;

void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* A count, or the error's name. */
const char *told(long result);
const char *events(int mask);
/* The case cannot go on: what was said is its result. */
_Noreturn void give_up(const char *why);

void *room(size_t size);
long act(int hand, int lane, deed *what, const long *words);
void begin(int hand, int lane, deed *what, const long *words);
/* What a call on a lane gave; LATE: nothing within so many ms; OVER: that has been told. */
long outcome(int hand, int lane, int ms);
/* The lane's thread sleeps in this system call. */
void until_in(int hand, int lane, long number);
void interrupt(int hand, int lane, int number);
void stop(int hand);
void go_on(int hand);

long put(struct end end, const void *bytes, size_t count);
long take(struct end end, void *to, size_t count, int ms);
long receive(struct end end, void *to, size_t count, int flags);
long transmit(struct end end, const void *bytes, size_t count, int flags);
/* Blocked recv of an end on a lane; what it gave is in the result of outcome(). */
void begin_receive(struct end end, int lane, void *to, size_t count, int flags);
int polled(struct end end, int mask, int ms);
bool readable(struct end end, int ms);
/* Until so many bytes wait, as FIONREAD has it. */
void until_waiting(struct end end, int count);
long set(struct end end, int level, int name, int value);
/* Both ends ask after a second of silence, and every second then. */
void keep_alive(struct end one, struct end other);
/* -1: the call failed. */
int get(struct end end, int level, int name);
struct tcp_info info_of(struct end end);
long shut(struct end end, int how);
long shut_fd(struct end end);
void reset(struct end end);
void set_waiting(struct end end, bool waits);
/* SIGIO and SIGURG of the socket go to its process. */
void own_signals(struct end end);
int poller_for(struct end end, int mask);
/* Whether an edge comes; the mask in `seen` unless NULL. */
bool edge(int hand, int poller, int ms, int *seen);
unsigned long inode_of(struct end end);
long name_of(struct end end, bool peer, struct sockaddr_storage *to);

/* The n bytes of one message at OUT: of HTTP where that is spoken, otherwise of the stream. */
void make(size_t count);

#define L_REUSEPORT 1
#define L_INHERIT   2
#define L_DEFER     4
#define L_FASTOPEN  8
#define L_MPTCP     16
#define L_SIX       32
#define L_POLLED    64

/* Ports of the case: 0 to 8; nobody listens at 9. */
struct end listen_at(int port, int how);
struct end dial(int port, int family, int protocol);
struct end take_accepted(struct end listener, int ms);
void address_of(int port, int family, struct sockaddr_storage *to, socklen_t *size);
int port_number(int port);
void open_pair(struct end *client, struct end *server);
void open_six(struct end *client, struct end *server, bool mapped);
/* A few bytes each way, as any connection has them before it gets odd. */
void warm(struct end client, struct end server);

struct case_ {
	const char *name;
	void (*run)(struct end w, struct end r);
	int is;
};

enum {
	/* In both directions: w writes or speaks first, r reads; otherwise client, server. */
	BOTH = 1,
	HTTP = 2,   /* makes sense with one message of HTTP */
	WAITS = 4,  /* waits in its calls */
	OWN = 8,    /* makes its own connections */
	ALONE = 16, /* disturbs others: runs when no other case does */
};

extern const struct case_ reading[], writing[], ending[], waiting[], interrupted[], splicing[],
	streams[], connecting[], rings[];

#endif
