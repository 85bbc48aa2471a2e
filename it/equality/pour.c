// SPDX-License-Identifier: Apache-2.0
/*
 * Large bodies, stalls and ends: pour HOST PORT MODE SIZE STALL-MS WARM
 *
 *   get    reads SIZE bytes and stops for a while after the first MiB
 *   put    sends SIZE bytes to a server that stops reading for a while
 *   half   ends its own direction after the request, then polls for and reads SIZE bytes and the end
 *   close  reads SIZE bytes of an answer after which the server closes at once
 *   reset  resets after the first MiB of SIZE
 *   idle   SIZE connections that ask, wait for a line on standard input, and ask again; PORT may be
 *          FIRST-LAST, the connections take the ports in turn
 * Before it asks WARM times, so that the kernel may have taken the connection. Every byte is
 * compared with what was meant. Says "stalled", "resumed" and "idle" when it is, and at the end a
 * line of JSON: ok, bytes, the longest gap between two bytes outside the stall, in ms.
 */
#define _GNU_SOURCE
#include "pattern.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define BUFFER  (256 << 10)
#define WAIT_MS 15000

static const char *host, *port;
static int first_port, last_port; /* last_port 0: only `port` */
static bool polls; /* waits in poll() for what it reads, as most programs that half-close do */
static uint64_t number = 1000;
static uint64_t gap_ns, heard_ns;

static void fail(const char *what, uint64_t at)
{
	printf("{\"ok\": false, \"what\": \"%s\", \"at\": %llu, \"errno\": \"%s\"}\n", what,
	       (unsigned long long)at, strerror(errno));
	exit(1);
}

static int dial(void)
{
	static struct addrinfo want = {.ai_socktype = SOCK_STREAM, .ai_family = AF_INET}, *found;
	struct timeval limit = {.tv_sec = WAIT_MS / 1000};
	int fd, one = 1;

	if (!found && getaddrinfo(host, last_port ? NULL : port, &want, &found) != 0)
		fail("the host is not known", 0);
	if (last_port) {
		static int turn;
		struct sockaddr_in *in = (struct sockaddr_in *)found->ai_addr;

		in->sin_port = htons(first_port + turn++ % (last_port - first_port + 1));
	}
	fd = socket(AF_INET, SOCK_STREAM, 0);
	if (fd < 0 || connect(fd, found->ai_addr, found->ai_addrlen) != 0)
		fail("no connection", 0);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	return fd;
}

static void send_all(int fd, const void *data, size_t length)
{
	const char *at = data;

	while (length > 0) {
		ssize_t n = send(fd, at, length, MSG_NOSIGNAL);

		if (n <= 0)
			fail("cannot send", length);
		at += n;
		length -= n;
	}
}

static void ask(int fd, const char *method, uint64_t body, const char *want)
{
	char head[512];
	int n = snprintf(head, sizeof(head),
			 "%s /pour HTTP/1.1\r\nHost: %s\r\nx-nonce: %llu\r\nx-do: %s\r\n", method,
			 host, (unsigned long long)++number, want);

	if (body)
		n += snprintf(head + n, sizeof(head) - n, "Content-Length: %llu\r\n",
			      (unsigned long long)body);
	n += snprintf(head + n, sizeof(head) - n, "\r\n");
	send_all(fd, head, n);
}

static void heard(void)
{
	uint64_t now = now_ns();

	if (heard_ns && now - heard_ns > gap_ns)
		gap_ns = now - heard_ns;
	heard_ns = now;
}

/* The next bytes, within WAIT_MS; -1 with EAGAIN after it. */
static ssize_t receive(int fd, void *to, size_t most)
{
	uint64_t until = now_ns() + WAIT_MS * 1000000ull;

	if (!polls)
		return recv(fd, to, most, 0);
	for (;;) {
		struct pollfd ready = {.fd = fd, .events = POLLIN};
		ssize_t n = recv(fd, to, most, MSG_DONTWAIT);
		uint64_t now = now_ns();

		if (n >= 0 || errno != EAGAIN || now >= until)
			return n;
		poll(&ready, 1, (until - now) / 1000000 + 1);
	}
}

