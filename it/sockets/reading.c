// SPDX-License-Identifier: Apache-2.0
/* What a reader may ask of recv and of its socket. */
#define _GNU_SOURCE
#include "script.h"

#include <linux/filter.h>
#include <linux/net_tstamp.h>
#include <linux/sockios.h>
#include <sys/mman.h>

#ifndef SO_PEEK_OFF
#define SO_PEEK_OFF 42
#endif

#define NOW MSG_DONTWAIT

/* A message whose control data is asked for, with one buffer of so many bytes. */
struct asked {
	struct msghdr message;
	struct iovec vector;
	_Alignas(8) char control[512];
};

static struct asked *ask_for(void *to, size_t count)
{
	struct asked *a = NEW(struct asked);

	a->vector = (struct iovec){to, count};
	a->message = (struct msghdr){.msg_iov = &a->vector,
				     .msg_iovlen = 1,
				     .msg_control = a->control,
				     .msg_controllen = sizeof(a->control)};
	return a;
}

static void *control_of(struct asked *a, int level, int type)
{
	struct cmsghdr *c;

	for (c = CMSG_FIRSTHDR(&a->message); c; c = CMSG_NXTHDR(&a->message, c))
		if (c->cmsg_level == level && c->cmsg_type == type)
			return CMSG_DATA(c);
	return NULL;
}

static void peek(struct end w, struct end r)
{
	long some, all, then;

	make(600);
	put(w, OUT, 200);
	put(w, OUT + 200, 400);
	until_waiting(r, 600);
	some = receive(r, IN, 50, MSG_PEEK | NOW);
	all = receive(r, IN + 1000, 5000, MSG_PEEK | NOW);
	say("peek at 50: %ld, at 5000: %ld", some, all);
	then = receive(r, IN + 10000, 5000, NOW);
	say(", recv %ld, %s", then,
	    memcmp(IN, OUT, 50) || memcmp(IN + 1000, OUT, 600) || memcmp(IN + 10000, OUT, 600)
		    ? "WRONG"
		    : "right");
	say(", then %s", told(receive(r, IN, 5000, NOW)));
}

static void truncated(struct end w, struct end r)
{
	long rest;

	make(600);
	put(w, OUT, 600);
	until_waiting(r, 600);
	memset(IN, 0xee, 600);
	say("PEEK with TRUNC of 10: %s", told(receive(r, IN, 10, MSG_PEEK | MSG_TRUNC | NOW)));
	memset(IN, 0xee, 600);
	say("; TRUNC of 100: %s", told(receive(r, IN, 100, MSG_TRUNC | NOW)));
	say(", the buffer is %s", IN[50] == 0xee ? "as it was" : "written");
	say("; TRUNC of 200 without a buffer: %s", told(receive(r, NULL, 200, MSG_TRUNC | NOW)));
	rest = take(r, IN, 5000, 100);
	say("; the rest: %ld, %s", rest, memcmp(IN, OUT + 600 - rest, rest) ? "WRONG" : "right");
}

static void low_water(struct end w, struct end r)
{
	make(1200);
	say("SO_RCVLOWAT of 1000: %s", told(set(r, SOL_SOCKET, SO_RCVLOWAT, 1000)));
	put(w, OUT, 200);
	until_waiting(r, 200);
	say("; with 200: poll %s", events(polled(r, POLLIN, 50)));
	say(", epoll %s", edge(r.hand, poller_for(r, EPOLLIN), 50, NULL) ? "IN" : "none");
	put(w, OUT + 200, 1000);
	until_waiting(r, 1200);
	say("; with 1200: poll %s", events(polled(r, POLLIN, 500)));
	say(", recv %s", told(receive(r, IN, 5000, NOW)));
}

static void low_water_blocked(struct end w, struct end r)
{
	make(1000);
	set(r, SOL_SOCKET, SO_RCVLOWAT, 1000);
	begin_receive(r, 1, IN, 4000, 0);
	for (int i = 0; i < 4; i++) {
		put(w, OUT + i * 250, 250);
		rest_ms(30);
	}
	say("recv of 4 times 250 with a low-water mark of 1000: %s", told(outcome(r.hand, 1, 500)));
}

