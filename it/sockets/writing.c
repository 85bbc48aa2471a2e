// SPDX-License-Identifier: Apache-2.0
/* What a writer may ask of send and of its socket, and what stops it. */
#define _GNU_SOURCE
#include "script.h"

#include <linux/sockios.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef MSG_ZEROCOPY
#define MSG_ZEROCOPY 0x4000000
#endif

#define MIB   (1 << 20)
#define PIECE (64 << 10)

/* Somebody who reads the stream meanwhile, on lane 1. */
static struct drained *begin_drain(struct end r, int wait)
{
	struct drained *drained = NEW(struct drained);

	BEGIN(r.hand, 1, drain, r.fd, P(drained), true, wait);
	return drained;
}

static void say_drained(struct end r, const struct drained *drained, long sent)
{
	outcome(r.hand, 1, 10000);
	say("read %s%s",
	    drained->wrong           ? "WRONG"
	    : drained->bytes == sent ? "right"
				     : "in PART",
	    drained->end ? " to the end" : "");
}

static void zerocopy(struct end w, struct end r)
{
	struct msghdr *message = NEW(struct msghdr);
	bool completed = false;
	long n;

	message->msg_control = room(256);
	say("SO_ZEROCOPY %s", told(set(w, SOL_SOCKET, SO_ZEROCOPY, 1)));
	make(PIECE);
	say(", send %s", told(transmit(w, OUT, PIECE, MSG_ZEROCOPY)));
	n = take(r, IN, PIECE, 500);
	say(", read %ld, %s", n, memcmp(IN, OUT, PIECE) ? "WRONG" : "right");
	for (int i = 0; i < 40 && !completed; i++) {
		message->msg_controllen = 256;
		completed =
			SYS(w.hand, recvmsg, w.fd, P(message), MSG_ERRQUEUE | MSG_DONTWAIT) >= 0;
		if (!completed)
			rest_ms(10);
	}
	say(", completion %s", completed ? "told" : "never told");
}

static int file_of(int hand, long size)
{
	char *name = room(16);
	int file;

	strcpy(name, "sockets");
	file = SYS(hand, memfd_create, P(name), 0);
	fill(OUT, 0, size);
	for (long n = 0; n < size;)
		n += SYS(hand, write, file, P(OUT + n), size - n);
	SYS(hand, lseek, file, 0, SEEK_SET);
	return file;
}

static void from_file(struct end w, struct end r)
{
	int file = file_of(w.hand, MIB);
	struct drained *drained = begin_drain(r, 0);
	long sent = 0, n;

	while (sent < MIB && (n = SYS(w.hand, sendfile, w.fd, file, 0, MIB - sent)) > 0)
		sent += n;
	shut(w, SHUT_WR);
	say("sendfile %ld, ", sent);
	say_drained(r, drained, MIB);
}

static void from_pages(struct end w, struct end r)
{
	int *pipes = room(2 * sizeof(int));
	struct iovec *vector = NEW(struct iovec);
	struct drained *drained = begin_drain(r, 0);
	long sent = 0, n = 1, in;

	SYS(w.hand, pipe2, P(pipes), 0);
	fill(OUT, 0, MIB);
	while (sent < MIB && n > 0) {
		*vector = (struct iovec){OUT + sent, 32768};
		in = SYS(w.hand, vmsplice, pipes[1], P(vector), 1, 0);
		while (in > 0 && (n = SYS(w.hand, splice, pipes[0], 0, w.fd, 0, in, 0)) > 0)
			in -= n, sent += n;
	}
	shut(w, SHUT_WR);
	say("vmsplice and splice to the socket %ld, ", sent);
	say_drained(r, drained, MIB);
}

static void corked(struct end w, struct end r)
{
	make(200);
	set(w, IPPROTO_TCP, TCP_CORK, 1);
	put(w, OUT, 200);
	say("corked: %s", readable(r, 100) ? "seen" : "held back");
	set(w, IPPROTO_TCP, TCP_CORK, 0);
	say(", let go: %s", take(r, IN, 200, 500) == 200 ? "there" : "MISSING");
}

static void more_to_come(struct end w, struct end r)
{
	make(200);
	/* An acknowledgement that is still to come would let it go. */
	rest_ms(150);
	transmit(w, OUT, 100, MSG_MORE);
	say("MSG_MORE: %s", readable(r, 100) ? "seen" : "held back");
	transmit(w, OUT + 100, 100, 0);
	say(", with the rest: %s", take(r, IN, 200, 500) == 200 ? "there" : "MISSING");
}

