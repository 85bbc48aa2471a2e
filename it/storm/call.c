// SPDX-License-Identifier: Apache-2.0
/* What every operation shares: it is counted, written down, and its bytes are looked at. */
#define _GNU_SOURCE
#include "storm.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <unistd.h>

static bool held_back;

uint8_t *scratch(void)
{
	static uint8_t *room;

	if (!room)
		room = malloc(SCRATCH);
	return room;
}

void begin_call(int op)
{
	me.side->now[me.end] = op;
	/* A child may do the same now. */
	__atomic_fetch_add(&me.side->calls[me.end], 1, __ATOMIC_RELAXED);
	__atomic_fetch_add(&me.side->kinds[me.end][op], 1, __ATOMIC_RELAXED);
}

struct record *write_down(int op, int slot, long result, int error)
{
	struct log *log = &me.side->logs[me.episode & 1][me.end];
	struct record *record;

	if (log->count == RECORDS)
		abort();
	record = &log->records[log->count];
	*record = (struct record){.op = op,
				  .slot = slot,
				  .turn = me.side->plan.turn,
				  .error = result < 0 ? error : 0,
				  .result = result};
	__atomic_store_n(&log->count, log->count + 1, __ATOMIC_RELEASE);
	return record;
}

/* What no side may have: the rest of the episode would only be its consequence. */
void broke(int error, const char *format, ...)
{
	va_list list;

	if (me.side->broken)
		return;
	va_start(list, format);
	vsnprintf(me.side->broken_how, sizeof(me.side->broken_how), format, list);
	va_end(list);
	me.side->broken = error - E_WRONG + 1;
}

void check_bytes(int slot, const uint8_t *bytes, uint64_t at, size_t count)
{
	const struct conn *conn = &me.side->conns[slot];
	uint64_t seed = bytes_seed(conn, !me.end);
	uint8_t want;
	size_t i = 0;

	if (at + count > theirs(slot)->sent) {
		broke(E_MORE, "%zu bytes at %lu of a stream of which %lu were sent", count, at,
		      theirs(slot)->sent);
		return;
	}
	if (pattern_is(bytes, seed, at, count))
		return;
	for (; i < count; i++) {
		pattern_fill(&want, seed, at + i, 1);
		if (bytes[i] != want)
			break;
	}
	broke(E_WRONG, "byte %lu of the stream (%zu of %zu received) is wrong", at + i, i, count);
}

void note_received(int slot, size_t count)
{
	mine(slot)->got += count;
	if (!unread(slot))
		theirs(slot)->messages = 0;
}

/*
 * TCP tells an error once, a spliced socket again and again. It is taken from the socket, so that
 * both sides stay together; true: it was still there.
 */
bool take_error(int slot)
{
	int error = 0;
	socklen_t size = sizeof(error);

	getsockopt(me.fds[slot], SOL_SOCKET, SO_ERROR, &error, &size);
	return error;
}

/* ---- looking, and what does not move bytes ---- */

/* So that epoll tells edges of the socket from here on. */
void watch_edges(int slot)
{
	struct epoll_event wanted = {.events = EPOLLIN | EPOLLRDHUP | EPOLLET};

	if (me.edges[slot] >= 0)
		close(me.edges[slot]);
	me.edges[slot] = epoll_create1(EPOLL_CLOEXEC);
	epoll_ctl(me.edges[slot], EPOLL_CTL_ADD, me.fds[slot], &wanted);
	mine(slot)->edge = 0;
}

static void look_edge(int slot)
{
	bool due = mine(slot)->edge &&
		   (unread(slot) || theirs(slot)->shut_write || theirs(slot)->closed);
	struct epoll_event event;
	int n;

	begin_call(OP_EDGE);
	n = epoll_wait(me.edges[slot], &event, 1, 0);
	mine(slot)->edge = 0;
	/* More of them than are due say nothing; one that is missing lets a program sleep for ever.
	 */
	write_down(OP_EDGE, slot, due && n != 1 ? -1 : 0, ENOMSG);
}

static void look_level(int slot)
{
	static int poller = -1;
	struct epoll_event wanted = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP}, event = {};
	int n;

	if (poller < 0)
		poller = epoll_create1(EPOLL_CLOEXEC);
	begin_call(OP_EPOLL);
	epoll_ctl(poller, EPOLL_CTL_ADD, me.fds[slot], &wanted);
	n = epoll_wait(poller, &event, 1, 0);
	epoll_ctl(poller, EPOLL_CTL_DEL, me.fds[slot], NULL);
	write_down(OP_EPOLL, slot, n == 1 ? (long)event.events : n, errno);
}

static void look_select(int slot)
{
	struct timeval none = {};
	fd_set in, out;
	int fd = me.fds[slot], n;

	FD_ZERO(&in);
	FD_ZERO(&out);
	FD_SET(fd, &in);
	FD_SET(fd, &out);
	begin_call(OP_SELECT);
	n = select(fd + 1, &in, &out, NULL, &none);
	write_down(OP_SELECT, slot, n < 0 ? n : FD_ISSET(fd, &in) | FD_ISSET(fd, &out) << 1, errno);
}

