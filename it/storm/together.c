// SPDX-License-Identifier: Apache-2.0
/* Turns in which both ends act at once: what arrives is compared, not how the calls cut it. */
#define _GNU_SOURCE
#include "storm.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

void set_waiting(int slot, bool waits)
{
	fcntl(me.fds[slot], F_SETFL, O_RDWR | (waits ? 0 : O_NONBLOCK));
	mine(slot)->nonblock = !waits;
}

/* ---- a connection ---- */

static int dial(struct rng *rng)
{
	bool waits = one_in(rng, 2);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | (waits ? 0 : SOCK_NONBLOCK), 0),
	    error = 0;
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(me.port)};
	struct pollfd one = {fd, POLLOUT, 0};
	socklen_t size = sizeof(error);

	memcpy(&to.sin_addr, me.host, sizeof(to.sin_addr));
	if (connect(fd, (struct sockaddr *)&to, sizeof(to))) {
		if (errno != EINPROGRESS || poll(&one, 1, PATIENCE_MS) != 1)
			error = errno;
		else
			getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
	}
	fcntl(fd, F_SETFL, O_RDWR);
	if (error)
		broke(E_LOST, "connect: %s", strerror(error));
	return fd;
}

static void begin_connection(struct rng *rng, int slot)
{
	struct pollfd one = {me.listener, POLLIN, 0};
	int on = 1;

	let_go(slot);
	begin_call(OP_DIAL);
	if (me.end == CLIENT)
		me.fds[slot] = dial(rng);
	else if (poll(&one, 1, PATIENCE_MS) != 1)
		broke(E_LOST, "no connection comes");
	else
		me.fds[slot] = accept4(me.listener, NULL, NULL, SOCK_CLOEXEC);
	/* Nagle's waiting for acknowledgements would make it a test of clocks. */
	setsockopt(me.fds[slot], IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	watch_edges(slot);
	write_down(OP_DIAL, slot, me.fds[slot] < 0 ? -1 : 0, errno);
}

/* ---- questions and answers ---- */

/* One receiving call in a loop until `count` bytes are there; how often one gave nothing though it
 * waits. */
static int take(struct rng *rng, int slot, int op, size_t count)
{
	int way = op == OP_PING_ALL ? 0 : below(rng, 4), fd = me.fds[slot], odd = 0;
	struct pollfd one = {fd, POLLIN, 0};
	struct epoll_event event;
	uint8_t *bytes = scratch();
	struct iovec pieces[2] = {{bytes, 7}, {bytes + 7, SCRATCH - 7}};

	while (count && !me.side->broken) {
		bool waits = way < 2 && !mine(slot)->nonblock;
		long n;

		begin_call(op);
		if (way == 1)
			n = readv(fd, pieces, 2);
		else
			n = recv(fd, bytes, op == OP_PING_ALL ? count : SCRATCH,
				 waits ? (op == OP_PING_ALL ? MSG_WAITALL : 0) : MSG_DONTWAIT);
		if (n > 0) {
			check_bytes(slot, bytes, mine(slot)->got, n);
			note_received(slot, n);
			odd += op == OP_PING_ALL && waits && n < (long)count;
			count -= (size_t)n < count ? n : count;
		} else if (n < 0 && errno == EAGAIN && waits) {
			odd++;
		} else if (n < 0 && errno == EAGAIN) {
			n = way == 3 ? epoll_wait(me.edges[slot], &event, 1, PATIENCE_MS)
				     : poll(&one, 1, PATIENCE_MS);
			if (n == 0)
				broke(E_LOST, "%s tells of nothing, %zu bytes are to come",
				      way == 3 ? "epoll" : "poll", count);
		} else if (n == 0 || errno != EINTR) {
			broke(E_LOST, "recv: %ld (%s), %zu bytes are to come", n, strerror(errno),
			      count);
		}
	}
	return odd < 255 ? odd : 255;
}

static void ping(const struct plan *plan)
{
	struct rng shared = rng_at(plan->turn, 2), own = rng_at(plan->turn, 4 + me.end);
	int rounds = 1 + below(&shared, 12), op = one_in(&shared, 6) ? OP_PING_ALL : OP_PING,
	    odd = 0;
	size_t got = mine(plan->slot)->got;

	for (int i = 0; i < 2 * rounds && !me.side->broken; i++) {
		size_t count = 1 + below(&shared, one_in(&shared, 3) ? 5000 : 200);

		if ((plan->actor + i) % 2 == me.end) {
			send_by(&own, plan->slot, count);
			flush(plan->slot);
		} else {
			odd += take(&own, plan->slot, op, count);
		}
	}
	write_down(op, plan->slot, mine(plan->slot)->got - got, 0)->odd = odd < 255 ? odd : 255;
}

void together(const struct plan *plan)
{
	struct rng own = rng_at(plan->turn, 4 + me.end);

	switch (plan->kind) {
	case BOTH_DIAL:
		begin_connection(&own, plan->slot);
		break;
	case BOTH_PING:
		ping(plan);
		break;
	case BOTH_FLOOD:
		flood(plan);
		break;
	case BOTH_SIGNAL:
		signals(plan);
		break;
	}
}