static void wait_all(struct end w, struct end r)
{
	long first, rest;

	make(4096);
	begin_receive(r, 1, IN, 4096, MSG_WAITALL);
	for (int i = 0; i < 4; i++) {
		put(w, OUT + i * 1024, 1024);
		rest_ms(30);
	}
	first = outcome(r.hand, 1, 500);
	say("WAITALL for 4 times 1024: %s", told(first));
	rest = first < 4096 ? take(r, IN + first, 4096 - first, 200) : 0;
	say(", with the rest %ld, %s", first + rest, memcmp(IN, OUT, 4096) ? "WRONG" : "right");
}

static void wait_all_peek(struct end w, struct end r)
{
	make(1000);
	begin_receive(r, 1, IN, 1000, MSG_WAITALL | MSG_PEEK);
	put(w, OUT, 500);
	rest_ms(30);
	put(w, OUT + 500, 500);
	say("WAITALL with PEEK for 2 times 500: %s", told(outcome(r.hand, 1, 500)));
}

static void wait_all_end(struct end w, struct end r)
{
	begin_receive(r, 1, IN, 4096, MSG_WAITALL);
	fill(OUT, 0, 1000);
	put(w, OUT, 1000);
	rest_ms(20);
	shut(w, SHUT_WR);
	say("WAITALL for 4096, 1000 and the end come: %s", told(outcome(r.hand, 1, 1000)));
	say(", then %s", told(receive(r, IN, 100, NOW)));
}

static void zerocopy_receive(struct end w, struct end r)
{
	const size_t size = 256 << 10;
	struct tcp_zerocopy_receive *z = NEW(struct tcp_zerocopy_receive);
	socklen_t *length = NEW(socklen_t);
	long map, result;

	make(size);
	map = SYS(r.hand, mmap, 0, size, PROT_READ, MAP_SHARED, r.fd, 0);
	say("mmap %s", map == -1 ? told(-1) : "ok");
	BEGIN(w.hand, 1, put_all, w.fd, P(OUT), size);
	readable(r, 1000);
	rest_ms(50);
	*length = sizeof(*z);
	z->address = map;
	z->length = size;
	result = SYS(r.hand, getsockopt, r.fd, IPPROTO_TCP, TCP_ZEROCOPY_RECEIVE, P(z), P(length));
	say(", getsockopt %s, %s", told(result),
	    z->length || z->recv_skip_hint ? "bytes are told of" : "no byte is told of");
	say(", the rest %s", take(r, IN, size - z->length, 300) == (long)(size - z->length)
				     ? "comes"
				     : "is MISSING");
	outcome(w.hand, 1, 1000);
}

static void unread_told(struct end w, struct end r)
{
	struct asked *a = ask_for(IN, 100);
	int *unread;

	say("TCP_INQ: %s", told(set(r, IPPROTO_TCP, TCP_INQ, 1)));
	make(600);
	put(w, OUT, 600);
	until_waiting(r, 600);
	say("; 100 of 600: %s", told(SYS(r.hand, recvmsg, r.fd, P(a), NOW)));
	unread = control_of(a, IPPROTO_TCP, TCP_CM_INQ);
	say(", unread: %s", unread ? told(*unread) : "not told");
}

static void peek_offset(struct end w, struct end r)
{
	say("SO_PEEK_OFF of 100: %s", told(set(r, SOL_SOCKET, SO_PEEK_OFF, 100)));
	make(600);
	put(w, OUT, 600);
	until_waiting(r, 600);
	for (int i = 0; i < 2; i++) {
		say("; a peek at 50: %s", told(receive(r, IN, 50, MSG_PEEK | NOW)));
		say(" from %s", !memcmp(IN, OUT + 100 + i * 50, 50) ? "there on"
				: !memcmp(IN, OUT, 50)              ? "the beginning"
								    : "ELSEWHERE");
	}
}