static void paced(struct end w, struct end r)
{
	struct drained *drained = begin_drain(r, 0);
	double begun = now_ms();
	long sent;

	set(w, SOL_SOCKET, SO_MAX_PACING_RATE, 2 * MIB);
	sent = ACT(w.hand, pump, w.fd, 0, 2 * MIB, PIECE);
	shut(w, SHUT_WR);
	say_drained(r, drained, sent);
	say(", 2 MiB at 2 MiB a second: %s", now_ms() - begun > 500 ? "paced" : "at once");
}

static void send_timeout(struct end w, struct end r)
{
	struct timeval *limit = NEW(struct timeval);
	double begun = 0;
	long n = 0;

	(void)r;
	limit->tv_usec = 300000;
	SYS(w.hand, setsockopt, w.fd, SOL_SOCKET, SO_SNDTIMEO, P(limit), sizeof(*limit));
	for (int i = 0; i < 60 && n >= 0; i++) {
		begun = now_ms();
		n = transmit(w, OUT, MIB, 0);
	}
	begun = now_ms() - begun;
	say("SO_SNDTIMEO of 300 ms: %s %s", told(n), begun < 290 ? "too early" : "after it");
}

/* Sends until nothing goes for a while; how much went, and why it stopped. */
static size_t send_until_full(struct end w, size_t limit, int *why)
{
	size_t sent = 0;
	double quiet = now_ms();

	*why = EAGAIN;
	fill(OUT, 0, limit);
	set_waiting(w, false);
	while (sent < limit && now_ms() - quiet < 200) {
		size_t most = limit - sent < PIECE ? limit - sent : PIECE;
		long n = transmit(w, OUT + sent, most, 0);

		if (n > 0) {
			sent += n;
			quiet = now_ms();
		} else {
			*why = errno;
			if (errno != EAGAIN)
				break;
			rest_ms(2);
		}
	}
	return sent;
}

static void pressure(struct end w, struct end r, size_t limit)
{
	struct drained *drained;
	int why, poller, seen;
	size_t sent = send_until_full(w, limit, &why);

	if (why != EAGAIN)
		say("(%s) ", strerrorname_np(why));
	say("nobody reads: %s, poll %s", sent < limit ? "full" : "NEVER full",
	    events(polled(w, POLLOUT, 0)));
	say(", after %s", sent < 256 << 10 ? "little" : "much");
	poller = poller_for(w, EPOLLOUT | EPOLLET);
	edge(w.hand, poller, 0, NULL);
	drained = begin_drain(r, 0);
	say("; somebody reads: the edge %s, ",
	    edge(w.hand, poller, 3000, &seen) ? events(seen) : "is NEVER told");
	shut(w, SHUT_WR);
	say_drained(r, drained, sent);
}

static void back_pressure(struct end w, struct end r)
{
	pressure(w, r, 40 << 20);
}

static void small_buffers(struct end w, struct end r)
{
	set(w, SOL_SOCKET, SO_SNDBUF, 8192);
	set(r, SOL_SOCKET, SO_RCVBUF, 8192);
	say("SO_SNDBUF %d, SO_RCVBUF %d; ", get(w, SOL_SOCKET, SO_SNDBUF),
	    get(r, SOL_SOCKET, SO_RCVBUF));
	pressure(w, r, 8 << 20);
}

static void unsent_low_water(struct end w, struct end r)
{
	size_t sent = 0;
	long n;

	set(r, SOL_SOCKET, SO_RCVBUF, 65536);
	set(w, IPPROTO_TCP, TCP_NOTSENT_LOWAT, 16384);
	set_waiting(w, false);
	while (sent < 4 * MIB && polled(w, POLLOUT, 150) & POLLOUT) {
		n = transmit(w, OUT, 4096, 0);
		if (n > 0)
			sent += n;
	}
	say("TCP_NOTSENT_LOWAT of 16 KiB, nobody reads: %s after %s",
	    sent < 4 * MIB ? "not writable" : "STAYS writable",
	    sent < 512 << 10 ? "little" : "much");
}

static void user_timeout(struct end w, struct end r, size_t bytes)
{
	int why = EAGAIN;

	set(w, IPPROTO_TCP, TCP_USER_TIMEOUT, 1000);
	set(r, SOL_SOCKET, SO_RCVBUF, 4096);
	if (bytes) {
		set_waiting(w, false);
		transmit(w, OUT, bytes, 0);
	} else {
		send_until_full(w, 40 << 20, &why);
	}
	/* On a busy machine the time may be over before all was sent: then send has told the error, and only once. */
	if (why == EAGAIN) {
		polled(w, 0, 5000);
		why = get(w, SOL_SOCKET, SO_ERROR);
	}
	say("TCP_USER_TIMEOUT of 1 s, nobody reads: %s", why ? strerrorname_np(why) : "no error");
}

