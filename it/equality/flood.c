// SPDX-License-Identifier: Apache-2.0
/*
 * A fast client that checks every byte: flood HOST PORT CONNECTIONS REQUESTS SEED STATS-FILE
 *
 * Each request carries a number of its own, and its body is made from it; the answer must tell the
 * same number, method, target and checksum of the body, and be filled with bytes made from that
 * number. A request ends in exactly one way: its whole own answer, an answer of the proxy (a status
 * from 400), the beginning of its own answer and the end of the connection, or the end of the
 * connection alone. Everything else is a fault and is printed. The counts are kept in a file that
 * is mapped, so that they outlive a killed client.
 */
#define _GNU_SOURCE
#include "message.h"
#include "pattern.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define QUEUE      4
#define IN_SIZE    (512 << 10)
#define OUT_SIZE   (600 << 10)
#define PAUSE_NS   20000000ull   /* after an error, so that errors do not use up the requests */
#define LIMIT_NS   5000000000ull /* without a byte: the request hangs */
#define CODES      600
#define ABSENT     "no healthy upstream\n"
#define FAULTS_OUT 20

struct stats {
	uint64_t asked, whole, cut, none, behind, hang, wrong, refused, connections;
	uint64_t slowest_us[4];           /* of whole answers, answers of the proxy, cut and none */
	uint64_t unsent, unsent_answered; /* failed sends; those whose request was answered still */
	uint64_t absent;                  /* answers of the proxy that there is no endpoint */
	uint64_t code[CODES];             /* its other answers */
	uint64_t done;
};

struct request {
	uint64_t number, fill, body, sum, sent_ns;
	const char *method;
	char target[96];
};

struct conn {
	int fd;
	bool connected, partial;
	struct request queue[QUEUE];
	int first, count;
	uint8_t *in, *out;
	int send_error;
	size_t in_length, out_from, out_length, hold; /* hold: bytes of out not to be sent yet */
	unsigned cuts; /* how often what is held is cut once more */
	uint64_t heard_ns, pause_ns; /* pause_ns: nothing is asked before; 0: no pause */
	uint32_t events;
};

static struct stats *stats;
static struct conn *conns;
static struct sockaddr_storage target;
static socklen_t target_size;
static const char *host;
static uint64_t random_state, next_number, left, first_number;
static int epoll_fd, open_count, faults, pausing;

static uint64_t dice(uint64_t sides)
{
	random_state = mix(random_state);
	return random_state % sides;
}

static void fault(struct conn *c, const char *what)
{
	const struct request *r = &c->queue[c->first];
	struct sockaddr_in self = {0};
	socklen_t size = sizeof(self);

	stats->wrong++;
	getsockname(c->fd, (struct sockaddr *)&self, &size);
	if (faults++ < FAULTS_OUT) {
		fprintf(stderr,
			"fault: %s: port %u, sending: %s, request %llu %s %s fill %llu, %zu "
			"bytes: ",
			what, ntohs(self.sin_port),
			c->send_error ? strerror(c->send_error) : "well",
			(unsigned long long)r->number, r->method, r->target,
			(unsigned long long)r->fill, c->in_length);
		for (size_t i = 0; i < c->in_length && i < 300; i++)
			fprintf(stderr, c->in[i] >= 32 && c->in[i] < 127 ? "%c" : "\\x%02x",
				c->in[i]);
		fputc('\n', stderr);
	}
}

static void slowest(int kind, const struct request *r)
{
	uint64_t us = (now_ns() - r->sent_ns) / 1000;

	if (us > stats->slowest_us[kind])
		stats->slowest_us[kind] = us;
}

static void listen_for(struct conn *c, uint32_t events)
{
	struct epoll_event e = {.events = events, .data.u32 = (uint32_t)(c - conns)};

	if (c->events == events)
		return;
	epoll_ctl(epoll_fd, c->events ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, c->fd, &e);
	c->events = events;
}

static void dial(struct conn *c)
{
	int one = 1;

	c->fd = -1;
	c->events = 0;
	if (left == 0 || stats->done)
		return;
	c->fd = socket(target.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd < 0) {
		perror("flood: socket");
		exit(1);
	}
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	c->connected = false;
	c->send_error = 0;
	c->first = c->count = 0;
	c->in_length = c->out_from = c->out_length = c->hold = 0;
	c->heard_ns = now_ns();
	stats->connections++;
	open_count++;
	if (connect(c->fd, (struct sockaddr *)&target, target_size) != 0 && errno != EINPROGRESS) {
		stats->refused++;
		close(c->fd);
		c->fd = -1;
		open_count--;
		return;
	}
	listen_for(c, EPOLLOUT);
}

