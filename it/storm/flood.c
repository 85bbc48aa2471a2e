// SPDX-License-Identifier: Apache-2.0
/* Both ends send and receive as fast as they can, or one sends until nothing more goes in. */
#define _GNU_SOURCE
#include "storm.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define FILL_MOST (8 << 20)

struct flow {
	struct rng rng;
	int slot, op, odd;
	size_t to_send, to_get, small; /* no piece is larger than `small` */
};

/* Sends a piece; false: it does not go in now. */
static bool pour(struct flow *flow, int flags)
{
	size_t count = 1 + below(&flow->rng, flow->small);
	uint8_t *bytes = scratch();
	struct end *end = mine(flow->slot);
	long n;

	if (count > flow->to_send)
		count = flow->to_send;
	pattern_fill(bytes, bytes_seed(&me.side->conns[flow->slot], me.end), end->sent, count);
	begin_call(flow->op);
	end->sent += count;
	n = send(me.fds[flow->slot], bytes, count, flags | MSG_NOSIGNAL);
	if (n > 0)
		flow->to_send -= n;
	end->sent -= count - (n > 0 ? n : 0);
	if (n > 0 || errno == EINTR)
		return true;
	if (errno != EAGAIN || !(flags & MSG_DONTWAIT))
		broke(E_LOST, "send: %ld (%s), %zu bytes to send", n, strerror(errno),
		      flow->to_send);
	return false;
}

static bool drink(struct flow *flow, int flags)
{
	size_t count = 1 + below(&flow->rng, 2 * flow->small);
	uint8_t *bytes = scratch();
	long n;

	begin_call(flow->op);
	n = recv(me.fds[flow->slot], bytes, count, flags);
	if (n > 0) {
		check_bytes(flow->slot, bytes, mine(flow->slot)->got, n);
		note_received(flow->slot, n);
		flow->to_get -= (size_t)n < flow->to_get ? n : flow->to_get;
		return true;
	}
	if (n < 0 && errno == EINTR)
		return true;
	if (n == 0 || errno != EAGAIN)
		broke(E_LOST, "recv: %ld (%s), %zu bytes are to come", n, strerror(errno),
		      flow->to_get);
	else if (!(flags & MSG_DONTWAIT))
		flow->odd++;
	return false;
}

static void by_poll(struct flow *flow)
{
	struct pollfd one = {me.fds[flow->slot], 0, 0};

	while ((flow->to_send || flow->to_get) && !me.side->broken) {
		one.events = (flow->to_send ? POLLOUT : 0) | (flow->to_get ? POLLIN : 0);
		if (poll(&one, 1, PATIENCE_MS) == 0) {
			broke(E_LOST, "poll tells of nothing, %zu bytes to send, %zu to come",
			      flow->to_send, flow->to_get);
			return;
		}
		for (int i = below(&flow->rng, 4); i >= 0 && flow->to_get && one.revents & POLLIN;
		     i--)
			if (!drink(flow, MSG_DONTWAIT))
				break;
		for (int i = below(&flow->rng, 4); i >= 0 && flow->to_send && one.revents & POLLOUT;
		     i--)
			if (!pour(flow, MSG_DONTWAIT))
				break;
	}
}