static void pieces(struct end w, struct end r)
{
	struct mmsghdr *messages = room(4 * sizeof(*messages));
	struct iovec *vectors = room(4 * sizeof(*vectors));
	struct timespec *limit = NEW(struct timespec);
	long n;

	limit->tv_nsec = 100000000;
	for (int i = 0; i < 4; i++) {
		vectors[i] = (struct iovec){IN + i * 1000, 300};
		messages[i].msg_hdr = (struct msghdr){.msg_iov = vectors + i, .msg_iovlen = 1};
	}
	make(1500);
	put(w, OUT, 700);
	put(w, OUT + 700, 300);
	until_waiting(r, 1000);
	n = SYS(r.hand, recvmmsg, r.fd, P(messages), 4, NOW, P(limit));
	say("recvmmsg of 4 times 300: %s of", told(n));
	for (int i = 0; i < n; i++)
		say(" %u", messages[i].msg_len);
	put(w, OUT + 1000, 500);
	until_waiting(r, 500);
	vectors[0].iov_len = 100, vectors[1].iov_len = 0, vectors[2].iov_len = 250;
	say("; readv %s", told(SYS(r.hand, readv, r.fd, P(vectors), 4)));
	say(", %s",
	    memcmp(IN, OUT + 1000, 100) || memcmp(IN + 2000, OUT + 1100, 250) ? "WRONG" : "right");
}

static void nothing_there(struct end w, struct end r)
{
	say("recv %s", told(receive(r, IN, 10, NOW)));
	say(", from the error queue %s", told(receive(r, IN, 10, MSG_ERRQUEUE | NOW)));
	say(", a peek %s", told(receive(r, IN, 10, MSG_PEEK | NOW)));
	say(", SO_BUSY_POLL %s", told(set(r, SOL_SOCKET, SO_BUSY_POLL, 50)));
	say(", a send of 0 bytes %s", told(transmit(w, OUT, 0, 0)));
	say(", poll %s", events(polled(r, POLLIN, 50)));
}

static void nothing_asked(struct end w, struct end r)
{
	say("recv of 0 bytes from an empty queue: %s", told(receive(r, IN, 0, NOW)));
	make(200);
	put(w, OUT, 200);
	until_waiting(r, 200);
	say(", from a full one: %s", told(receive(r, IN, 0, NOW)));
	say(", then recv %s", told(receive(r, IN, 500, NOW)));
}

static void as_file(struct end w, struct end r)
{
	socklen_t *size = NEW(socklen_t);
	struct sockaddr_storage *from = NEW(struct sockaddr_storage);

	make(300);
	put(w, OUT, 300);
	until_waiting(r, 300);
	say("lseek %s", told(SYS(r.hand, lseek, r.fd, 0, SEEK_CUR)));
	say(", pread %s", told(SYS(r.hand, pread64, r.fd, P(IN), 10, 0)));
	say(", fsync %s", told(SYS(r.hand, fsync, r.fd)));
	say(", ftruncate %s", told(SYS(r.hand, ftruncate, r.fd, 0)));
	say(", read %s", told(SYS(r.hand, read, r.fd, P(IN), 100)));
	*size = sizeof(*from);
	say(", recvfrom %s", told(SYS(r.hand, recvfrom, r.fd, P(IN), 100, NOW, P(from), P(size))));
	say(" and an address of %u", *size);
	say(", read %s", told(SYS(r.hand, read, r.fd, P(IN), 1000)));
}

static void receive_timeout(struct end w, struct end r)
{
	struct timeval *limit = NEW(struct timeval);
	double begun;

	(void)w;
	limit->tv_usec = 200000;
	SYS(r.hand, setsockopt, r.fd, SOL_SOCKET, SO_RCVTIMEO, P(limit), sizeof(*limit));
	begun = now_ms();
	say("SO_RCVTIMEO of 200 ms: %s", told(receive(r, IN, 10, 0)));
	begun = now_ms() - begun;
	say(" %s", begun < 190 ? "too early" : begun < 1500 ? "after it" : "LATE");
}

