// SPDX-License-Identifier: Apache-2.0
/* Programs that wait for several things: select, poll, epoll, SIGIO. */
#define _GNU_SOURCE
#include "script.h"

#include <sys/select.h>

#define NOW MSG_DONTWAIT

static void edges(struct end w, struct end r)
{
	int poller = poller_for(r, EPOLLIN | EPOLLET | EPOLLRDHUP), count = 0, seen;
	struct epoll_event *again = NEW(struct epoll_event);

	make(1000);
	edge(r.hand, poller, 20, NULL);
	for (int i = 0; i < 5; i++) {
		put(w, OUT + i * 200, 200);
		count += edge(r.hand, poller, 500, NULL);
	}
	say("5 sends: %d edges", count);
	say(", without news %d", edge(r.hand, poller, 50, NULL));
	receive(r, IN, 300, NOW);
	say(", after a part was read %d", edge(r.hand, poller, 50, NULL));
	again->events = EPOLLIN | EPOLLET | EPOLLRDHUP;
	SYS(r.hand, epoll_ctl, poller, EPOLL_CTL_MOD, r.fd, P(again));
	say(", armed again %d", edge(r.hand, poller, 200, NULL));
	take(r, IN, 5000, 50);
	edge(r.hand, poller, 0, NULL);
	say("; all read: level %s", events(polled(r, POLLIN, 0)));
	if (speaks_http)
		return;
	shut(w, SHUT_WR);
	say("; the end: %s", edge(r.hand, poller, 500, &seen) ? events(seen) : "NOT told");
}

static void one_shot(struct end w, struct end r)
{
	int poller = poller_for(r, EPOLLIN | EPOLLONESHOT);
	struct epoll_event *again = NEW(struct epoll_event);

	make(400);
	put(w, OUT, 200);
	say("one shot: %d", edge(r.hand, poller, 500, NULL));
	put(w, OUT + 200, 200);
	until_waiting(r, 400);
	say(", spent %d", edge(r.hand, poller, 50, NULL));
	again->events = EPOLLIN | EPOLLONESHOT;
	SYS(r.hand, epoll_ctl, poller, EPOLL_CTL_MOD, r.fd, P(again));
	say(", armed again %d", edge(r.hand, poller, 200, NULL));
}

/* Three threads wait for the same socket: each send wakes one of them at least, none is lost. */
static void exclusive(struct end w, struct end r)
{
	struct epoll_event *found[3];
	int pollers[3], woken = 0;

	make(200);
	for (int i = 0; i < 3; i++) {
		pollers[i] = poller_for(r, EPOLLIN | EPOLLEXCLUSIVE);
		found[i] = NEW(struct epoll_event);
	}
	for (int turn = 0; turn < 10; turn++) {
		int news = 0;

		for (int i = 0; i < 3; i++)
			BEGIN_SYS(r.hand, 1 + i, epoll_wait, pollers[i], P(found[i]), 1, 3000);
		for (int i = 0; i < 3; i++)
			until_in(r.hand, 1 + i, SYS_epoll_wait);
		put(w, OUT, 20);
		for (double limit = now_ms() + 500; !news && now_ms() < limit;)
			for (int i = 0; i < 3 && !news; i++)
				news = outcome(r.hand, 1 + i, 5) != LATE ? 1 + i : 0;
		woken += news != 0;
		/* Those who still wait are woken by what is there. */
		for (int i = 0; i < 3; i++) {
			if (i + 1 == news)
				continue;
			while (outcome(r.hand, 1 + i, 20) == LATE)
				put(w, OUT, 1);
		}
		take(r, IN, 5000, 30);
	}
	say("10 sends for 3 exclusive waiters: %d wake somebody", woken);
}

static void selected(struct end w, struct end r)
{
	fd_set *in = NEW(fd_set), *except = NEW(fd_set);
	struct timeval *limit = NEW(struct timeval);
	struct end twin = {r.hand, SYS(r.hand, dup, r.fd)};

	limit->tv_usec = 500000;
	make(200);
	put(w, OUT, 200);
	FD_SET(r.fd, in);
	FD_SET(r.fd, except);
	say("select %s", told(SYS(r.hand, select, r.fd + 1, P(in), 0, P(except), P(limit))));
	say(": in %d, except %d", !!FD_ISSET(r.fd, in), !!FD_ISSET(r.fd, except));
	shut_fd(r);
	say("; the duplicate after a close: poll %s", events(polled(twin, POLLIN, 200)));
	say(", recv %s", told(receive(twin, IN, 500, NOW)));
}

static void writable(struct end w, struct end r)
{
	(void)r;
	say("idle: poll %s", events(polled(w, POLLIN | POLLOUT | POLLPRI | POLLRDHUP, 0)));
	say(", without a wish %s", events(polled(w, 0, 0)));
}

static void signalled(struct end w, struct end r)
{
	ACT(r.hand, count_signal, SIGIO, 0);
	own_signals(r);
	SYS(r.hand, fcntl, r.fd, F_SETFL, O_ASYNC | O_NONBLOCK);
	make(200);
	put(w, OUT, 200);
	until_waiting(r, 200);
	rest_ms(50);
	say("O_ASYNC: SIGIO %s", shared->signals[r.hand][SIGIO] ? "came" : "did NOT come");
}

static void poll_interrupted(struct end w, struct end r)
{
	struct pollfd *p = NEW(struct pollfd);

	ACT(r.hand, count_signal, SIGUSR1, SA_RESTART);
	*p = (struct pollfd){.fd = r.fd, .events = POLLIN};
	BEGIN_SYS(r.hand, 1, poll, P(p), 1, 3000);
	until_in(r.hand, 1, SYS_poll);
	interrupt(r.hand, 1, SIGUSR1);
	say("a signal in poll: %s", told(outcome(r.hand, 1, 1000)));
	make(200);
	BEGIN_SYS(r.hand, 1, poll, P(p), 1, 3000);
	until_in(r.hand, 1, SYS_poll);
	put(w, OUT, 200);
	say("; bytes: %s", told(outcome(r.hand, 1, 1000)));
}

/* Readable means that there is something. */
static void no_ghosts(struct end w, struct end r)
{
	int ghosts = 0;

	make(200);
	for (int i = 0; i < 200; i++) {
		put(w, OUT, 100);
		if (!readable(r, 500))
			break;
		receive(r, IN, 4096, NOW);
		ghosts += polled(r, POLLIN, 0) && receive(r, IN, 1, NOW) < 0;
	}
	say("200 times all read: %d times readable without a byte", ghosts);
}

static void hung_up(struct end w, struct end r)
{
	int poller = poller_for(r, EPOLLIN | EPOLLOUT | EPOLLET | EPOLLRDHUP), seen;

	edge(r.hand, poller, 20, NULL);
	shut(w, SHUT_WR);
	say("the peer ends: %s", edge(r.hand, poller, 1000, &seen) ? events(seen) : "no edge");
	shut_fd(w);
	shut(r, SHUT_WR);
	say("; this end too: %s", edge(r.hand, poller, 1000, &seen) ? events(seen) : "no edge");
}

const struct case_ waiting[] = {{"edges", edges, BOTH | HTTP},
				{"one-shot", one_shot, BOTH | HTTP},
				{"exclusive", exclusive, BOTH},
				{"selected", selected, BOTH | HTTP},
				{"writable", writable, BOTH | HTTP},
				{"signalled", signalled, BOTH | HTTP},
				{"poll-interrupted", poll_interrupted, BOTH | HTTP},
				{"no-ghosts", no_ghosts, BOTH},
				{"hung-up", hung_up, BOTH},
				{}};
