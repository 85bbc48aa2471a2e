/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A hand makes the system calls of one end of a connection. The script, which is in no workload,
 * tells it each of them and gets back what the call gave, so that a case is written from top to
 * bottom although its ends are two processes of two workloads.
 *
 * Script and hands are the same program at the same addresses, with one piece of memory in common:
 * a deed is told by the address of its function, its buffers by theirs.
 */
#ifndef TULLE_SOCKETS_HAND_H
#define TULLE_SOCKETS_HAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

#define LANES 5 /* threads of a hand: calls of one socket at the same time */
#define WORDS 7

/* What a hand does; its result, with errno if it is below 0, is told to the script. */
typedef long deed(const long *words);

struct order {
	deed *what;
	long words[WORDS];
};

struct reply {
	long result;
	int error;
};

enum { CLIENT, SERVER, HANDS };

/* Passed on with the memory and a socket for each lane. */
struct greeting {
	int hand;
};

#define SHARED_AT ((void *)0x200000000000)
#define SMALL     (16u << 20)
#define LARGE     (64u << 20)

struct common {
	volatile pid_t threads[HANDS][LANES];
	volatile int signals[HANDS][65]; /* how often each one came */
	size_t used;                     /* of `small` */
	_Alignas(4096) uint8_t small[SMALL];
	_Alignas(4096) uint8_t out[LARGE], in[LARGE];
};

#define shared ((struct common *)SHARED_AT)

/* The byte that belongs at a place of a stream. */
static inline uint8_t byte_at(size_t place)
{
	uint64_t mixed = (place + 1) * 0x9e3779b97f4a7c15ull;

	return mixed >> 56 ^ mixed >> 37;
}

void fill(uint8_t *to, size_t place, size_t count);
bool is_stream(const uint8_t *bytes, size_t place, size_t count);
double now_ms(void);
void rest_ms(double ms);

int hand_main(const char *path);

/* words: number of the system call, its arguments */
deed system_call;
/* fd, bytes, count: all of them, waiting where the socket does not */
deed put_all;
/* fd, room, count, ms: until they are there, the end, an error, or ms without a byte */
deed take_all;
/* fd, place, count, piece: so much of the stream in sends of about so many bytes; count sent */
deed pump;
/* fd, struct drained *, whether to poll first, ms to wait before: reads the stream to its end */
deed drain;
/* fd, count, size: questions, and waits for each answer; how many were answered without an error */
deed ask_often;
/* fd: sends back what comes until the end; how often a call failed with EAGAIN */
deed answer_all;
/* from, to, whether edge-triggered, struct moved *: splice(2) through a pipe, as relays do it */
deed relay;
/* fd, byte, size, count: records that begin with < and end with > */
deed write_records;
/* struct naming * */
deed resolve;
/* listener, tag, ms: the socket on which the request with this tag comes */
deed await_request;
/* signal, flags: counts it from now on */
deed count_signal;
/* fd, room, count: a child has the socket passed on by SCM_RIGHTS and reads it */
deed pass_on;
/* fd, room, count: a child that was forked with the socket reads it, after this process closed it
 */
deed inherit;
/* fd: becomes standard input and output of cat, as a super-server does it */
deed become_cat;
/* ms: a child that ends so much later */
deed bear;
/* fd, room, count: io_uring's recv, which waits */
deed ring_receive;
/* fd, bytes, count */
deed ring_send;
/* fd, struct told *: SEND_ZC of the first 20,000 bytes of `out` */
deed ring_send_zc;
/* fd, bytes wanted, ms: one multishot recv with buffers of its own; bytes that came */
deed ring_receive_many;

struct drained {
	long bytes;
	int wrong, again, error, end; /* end: the end of the stream was seen */
};

struct moved {
	volatile long bytes;
	volatile int stop;
};

struct naming {
	char name[256];
	int family, port;
	socklen_t size;
	uint8_t address[128];
};

struct told {
	long result;
	int notified;
};

#endif
