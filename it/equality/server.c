// SPDX-License-Identifier: Apache-2.0
/*
 * An HTTP/1.1 server that answers as the request asks, so that one generator decides both ends of a
 * case: server NAME PORT [CHAOS SEED]; what it can ask for is in answer.h.
 *
 * With CHAOS (per mille) it also closes idle and busy connections at random moments. With LIE=N in
 * the environment every Nth answer is a wrong one: for the proof that the tests see it. With
 * POSTS=FILE it appends the number (8 bytes) of each POST that it has done. With SUPERVISE=1 a
 * process that is killed is started again.
 */
#define _GNU_SOURCE
#include "answer.h"
#include "message.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define IN_MAX (128 << 10)
#define FDS    65536

enum state { READ_HEAD, STALL, READ_BODY, WAIT, ANSWER, HANG };

struct conn {
	int fd;
	enum state state;
	uint8_t *in;
	size_t in_length, in_size;
	bool ended; /* the client has sent its end */
	/* the request's body */
	uint64_t body_left;
	int chunk; /* 0 not chunked, 1 size line, 2 data, 3 end of data, 4 trailer */
	bool body_read;
	struct answer answer;
	uint64_t wake; /* ns; 0: none */
	uint64_t first_pause;
	uint32_t events;
};

static struct conn *conns[FDS];
static int epoll_fd, top_fd, waiting, posts = -1;
static const char *name;
static long chaos, lie;
static unsigned long answers;
static uint64_t random_state;

static uint64_t next_random(void)
{
	return random_state = mix(random_state);
}

static void set_wake(struct conn *c, long ms)
{
	if (!c->wake)
		waiting++;
	c->wake = now_ns() + (uint64_t)ms * 1000000ull;
}

static void clear_wake(struct conn *c)
{
	if (c->wake)
		waiting--;
	c->wake = 0;
}

static void drop(struct conn *c, bool reset)
{
	if (reset) {
		struct linger now = {.l_onoff = 1, .l_linger = 0};

		setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	}
	clear_wake(c);
	conns[c->fd] = NULL;
	close(c->fd);
	free(c->in);
	free(c->answer.out);
	free(c);
}

static void listen_for(struct conn *c, uint32_t events)
{
	if (c->events == events)
		return;
	struct epoll_event e = {.events = events, .data.fd = c->fd};

	epoll_ctl(epoll_fd, EPOLL_CTL_MOD, c->fd, &e);
	c->events = events;
}

static void consume(struct conn *c, size_t n)
{
	memmove(c->in, c->in + n, c->in_length - n);
	c->in_length -= n;
}

/* Takes a head from the input; 0: not whole yet, -1: dropped. */
static int take_head(struct conn *c)
{
	uint8_t *end = memmem(c->in, c->in_length, "\r\n\r\n", 4);
	char value[4096], nonce[64], method[32], target[2048];
	char *head = (char *)c->in;
	size_t length;

	if (!end) {
		if (c->in_length >= HEAD_MAX) {
			drop(c, false);
			return -1;
		}
		return 0;
	}
	length = end + 4 - c->in;
	if (sscanf(head, "%31s %2047s", method, target) != 2) {
		drop(c, false);
		return -1;
	}
	field(head, length, "x-do", value, sizeof(value));
	read_want(&c->answer.want, value);
	field(head, length, "x-nonce", nonce, sizeof(nonce));
	c->answer.seed = strtoull(nonce, NULL, 10);
	if (lie && ++answers % (unsigned long)lie == 0)
		snprintf(nonce, sizeof(nonce), "%llu", (unsigned long long)++c->answer.seed);
	field(head, length, "transfer-encoding", value, sizeof(value));
	c->chunk = strcasecmp(value, "chunked") == 0 ? 1 : 0;
	field(head, length, "content-length", value, sizeof(value));
	c->body_left = c->chunk ? 0 : strtoull(value, NULL, 10);
	c->answer.body_length = 0;
	c->answer.body_sum = SUM_START;
	c->body_read = false;

	struct sockaddr_storage peer;
	socklen_t size = sizeof(peer);
	char from[INET6_ADDRSTRLEN] = "?";

	if (getpeername(c->fd, (struct sockaddr *)&peer, &size) == 0)
		inet_ntop(peer.ss_family,
			  peer.ss_family == AF_INET6
				  ? (void *)&((struct sockaddr_in6 *)&peer)->sin6_addr
				  : (void *)&((struct sockaddr_in *)&peer)->sin_addr,
			  from, sizeof(from));
	if (strlen(target) > 700)
		target[700] = 0;
	snprintf(c->answer.text, sizeof(c->answer.text),
		 "%s from=%s\nnonce=%s\nmethod=%s\ntarget=%s\n", method, from, nonce, method,
		 target);
	/* The head waits in the output buffer until the answer is made. */
	c->answer.out_length = 0;
	c->answer.out_from = 0;
	if (c->answer.want.echo)
		out_put(&c->answer, head, length);
	consume(c, length);
	return 1;
}