/* What /proc/net/tcp has as unread of a socket; -1: it is not listed. */
static long listed_unread(struct end end)
{
	unsigned long wanted = inode_of(end);
	long unread = -1;
	char line[512];
	FILE *file = fopen("/proc/net/tcp", "r");

	while (file && fgets(line, sizeof(line), file)) {
		unsigned long inode;
		unsigned waiting;

		if (sscanf(line, " %*d: %*s %*s %*x %*x:%x %*x:%*x %*x %*u %*d %lu", &waiting,
			   &inode) == 2 &&
		    inode == wanted)
			unread = waiting;
	}
	if (file)
		fclose(file);
	return unread;
}

static void queues(struct end w, struct end r)
{
	int *count = NEW(int);

	make(1000);
	put(w, OUT, 1000);
	until_waiting(r, 1000);
	/* The acknowledgement takes its way. */
	rest_ms(60);
	SYS(r.hand, ioctl, r.fd, FIONREAD, P(count));
	say("FIONREAD %d", *count);
	SYS(w.hand, ioctl, w.fd, SIOCOUTQ, P(count));
	say(", SIOCOUTQ %d", *count);
	SYS(w.hand, ioctl, w.fd, SIOCOUTQNSD, P(count));
	say(", SIOCOUTQNSD %d", *count);
	receive(r, IN, 300, NOW);
	SYS(r.hand, ioctl, r.fd, SIOCINQ, P(count));
	say("; 300 read: SIOCINQ %d", *count);
}

static void listed_queue(struct end w, struct end r)
{
	make(1000);
	put(w, OUT, 1000);
	until_waiting(r, 1000);
	rest_ms(60);
	say("1000 unread, listed in /proc/net/tcp: %ld", listed_unread(r));
}

/* What was received, whether the mark of urgent data is next, and what comes then. */
static void from_the_mark(struct end r)
{
	int *at = NEW(int);

	SYS(r.hand, ioctl, r.fd, SIOCATMARK, P(at));
	say(" \"%s\", at the mark %d", (char *)IN, *at);
	memset(IN, 0, 40);
	say(", recv %s", told(receive(r, IN, 20, NOW)));
	say(" \"%s\"", (char *)IN);
}

static void urgent(struct end w, struct end r)
{
	ACT(r.hand, count_signal, SIGURG, 0);
	own_signals(r);
	put(w, "abc", 3);
	transmit(w, "!", 1, MSG_OOB);
	put(w, "def", 3);
	until_waiting(r, 3);
	rest_ms(80);
	say("poll %s, SIGURG %s", events(polled(r, POLLIN | POLLPRI, 0)),
	    shared->signals[r.hand][SIGURG] ? "came" : "did not come");
	memset(IN, 0, 40);
	say("; OOB %s", told(receive(r, IN, 1, MSG_OOB | NOW)));
	say(" \"%s\"", (char *)IN);
	memset(IN, 0, 40);
	say(", recv %s", told(receive(r, IN, 20, NOW)));
	from_the_mark(r);
}

static void urgent_inline(struct end w, struct end r)
{
	set(r, SOL_SOCKET, SO_OOBINLINE, 1);
	transmit(w, "abc!", 4, MSG_OOB);
	until_waiting(r, 4);
	rest_ms(50);
	memset(IN, 0, 40);
	say("OOBINLINE: recv %s", told(receive(r, IN, 20, NOW)));
	from_the_mark(r);
}

