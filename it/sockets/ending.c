// SPDX-License-Identifier: Apache-2.0
/* Closes, half-closes and resets, in every order. */
#define _GNU_SOURCE
#include "script.h"

#define ALL (POLLIN | POLLOUT | POLLRDHUP)
#define NOW MSG_DONTWAIT

static void end_seen(struct end w, struct end r)
{
	fill(OUT, 0, 1000);
	put(w, OUT, 1000);
	shut(w, SHUT_WR);
	polled(r, POLLRDHUP, 1000);
	say("1000 bytes and the end: poll %s", events(polled(r, ALL, 0)));
	say("; read %ld", take(r, IN, 1000, 100));
	say(": poll %s", events(polled(r, ALL, 0)));
	say(", recv %s", told(receive(r, IN, 10, NOW)));
	say(" and again %s", told(receive(r, IN, 10, NOW)));
	shut(r, SHUT_WR);
	polled(w, POLLRDHUP, 1000);
	rest_ms(30);
	say("; both ended: poll %s", events(polled(r, ALL, 0)));
	say(" and %s", events(polled(w, ALL, 0)));
}

static void reading_ended(struct end w, struct end r)
{
	put(w, "before", 6);
	until_waiting(r, 6);
	say("SHUT_RD: %s", told(shut(r, SHUT_RD)));
	say("; recv %s", told(receive(r, IN, 100, NOW)));
	say(", %s", told(receive(r, IN, 100, NOW)));
	say("; the peer sends %s", told(transmit(w, "after", 5, 0)));
	rest_ms(50);
	say(", recv %s", told(receive(r, IN, 100, NOW)));
	say("; the answer %s", told(transmit(r, "back", 4, 0)));
	say(" comes: %ld", take(w, IN, 4, 500));
}

static void half_closed(struct end w, struct end r)
{
	long n;

	fill(OUT, 0, 50000);
	put(w, OUT, 5000);
	shut(w, SHUT_WR);
	say("%ld, ", take(r, IN, 50000, 200));
	say("sending after it %s", told(transmit(w, "x", 1, 0)));
	put(r, OUT, 50000);
	shut(r, SHUT_WR);
	n = take(w, IN, 60000, 300);
	say("; the answer %ld, %s", n, memcmp(IN, OUT, 50000) ? "WRONG" : "right");
	say(", then %s", told(receive(w, IN, 10, NOW)));
}

static void ended_twice(struct end w, struct end r)
{
	say("SHUT_WR %s", told(shut(w, SHUT_WR)));
	say(", again %s", told(shut(w, SHUT_WR)));
	say(", SHUT_RDWR %s", told(shut(w, SHUT_RDWR)));
	polled(r, POLLRDHUP, 500);
	say("; the peer: recv %s", told(receive(r, IN, 10, NOW)));
	say(", SHUT_RDWR %s", told(shut(r, SHUT_RDWR)));
	rest_ms(50);
	say("; once more %s", told(shut(w, SHUT_RDWR)));
	say(" and %s", told(shut(r, SHUT_RD)));
	say(", recv %s", told(receive(w, IN, 10, NOW)));
}

static void both_end(struct end w, struct end r)
{
	long here, there;

	fill(OUT, 0, 30000);
	put(w, OUT, 30000);
	put(r, OUT, 20000);
	shut(w, SHUT_WR);
	shut(r, SHUT_WR);
	there = take(r, IN, 40000, 300);
	here = take(w, IN + 100000, 40000, 300);
	say("both send and end: %ld and %ld, %s", there, here,
	    memcmp(IN, OUT, 30000) || memcmp(IN + 100000, OUT, 20000) ? "WRONG" : "right");
	say(", then %s", told(receive(r, IN, 10, NOW)));
	say(" and %s", told(receive(w, IN, 10, NOW)));
}

static void unread_close(struct end w, struct end r)
{
	fill(OUT, 0, 1000);
	put(w, OUT, 1000);
	until_waiting(r, 1000);
	receive(r, IN, 100, NOW);
	shut_fd(r);
	polled(w, POLLRDHUP, 1000);
	rest_ms(30);
	say("closed with 900 unread: poll %s", events(polled(w, POLLIN | POLLRDHUP, 0)));
	say(", recv %s", told(receive(w, IN, 10, NOW)));
	say(", send %s", told(transmit(w, "x", 1, 0)));
	rest_ms(50);
	say(", %s", told(transmit(w, "x", 1, 0)));
}

static void early_answer(struct end w, struct end r)
{
	fill(OUT, 0, 100000);
	put(w, OUT, 100000);
	until_waiting(r, 100000);
	put(r, "too much", 8);
	until_waiting(w, 8);
	shut_fd(r);
	rest_ms(80);
	say("an answer, then close with 100000 unread: recv %s", told(receive(w, IN, 100, NOW)));
	say(", then %s", told(receive(w, IN, 100, NOW)));
}

