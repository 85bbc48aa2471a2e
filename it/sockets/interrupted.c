// SPDX-License-Identifier: Apache-2.0
/* Programs that wait in their calls, and what may come meanwhile. */
#define _GNU_SOURCE
#include "script.h"

#define NOW MSG_DONTWAIT

static void by_signal(struct end w, struct end r)
{
	(void)w;
	ACT(r.hand, count_signal, SIGUSR1, 0);
	begin_receive(r, 1, IN, 10, 0);
	interrupt(r.hand, 1, SIGUSR1);
	say("a signal: %s", told(outcome(r.hand, 1, 1000)));
}

static void by_signal_restarted(struct end w, struct end r)
{
	ACT(r.hand, count_signal, SIGUSR1, SA_RESTART);
	begin_receive(r, 1, IN, 10, 0);
	interrupt(r.hand, 1, SIGUSR1);
	say("a signal, SA_RESTART: %s", told(outcome(r.hand, 1, 150)));
	put(w, "data", 4);
	say(", then bytes: %s", told(outcome(r.hand, 1, 500)));
}

static void by_signal_timed(struct end w, struct end r)
{
	struct timeval *limit = NEW(struct timeval);

	(void)w;
	limit->tv_sec = 3;
	SYS(r.hand, setsockopt, r.fd, SOL_SOCKET, SO_RCVTIMEO, P(limit), sizeof(*limit));
	ACT(r.hand, count_signal, SIGUSR1, SA_RESTART);
	begin_receive(r, 1, IN, 10, 0);
	interrupt(r.hand, 1, SIGUSR1);
	say("a signal, SA_RESTART and SO_RCVTIMEO: %s", told(outcome(r.hand, 1, 1000)));
}

/* What every server has that forks. */
static void by_child(struct end w, struct end r)
{
	make(200);
	ACT(r.hand, count_signal, SIGCHLD, SA_RESTART);
	begin_receive(r, 1, IN, 300, 0);
	/* No other thread is there to take it. */
	ACT(r.hand, bear, 30);
	for (int i = 0; i < 100 && !shared->signals[r.hand][SIGCHLD]; i++)
		rest_ms(10);
	interrupt(r.hand, 1, SIGCHLD);
	say("a child ends: %s", told(outcome(r.hand, 1, 150)));
	put(w, OUT, 200);
	say(", then bytes: %s", told(outcome(r.hand, 1, 500)));
}

static void by_stop(struct end w, struct end r)
{
	make(200);
	begin_receive(r, 1, IN, 300, 0);
	stop(r.hand);
	go_on(r.hand);
	say("stopped and continued: %s", told(outcome(r.hand, 1, 100)));
	put(w, OUT, 200);
	say(", then bytes: %s", told(outcome(r.hand, 1, 500)));
}

static void by_peers_end(struct end w, struct end r)
{
	begin_receive(r, 1, IN, 10, 0);
	shut(w, SHUT_WR);
	say("the peer ends: %s", told(outcome(r.hand, 1, 1000)));
}

static void by_peers_close(struct end w, struct end r)
{
	begin_receive(r, 1, IN, 10, 0);
	shut_fd(w);
	say("the peer closes: %s", told(outcome(r.hand, 1, 1000)));
	say(", then %s", told(receive(r, IN, 10, NOW)));
}

static void by_reset(struct end w, struct end r)
{
	begin_receive(r, 1, IN, 10, 0);
	reset(w);
	say("a reset: %s", told(outcome(r.hand, 1, 1000)));
	say(", then %s", told(receive(r, IN, 10, NOW)));
}

static void by_own(struct end r, int how)
{
	begin_receive(r, 1, IN, 10, 0);
	shut(r, how);
	say("another thread's shutdown: %s", told(outcome(r.hand, 1, 500)));
}

static void by_own_read(struct end w, struct end r)
{
	(void)w;
	by_own(r, SHUT_RD);
}

static void by_own_all(struct end w, struct end r)
{
	(void)w;
	by_own(r, SHUT_RDWR);
}

