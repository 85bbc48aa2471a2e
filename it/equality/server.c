// SPDX-License-Identifier: Apache-2.0
/*
 * An HTTP/1.1 server that answers as the request asks, so that one generator decides both ends of a
 * case: server NAME PORT [CHAOS SEED]
 *
 * The field x-do lists, separated by commas:
 *   fill=N       N bytes of pattern after the text of the answer
 *   code=N       status code (200)
 *   chunked      chunks; unframed: until the connection ends; both=: chunked and Content-Length;
 *   twice        two Content-Length fields; old: HTTP/1.0; lower: field names in lower case
 *   interim=N    a response of class 1xx first
 *   slow=MS      waits before the answer; stall=MS: waits before it reads the body
 *   drip=MS      sends the answer in six pieces with waits between them
 *   parts        head and body in two sends
 *   early        answers before it has read the body
 *   close        Connection: close; after: says nothing and closes after the answer
 *   cut=N        closes after N bytes of the body; nothing: closes without an answer
 *   reset        resets without an answer; hang: never answers
 *   extra        sends 10 bytes more than the Content-Length says
 *   echo         puts the received head, in hex, into the answer
 * Every answer tells who answered, whom it saw, nonce, method, target, length and sum of the body.
 *
 * With CHAOS (per mille) it also closes idle and busy connections at random moments. With LIE=N in
 * the environment every Nth answer is a wrong one: for the proof that the tests see it. With
 * POSTS=FILE it appends the number (8 bytes) of each POST that it has done. With SUPERVISE=1 a
 * process that is killed is started again.
 */
#define _GNU_SOURCE
#include "pattern.h"

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

#define HEAD_MAX  (64 << 10)
#define IN_MAX    (128 << 10)
#define OUT_CHUNK (64 << 10)
#define FDS       65536

enum state { READ_HEAD, STALL, READ_BODY, WAIT, ANSWER, HANG };

struct want {
	uint64_t fill;
	long code, slow, stall, drip, interim, cut;
	bool chunked, unframed, both, twice, old, lower, parts, early, close, after, nothing, reset;
	bool hang, echo, extra;
};