static void times(struct end w, struct end r)
{
	struct asked *in = ask_for(IN, 4096), *sent = ask_for(IN, 4096);

	say("SO_TIMESTAMPNS %s", told(set(r, SOL_SOCKET, SO_TIMESTAMPNS, 1)));
	say(", SO_TIMESTAMPING %s",
	    told(set(w, SOL_SOCKET, SO_TIMESTAMPING,
		     SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_TX_ACK |
			     SOF_TIMESTAMPING_SOFTWARE | SOF_TIMESTAMPING_OPT_ID |
			     SOF_TIMESTAMPING_OPT_TSONLY)));
	/* The first socket of a host that wants times turns them on for later packets only. */
	rest_ms(150);
	make(200);
	put(w, OUT, 200);
	until_waiting(r, 200);
	rest_ms(30);
	SYS(r.hand, recvmsg, r.fd, P(in), NOW);
	say("; of receipt %s", control_of(in, SOL_SOCKET, SO_TIMESTAMPNS) ? "told" : "not told");
	say(", of sending %s",
	    SYS(w.hand, recvmsg, w.fd, P(sent), MSG_ERRQUEUE | NOW) >= 0 ? "told" : "not told");
}

static void filtered(struct end w, struct end r)
{
	struct sock_filter *drop = NEW(struct sock_filter);
	struct sock_fprog *program = NEW(struct sock_fprog);

	drop->code = BPF_RET | BPF_K;
	*program = (struct sock_fprog){1, drop};
	say("SO_ATTACH_FILTER that drops all: %s",
	    told(SYS(r.hand, setsockopt, r.fd, SOL_SOCKET, SO_ATTACH_FILTER, P(program),
		     sizeof(*program))));
	make(200);
	put(w, OUT, 200);
	say(", bytes %s", readable(r, 250) ? "come" : "do not come");
}

static void full_queue(struct end w, struct end r)
{
	int *count = NEW(int);
	size_t sent = 0, read;
	long n;

	fill(OUT, 0, 24 << 20);
	set_waiting(w, false);
	for (int pauses = 0; pauses < 20 && sent < 20 << 20;) {
		n = transmit(w, OUT + sent, 60000, 0);
		if (n > 0) {
			sent += n;
			pauses = 0;
		} else {
			pauses++;
			rest_ms(5);
		}
	}
	say("the sender %s", sent < 20 << 20 ? "is stopped" : "is NEVER stopped");
	SYS(r.hand, ioctl, r.fd, FIONREAD, P(count));
	n = receive(r, IN, 20 << 20, MSG_PEEK | NOW);
	say("; a peek at all %s", n > 0 && !memcmp(IN, OUT, n) ? "right" : "WRONG");
	n = receive(r, IN, *count, NOW);
	say(", recv of FIONREAD %s, %s", n == *count ? "whole" : "in PART",
	    n > 0 && !memcmp(IN, OUT, n) ? "right" : "WRONG");
	read = n > 0 ? n : 0;
	n = take(r, IN, sent - read, 500);
	say(", the rest %s",
	    n == (long)(sent - read) && !memcmp(IN, OUT + read, n) ? "right" : "WRONG");
}

const struct case_ reading[] = {{"peek", peek, BOTH | HTTP},
				{"truncated", truncated, BOTH | HTTP},
				{"low-water", low_water, BOTH | HTTP},
				{"low-water-blocked", low_water_blocked, BOTH | HTTP | WAITS},
				{"wait-all", wait_all, BOTH | HTTP | WAITS},
				{"wait-all-peek", wait_all_peek, BOTH | HTTP | WAITS},
				{"wait-all-end", wait_all_end, BOTH | WAITS},
				{"zerocopy-receive", zerocopy_receive, BOTH | HTTP},
				{"unread-told", unread_told, BOTH | HTTP},
				{"peek-offset", peek_offset, BOTH | HTTP},
				{"pieces", pieces, BOTH | HTTP},
				{"nothing-there", nothing_there, BOTH | HTTP},
				{"nothing-asked", nothing_asked, BOTH | HTTP},
				{"as-file", as_file, BOTH | HTTP},
				{"receive-timeout", receive_timeout, BOTH | HTTP | WAITS},
				{"queues", queues, BOTH | HTTP},
				{"listed-queue", listed_queue, BOTH | HTTP},
				{"urgent", urgent, BOTH},
				{"urgent-inline", urgent_inline, BOTH},
				{"times", times, BOTH | HTTP},
				{"filtered", filtered, BOTH | HTTP},
				{"full-queue", full_queue, BOTH},
				{}};