/* The connection is over; what was still asked is counted by how far it came. */
static void hang_up(struct conn *c)
{
	for (int i = 0; i < c->count; i++) {
		struct request *r = &c->queue[(c->first + i) % QUEUE];

		if (i > 0) {
			stats->behind++;
		} else if (c->in_length > 0) {
			stats->cut++;
			slowest(2, r);
		} else {
			stats->none++;
			slowest(3, r);
		}
	}
	if (c->pause_ns)
		pausing--;
	c->pause_ns = 0;
	close(c->fd);
	open_count--;
	dial(c);
}

static void ask(struct conn *c)
{
	static const char *const paths[] = {"/", "/a", "/a/b", "/api/v1", "/static/logo.png", "/x"};
	struct request *r = &c->queue[(c->first + c->count) % QUEUE];
	uint64_t kind = dice(100);
	char extra[64] = "";
	size_t room = OUT_SIZE - c->out_length;
	int length;

	r->number = next_number++;
	r->method = kind < 70 ? "GET" : kind < 88 ? "POST" : kind < 94 ? "PUT" : "HEAD";
	r->body = kind < 70 || kind >= 94 ? 0 : dice(20) == 0 ? dice(60000) : dice(900);
	r->fill = dice(200) == 0 ? dice(200000) : dice(10) == 0 ? dice(12000) : dice(600);
	snprintf(r->target, sizeof(r->target), "%s?n=%llu", paths[dice(6)],
		 (unsigned long long)r->number);
	if (dice(50) == 0)
		strcpy(extra, ",chunked");
	else if (dice(200) == 0)
		strcpy(extra, ",parts");
	else if (dice(400) == 0)
		strcpy(extra, ",close");
	else if (dice(400) == 0)
		strcpy(extra, ",after");
	else if (dice(1000) == 0)
		snprintf(extra, sizeof(extra), ",slow=%d", (int)dice(30));
	if (c->out_from == c->out_length)
		c->out_from = c->out_length = 0;
	length = snprintf((char *)c->out + c->out_length, room,
			  "%s %s HTTP/1.1\r\nHost: %s\r\nx-nonce: %llu\r\nx-do: fill=%llu%s\r\n",
			  r->method, r->target, host, (unsigned long long)r->number,
			  (unsigned long long)r->fill, extra);
	if (r->body || kind >= 70)
		length += snprintf((char *)c->out + c->out_length + length, room - length,
				   "Content-Length: %llu\r\n", (unsigned long long)r->body);
	length += snprintf((char *)c->out + c->out_length + length, room - length, "\r\n");
	pattern_fill(c->out + c->out_length + length, ~r->number, 0, r->body);
	r->sum = sum_add(SUM_START, c->out + c->out_length + length, r->body);
	if (dice(25) == 0 && c->count == 0)
		c->hold = dice(length + r->body) + 1; /* the rest in another send */
	else if (r->body && dice(2) == 0 && c->count == 0) {
		/* As most clients do: the head, perhaps a part of the body, then the rest. */
		c->hold = dice(2) ? r->body : dice(r->body) + 1;
		c->cuts = dice(4);
	}
	c->out_length += length + r->body;
	r->sent_ns = now_ns();
	c->count++;
	stats->asked++;
	left--;
}

static void send_out(struct conn *c)
{
	while (c->out_from < c->out_length) {
		size_t n = c->out_length - c->out_from -
			   (c->hold < c->out_length - c->out_from ? c->hold : 0);
		ssize_t sent = send(c->fd, c->out + c->out_from, n, MSG_NOSIGNAL);

		if (sent < 0) {
			if (errno == EAGAIN) {
				listen_for(c, EPOLLIN | EPOLLOUT);
				return;
			}
			/*
			 * What was answered before can still be read, even the answer to this. But
			 * after a failed send nobody knows what of it has gone: the connection is
			 * not used for another request.
			 */
			c->send_error = errno;
			stats->unsent++;
			listen_for(c, EPOLLIN);
			return;
		}
		c->out_from += sent;
		if ((size_t)sent < n)
			continue;
		n = c->hold;
		c->hold = c->cuts && n > 1 ? dice(n - 1) + 1 : 0;
		c->cuts -= c->cuts > 0;
	}
	listen_for(c, EPOLLIN);
}

