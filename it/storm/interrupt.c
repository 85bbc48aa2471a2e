// SPDX-License-Identifier: Apache-2.0
/* An end waits in its call, and the other one disturbs it there. */
#define _GNU_SOURCE
#include "storm.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static void caught(int number)
{
	if (number == SIGUSR1)
		__sync_fetch_and_add(&me.side->signalled, 1);
}

void catch_signals(void)
{
	struct sigaction what = {.sa_handler = caught};

	sigaction(SIGUSR1, &what, NULL);
	sigaction(SIGALRM, &what, NULL);
	signal(SIGPIPE, SIG_IGN);
}

/* What the kernel tells of the other end's process. */
static bool told(const char *what, bool (*is)(const char *))
{
	char name[64], text[256] = "";
	FILE *file;

	snprintf(name, sizeof(name), "/proc/%d/%s", me.side->pids[!me.end], what);
	file = fopen(name, "r");
	if (!file)
		return false;
	if (!fgets(text, sizeof(text), file))
		text[0] = 0;
	fclose(file);
	return is(text);
}

static bool is_in_call(const char *text)
{
	static const long calls[] = {
		SYS_recvfrom, SYS_readv,       SYS_recvmsg,
		SYS_ppoll,    SYS_epoll_pwait, SYS_restart_syscall,
#ifdef SYS_poll
		SYS_poll,     SYS_epoll_wait,
#endif
	};
	char *end;
	long number = strtol(text, &end, 10);

	for (size_t i = 0; end != text && i < sizeof(calls) / sizeof(*calls); i++)
		if (calls[i] == number)
			return true;
	return false;
}

static bool is_stopped(const char *text)
{
	const char *after = strrchr(text, ')');

	return after && after[2] == 'T';
}

static void until(const char *what, bool (*is)(const char *))
{
	uint64_t end = now_ns() + PATIENCE_MS * 1000000ull;

	while (!told(what, is) && !me.side->broken) {
		if (now_ns() > end)
			broke(E_LOST, "the other end does not come to wait in its call");
		usleep(20);
	}
}

static void disturb(struct rng *own, const struct plan *plan, int times, bool stops, bool ends,
		    size_t count)
{
	pid_t other = me.side->pids[!me.end];

	for (int i = 0; i < times; i++) {
		uint32_t before = me.side->signalled;

		until("syscall", is_in_call);
		kill(other, stops ? SIGSTOP : SIGUSR1);
		if (stops) {
			until("stat", is_stopped);
			kill(other, SIGCONT);
		}
		while (!stops && me.side->signalled == before && !me.side->broken)
			usleep(20);
	}
	until("syscall", is_in_call);
	if (ends) {
		begin_call(OP_SHUT_WRITE);
		write_down(OP_SHUT_WRITE, plan->slot, shutdown(me.fds[plan->slot], SHUT_WR), errno);
		mine(plan->slot)->shut_write = 1;
		theirs(plan->slot)->edge = 1;
	} else {
		send_by(own, plan->slot, count);
		flush(plan->slot);
	}
}

/* Waits for all that comes; how often signals cut its call off is written above the count. */
static void be_disturbed(int slot, int way, bool restarts, bool stops, size_t count)
{
	struct sigaction what;
	uint8_t *bytes = scratch();
	struct iovec one = {bytes, SCRATCH};
	struct msghdr message = {.msg_iov = &one, .msg_iovlen = 1};
	struct pollfd ready = {me.fds[slot], POLLIN, 0};
	struct epoll_event event;
	int odd = 0, cut = 0, fd = me.fds[slot];
	size_t got = 0;
	long n;

	sigaction(SIGUSR1, NULL, &what);
	what.sa_flags = restarts ? SA_RESTART : 0;
	sigaction(SIGUSR1, &what, NULL);
	set_waiting(slot, true);
	do {
		begin_call(OP_SIGNAL);
		switch (way) {
		case 0:
			n = recv(fd, bytes, SCRATCH, 0);
			break;
		case 1:
			n = readv(fd, &one, 1);
			break;
		case 2:
			n = recvmsg(fd, &message, 0);
			break;
		case 3:
			n = poll(&ready, 1, -1);
			break;
		default:
			n = epoll_wait(me.edges[slot], &event, 1, -1);
		}
		if (n > 0 && way >= 3)
			n = recv(fd, bytes, SCRATCH, MSG_DONTWAIT);
		/* An edge may be an old one. */
		if (n < 0 && way >= 3 && errno == EAGAIN)
			continue;
		odd += n < 0 && errno == EAGAIN;
		cut += n < 0 && errno == EINTR;
		if (n > 0) {
			check_bytes(slot, bytes, mine(slot)->got, n);
			note_received(slot, n);
			got += n;
		}
		if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
			break;
	} while (got < count && !me.side->broken);
	/* Two stops may come to be one. */
	write_down(OP_SIGNAL, slot, got | (stops ? 0L : (long)cut << 24), 0)->odd =
		odd < 255 ? odd : 255;
}

void signals(const struct plan *plan)
{
	struct rng shared = rng_at(plan->turn, 2), own = rng_at(plan->turn, 4 + me.end);
	int times = 1 + below(&shared, 3), way = below(&shared, 5);
	bool stops = one_in(&shared, 4), restarts = one_in(&shared, 2), ends = one_in(&shared, 6);
	size_t count = 1 + below(&shared, 3000);

	if (me.end == plan->actor)
		disturb(&own, plan, times, stops, ends, count);
	else
		be_disturbed(plan->slot, way, restarts, stops, count);
}