static void user_timeout_some(struct end w, struct end r)
{
	user_timeout(w, r, 300000);
}

static void user_timeout_full(struct end w, struct end r)
{
	user_timeout(w, r, 0);
}

static void gathered(struct end w, struct end r)
{
	struct iovec *vectors = room(1024 * sizeof(*vectors));
	struct drained *drained = begin_drain(r, 0);
	size_t size = 0;
	long n;

	fill(OUT, 0, MIB);
	for (int i = 0; i < 1024; i++) {
		vectors[i] = (struct iovec){OUT + size, 1 + i % 700};
		size += vectors[i].iov_len;
	}
	n = SYS(w.hand, writev, w.fd, P(vectors), 1024);
	shut(w, SHUT_WR);
	say("writev of 1024 pieces: %s, ", n == (long)size ? "whole" : told(n));
	say_drained(r, drained, n);
}

static void many_messages(struct end w, struct end r)
{
	struct mmsghdr *messages = room(4 * sizeof(*messages));
	struct iovec *vectors = room(4 * sizeof(*vectors));

	make(1000);
	for (int i = 0; i < 4; i++) {
		vectors[i] = (struct iovec){OUT + i * 250, 250};
		messages[i].msg_hdr = (struct msghdr){.msg_iov = vectors + i, .msg_iovlen = 1};
	}
	say("sendmmsg of 4: %s", told(SYS(w.hand, sendmmsg, w.fd, P(messages), 4, 0)));
	say(", %u and %u bytes", messages[0].msg_len, messages[3].msg_len);
	say(", read %ld, ", take(r, IN, 1000, 500));
	say("%s", memcmp(IN, OUT, 1000) ? "WRONG" : "right");
}

static void with_address(struct end w, struct end r)
{
	struct sockaddr_in *other = NEW(struct sockaddr_in);

	other->sin_family = AF_INET;
	other->sin_port = htons(9);
	other->sin_addr.s_addr = htonl(0x7f000009);
	make(200);
	say("sendto another address: %s",
	    told(SYS(w.hand, sendto, w.fd, P(OUT), 200, MSG_NOSIGNAL, P(other), sizeof(*other))));
	say(", the peer has %ld", take(r, IN, 200, 300));
}

static void records_of(struct end w, struct end r, int size, int count)
{
	long all = 4l * count * size;
	bool whole;

	set(w, SOL_SOCKET, SO_SNDBUF, 4 << 20);
	for (int i = 0; i < 4; i++)
		BEGIN(w.hand, 1 + i, write_records, w.fd, 'a' + i, size, count);
	whole = take(r, IN, all, 3000) == all;
	for (int i = 0; i < 4; i++)
		outcome(w.hand, 1 + i, 3000);
	for (uint8_t *at = IN; whole && at < IN + all; at += size) {
		whole = at[0] == '<' && at[size - 1] == '>';
		for (int i = 2; i < size - 1 && whole; i++)
			whole = at[i] == at[1];
	}
	say("%d bytes %s ", size, whole ? "whole" : "MIXED");
}

static void records(struct end w, struct end r)
{
	say("records of four threads: ");
	for (int i = 0; i < 5; i++) {
		records_of(w, r, 200, 200);
		records_of(w, r, 4000, 40);
		records_of(w, r, 16000, 8);
	}
}

static void large_records(struct end w, struct end r)
{
	say("records of four threads: ");
	for (int i = 0; i < 10; i++)
		records_of(w, r, 60000, 1);
}

static void lingering(struct end w, struct end r)
{
	struct linger *linger = NEW(struct linger);
	double begun;
	int why;

	(void)r;
	set(w, SOL_SOCKET, SO_SNDBUF, PIECE);
	send_until_full(w, 40 << 20, &why);
	set_waiting(w, true);
	*linger = (struct linger){1, 1};
	SYS(w.hand, setsockopt, w.fd, SOL_SOCKET, SO_LINGER, P(linger), sizeof(*linger));
	begun = now_ms();
	say("full, linger of 1 s: close %s", told(shut_fd(w)));
	begun = now_ms() - begun;
	say(" %s", begun < 900 ? "at once" : "after it");
}