/* Takes what there is of the body; true when it is whole. */
static bool take_body(struct conn *c)
{
	for (;;) {
		if (c->chunk == 1 || c->chunk == 3 || c->chunk == 4) {
			uint8_t *end = memmem(c->in, c->in_length, "\r\n", 2);
			size_t line;

			if (!end)
				return false;
			line = end - c->in + 2;
			if (c->chunk == 1) {
				c->body_left = strtoull((char *)c->in, NULL, 16);
				c->chunk = c->body_left ? 2 : 4;
				consume(c, line);
			} else if (c->chunk == 3) {
				c->chunk = 1;
				consume(c, line);
			} else {
				consume(c, line);
				if (line == 2)
					return true;
			}
			continue;
		}
		if (c->body_left == 0) {
			if (c->chunk == 0)
				return true;
			c->chunk = 3;
			continue;
		}
		if (c->in_length == 0)
			return false;
		size_t n = c->body_left < c->in_length ? c->body_left : c->in_length;

		c->answer.body_sum = sum_add(c->answer.body_sum, c->in, n);
		c->answer.body_length += n;
		c->body_left -= n;
		consume(c, n);
	}
}

/* Sends what can be sent; -1 when the connection is gone, 1 when the answer is over. */
static int send_answer(struct conn *c)
{
	for (;;) {
		size_t n = c->answer.out_length - c->answer.out_from;
		ssize_t sent;

		if (n == 0) {
			if (!refill(&c->answer))
				return 1;
			continue;
		}
		if (c->answer.slice && n > c->answer.slice)
			n = c->answer.slice;
		if (c->answer.cut_left >= 0 && n > (size_t)c->answer.cut_left)
			n = c->answer.cut_left;
		if (n == 0) {
			drop(c, false);
			return -1;
		}
		sent = send(c->fd, c->answer.out + c->answer.out_from, n, MSG_NOSIGNAL);
		if (sent < 0) {
			if (errno == EAGAIN) {
				listen_for(c, EPOLLOUT);
				return 0;
			}
			drop(c, false);
			return -1;
		}
		c->answer.out_from += sent;
		if (c->answer.cut_left >= 0)
			c->answer.cut_left -= sent;
		if (c->answer.want.drip) {
			set_wake(c, c->answer.want.drip);
			listen_for(c, 0);
			return 0;
		}
		c->answer.slice = 0;
	}
}

/* Goes on as far as it can. */
static void run(struct conn *c)
{
	for (;;) {
		switch (c->state) {
		case READ_HEAD: {
			int got = take_head(c);

			if (got < 0)
				return;
			if (got == 0) {
				if (c->ended) {
					drop(c, false);
					return;
				}
				listen_for(c, EPOLLIN);
				return;
			}
			c->state = READ_BODY;
			if (c->answer.want.stall) {
				c->state = STALL;
				set_wake(c, c->answer.want.stall);
				listen_for(c, 0);
				return;
			}
			if (c->answer.want.early)
				c->state = WAIT;
			break;
		}
		case STALL:
			if (c->wake)
				return;
			c->state = READ_BODY;
			break;
		case READ_BODY:
			if (!take_body(c)) {
				if (c->ended) {
					drop(c, false);
					return;
				}
				listen_for(c, EPOLLIN);
				return;
			}
			c->body_read = true;
			if (posts >= 0 && strncmp(c->answer.text, "POST ", 5) == 0 &&
			    write(posts, &c->answer.seed, sizeof(c->answer.seed)) < 0)
				perror("server: POSTS");
			if (c->answer.want.early) { /* answered already */
				c->state = READ_HEAD;
				break;
			}
			c->state = WAIT;
			break;
		case WAIT:
			if (c->answer.want.slow && !c->first_pause) {
				c->first_pause = 1;
				set_wake(c, c->answer.want.slow);
				listen_for(c, c->ended ? 0 : EPOLLIN);
				return;
			}
			if (c->wake)
				return;
			c->first_pause = 0;
			if (c->answer.want.nothing || c->answer.want.reset) {
				drop(c, c->answer.want.reset);
				return;
			}
			if (c->answer.want.hang) {
				c->state = HANG;
				listen_for(c, EPOLLIN);
				return;
			}
			make_answer(&c->answer, name);
			c->state = ANSWER;
			break;
		case ANSWER: {
			if (c->wake)
				return;
			int done = send_answer(c);

			if (done <= 0)
				return;
			if (c->answer.want.close || c->answer.want.after ||
			    c->answer.want.unframed || c->answer.want.old) {
				drop(c, false);
				return;
			}
			c->state = c->answer.want.early ? READ_BODY : READ_HEAD;
			break;
		}
		case HANG:
			if (c->ended)
				drop(c, false);
			return;
		}
	}
}