static void read_close(struct end w, struct end r)
{
	put(w, "all", 3);
	take(r, IN, 3, 500);
	shut_fd(r);
	polled(w, POLLRDHUP, 1000);
	rest_ms(30);
	say("closed, all read: poll %s", events(polled(w, ALL, 0)));
	say(", recv %s", told(receive(w, IN, 10, NOW)));
	say(", send %s", told(transmit(w, "x", 1, 0)));
	rest_ms(50);
	say(", %s", told(transmit(w, "x", 1, 0)));
	say(", recv %s", told(receive(w, IN, 10, NOW)));
}

static void was_reset(struct end w, struct end r)
{
	fill(OUT, 0, 1000);
	put(w, OUT, 1000);
	until_waiting(r, 1000);
	reset(w);
	polled(r, POLLRDHUP, 1000);
	rest_ms(30);
	say("reset with 1000 unread: poll %s", events(polled(r, ALL, 0)));
	for (int i = 0; i < 3; i++)
		say(", recv %s", told(receive(r, IN, 5000, NOW)));
	say(", send %s", told(transmit(r, "x", 1, 0)));
}

static void reset_told(struct end w, struct end r)
{
	reset(w);
	polled(r, POLLRDHUP, 1000);
	rest_ms(30);
	say("reset: SO_ERROR %d", get(r, SOL_SOCKET, SO_ERROR));
	say(", again %d", get(r, SOL_SOCKET, SO_ERROR));
	say(", recv %s", told(receive(r, IN, 100, NOW)));
	say(", getpeername %s", name_of(r, true, &(struct sockaddr_storage){}) ? told(-1) : "0");
}

static void reset_told_again(struct end w, struct end r)
{
	reset(w);
	polled(r, POLLRDHUP, 1000);
	rest_ms(30);
	say("reset: send %s", told(transmit(r, "x", 1, 0)));
	say(", again %s", told(transmit(r, "x", 1, 0)));
	say(", SO_ERROR %d", get(r, SOL_SOCKET, SO_ERROR));
	say(", recv %s", told(receive(r, IN, 100, NOW)));
}

static void nothing_sent(struct end w, struct end r)
{
	say("send of 0 bytes: %s", told(transmit(w, "", 0, 0)));
	shut(w, SHUT_WR);
	say(", after the own end %s", told(transmit(w, "", 0, 0)));
	shut_fd(r);
	polled(w, POLLHUP, 1000);
	say(", when all is over %s", told(transmit(w, "", 0, 0)));
}

/* Nobody will read: TCP refuses what comes. */
static void both_halves(struct end w, struct end r)
{
	shut(r, SHUT_RDWR);
	polled(w, POLLRDHUP, 1000);
	rest_ms(30);
	say("the peer has shut both halves: send %s", told(transmit(w, "first", 5, 0)));
	rest_ms(50);
	say(", %s", told(transmit(w, "second", 6, 0)));
	say(", poll %s", events(polled(w, ALL, 0)));
	say("; the peer: recv %s", told(receive(r, IN, 100, NOW)));
	say(", %s", told(receive(r, IN, 100, NOW)));
}

/* The bytes before a close must all be there, warm connection or not. */
static void send_and_close(struct end c, struct end s)
{
	int wrong = 0;

	(void)c, (void)s;
	for (int i = 0; i < 30; i++) {
		struct drained *drained = NEW(struct drained);
		struct end w, r;
		long bytes = 5000 * (i + 1);

		open_pair(&w, &r);
		if (i & 1)
			warm(w, r);
		if (other_way) {
			struct end swapped = w;

			w = r;
			r = swapped;
		}
		BEGIN(r.hand, 1, drain, r.fd, P(drained), true, 0);
		ACT(w.hand, pump, w.fd, 0, bytes, 65536);
		shut_fd(w);
		outcome(r.hand, 1, 4000);
		wrong += drained->bytes != bytes || drained->wrong || !drained->end;
		shut_fd(r);
	}
	say("30 times send and close: %d wrong", wrong);
}

static void brief(struct end c, struct end s)
{
	int wrong = 0;

	for (int i = 0; i < 400; i++) {
		open_pair(&c, &s);
		put(c, "question", 8);
		wrong += take(s, IN, 8, 1000) != 8 || memcmp(IN, "question", 8);
		put(s, "answer", 6);
		shut_fd(s);
		wrong += take(c, IN, 7, 1000) != 6 || memcmp(IN, "answer", 6);
		shut_fd(c);
	}
	say("400 brief connections: %d wrong", wrong);
}

const struct case_ ending[] = {{"end-seen", end_seen, BOTH},
			       {"reading-ended", reading_ended, BOTH},
			       {"half-closed", half_closed, BOTH},
			       {"ended-twice", ended_twice, BOTH},
			       {"both-end", both_end, BOTH},
			       {"unread-close", unread_close, BOTH},
			       {"early-answer", early_answer, BOTH},
			       {"read-close", read_close, BOTH},
			       {"reset", was_reset, BOTH},
			       {"reset-told", reset_told, BOTH},
			       {"reset-told-again", reset_told_again, BOTH},
			       {"nothing-sent", nothing_sent, BOTH},
			       {"both-halves", both_halves, BOTH},
			       {"send-and-close", send_and_close, BOTH | OWN},
			       {"brief", brief, OWN | ALONE},
			       {}};
