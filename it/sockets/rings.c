// SPDX-License-Identifier: Apache-2.0
/* io_uring on sockets. */
#define _GNU_SOURCE
#include "script.h"

static void ring_receives(struct end w, struct end r)
{
	make(1000);
	BEGIN(r.hand, 1, ring_receive, r.fd, P(IN), 5000);
	rest_ms(50);
	put(w, OUT, 1000);
	say("recv that waits: %s", told(outcome(r.hand, 1, 4000)));
	say(", %s", memcmp(IN, OUT, 1000) ? "WRONG" : "right");
}

static void ring_sends(struct end w, struct end r)
{
	make(1000);
	say("send: %s", told(ACT(w.hand, ring_send, w.fd, P(OUT), 1000)));
	say(", read %ld, ", take(r, IN, 1000, 500));
	say("%s", memcmp(IN, OUT, 1000) ? "WRONG" : "right");
}

static void ring_receives_many(struct end w, struct end r)
{
	make(1000);
	BEGIN(r.hand, 1, ring_receive_many, r.fd, 1000, 1500);
	rest_ms(50);
	for (int i = 0; i < 5; i++) {
		put(w, OUT + i * 200, 200);
		rest_ms(10);
	}
	say("multishot recv of 5 times 200: %s", told(outcome(r.hand, 1, 4000)));
}

static void ring_zerocopy(struct end w, struct end r)
{
	struct told *to = NEW(struct told);

	make(20000);
	BEGIN(w.hand, 1, ring_send_zc, w.fd, P(to));
	say("SEND_ZC: read %ld", take(r, IN, 20000, 500));
	outcome(w.hand, 1, 4000);
	errno = to->result < 0 ? -to->result : 0;
	say(", result %s, notification %s", told(to->result < 0 ? -1 : to->result),
	    to->notified ? "told" : "not told");
}

const struct case_ rings[] = {{"ring-receives", ring_receives, BOTH | HTTP},
			      {"ring-sends", ring_sends, BOTH | HTTP},
			      {"ring-receives-many", ring_receives_many, BOTH | HTTP},
			      {"ring-zerocopy", ring_zerocopy, BOTH | HTTP},
			      {}};