static void go_on(struct conn *c)
{
	if (c->count > 0 || !c->connected || c->pause_ns)
		return;
	if (left == 0 || stats->done || dice(600) == 0) {
		hang_up(c);
		return;
	}
	int n = dice(40) == 0 ? 2 + (int)dice(QUEUE - 1) : 1;

	for (int i = 0; i < n && left > 0; i++) {
		if (OUT_SIZE - c->out_length < 100000)
			break;
		ask(c);
	}
	c->heard_ns = now_ns();
	send_out(c);
}

/* Puts a chunked body together in place: 1 whole (size and end set), 0 not yet, -1 broken. */
static int chunks(uint8_t *at, size_t have, size_t *size, size_t *end)
{
	size_t from = 0, to = 0;

	for (;;) {
		uint8_t *line = memmem(at + from, have - from, "\r\n", 2);
		unsigned long long n;

		if (!line)
			return 0;
		n = strtoull((char *)at + from, NULL, 16);
		from = line - at + 2;
		if (n + 2 > have - from)
			return n > IN_SIZE ? -1 : 0;
		if (memcmp(at + from + n, "\r\n", 2) != 0)
			return -1;
		if (size)
			memmove(at + to, at + from, n);
		to += n;
		from += n + 2;
		if (n == 0) {
			if (size)
				*size = to;
			*end = from;
			return 1;
		}
	}
}

static bool body_is_good(const struct request *r, const uint8_t *body, size_t length)
{
	char want[256], *from;
	const uint8_t *at = memmem(body, length < 400 ? length : 400, "\nnonce=", 7);
	int n = snprintf(want, sizeof(want),
			 "\nnonce=%llu\nmethod=%s\ntarget=%s\nbody=%llu:%016llx\n",
			 (unsigned long long)r->number, r->method, r->target,
			 (unsigned long long)r->body, (unsigned long long)r->sum);

	from = (char *)at;
	if (!at || length - (at - body) < (size_t)n || memcmp(from, want, n) != 0)
		return false;
	at += n;
	return length - (at - body) == r->fill && pattern_is(at, r->number, 0, r->fill);
}

/* Takes one answer from the input: 1 taken, 0 not whole, -1 the connection was left. */
static int take_answer(struct conn *c)
{
	struct request *r = &c->queue[c->first];
	uint8_t *end = memmem(c->in, c->in_length, "\r\n\r\n", 4), *body;
	char value[64], *text = (char *)c->in;
	size_t head, length = 0, whole;
	bool chunked, own, closes;
	int code;

	if (!end)
		return 0;
	head = end + 4 - c->in;
	body = c->in + head;
	if (c->in_length < 13 || memcmp(c->in, "HTTP/1.1 ", 9) != 0) {
		fault(c, "not an answer");
		goto leave;
	}
	code = atoi(text + 9);
	if (code < 100 || code >= CODES) {
		fault(c, "not a status");
		goto leave;
	}
	own = field(text, head, "x-who", value, sizeof(value));
	field(text, head, "transfer-encoding", value, sizeof(value));
	chunked = strcasecmp(value, "chunked") == 0;
	field(text, head, "connection", value, sizeof(value));
	closes = strcasecmp(value, "close") == 0;
	field(text, head, "content-length", value, sizeof(value));
	if (strcmp(r->method, "HEAD") == 0) {
		whole = head;
	} else if (chunked) {
		int got = chunks(body, c->in_length - head, NULL, &whole);

		if (got < 0) {
			fault(c, "broken chunks");
			goto leave;
		}
		if (got == 0)
			return 0;
		chunks(body, c->in_length - head, &length, &whole);
		whole += head;
	} else if (value[0]) {
		length = strtoull(value, NULL, 10);
		whole = head + length;
		if (whole > IN_SIZE) {
			fault(c, "an answer that nobody sent: too long");
			goto leave;
		}
		if (c->in_length < whole)
			return 0;
	} else {
		fault(c, "an answer without a length");
		goto leave;
	}
	if (!own && code >= 400) {
		/* To a HEAD, by its length. */
		if (code == 503 && strtoull(value, NULL, 10) == strlen(ABSENT) &&
		    memcmp(body, ABSENT, length) == 0)
			stats->absent++;
		else
			stats->code[code]++;
		if (!c->pause_ns)
			pausing++;
		c->pause_ns = now_ns() + PAUSE_NS;
		slowest(1, r);
	} else if (!own || code != 200) {
		fault(c, "an answer of nobody");
		goto leave;
	} else if (strcmp(r->method, "HEAD") != 0 && !body_is_good(r, body, length)) {
		fault(c, "a wrong answer");
		goto leave;
	} else {
		stats->whole++;
		slowest(0, r);
	}
	memmove(c->in, c->in + whole, c->in_length - whole);
	c->in_length -= whole;
	c->first = (c->first + 1) % QUEUE;
	c->count--;
	if (c->send_error)
		stats->unsent_answered++;
	if (closes || (c->send_error && c->count == 0)) {
		if (c->in_length > 0)
			fault(c, "more after the last answer");
		c->in_length = 0;
		stats->behind += c->count;
		c->count = 0;
		hang_up(c);
		return -1;
	}
	return 1;
leave:
	c->count = 0;
	hang_up(c);
	return -1;
}