/* Reads head and text of an answer; returns the number of bytes of pattern that are in `rest`. */
static size_t begin_answer(int fd, uint8_t *rest, char *text, size_t text_size)
{
	static uint8_t in[BUFFER];
	size_t have = 0;

	for (;;) {
		uint8_t *end = memmem(in, have, "\r\n\r\n", 4), *body, *stop = NULL;
		char told[64];
		ssize_t n;

		if (end) {
			if (memcmp(in, "HTTP/1.1 200", 12) != 0) {
				in[have < 60 ? have : 60] = 0;
				fprintf(stderr, "answer: %s\n", in);
				fail("not 200", 0);
			}
			body = memmem(end, have - (end - in), "\nbody=", 6);
			if (body)
				stop = memchr(body + 1, '\n', have - (body + 1 - in));
		}
		if (stop) {
			snprintf(told, sizeof(told), "\nnonce=%llu\n", (unsigned long long)number);
			if (!memmem(in, stop - in, told, strlen(told)))
				fail("the answer to another request", number);
			snprintf(text, text_size, "%.*s", (int)(stop - body - 6), body + 6);
			memcpy(rest, stop + 1, have - (stop + 1 - in));
			return have - (stop + 1 - in);
		}
		if (have >= sizeof(in) / 2)
			fail("no text in the answer", have);
		n = receive(fd, in + have, sizeof(in) / 2 - have);
		if (n <= 0)
			fail(n < 0 ? "no answer" : "end before the answer", have);
		heard();
		have += n;
	}
}

/* Reads `size` bytes of pattern, with a stop after the first MiB. */
static void read_pattern(int fd, uint64_t size, long stall_ms, uint64_t reset_at)
{
	static uint8_t in[BUFFER];
	char text[128];
	uint64_t at = 0;
	size_t n = begin_answer(fd, in, text, sizeof(text));

	for (;;) {
		ssize_t got;

		if (n > size - at)
			fail("more than was meant", at);
		if (!pattern_is(in, number, at, n))
			fail("a wrong byte", at);
		at += n;
		if (at == size)
			return;
		if (stall_ms && at > 1 << 20) {
			puts("stalled");
			fflush(stdout);
			usleep(stall_ms * 1000);
			puts("resumed");
			fflush(stdout);
			stall_ms = 0;
			heard_ns = now_ns();
		}
		if (reset_at && at >= reset_at) {
			struct linger now = {.l_onoff = 1};

			setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
			close(fd);
			return;
		}
		got = receive(fd, in, sizeof(in));
		if (got <= 0)
			fail(got < 0 ? "the rest does not come" : "end before the rest", at);
		heard();
		n = got;
	}
}

static void expect_end(int fd)
{
	char byte;
	ssize_t n = receive(fd, &byte, 1);

	if (n != 0)
		fail(n > 0 ? "a byte after the end" : "no end", 0);
}

static void once(int fd, uint64_t fill)
{
	char want[64];

	snprintf(want, sizeof(want), "fill=%llu", (unsigned long long)fill);
	ask(fd, "GET", 0, want);
	read_pattern(fd, fill, 0, 0);
}