static void counted(struct end w, struct end r)
{
	struct tcp_info before = info_of(w), read = info_of(r), after;
	struct drained *drained = begin_drain(r, 0);

	ACT(w.hand, pump, w.fd, 0, MIB, PIECE);
	shut(w, SHUT_WR);
	say_drained(r, drained, MIB);
	rest_ms(100);
	after = info_of(w);
	say("; TCP_INFO: sent %s",
	    after.tcpi_bytes_sent - before.tcpi_bytes_sent >= MIB ? "counted" : "not counted");
	say(", acknowledged %s",
	    after.tcpi_bytes_acked - before.tcpi_bytes_acked >= MIB ? "counted" : "not counted");
	after = info_of(r);
	say(", received %s", after.tcpi_bytes_received - read.tcpi_bytes_received >= MIB
				     ? "counted"
				     : "not counted");
}

static void listed(struct end w, struct end r)
{
	struct sockaddr_storage own, peer;
	char command[128], line[4096] = "";
	size_t n;
	FILE *ss;

	put(w, OUT, 1000);
	take(r, IN, 1000, 500);
	name_of(w, false, &own);
	name_of(r, false, &peer);
	snprintf(command, sizeof(command), "ss -tinH sport = :%d and dport = :%d",
		 ntohs(((struct sockaddr_in *)&own)->sin_port),
		 ntohs(((struct sockaddr_in *)&peer)->sin_port));
	ss = popen(command, "r");
	n = ss ? fread(line, 1, sizeof(line) - 1, ss) : 0;
	if (ss)
		pclose(ss);
	say("ss: %s, bytes sent %s", n ? "listed" : "NOT listed",
	    strstr(line, "bytes_sent:") ? "shown" : "not shown");
}

static void captured(struct end w, struct end r)
{
	static const char mark[] = "a mark that is looked for in the packets of this host";
	int packets = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL));
	double limit;
	bool seen = false;

	put(w, mark, sizeof(mark));
	for (limit = now_ms() + 250; now_ms() < limit && !seen;) {
		ssize_t n = recv(packets, IN, PIECE, MSG_DONTWAIT);

		if (n > 0)
			seen = memmem(IN, n, mark, sizeof(mark));
		else
			rest_ms(5);
	}
	close(packets);
	say("a packet capture %s it, read %ld", seen ? "sees" : "does not see",
	    take(r, IN, sizeof(mark), 300));
}

/* The end's constant strings are not in the memory that hands see: they run the same program. */
static void broken(struct end w, struct end r)
{
	ACT(w.hand, count_signal, SIGPIPE, 0);
	shut_fd(r);
	rest_ms(50);
	put(w, "x", 1);
	rest_ms(50);
	say("send to one that has gone: NOSIGNAL %s", told(transmit(w, "x", 1, 0)));
	say(", SIGPIPE %d times", shared->signals[w.hand][SIGPIPE]);
	say("; without %s", told(SYS(w.hand, sendto, w.fd, P("x"), 1, 0)));
	say(", SIGPIPE %d times", shared->signals[w.hand][SIGPIPE]);
	say("; write %s", told(SYS(w.hand, write, w.fd, P("x"), 1)));
	say(", SIGPIPE %d times", shared->signals[w.hand][SIGPIPE]);
	say(", poll %s", events(polled(w, POLLIN | POLLOUT | POLLRDHUP, 0)));
}

const struct case_ writing[] = {{"zerocopy", zerocopy, BOTH | HTTP},
				{"from-file", from_file, BOTH},
				{"from-pages", from_pages, BOTH},
				{"corked", corked, BOTH | HTTP},
				{"more-to-come", more_to_come, BOTH | HTTP},
				{"paced", paced, BOTH},
				{"send-timeout", send_timeout, BOTH | WAITS},
				{"back-pressure", back_pressure, BOTH},
				{"small-buffers", small_buffers, BOTH},
				{"unsent-low-water", unsent_low_water, BOTH},
				{"user-timeout-some", user_timeout_some, BOTH},
				{"user-timeout-full", user_timeout_full, BOTH},
				{"gathered", gathered, BOTH},
				{"many-messages", many_messages, BOTH | HTTP},
				{"with-address", with_address, BOTH | HTTP},
				{"records", records, BOTH},
				{"large-records", large_records, BOTH},
				{"lingering", lingering, BOTH | WAITS},
				{"counted", counted, BOTH},
				{"listed", listed, BOTH},
				{"captured", captured, BOTH},
				{"broken", broken, BOTH},
				{}};
