// SPDX-License-Identifier: Apache-2.0
/* Turns in which one end acts alone. */
#define _GNU_SOURCE
#include "storm.h"

#include <errno.h>
#include <netinet/in.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define QUIET_MS 10000

/* States of TCP, as the kernel tells them. */
enum { FIN_WAIT1 = 4, LAST_ACK = 9, CLOSING = 11 };

/* The own end of the stream has been acknowledged: how far it is shows in what calls give. */
static void await_own_end(int slot)
{
	uint64_t until = now_ns() + QUIET_MS * 1000000ull;
	struct tcp_info info = {};
	socklen_t size = sizeof(info);

	while (mine(slot)->shut_write && !me.side->conns[slot].hit && now_ns() < until) {
		getsockopt(me.fds[slot], IPPROTO_TCP, TCP_INFO, &info, &size);
		if (info.tcpi_state != FIN_WAIT1 && info.tcpi_state != CLOSING &&
		    info.tcpi_state != LAST_ACK)
			return;
		usleep(50);
	}
}

/* Everything that the other end did has come: bytes, its end. */
bool wait_quiet(int slot)
{
	const struct end *other = theirs(slot);
	uint64_t until = now_ns() + QUIET_MS * 1000000ull;
	struct pollfd one = {me.fds[slot], POLLRDHUP, 0};
	int lies = -1, turns = 0;

	while (!ioctl(me.fds[slot], FIONREAD, &lies) && lies != (int)unread(slot)) {
		if (now_ns() > until) {
			broke(lies < (int)unread(slot) ? E_LOST : E_MORE,
			      "%d bytes lie there, %zu were sent", lies, unread(slot));
			return false;
		}
		usleep(turns++ < 20 ? 20 : 1000);
	}
	if (!other->shut_write && !other->closed)
		return true;
	if (me.side->conns[slot].was_reset)
		one.events = 0;
	if (poll(&one, 1, QUIET_MS) == 1)
		return true;
	broke(E_NO_END, "the end of the stream does not come");
	return false;
}

/* How the bytes went is known as long as the socket is there. */
void let_go(int slot)
{
	struct tcp_info info = {};
	socklen_t size = sizeof(info);
	uint64_t sent = mine(slot)->sent;

	if (me.fds[slot] < 0)
		return;
	getsockopt(me.fds[slot], IPPROTO_TCP, TCP_INFO, &info, &size);
	me.side->connections[me.end] += sent > 0;
	me.side->past[me.end] += info.tcpi_bytes_sent < sent;
	me.side->bytes[me.end] += sent;
	me.side->tcp_bytes[me.end] += info.tcpi_bytes_sent < sent ? info.tcpi_bytes_sent : sent;
	close(me.fds[slot]);
	close(me.edges[slot]);
	me.fds[slot] = me.edges[slot] = -1;
}

static void send_turn(struct rng *rng, int slot, int count)
{
	int hits = 3;

	for (int i = 0; i < count && !me.side->broken; i++) {
		size_t under_way = mine(slot)->sent - theirs(slot)->got;
		size_t most = me.side->conns[slot].tight ? UNREAD_TIGHT : UNREAD_BYTES;
		size_t room = under_way < most ? most - under_way : 0;

		if (is_deaf(theirs(slot)))
			room = hits-- > 0 ? 4096 : 0;
		if (one_in(rng, 5) || !room || mine(slot)->messages >= UNREAD_MESSAGES)
			option_some(rng, slot);
		else
			send_some(rng, slot, room);
	}
	flush(slot);
}

static void receive_turn(struct rng *rng, int slot, int count)
{
	for (int i = 0; i < count && !me.side->broken; i++) {
		if (one_in(rng, 4))
			option_some(rng, slot);
		else
			receive_some(rng, slot);
	}
	flush(slot);
}

static void act(struct rng *rng, int kind, int slot, int count)
{
	if (kind == SOLO_SEND)
		send_turn(rng, slot, count);
	else
		receive_turn(rng, slot, count);
}

/* A child goes on with the socket: it has inherited it, or is given it. `alone`: only the child has
 * it. */
static void by_child(struct rng *rng, int kind, int slot, int count, bool alone)
{
	int op = alone ? OP_CLOSE_BY_CHILD : OP_FORK, pair[2], status;
	bool passed = one_in(rng, 2);
	pid_t child;

	begin_call(op);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		abort();
	child = fork();
	if (child < 0)
		abort();
	if (!child) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(pair[0]);
		if (passed)
			if (!take_passed(slot, pair[1]))
				_exit(1);
		/* Not before the parent has let go of it. */
		if (alone && read(pair[1], &status, 1) != 0)
			_exit(1);
		act(rng, kind, slot, count);
		_exit(0);
	}
	close(pair[1]);
	if (passed)
		pass_on(slot, pair[0]);
	if (alone)
		let_go(slot);
	close(pair[0]);
	waitpid(child, &status, 0);
	write_down(op, slot, status ? -1 : 0, ECHILD);
}