static void put(int fd, uint64_t size, long stall_ms)
{
	static uint8_t out[BUFFER];
	char want[64], text[128], told[64];
	uint64_t sum = SUM_START, begun, at = 0;
	bool said = false;

	snprintf(want, sizeof(want), "stall=%ld", stall_ms);
	ask(fd, "PUT", size, want);
	begun = now_ns();
	while (at < size) {
		size_t n = size - at < sizeof(out) ? size - at : sizeof(out), sent = 0;

		pattern_fill(out, number, at, n);
		sum = sum_add(sum, out, n);
		while (sent < n) {
			struct pollfd ready = {.fd = fd, .events = POLLOUT};
			ssize_t got = send(fd, out + sent, n - sent, MSG_NOSIGNAL | MSG_DONTWAIT);

			if (got < 0 && errno != EAGAIN)
				fail("cannot send", at);
			if (got > 0) {
				sent += got;
				/* Time counts from the moment that the server reads again. */
				if (now_ns() - begun > (uint64_t)stall_ms * 1000000ull)
					heard();
				continue;
			}
			if (poll(&ready, 1, 300) == 0 && !said) {
				puts("stalled");
				fflush(stdout);
				said = true;
			}
			if (!heard_ns && now_ns() - begun > (uint64_t)stall_ms * 1000000ull)
				heard_ns = now_ns();
			if (now_ns() - begun > (uint64_t)(stall_ms + WAIT_MS) * 1000000ull && !sent)
				fail("sending does not go on", at);
		}
		at += n;
	}
	puts("resumed");
	begin_answer(fd, out, text, sizeof(text));
	snprintf(told, sizeof(told), "%llu:%016llx", (unsigned long long)size,
		 (unsigned long long)sum);
	if (strcmp(text, told) != 0)
		fail("another checksum", size);
}

static void idle(int count, int warm)
{
	struct rlimit most = {.rlim_cur = 65000, .rlim_max = 65000};
	int *fds = calloc(count, sizeof(*fds));
	char line[8];

	setrlimit(RLIMIT_NOFILE, &most);
	for (int i = 0; i < count; i++) {
		fds[i] = dial();
		for (int j = 0; j < warm; j++)
			once(fds[i], 10);
	}
	puts("idle");
	fflush(stdout);
	if (!fgets(line, sizeof(line), stdin))
		fail("no line", 0);
	for (int i = 0; i < count; i++)
		once(fds[i], 100);
	for (int i = 0; i < count; i++)
		close(fds[i]);
	free(fds);
}

int main(int argc, char **argv)
{
	uint64_t size;
	long stall_ms;
	char want[64];
	int fd, warm;

	if (argc < 7) {
		fprintf(stderr, "pour HOST PORT MODE SIZE STALL-MS WARM\n");
		return 2;
	}
	host = argv[1];
	port = argv[2];
	if (strchr(port, '-'))
		sscanf(port, "%d-%d", &first_port, &last_port);
	size = strtoull(argv[4], NULL, 10);
	stall_ms = atol(argv[5]);
	warm = atoi(argv[6]);
	if (strcmp(argv[3], "idle") == 0) {
		idle((int)size, warm);
		printf("{\"ok\": true, \"bytes\": %llu, \"gap_ms\": %llu}\n",
		       (unsigned long long)size, (unsigned long long)(gap_ns / 1000000));
		return 0;
	}
	fd = dial();
	for (int i = 0; i < warm; i++)
		once(fd, 10);
	heard_ns = gap_ns = 0;
	if (strcmp(argv[3], "put") == 0) {
		put(fd, size, stall_ms);
		once(fd, 1000);
	} else if (strcmp(argv[3], "close") == 0) {
		for (int i = 0; i < 20; i++) {
			snprintf(want, sizeof(want), "after,fill=%llu", (unsigned long long)size);
			ask(fd, "GET", 0, want);
			read_pattern(fd, size, 0, 0);
		}
		snprintf(want, sizeof(want), "close,fill=%llu", (unsigned long long)size);
		ask(fd, "GET", 0, want);
		read_pattern(fd, size, 0, 0);
	} else {
		snprintf(want, sizeof(want), "fill=%llu", (unsigned long long)size);
		ask(fd, "GET", 0, want);
		if (strcmp(argv[3], "half") == 0) {
			polls = true;
			shutdown(fd, SHUT_WR);
			read_pattern(fd, size, 0, 0);
			expect_end(fd);
		} else if (strcmp(argv[3], "reset") == 0) {
			read_pattern(fd, size, 0, 1 << 20);
			fd = dial();
			once(fd, 1000);
		} else {
			read_pattern(fd, size, stall_ms, 0);
			once(fd, 1000);
		}
	}
	printf("{\"ok\": true, \"bytes\": %llu, \"gap_ms\": %llu}\n", (unsigned long long)size,
	       (unsigned long long)(gap_ns / 1000000));
	return 0;
}