static void readable(struct conn *c)
{
	ssize_t n;

	if (c->in_length + 4096 > c->in_size) {
		if (c->in_size >= IN_MAX) { /* a client that sends on while it waits */
			listen_for(c, 0);
			return;
		}
		c->in_size = c->in_size ? c->in_size * 2 : 16384;
		c->in = realloc(c->in, c->in_size);
		if (!c->in)
			abort();
	}
	n = recv(c->fd, c->in + c->in_length, c->in_size - c->in_length, 0);
	if (n < 0) {
		if (errno != EAGAIN)
			drop(c, false);
		return;
	}
	if (n == 0) {
		c->ended = true;
		if (c->state == READ_HEAD || c->state == READ_BODY || c->state == HANG) {
			run(c);
			return;
		}
		listen_for(c, 0); /* the answer is still owed: a half-closed client reads it */
		return;
	}
	c->in_length += n;
	run(c);
}

static void take_connections(int listener)
{
	for (;;) {
		int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC), one = 1;

		if (fd < 0)
			return;
		if (fd >= FDS) {
			close(fd);
			continue;
		}
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		conns[fd] = calloc(1, sizeof(struct conn));
		if (!conns[fd])
			abort();
		conns[fd]->fd = fd;
		conns[fd]->answer.cut_left = -1;
		conns[fd]->events = EPOLLIN;
		if (fd > top_fd)
			top_fd = fd;
		struct epoll_event e = {.events = EPOLLIN, .data.fd = fd};

		epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &e);
	}
}

static void wake_up(void)
{
	uint64_t now = now_ns();

	for (int fd = 0; waiting > 0 && fd <= top_fd; fd++) {
		struct conn *c = conns[fd];

		if (c && c->wake && c->wake <= now) {
			clear_wake(c);
			run(c);
		}
	}
}

/* Closes some connections, whatever they are doing. */
static void wreak(void)
{
	static uint64_t next;
	uint64_t now = now_ns();

	if (!chaos || now < next)
		return;
	next = now + 1000000ull + next_random() % 4000000ull;
	for (int fd = 0; fd <= top_fd; fd++)
		if (conns[fd] && next_random() % 1000 < (uint64_t)chaos)
			drop(conns[fd], next_random() % 8 == 0);
}

/* Stays as the parent of a server that may be killed. */
static void supervise(void)
{
	for (;;) {
		pid_t child = fork();

		if (child == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			random_state += (uint64_t)getpid();
			return;
		}
		if (child < 0 || waitpid(child, NULL, 0) != child)
			exit(1);
	}
}

int main(int argc, char **argv)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	struct epoll_event events[256];
	int listener, one = 1;

	if (argc < 3) {
		fprintf(stderr, "server NAME PORT [CHAOS SEED]\n");
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	name = argv[1];
	address.sin_port = htons((uint16_t)atoi(argv[2]));
	chaos = argc > 3 ? atol(argv[3]) : 0;
	lie = getenv("LIE") ? atol(getenv("LIE")) : 0;
	random_state = argc > 4 ? strtoull(argv[4], NULL, 10) : 1;
	if (getenv("SUPERVISE"))
		supervise();
	if (getenv("POSTS"))
		posts = open(getenv("POSTS"), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(listener, (struct sockaddr *)&address, sizeof(address)) != 0 ||
	    listen(listener, 4096) != 0) {
		perror("server: bind");
		return 1;
	}
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event e = {.events = EPOLLIN, .data.fd = listener};

	epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listener, &e);
	for (;;) {
		int n = epoll_wait(epoll_fd, events, 256, waiting ? 2 : chaos ? 5 : -1);

		for (int i = 0; i < n; i++) {
			int fd = events[i].data.fd;
			struct conn *c;

			if (fd == listener) {
				take_connections(listener);
				continue;
			}
			c = conns[fd];
			if (!c)
				continue;
			if (events[i].events & EPOLLIN)
				readable(c);
			else if (events[i].events & (EPOLLERR | EPOLLHUP))
				drop(c, false);
			else if (events[i].events & EPOLLOUT)
				run(c);
		}
		wake_up();
		wreak();
	}
}
