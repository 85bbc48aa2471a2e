// SPDX-License-Identifier: Apache-2.0
/* Many bytes or many exchanges: order, ends, no stall, and no error that a program did not ask for.
 */
#define _GNU_SOURCE
#include "script.h"

#define MIB (1 << 20)

static void both_directions(struct end c, struct end s, int wait)
{
	struct drained *in = NEW(struct drained), *out = NEW(struct drained);
	const long bytes = 16 * MIB;

	BEGIN(SERVER, 1, drain, s.fd, P(in), false, wait);
	BEGIN(CLIENT, 1, drain, c.fd, P(out), false, wait);
	BEGIN(SERVER, 2, pump, s.fd, 0, bytes, 100000);
	BEGIN(CLIENT, 2, pump, c.fd, 0, bytes, 100000);
	outcome(SERVER, 2, 10000);
	shut(s, SHUT_WR);
	outcome(CLIENT, 2, 10000);
	shut(c, SHUT_WR);
	outcome(SERVER, 1, 5000);
	outcome(CLIENT, 1, 5000);
	say("16 MiB each way, readers that wait%s: %s and %s, %s", wait ? " and begin late" : "",
	    in->bytes == bytes && !in->wrong && in->end ? "right" : "WRONG",
	    out->bytes == bytes && !out->wrong && out->end ? "right" : "WRONG",
	    in->error || out->error ? "an ERROR" : "to the end");
}

static void duplex(struct end c, struct end s)
{
	both_directions(c, s, 0);
}

static void duplex_late(struct end c, struct end s)
{
	both_directions(c, s, 400);
}

static void to_blocked_reader(struct end w, struct end r)
{
	struct drained *drained = NEW(struct drained);

	BEGIN(r.hand, 1, drain, r.fd, P(drained), false, 0);
	ACT(w.hand, pump, w.fd, 0, 4 * MIB, 200);
	shut(w, SHUT_WR);
	outcome(r.hand, 1, 5000);
	say("4 MiB in small sends to a reader that waits: %s, EAGAIN %s",
	    drained->bytes == 4 * MIB && !drained->wrong && drained->end ? "right" : "WRONG",
	    drained->again ? "SEEN" : "never");
}

static void exchanges(struct end w, struct end r)
{
	BEGIN(r.hand, 1, answer_all, r.fd);
	say("20000 questions and answers: %s", told(ACT(w.hand, ask_often, w.fd, 20000, 50)));
	shut(w, SHUT_WR);
	say(", EAGAIN %s times", told(outcome(r.hand, 1, 2000)));
}

static void round_trips(struct end w, struct end r)
{
	int lost = 0;

	for (int i = 0; i < 200; i++) {
		put(w, "x", 1);
		lost += take(r, IN, 1, 1000) != 1;
		put(r, "y", 1);
		lost += take(w, IN, 1, 1000) != 1;
	}
	say("200 round trips by poll: %d lost", lost);
}

/* A connection that was full once, then a chat with writes in two pieces and Nagle's algorithm. */
static void after_full(struct end w, struct end r)
{
	int right = 0;
	double begun;

	set(w, IPPROTO_TCP, TCP_NODELAY, 0);
	set_waiting(w, false);
	for (int i = 0; i < 60; i++)
		if (transmit(w, OUT, 1 << 16, 0) < 0)
			rest_ms(2);
	while (take(r, IN, 8 << 20, 100) > 0)
		;
	begun = now_ms();
	for (int i = 0; i < 30; i++) {
		put(w, OUT, 100);
		put(w, OUT, 100);
		right += take(r, IN, 200, 1000) == 200;
		put(r, "ok", 2);
		take(w, IN, 2, 1000);
	}
	begun = now_ms() - begun;
	say("after having been full, 30 exchanges: %d right, %s", right,
	    begun > 3000 ? "SLOW" : "no delay");
}

static void upload(struct end w, struct end r)
{
	struct drained *drained = NEW(struct drained), *answer = NEW(struct drained);

	BEGIN(r.hand, 1, drain, r.fd, P(drained), true, 0);
	BEGIN(w.hand, 1, drain, w.fd, P(answer), false, 0);
	ACT(w.hand, pump, w.fd, 0, 24 * MIB, 65536);
	shut(w, SHUT_WR);
	outcome(r.hand, 1, 5000);
	fill(OUT, 0, 6);
	put(r, OUT, 6);
	shut(r, SHUT_WR);
	outcome(w.hand, 1, 3000);
	say("24 MiB while a thread waits for the answer: %s, the answer %ld %s",
	    drained->bytes == 24 * MIB && !drained->wrong && drained->end ? "right" : "WRONG",
	    answer->bytes, answer->error ? "and an ERROR" : "to the end");
}

static void chat_kept_alive(struct end w, struct end r)
{
	int lost = 0;

	keep_alive(r, w);
	set(r, IPPROTO_TCP, TCP_USER_TIMEOUT, 1500);
	set(w, IPPROTO_TCP, TCP_USER_TIMEOUT, 1500);
	for (int i = 0; i < 4; i++) {
		rest_ms(900);
		lost += put(w, "k", 1) != 1 || take(r, IN, 1, 500) != 1;
	}
	say("a chat between keep-alives: %d lost", lost);
}

const struct case_ streams[] = {{"duplex", duplex, WAITS},
				{"duplex-late", duplex_late, WAITS},
				{"to-blocked-reader", to_blocked_reader, BOTH | WAITS},
				{"exchanges", exchanges, BOTH | WAITS},
				{"round-trips", round_trips, BOTH},
				{"after-full", after_full, BOTH},
				{"upload", upload, BOTH | WAITS},
				{"chat-kept-alive", chat_kept_alive, BOTH},
				{}};