static void tick(bool on, bool restarts)
{
	struct sigaction what;
	struct itimerval often = {{0, on ? 700 : 0}, {0, on ? 300 : 0}};

	sigaction(SIGALRM, NULL, &what);
	what.sa_flags = restarts ? SA_RESTART : 0;
	sigaction(SIGALRM, &what, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
}

/* Calls that wait: a child writes while this process reads the same socket. */
static void by_two(struct flow *flow, bool signals, bool restarts, int rest_us)
{
	bool writes = flow->to_send, forks = writes && flow->to_get;
	pid_t child = forks ? fork() : 0;
	int status = 0;

	if (child < 0)
		abort();
	if (writes && !child) {
		if (forks)
			prctl(PR_SET_PDEATHSIG, SIGKILL);
		tick(signals, restarts);
		while (flow->to_send && !me.side->broken)
			pour(flow, 0);
		tick(false, false);
		if (forks)
			_exit(0);
	}
	if (flow->to_get) {
		usleep(rest_us);
		tick(signals, restarts);
		while (flow->to_get && !me.side->broken)
			drink(flow, 0);
		tick(false, false);
	}
	while (forks && waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	if (status)
		broke(E_LOST, "the child that writes ended with %d", status);
}

/* The writer goes on until nothing goes in any more, and only then the reader begins. */
static void fill(const struct plan *plan, struct flow *flow)
{
	struct pollfd one = {me.fds[flow->slot], POLLOUT, 0};
	struct pollfd in = {me.fds[flow->slot], POLLIN, 0};

	if (plan->actor == me.end) {
		flow->to_send = FILL_MOST;
		while (flow->to_send && pour(flow, MSG_DONTWAIT) && !me.side->broken)
			;
		flow->to_send = 1 + below(&flow->rng, 1 << 20);
		me.side->full = 1;
		while (flow->to_send && !me.side->broken) {
			if (poll(&one, 1, PATIENCE_MS) == 0)
				broke(E_LOST, "poll tells of no room, %zu bytes to send",
				      flow->to_send);
			pour(flow, MSG_DONTWAIT);
		}
		me.side->full = 2;
		return;
	}
	flow->to_get = SIZE_MAX;
	while (!me.side->full && !me.side->broken)
		usleep(50);
	for (int waits = 0; !me.side->broken;) {
		int all = me.side->full == 2;

		__sync_synchronize();
		if (all && !unread(flow->slot))
			break;
		if (poll(&in, 1, 5) == 1)
			drink(flow, MSG_DONTWAIT), waits = 0;
		else if (waits++ > PATIENCE_MS / 5)
			broke(E_LOST, "%zu bytes are to come, poll tells of nothing",
			      unread(flow->slot));
	}
}

static size_t flood_size(struct rng *rng)
{
	switch (below(rng, 16)) {
	case 0:
		return 1 + below(rng, 3 << 20);
	case 1 ... 4:
		return 1 + below(rng, 400 << 10);
	case 5 ... 6:
		return 0;
	default:
		return 1 + below(rng, 50 << 10);
	}
}

static void small_buffers(int slot, int size)
{
	setsockopt(me.fds[slot], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	setsockopt(me.fds[slot], SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
}

void flood(const struct plan *plan)
{
	struct rng shared = rng_at(plan->turn, 2);
	size_t sizes[ENDS] = {flood_size(&shared), flood_size(&shared)},
	       got = mine(plan->slot)->got;
	bool waits = one_in(&shared, 2), signals = waits && one_in(&shared, 3),
	     restarts = one_in(&shared, 2);
	bool was_tight = me.side->conns[plan->slot].tight,
	     fills = one_in(&shared, 24) && !was_tight, tight = one_in(&shared, 30);
	size_t small = one_in(&shared, 8) ? 200 : 32 << 10;
	int rest_us = one_in(&shared, 3) ? below(&shared, 3000) : 0;
	struct flow flow = {
		.rng = rng_at(plan->turn, 4 + me.end), .slot = plan->slot, .small = small};

	flow.to_send = sizes[me.end];
	flow.to_get = sizes[!me.end];
	flow.op = fills                                  ? OP_FILL
		  : signals                              ? OP_FLOOD_SIGNALLED
		  : waits && flow.to_send && flow.to_get ? OP_FLOOD_BY_TWO
							 : OP_FLOOD;
	/* Where little is under way at a time, TCP's clocks decide how long it takes. */
	tight &= !fills;
	if (small == 200 || tight || was_tight) {
		flow.to_send %= 20000;
		flow.to_get %= 20000;
	}
	if (tight)
		small_buffers(plan->slot, 8 << 10);
	if (fills) {
		flow.small = 32 << 10;
		fill(plan, &flow);
	} else if (waits) {
		set_waiting(plan->slot, true);
		by_two(&flow, signals, restarts, rest_us);
	} else {
		usleep(me.end == plan->actor ? rest_us : 0);
		by_poll(&flow);
	}
	if (tight)
		small_buffers(plan->slot, 512 << 10);
	me.side->conns[plan->slot].tight |= tight;
	write_down(flow.op, plan->slot, fills ? 0 : mine(plan->slot)->got - got, 0)->odd =
		flow.odd < 255 ? flow.odd : 255;
}
