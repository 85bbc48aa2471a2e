// SPDX-License-Identifier: Apache-2.0
/* splice(2) from a socket, as relays and copies to files use it. */
#define _GNU_SOURCE
#include "script.h"

#define MIB (1 << 20)

static void to_pipe(struct end w, struct end r)
{
	int *pipes = room(2 * sizeof(int));
	long n;

	SYS(r.hand, pipe2, P(pipes), 0);
	make(1000);
	put(w, OUT, 1000);
	until_waiting(r, 1000);
	set_waiting(r, false);
	n = SYS(r.hand, splice, r.fd, 0, pipes[1], 0, 65536, SPLICE_F_NONBLOCK);
	say("splice to a pipe: %s", told(n));
	if (n > 0)
		say(", the pipe has %s", told(SYS(r.hand, read, pipes[0], P(IN), 65536)));
	else
		say(", recv has %ld", take(r, IN, 65536, 100));
	say(", %s", memcmp(IN, OUT, 1000) ? "WRONG" : "right");
}

static void to_pipe_and_end(struct end w, struct end r)
{
	int *pipes = room(2 * sizeof(int));

	SYS(r.hand, pipe2, P(pipes), 0);
	fill(OUT, 0, 1000);
	put(w, OUT, 1000);
	shut(w, SHUT_WR);
	polled(r, POLLRDHUP, 1000);
	set_waiting(r, false);
	say("1000 bytes and the end: splice %s",
	    told(SYS(r.hand, splice, r.fd, 0, pipes[1], 0, 65536, SPLICE_F_NONBLOCK)));
	say(", %s", told(SYS(r.hand, splice, r.fd, 0, pipes[1], 0, 65536, SPLICE_F_NONBLOCK)));
}

static void to_pipe_blocked(struct end w, struct end r)
{
	int *pipes = room(2 * sizeof(int));

	SYS(r.hand, pipe2, P(pipes), 0);
	BEGIN_SYS(r.hand, 1, splice, r.fd, 0, pipes[1], 0, 65536, 0);
	until_in(r.hand, 1, SYS_splice);
	fill(OUT, 0, 1000);
	put(w, OUT, 1000);
	say("splice that waits: %s", told(outcome(r.hand, 1, 500)));
}

static void teed(struct end w, struct end r)
{
	int *one = room(2 * sizeof(int)), *other = room(2 * sizeof(int));
	long n;

	SYS(w.hand, pipe2, P(one), 0);
	SYS(w.hand, pipe2, P(other), 0);
	make(1000);
	SYS(w.hand, write, one[1], P(OUT), 1000);
	say("tee %s", told(SYS(w.hand, tee, one[0], other[1], 1000, 0)));
	say(", splice to the socket %s", told(SYS(w.hand, splice, one[0], 0, w.fd, 0, 1000, 0)));
	n = take(r, IN, 1000, 500);
	say(", read %ld, %s", n, memcmp(IN, OUT, 1000) ? "WRONG" : "right");
	say(", the other pipe has %s", told(SYS(w.hand, read, other[0], P(IN), 5000)));
}

/* Two connections, and between them the server's ends as a relay. */
static void relayed(bool edges)
{
	struct end first_c, first_s, second_c, second_s;
	struct moved *moved = NEW(struct moved);
	struct drained *drained = NEW(struct drained);

	open_pair(&first_c, &first_s);
	warm(first_c, first_s);
	open_pair(&second_c, &second_s);
	warm(second_c, second_s);
	BEGIN(SERVER, 1, relay, first_s.fd, second_s.fd, edges, P(moved));
	BEGIN(CLIENT, 1, drain, second_c.fd, P(drained), true, 0);
	BEGIN(CLIENT, 2, pump, first_c.fd, 0, 4 * MIB, 65536);
	if (outcome(CLIENT, 2, 4000) != LATE)
		shut(first_c, SHUT_WR);
	outcome(CLIENT, 1, 6000);
	moved->stop = 1;
	say("4 MiB through a relay by splice: %s", drained->wrong              ? "WRONG"
						   : drained->bytes == 4 * MIB ? "right"
									       : "not all");
}

static void relayed_by_edges(struct end w, struct end r)
{
	(void)w, (void)r;
	relayed(true);
}

static void relayed_by_level(struct end w, struct end r)
{
	(void)w, (void)r;
	relayed(false);
}

static void relayed_chat(struct end w, struct end r)
{
	struct end first_c, first_s, second_c, second_s;
	struct moved *there = NEW(struct moved), *back = NEW(struct moved);
	int turns = 0;

	(void)w, (void)r;
	open_pair(&first_c, &first_s);
	warm(first_c, first_s);
	open_pair(&second_c, &second_s);
	warm(second_c, second_s);
	BEGIN(SERVER, 1, relay, first_s.fd, second_s.fd, true, P(there));
	BEGIN(SERVER, 2, relay, second_s.fd, first_s.fd, true, P(back));
	for (; turns < 20; turns++) {
		put(first_c, "ping", 4);
		if (take(second_c, IN, 4, 500) != 4)
			break;
		put(second_c, "pong", 4);
		if (take(first_c, IN, 4, 500) != 4)
			break;
	}
	there->stop = back->stop = 1;
	say("a chat through a relay by splice: %d of 20 exchanges", turns);
}

const struct case_ splicing[] = {{"to-pipe", to_pipe, BOTH | HTTP},
				 {"to-pipe-and-end", to_pipe_and_end, BOTH},
				 {"to-pipe-blocked", to_pipe_blocked, BOTH | WAITS},
				 {"teed", teed, BOTH | HTTP},
				 {"relayed-by-edges", relayed_by_edges, OWN},
				 {"relayed-by-level", relayed_by_level, OWN},
				 {"relayed-chat", relayed_chat, OWN},
				 {}};