struct conn {
	int fd;
	enum state state;
	struct want want;
	uint8_t *in;
	size_t in_length, in_size;
	bool ended; /* the client has sent its end */
	/* the request's body */
	uint64_t body_left, body_length, body_sum;
	int chunk; /* 0 not chunked, 1 size line, 2 data, 3 end of data, 4 trailer */
	bool body_read;
	/* the answer */
	uint8_t *out;
	size_t out_from, out_length, out_size;
	uint64_t fill_left, fill_at, seed;
	bool tail;     /* the last chunk is still to come */
	long cut_left; /* bytes until the connection is cut; -1: never */
	size_t slice;
	uint64_t wake; /* ns; 0: none */
	uint64_t first_pause;
	uint32_t events;
	char text[1024];
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

static void out_put(struct conn *c, const void *data, size_t length)
{
	if (c->out_length + length > c->out_size) {
		c->out_size = (c->out_length + length) * 2;
		c->out = realloc(c->out, c->out_size);
		if (!c->out)
			abort();
	}
	memcpy(c->out + c->out_length, data, length);
	c->out_length += length;
}

static void out_text(struct conn *c, const char *text)
{
	out_put(c, text, strlen(text));
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
	free(c->out);
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

/* The value of a field, empty when there is none. */
static void field(const char *head, size_t length, const char *key, char *to, size_t size)
{
	const char *at = head, *end = head + length;
	size_t key_length = strlen(key);

	to[0] = 0;
	while (at < end) {
		const char *line = memchr(at, '\n', end - at);

		if (!line)
			line = end;
		if ((size_t)(line - at) > key_length && at[key_length] == ':' &&
		    strncasecmp(at, key, key_length) == 0) {
			const char *from = at + key_length + 1, *to_end = line;
			size_t n;

			while (from < to_end && (*from == ' ' || *from == '\t'))
				from++;
			while (to_end > from &&
			       (to_end[-1] == '\r' || to_end[-1] == ' ' || to_end[-1] == '\t'))
				to_end--;
			n = to_end - from;
			if (n >= size)
				n = size - 1;
			memcpy(to, from, n);
			to[n] = 0;
			return;
		}
		at = line + 1;
	}
}

static void read_want(struct want *w, char *list)
{
	char *save, *word;

	memset(w, 0, sizeof(*w));
	w->code = 200;
	w->cut = -1;
	for (word = strtok_r(list, ",", &save); word; word = strtok_r(NULL, ",", &save)) {
		char *value = strchr(word, '=');
		uint64_t number = 0;

		if (value) {
			*value++ = 0;
			number = strtoull(value, NULL, 10);
		}
#define NUMBER(field_)                                                                             \
	if (strcmp(word, #field_) == 0)                                                            \
		w->field_ = number;
#define FLAG(field_)                                                                               \
	if (strcmp(word, #field_) == 0)                                                            \
		w->field_ = true;
		NUMBER(fill)
		NUMBER(code)
		NUMBER(slow) NUMBER(stall) NUMBER(drip) NUMBER(interim) NUMBER(cut) FLAG(chunked)
			FLAG(unframed) FLAG(both) FLAG(twice) FLAG(old) FLAG(lower) FLAG(parts)
				FLAG(early) FLAG(close) FLAG(after) FLAG(nothing) FLAG(reset)
					FLAG(hang) FLAG(echo) FLAG(extra)
	}
}

static void put_chunk(struct conn *c, const void *data, size_t length)
{
	char size[32];

	snprintf(size, sizeof(size), "%zx\r\n", length);
	out_text(c, size);
	out_put(c, data, length);
	out_text(c, "\r\n");
}

static void start_answer(struct conn *c)
{
	struct want *w = &c->want;
	const char *length_name = w->lower ? "content-length" : "Content-Length";
	bool head_only = strncmp(c->text, "HEAD ", 5) == 0;
	bool bodyless = head_only || w->code == 204 || w->code == 304 || w->code < 200;
	char line[256];
	size_t text_length, head_length;
	static char text[HEAD_MAX * 2 + 2048];

	if (w->nothing || w->reset) {
		drop(c, w->reset);
		return;
	}
	if (w->hang) {
		c->state = HANG;
		listen_for(c, EPOLLIN);
		return;
	}
	text_length = snprintf(text, sizeof(text), "who=%s\n%sbody=%llu:%016llx\n", name,
			       strchr(c->text, ' ') + 1, (unsigned long long)c->body_length,
			       (unsigned long long)c->body_sum);
	if (w->echo) {
		char *to = text + text_length;

		to += sprintf(to, "head=");
		for (size_t i = 0; i < c->out_length; i++)
			to += sprintf(to, "%02x", c->out[i]);
		*to++ = '\n';
		text_length = to - text;
	}
	c->out_length = 0;
	c->out_from = 0;
	if (w->interim) {
		snprintf(line, sizeof(line), "HTTP/1.1 %ld Interim\r\nx-step: 1\r\n\r\n",
			 w->interim);
		out_text(c, line);
	}
	snprintf(line, sizeof(line), "HTTP/1.%d %ld Status\r\nx-who: %s\r\n", w->old ? 0 : 1,
		 w->code, name);
	out_text(c, line);
	if (w->chunked || w->both)
		out_text(c, "Transfer-Encoding: chunked\r\n");
	if ((!w->chunked && !w->unframed && w->code != 204) || w->both) {
		snprintf(line, sizeof(line), "%s: %llu\r\n", length_name,
			 (unsigned long long)(text_length + w->fill));
		out_text(c, line);
		if (w->twice)
			out_text(c, line);
	}
	if (w->close)
		out_text(c, "Connection: close\r\n");
	out_text(c, "\r\n");
	head_length = c->out_length;
	c->tail = false;
	c->fill_at = 0;
	c->fill_left = 0;
	if (!bodyless) {
		c->tail = w->chunked || w->both;
		if (c->tail)
			put_chunk(c, text, text_length);
		else
			out_put(c, text, text_length);
		c->fill_left = w->fill;
		if (w->extra)
			out_text(c, "0123456789");
	}
	c->cut_left = w->cut >= 0 ? (long)head_length + w->cut : -1;
	c->slice = w->parts ? head_length : w->drip ? c->out_length / 6 + 1 : 0;
	c->state = ANSWER;
}

/* Makes more of the answer; 0 when there is no more. */
static int refill(struct conn *c)
{
	static uint8_t block[OUT_CHUNK];
	size_t n = c->fill_left < sizeof(block) ? c->fill_left : sizeof(block);

	c->out_from = 0;
	c->out_length = 0;
	if (n > 0) {
		pattern_fill(block, c->seed, c->fill_at, n);
		c->fill_at += n;
		c->fill_left -= n;
		if (c->tail)
			put_chunk(c, block, n);
		else
			out_put(c, block, n);
		return 1;
	}
	if (c->tail) {
		c->tail = false;
		out_text(c, "0\r\n\r\n");
		return 1;
	}
	return 0;
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
	read_want(&c->want, value);
	field(head, length, "x-nonce", nonce, sizeof(nonce));
	c->seed = strtoull(nonce, NULL, 10);
	if (lie && ++answers % (unsigned long)lie == 0)
		snprintf(nonce, sizeof(nonce), "%llu", (unsigned long long)++c->seed);
	field(head, length, "transfer-encoding", value, sizeof(value));
	c->chunk = strcasecmp(value, "chunked") == 0 ? 1 : 0;
	field(head, length, "content-length", value, sizeof(value));
	c->body_left = c->chunk ? 0 : strtoull(value, NULL, 10);
	c->body_length = 0;
	c->body_sum = SUM_START;
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
	snprintf(c->text, sizeof(c->text), "%s from=%s\nnonce=%s\nmethod=%s\ntarget=%s\n", method,
		 from, nonce, method, target);
	/* The head waits in the output buffer until the answer is made. */
	c->out_length = 0;
	c->out_from = 0;
	if (c->want.echo)
		out_put(c, head, length);
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

		c->body_sum = sum_add(c->body_sum, c->in, n);
		c->body_length += n;
		c->body_left -= n;
		consume(c, n);
	}
}

/* Sends what can be sent; -1 when the connection is gone, 1 when the answer is over. */
static int send_answer(struct conn *c)
{
	for (;;) {
		size_t n = c->out_length - c->out_from;
		ssize_t sent;

		if (n == 0) {
			if (!refill(c))
				return 1;
			continue;
		}
		if (c->slice && n > c->slice)
			n = c->slice;
		if (c->cut_left >= 0 && n > (size_t)c->cut_left)
			n = c->cut_left;
		if (n == 0) {
			drop(c, false);
			return -1;
		}
		sent = send(c->fd, c->out + c->out_from, n, MSG_NOSIGNAL);
		if (sent < 0) {
			if (errno == EAGAIN) {
				listen_for(c, EPOLLOUT);
				return 0;
			}
			drop(c, false);
			return -1;
		}
		c->out_from += sent;
		if (c->cut_left >= 0)
			c->cut_left -= sent;
		if (c->want.drip) {
			set_wake(c, c->want.drip);
			listen_for(c, 0);
			return 0;
		}
		c->slice = 0;
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
			if (c->want.stall) {
				c->state = STALL;
				set_wake(c, c->want.stall);
				listen_for(c, 0);
				return;
			}
			if (c->want.early)
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
			if (posts >= 0 && strncmp(c->text, "POST ", 5) == 0 &&
			    write(posts, &c->seed, sizeof(c->seed)) < 0)
				perror("server: POSTS");
			if (c->want.early) { /* answered already */
				c->state = READ_HEAD;
				break;
			}
			c->state = WAIT;
			break;
		case WAIT:
			if (c->want.slow && !c->first_pause) {
				c->first_pause = 1;
				set_wake(c, c->want.slow);
				listen_for(c, c->ended ? 0 : EPOLLIN);
				return;
			}
			if (c->wake)
				return;
			c->first_pause = 0;
			if (c->want.nothing || c->want.reset) {
				drop(c, c->want.reset);
				return;
			}
			start_answer(c);
			if (c->state == HANG)
				return;
			break;
		case ANSWER: {
			if (c->wake)
				return;
			int done = send_answer(c);

			if (done <= 0)
				return;
			if (c->want.close || c->want.after || c->want.unframed || c->want.old) {
				drop(c, false);
				return;
			}
			c->state = c->want.early ? READ_BODY : READ_HEAD;
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
		conns[fd]->cut_left = -1;
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