static void end_by(int slot, int op, int how)
{
	bool swallowed = me.pair->breaks == BREAK_END && op == OP_SHUT_WRITE && me.which == TWIN &&
			 me.end == CLIENT && me.sends++ >= (uint64_t)me.pair->break_at;

	begin_call(op);
	write_down(op, slot, swallowed ? 0 : shutdown(me.fds[slot], how), errno);
	mine(slot)->shut_write |= how != SHUT_RD;
	mine(slot)->shut_read |= how != SHUT_WR;
	theirs(slot)->edge |= how != SHUT_RD;
}

/* A reset takes with it what TCP has not delivered: all has to lie there. */
static void await_delivery(int slot)
{
	const struct conn *conn = &me.side->conns[slot];
	uint64_t until = now_ns() + QUIET_MS * 1000000ull;
	int under_way = 0;

	if (conn->was_reset || conn->hit || theirs(slot)->closed)
		return;
	while (!ioctl(me.fds[slot], SIOCOUTQ, &under_way) && under_way > 0 && !me.side->broken) {
		if (now_ns() > until)
			broke(E_LOST, "%d bytes are not acknowledged", under_way);
		usleep(200);
	}
}

static void close_it(struct rng *rng, int slot)
{
	struct conn *conn = &me.side->conns[slot];

	if (unread(slot))
		await_delivery(slot);
	if (one_in(rng, 8)) {
		by_child(rng, SOLO_RECEIVE, slot, 1 + below(rng, 8), true);
	} else {
		begin_call(OP_CLOSE);
		let_go(slot);
		write_down(OP_CLOSE, slot, 0, 0);
	}
	/* Plain TCP says with a reset that nobody has read them. */
	conn->early |= unread(slot) > 0;
	mine(slot)->closed = 1;
	theirs(slot)->edge = 1;
}

static void reset_it(int slot)
{
	struct linger now = {1, 0};

	await_delivery(slot);
	begin_call(OP_RESET);
	setsockopt(me.fds[slot], SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	let_go(slot);
	me.side->conns[slot].was_reset = 1;
	mine(slot)->closed = 1;
	theirs(slot)->edge = 1;
	write_down(OP_RESET, slot, 0, 0);
}

/*
 * The other end was closed with bytes unread. Plain TCP says so by a reset, a spliced socket by an
 * orderly end: the bytes before have to be the same, what comes after them is told apart.
 */
static void drain_and_close(int slot)
{
	uint8_t *bytes = scratch();
	long n, got = 0;

	for (;;) {
		begin_call(OP_DRAIN);
		n = recv(me.fds[slot], bytes, SCRATCH, MSG_DONTWAIT);
		if (n <= 0)
			break;
		check_bytes(slot, bytes, mine(slot)->got, n);
		note_received(slot, n);
		got += n;
	}
	write_down(OP_DRAIN, slot, got, 0)->odd = n == 0 ? 0 : errno;
	let_go(slot);
	mine(slot)->closed = 1;
}

static void end_turn(struct rng *rng, int slot)
{
	if (me.side->conns[slot].early) {
		drain_and_close(slot);
		return;
	}
	if (!one_in(rng, 3)) {
		for (int i = 0; i < 200 && unread(slot) && !me.side->broken; i++)
			receive_some(rng, slot);
	}
	switch (below(rng, 10)) {
	case 0 ... 2:
		end_by(slot, OP_SHUT_WRITE, SHUT_WR);
		break;
	case 3:
		end_by(slot, OP_SHUT_READ, SHUT_RD);
		break;
	case 4:
		end_by(slot, OP_SHUT_BOTH, SHUT_RDWR);
		break;
	case 5 ... 7:
		close_it(rng, slot);
		break;
	default:
		reset_it(slot);
	}
}

void solo(const struct plan *plan)
{
	struct rng rng = rng_at(plan->turn, me.end), parents = rng_at(plan->turn, 8 + me.end);
	int slot = plan->slot, count = 1 + below(&rng, 32);

	if (!wait_quiet(slot))
		return;
	await_own_end(slot);
	if (plan->kind == SOLO_END) {
		end_turn(&rng, slot);
		return;
	}
	if (one_in(&rng, 40)) {
		by_child(&rng, plan->kind, slot, count / 2, false);
		rng = parents;
	}
	act(&rng, plan->kind, slot, count);
}