static void set_number(int slot, int level, int name, int value)
{
	begin_call(OP_OPTION);
	write_down(OP_OPTION, slot, setsockopt(me.fds[slot], level, name, &value, sizeof(value)),
		   errno);
}

static void set_option(struct rng *rng, int slot)
{
	/* Nothing smaller: what is under way has to fit, or calls give what the moment allows. */
	int large = (256 << 10) + below(rng, 512 << 10);

	switch (below(rng, 6)) {
	case 0:
		set_number(slot, SOL_SOCKET, SO_SNDBUF, large);
		break;
	case 1:
		set_number(slot, SOL_SOCKET, SO_RCVBUF, large);
		break;
	case 2:
		set_number(slot, SOL_SOCKET, SO_KEEPALIVE, below(rng, 2));
		break;
	case 3:
		set_number(slot, IPPROTO_TCP, TCP_QUICKACK, below(rng, 2));
		break;
	case 4:
		set_number(slot, IPPROTO_TCP, TCP_NODELAY, 1);
		break;
	default:
		set_number(slot, SOL_SOCKET, SO_OOBINLINE, below(rng, 2));
	}
}

static void block_or_not(struct rng *rng, int slot)
{
	int fd = me.fds[slot], on = below(rng, 2);

	if (one_in(rng, 2)) {
		begin_call(OP_FIONBIO_);
		write_down(OP_FIONBIO_, slot, ioctl(fd, FIONBIO, &on), errno);
	} else {
		begin_call(OP_NONBLOCK);
		write_down(OP_NONBLOCK, slot, fcntl(fd, F_SETFL, O_RDWR | (on ? O_NONBLOCK : 0)),
			   errno);
	}
	mine(slot)->nonblock = on;
}

static void look_names(int slot)
{
	struct sockaddr_storage name;
	socklen_t size = sizeof(name);
	long there;
	int error;

	begin_call(OP_NAMES);
	there = getpeername(me.fds[slot], (struct sockaddr *)&name, &size);
	error = errno;
	size = sizeof(name);
	write_down(OP_NAMES, slot,
		   there ?: getsockname(me.fds[slot], (struct sockaddr *)&name, &size), error);
}

static void duplicate(int slot)
{
	int fd;

	begin_call(OP_DUP);
	fd = fcntl(me.fds[slot], F_DUPFD_CLOEXEC, 0);
	write_down(OP_DUP, slot, fd < 0 ? -1 : 0, errno);
	if (fd < 0)
		return;
	close(me.fds[slot]);
	me.fds[slot] = fd;
}

/* To itself over a Unix socket; while the socket is under way, no process has it. */
void pass_to_self(int slot)
{
	int pair[2];

	begin_call(OP_PASS);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		abort();
	pass_on(slot, pair[0]);
	if (!take_passed(slot, pair[1]))
		abort();
	close(pair[0]);
	close(pair[1]);
	write_down(OP_PASS, slot, 0, 0);
}

static void cork(int slot)
{
	int on = 1;

	begin_call(OP_CORK);
	write_down(OP_CORK, slot, setsockopt(me.fds[slot], IPPROTO_TCP, TCP_CORK, &on, sizeof(on)),
		   errno);
	held_back = true;
}

/* What MSG_MORE and TCP_CORK hold back leaves: the other end waits for it. */
void flush(int slot)
{
	int off = 0, on = 1;

	if (!held_back)
		return;
	held_back = false;
	setsockopt(me.fds[slot], IPPROTO_TCP, TCP_CORK, &off, sizeof(off));
	setsockopt(me.fds[slot], IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

void hold_back(void)
{
	held_back = true;
}

void option_some(struct rng *rng, int slot)
{
	struct pollfd one = {me.fds[slot], POLLIN | POLLOUT | POLLPRI | POLLRDHUP, 0};
	int value = 0, n;
	socklen_t size = sizeof(value);

	switch (below(rng, 32)) {
	case 0 ... 6:
		begin_call(OP_WAITING);
		n = ioctl(me.fds[slot], FIONREAD, &value);
		write_down(OP_WAITING, slot, n ?: value, errno);
		break;
	case 7 ... 11:
		begin_call(OP_POLL);
		n = poll(&one, 1, 0);
		write_down(OP_POLL, slot, n < 0 ? n : one.revents, errno);
		break;
	case 12 ... 13:
		look_level(slot);
		break;
	case 14 ... 16:
		look_edge(slot);
		break;
	case 17 ... 18:
		look_select(slot);
		break;
	case 19 ... 21:
		block_or_not(rng, slot);
		break;
	case 22 ... 24:
		set_option(rng, slot);
		break;
	case 25 ... 26:
		begin_call(OP_ERROR);
		n = getsockopt(me.fds[slot], SOL_SOCKET, SO_ERROR, &value, &size);
		write_down(OP_ERROR, slot, n ?: value, errno);
		break;
	case 27:
		look_names(slot);
		break;
	case 28 ... 29:
		duplicate(slot);
		break;
	case 30:
		pass_to_self(slot);
		break;
	default:
		cork(slot);
	}
}