static void receive(struct conn *c)
{
	ssize_t n = recv(c->fd, c->in + c->in_length, IN_SIZE - c->in_length, 0);
	int taken;

	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		hang_up(c);
		return;
	}
	c->heard_ns = now_ns();
	c->in_length += n;
	if (c->count == 0) {
		fault(c, "bytes that nobody asked for");
		hang_up(c);
		return;
	}
	do
		taken = take_answer(c);
	while (taken == 1 && c->count > 0);
	if (taken < 0)
		return;
	if (c->count == 0 && c->in_length > 0) {
		fault(c, "more than the answers");
		hang_up(c);
		return;
	}
	go_on(c);
}

static void look_for_hangs(int connections)
{
	uint64_t now = now_ns();

	for (int i = 0; i < connections; i++) {
		struct conn *c = &conns[i];

		if (c->fd < 0) {
			dial(c);
			continue;
		}
		if (now - c->heard_ns < LIMIT_NS || (c->connected && c->count == 0))
			continue;
		if (!c->connected) {
			stats->refused++;
		} else {
			stats->hang++;
			stats->wrong--;
			fault(c, "no answer, no end");
			c->count = 0;
		}
		hang_up(c);
	}
}

static void end_pauses(int connections)
{
	uint64_t now = now_ns();

	for (int i = 0; pausing > 0 && i < connections; i++) {
		struct conn *c = &conns[i];

		if (c->pause_ns && c->pause_ns < now) {
			c->pause_ns = 0;
			pausing--;
			go_on(c);
		}
	}
}

static void start(char **argv, int connections)
{
	struct addrinfo want = {.ai_socktype = SOCK_STREAM, .ai_family = AF_INET}, *found;
	int fd = open(argv[6], O_RDWR | O_CREAT, 0600);

	if (fd < 0 || ftruncate(fd, sizeof(*stats)) != 0) {
		perror("flood: stats file");
		exit(1);
	}
	stats = mmap(NULL, sizeof(*stats), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (stats == MAP_FAILED || getaddrinfo(argv[1], argv[2], &want, &found) != 0) {
		fprintf(stderr, "flood: %s is not known\n", argv[1]);
		exit(1);
	}
	memcpy(&target, found->ai_addr, found->ai_addrlen);
	target_size = found->ai_addrlen;
	host = argv[1];
	left = strtoull(argv[4], NULL, 10);
	random_state = mix(strtoull(argv[5], NULL, 10));
	next_number = first_number = strtoull(argv[5], NULL, 10) << 32 | 1;
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	conns = calloc(connections, sizeof(*conns));
	for (int i = 0; i < connections; i++) {
		conns[i].in = malloc(IN_SIZE);
		conns[i].out = malloc(OUT_SIZE);
		if (!conns[i].in || !conns[i].out)
			abort();
	}
	for (int i = 0; i < connections; i++)
		dial(&conns[i]);
}

int main(int argc, char **argv)
{
	struct epoll_event events[256];
	uint64_t looked = now_ns();
	int connections;

	if (argc < 7) {
		fprintf(stderr, "flood HOST PORT CONNECTIONS REQUESTS SEED STATS-FILE\n");
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	connections = atoi(argv[3]);
	start(argv, connections);
	while (open_count > 0 || left > 0) {
		int n = epoll_wait(epoll_fd, events, 256, pausing ? 10 : 200);

		for (int i = 0; i < n; i++) {
			struct conn *c = &conns[events[i].data.u32];

			if (c->fd < 0)
				continue;
			if (!c->connected) {
				int error = 0;
				socklen_t size = sizeof(error);

				getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &size);
				if (error) {
					stats->refused++;
					hang_up(c);
					continue;
				}
				c->connected = true;
				go_on(c);
				continue;
			}
			if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))
				receive(c);
			else if (events[i].events & EPOLLOUT)
				send_out(c);
		}
		end_pauses(connections);
		if (now_ns() - looked > 200000000ull) {
			looked = now_ns();
			look_for_hangs(connections);
		}
	}
	stats->done = 1;
	return 0;
}