/* The acknowledgement of the end comes when the reader waits already. */
static void answer_after_end(struct end w, struct end r)
{
	put(w, "request", 7);
	/* The peer's delayed acknowledgement, if any, has come by then. */
	rest_ms(80);
	begin_receive(w, 1, IN, 64, 0);
	shut(w, SHUT_WR);
	say("own half-close while recv waits: %s", told(outcome(w.hand, 1, 200)));
	take(r, IN + 100, 7, 500);
	put(r, "answer", 6);
	say(", then an answer: %s", told(outcome(w.hand, 1, 500)));
}

static void request_and_end(struct end w, struct end r)
{
	put(w, "request", 7);
	shut(w, SHUT_WR);
	begin_receive(w, 1, IN, 64, 0);
	say("request and half-close, then recv: %s", told(outcome(w.hand, 1, 300)));
	take(r, IN + 100, 8, 500);
	put(r, "answer", 6);
	say(", then an answer: %s", told(outcome(w.hand, 1, 500)));
}

static void send_by_signal(struct end w, struct end r)
{
	long n;

	(void)r;
	ACT(w.hand, count_signal, SIGUSR1, 0);
	BEGIN_SYS(w.hand, 1, sendto, w.fd, P(OUT), 48 << 20, MSG_NOSIGNAL);
	until_in(w.hand, 1, SYS_sendto);
	rest_ms(300);
	interrupt(w.hand, 1, SIGUSR1);
	n = outcome(w.hand, 1, 2000);
	say("a signal in a send of 48 MiB: %s",
	    n > 0 && n < 48 << 20 ? "a part was sent" : told(n));
}

/* A thread waits for an answer while another one's send waits for room, and goes on. */
static void beside_send(struct end w, struct end r)
{
	const long bytes = 24 << 20;

	BEGIN(w.hand, 2, put_all, w.fd, P(OUT), bytes);
	until_in(w.hand, 2, SYS_sendto);
	rest_ms(300);
	begin_receive(w, 1, IN + bytes, 10, 0);
	take(r, IN, bytes, 500);
	say("another thread's send goes on: %s", told(outcome(w.hand, 1, 200)));
	say(", the send %s", outcome(w.hand, 2, 3000) == bytes ? "ends" : "does NOT end");
	put(r, "data", 4);
	say(", then bytes: %s", told(outcome(w.hand, 1, 500)));
}

static void two_readers(struct end w, struct end r)
{
	long first, second;

	begin_receive(r, 1, IN, 64, 0);
	begin_receive(r, 2, IN + 64, 64, 0);
	put(w, "one", 3);
	first = outcome(r.hand, 1, 300);
	second = outcome(r.hand, 2, 300);
	say("two readers, one message: %s", first == 3 && second == LATE   ? "one has it, one waits"
					    : first == LATE && second == 3 ? "one has it, one waits"
									   : "not so");
	if (first >= 0 && second >= 0)
		say(" (both)");
}

static void kept_alive(struct end w, struct end r)
{
	keep_alive(r, w);
	begin_receive(r, 1, IN, 64, 0);
	say("2.5 s of keep-alives: %s", told(outcome(r.hand, 1, 2500)));
	put(w, "data", 4);
	say(", then bytes: %s", told(outcome(r.hand, 1, 500)));
}

const struct case_ interrupted[] = {{"by-signal", by_signal, BOTH | HTTP | WAITS},
				    {"by-signal-restarted", by_signal_restarted, BOTH | WAITS},
				    {"by-signal-timed", by_signal_timed, BOTH | HTTP | WAITS},
				    {"by-child", by_child, BOTH | HTTP | WAITS},
				    {"by-stop", by_stop, BOTH | HTTP | WAITS},
				    {"by-peers-end", by_peers_end, BOTH | WAITS},
				    {"by-peers-close", by_peers_close, BOTH | WAITS},
				    {"by-reset", by_reset, BOTH | WAITS},
				    {"by-own-read", by_own_read, BOTH | WAITS},
				    {"by-own-all", by_own_all, BOTH | WAITS},
				    {"answer-after-end", answer_after_end, BOTH | WAITS},
				    {"request-and-end", request_and_end, BOTH | WAITS},
				    {"send-by-signal", send_by_signal, BOTH | WAITS},
				    {"beside-send", beside_send, BOTH | WAITS},
				    {"two-readers", two_readers, BOTH | WAITS},
				    {"kept-alive", kept_alive, BOTH | WAITS},
				    {}};
