/*
 * Latency of HTTP/1.1 requests, each counted once: for bench/scenarios/mesh.py, beside wrk, which adds samples for the
 * requests that it could not send while it waited (coordinated omission), so that its high percentiles tell how much of
 * the time something stood still rather than how many requests were slow.
 *
 *   httplat HOST PORT PATH SECONDS CONNECTIONS
 *
 * One thread, a closed loop on each connection. The time of a request is from before its write to after the read of its
 * last byte. Prints "requests p50 p99 p999 longest", the times in microseconds. Answers must have a Content-Length.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CONNECTIONS_MAX 256
#define ANSWER_MAX 65536
#define LONGEST_US 1000000

struct connection {
	int fd;
	long sent_at; /* ns */
	size_t got;
	char answer[ANSWER_MAX + 1];
};

static struct connection connections[CONNECTIONS_MAX];
static unsigned times[LONGEST_US + 1]; /* how many requests took so many microseconds */
static char request[1024];
static size_t request_size;

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static long now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000L + t.tv_nsec;
}

static void send_request(struct connection *c)
{
	c->sent_at = now();
	c->got = 0;
	if (write(c->fd, request, request_size) != (ssize_t)request_size)
		die("write");
}

/* Reads what is there; true when the answer is whole. */
static int answered(struct connection *c)
{
	ssize_t size = read(c->fd, c->answer + c->got, ANSWER_MAX - c->got);
	char *end, *length;

	if (size < 0 && errno == EAGAIN)
		return 0;
	if (size <= 0)
		die("read");
	c->got += size;
	c->answer[c->got] = 0;
	end = strstr(c->answer, "\r\n\r\n");
	if (!end)
		return 0;
	if (strncmp(c->answer, "HTTP/1.1 200", 12)) {
		fprintf(stderr, "answered: %.40s\n", c->answer);
		exit(1);
	}
	length = strcasestr(c->answer, "content-length:");
	if (!length || length > end) {
		fprintf(stderr, "an answer without Content-Length\n");
		exit(1);
	}
	return c->got >= (size_t)(end + 4 - c->answer) + atoi(length + 15);
}

static int quantile(long count, double part)
{
	long seen = 0;

	for (int us = 0; us < LONGEST_US; us++) {
		seen += times[us];
		if (seen >= count * part)
			return us;
	}
	return LONGEST_US;
}

int main(int count, char **words)
{
	struct addrinfo *found, wanted = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM};
	struct epoll_event events[CONNECTIONS_MAX];
	int poll = epoll_create1(EPOLL_CLOEXEC), err, number, longest = 0;
	long end, done = 0;

	if (count != 6 || (number = atoi(words[5])) < 1 || number > CONNECTIONS_MAX) {
		fprintf(stderr, "usage: httplat HOST PORT PATH SECONDS CONNECTIONS (1 to %d)\n", CONNECTIONS_MAX);
		return 2;
	}
	err = getaddrinfo(words[1], words[2], &wanted, &found);
	if (err) {
		fprintf(stderr, "%s: %s\n", words[1], gai_strerror(err));
		return 2;
	}
	request_size = snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: %s:%s\r\n\r\n", words[3], words[1],
				words[2]);
	end = now() + (long)(atof(words[4]) * 1e9);
	for (int i = 0; i < number; i++) {
		struct connection *c = &connections[i];
		struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};

		c->fd = socket(AF_INET, SOCK_STREAM, 0);
		if (c->fd < 0 || connect(c->fd, found->ai_addr, found->ai_addrlen))
			die("connect");
		if (fcntl(c->fd, F_SETFL, O_NONBLOCK) || epoll_ctl(poll, EPOLL_CTL_ADD, c->fd, &event))
			die("epoll");
		send_request(c);
	}
	while (now() < end) {
		int ready = epoll_wait(poll, events, CONNECTIONS_MAX, 1000);

		for (int i = 0; i < ready; i++) {
			struct connection *c = events[i].data.ptr;
			long us;

			if (!answered(c))
				continue;
			us = (now() - c->sent_at) / 1000;
			longest = us > longest ? us : longest;
			times[us < LONGEST_US ? us : LONGEST_US]++;
			done++;
			send_request(c);
		}
	}
	if (!done) {
		fprintf(stderr, "no answer\n");
		return 1;
	}
	printf("%ld %d %d %d %d\n", done, quantile(done, .5), quantile(done, .99), quantile(done, .999), longest);
	return 0;
}
