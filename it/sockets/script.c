// SPDX-License-Identifier: Apache-2.0
/*
 * What programs notice on their TCP sockets, one case after the other:
 *
 *   sockets hand PATH                              the process of one end, see hand.h
 *   sockets play CLIENT SERVER HOST HOST6 PORT WAY ROUNDS JOBS [CASE…]
 *
 * CLIENT and SERVER are the hands' paths; HOST is what the client calls the server, HOST6 what it
 * calls it over IPv6. WAY is tcp, or http or http-polled: messages of HTTP, by programs that wait
 * in their calls or that never do. A line for each case and direction, so many at a time:
 *
 *   CASE DIRECTION <tab> how the bytes went <tab> what was seen
 *
 * They went over `tcp` or `past` it; HTTP from the client's socket into the server's by the
 * `kernel`, or by the `proxy`; `-`: the case has no such bytes.
 */
#define _GNU_SOURCE
#include "script.h"

#include <pthread.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define PORTS_EACH 16
#define CALL_MS    12000 /* no call of a script takes longer */
#define CASE_MS    25000
#define IN_A_ROW   3
#define JOBS_MAX   8

bool speaks_http, never_waits, other_way;

static char *paths[HANDS];
static const char *host, *host_six;
static int first_port, job, rounds;
static int memory = -1;
static pid_t hands[HANDS];
static int lanes[HANDS][LANES];
static bool engaged[HANDS][LANES];
static char text[8192], way[16] = "-";
static size_t length;
static const char *label, *direction;

void say(const char *format, ...)
{
	va_list list;

	va_start(list, format);
	length += vsnprintf(text + length, sizeof(text) - length, format, list);
	va_end(list);
	if (length >= sizeof(text))
		length = sizeof(text) - 1;
}

const char *told(long result)
{
	static char texts[8][24];
	static int turn;
	char *to = texts[turn++ % 8];

	if (result == LATE)
		return "still waits";
	if (result == OVER)
		return "nobody waits";
	if (result < 0)
		return strerrorname_np(errno) ?: "an error";
	snprintf(to, 24, "%ld", result);
	return to;
}

const char *events(int mask)
{
	static const struct {
		int bit;
		const char *name;
	} names[] = {{POLLIN, "IN"},       {POLLPRI, "PRI"}, {POLLOUT, "OUT"},
		     {POLLRDHUP, "RDHUP"}, {POLLERR, "ERR"}, {POLLHUP, "HUP"}};
	static char texts[4][64];
	static int turn;
	char *to = texts[turn++ % 4];

	*to = 0;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (mask & names[i].bit)
			strcat(strcat(to, *to ? "+" : ""), names[i].name);
	return *to ? to : "none";
}

/* One write for the whole line: several cases print at a time. */
static _Noreturn void end_case(void)
{
	char line[9000];
	int n = snprintf(line, sizeof(line), "%s %s\t%s\t%s\n", label, direction, way, text);

	if (write(1, line, n) != n)
		_exit(1);
	for (int i = 0; i < HANDS; i++)
		if (hands[i] > 0)
			kill(-hands[i], SIGKILL);
	_exit(0);
}

_Noreturn void give_up(const char *why)
{
	say(" [%s]", why);
	end_case();
}

static void too_long(int number)
{
	(void)number;
	give_up("the case HANGS");
}

void *room(size_t size)
{
	void *at = shared->small + shared->used;

	shared->used += (size + 63) & ~63ul;
	if (shared->used > SMALL)
		give_up("no room");
	memset(at, 0, size);
	return at;
}

/* ---- hands ---- */

static void pass_greeting(int over, int hand, const int *fds, int count)
{
	struct greeting greeting = {hand};
	struct iovec vector = {&greeting, sizeof(greeting)};
	char space[CMSG_SPACE(16 * sizeof(int))] = {};
	struct msghdr message = {.msg_iov = &vector,
				 .msg_iovlen = 1,
				 .msg_control = space,
				 .msg_controllen = CMSG_SPACE(count * sizeof(int))};
	struct cmsghdr *head = CMSG_FIRSTHDR(&message);

	head->cmsg_level = SOL_SOCKET;
	head->cmsg_type = SCM_RIGHTS;
	head->cmsg_len = CMSG_LEN(count * sizeof(int));
	memcpy(CMSG_DATA(head), fds, count * sizeof(int));
	if (sendmsg(over, &message, MSG_NOSIGNAL) < 0)
		give_up("no hand");
}

static void engage(int hand)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int over = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0), fds[LANES + 1] = {memory};
	struct reply reply;

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", paths[hand]);
	for (int tries = 0; connect(over, (struct sockaddr *)&address, sizeof(address)); tries++) {
		if (tries == 100)
			give_up("no hand");
		rest_ms(50);
	}
	for (int i = 0; i < LANES; i++) {
		int pair[2];

		if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
			give_up("no lane");
		lanes[hand][i] = pair[0];
		fds[i + 1] = pair[1];
	}
	pass_greeting(over, hand, fds, LANES + 1);
	if (recv(over, &reply, sizeof(reply), 0) != sizeof(reply) || reply.result <= 0)
		give_up("no hand");
	hands[hand] = reply.result;
	for (int i = 0; i < LANES; i++)
		close(fds[i + 1]);
	close(over);
	for (int i = 0; i < LANES; i++)
		while (!shared->threads[hand][i])
			rest_ms(1);
}

void begin(int hand, int lane, deed *what, const long *words)
{
	struct order order = {.what = what};

	if (engaged[hand][lane])
		give_up("the lane is engaged");
	memcpy(order.words, words, sizeof(order.words));
	if (send(lanes[hand][lane], &order, sizeof(order), MSG_NOSIGNAL) != sizeof(order))
		give_up("the hand has gone");
	engaged[hand][lane] = true;
}

long outcome(int hand, int lane, int ms)
{
	struct pollfd p = {.fd = lanes[hand][lane], .events = POLLIN};
	struct reply reply;

	if (!engaged[hand][lane])
		return OVER;
	if (poll(&p, 1, ms) <= 0)
		return LATE;
	if (recv(lanes[hand][lane], &reply, sizeof(reply), 0) != sizeof(reply))
		give_up("the hand has gone");
	engaged[hand][lane] = false;
	errno = reply.error;
	return reply.result;
}

long act(int hand, int lane, deed *what, const long *words)
{
	long result;

	begin(hand, lane, what, words);
	result = outcome(hand, lane, CALL_MS);
	if (result == LATE)
		give_up("HANGS");
	return result;
}

void until_in(int hand, int lane, long number)
{
	char path[64], line[256] = "";
	double end = now_ms() + 3000;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/syscall", hands[hand],
		 shared->threads[hand][lane]);
	while (now_ms() < end) {
		FILE *file = fopen(path, "r");

		if (file && fgets(line, sizeof(line), file) && strncmp(line, "running", 7) &&
		    strtol(line, NULL, 10) == number) {
			fclose(file);
			/* Asleep, but perhaps only for the socket's lock. */
			rest_ms(10);
			return;
		}
		if (file)
			fclose(file);
		rest_ms(1);
	}
	give_up("does not get into the call");
}

void interrupt(int hand, int lane, int number)
{
	syscall(SYS_tgkill, hands[hand], shared->threads[hand][lane], number);
}

void stop(int hand)
{
	kill(hands[hand], SIGSTOP);
	rest_ms(50);
}

void go_on(int hand)
{
	kill(hands[hand], SIGCONT);
	rest_ms(50);
}

/* ---- calls ---- */

long put(struct end end, const void *bytes, size_t count)
{
	return ACT(end.hand, put_all, end.fd, P(bytes), count);
}

long take(struct end end, void *to, size_t count, int ms)
{
	return ACT(end.hand, take_all, end.fd, P(to), count, ms);
}

long receive(struct end end, void *to, size_t count, int flags)
{
	return SYS(end.hand, recvfrom, end.fd, P(to), count, flags);
}

void begin_receive(struct end end, int lane, void *to, size_t count, int flags)
{
	BEGIN_SYS(end.hand, lane, recvfrom, end.fd, P(to), count, flags);
	until_in(end.hand, lane, SYS_recvfrom);
}

long transmit(struct end end, const void *bytes, size_t count, int flags)
{
	return SYS(end.hand, sendto, end.fd, P(bytes), count, flags | MSG_NOSIGNAL);
}

int polled(struct end end, int mask, int ms)
{
	struct pollfd *p = NEW(struct pollfd);

	*p = (struct pollfd){.fd = end.fd, .events = mask};
	return SYS(end.hand, poll, P(p), 1, ms) > 0 ? p->revents : 0;
}

bool readable(struct end end, int ms)
{
	return polled(end, POLLIN, ms) & POLLIN;
}

void until_waiting(struct end end, int count)
{
	int *waiting = NEW(int);
	double limit = now_ms() + 3000;

	do {
		SYS(end.hand, ioctl, end.fd, FIONREAD, P(waiting));
		if (*waiting >= count)
			return;
		rest_ms(1);
	} while (now_ms() < limit);
	say("(%d of %d bytes came) ", *waiting, count);
}

long set(struct end end, int level, int name, int value)
{
	int *at = NEW(int);

	*at = value;
	return SYS(end.hand, setsockopt, end.fd, level, name, P(at), sizeof(*at));
}

void keep_alive(struct end one, struct end other)
{
	for (int i = 0; i < 2; i++) {
		struct end end = i ? other : one;

		set(end, SOL_SOCKET, SO_KEEPALIVE, 1);
		set(end, IPPROTO_TCP, TCP_KEEPIDLE, 1);
		set(end, IPPROTO_TCP, TCP_KEEPINTVL, 1);
		set(end, IPPROTO_TCP, TCP_KEEPCNT, 2);
	}
}

int get(struct end end, int level, int name)
{
	struct {
		int value;
		socklen_t size;
	} *at = room(sizeof(*at));

	at->size = sizeof(at->value);
	if (SYS(end.hand, getsockopt, end.fd, level, name, P(&at->value), P(&at->size)))
		return -1;
	return at->value;
}

struct tcp_info info_of(struct end end)
{
	struct tcp_info *info = NEW(struct tcp_info);
	socklen_t *size = NEW(socklen_t);

	*size = sizeof(*info);
	SYS(end.hand, getsockopt, end.fd, IPPROTO_TCP, TCP_INFO, P(info), P(size));
	return *info;
}

long shut(struct end end, int how)
{
	return SYS(end.hand, shutdown, end.fd, how);
}

long shut_fd(struct end end)
{
	return SYS(end.hand, close, end.fd);
}

void reset(struct end end)
{
	struct linger *at_once = NEW(struct linger);

	at_once->l_onoff = 1;
	SYS(end.hand, setsockopt, end.fd, SOL_SOCKET, SO_LINGER, P(at_once), sizeof(*at_once));
	shut_fd(end);
}

void set_waiting(struct end end, bool waits)
{
	SYS(end.hand, fcntl, end.fd, F_SETFL, waits ? 0 : O_NONBLOCK);
}

void own_signals(struct end end)
{
	int own = SYS(end.hand, getpid);

	SYS(end.hand, fcntl, end.fd, F_SETOWN, own);
}

int poller_for(struct end end, int mask)
{
	struct epoll_event *event = NEW(struct epoll_event);
	int poller = SYS(end.hand, epoll_create1, 0);

	event->events = mask;
	event->data.fd = end.fd;
	SYS(end.hand, epoll_ctl, poller, EPOLL_CTL_ADD, end.fd, P(event));
	return poller;
}

bool edge(int hand, int poller, int ms, int *seen)
{
	struct epoll_event *event = NEW(struct epoll_event);
	bool comes = SYS(hand, epoll_wait, poller, P(event), 1, ms) > 0;

	if (seen)
		*seen = comes ? event->events : 0;
	return comes;
}

unsigned long inode_of(struct end end)
{
	struct stat *status = NEW(struct stat);

	SYS(end.hand, fstat, end.fd, P(status));
	return status->st_ino;
}

long name_of(struct end end, bool peer, struct sockaddr_storage *to)
{
	struct sockaddr_storage *at = NEW(struct sockaddr_storage);
	socklen_t *size = NEW(socklen_t);
	long result;

	*size = sizeof(*at);
	result = peer ? SYS(end.hand, getpeername, end.fd, P(at), P(size))
		      : SYS(end.hand, getsockname, end.fd, P(at), P(size));
	*to = *at;
	return result;
}

void make(size_t count)
{
	size_t head = 0, body = count;

	for (int i = 0; speaks_http && i < 4; i++) {
		head = other_way ? sprintf((char *)OUT,
					   "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", body)
				 : sprintf((char *)OUT,
					   "POST /message HTTP/1.1\r\nHost: %s\r\n"
					   "Content-Length: %zu\r\n\r\n",
					   host, body);
		body = count - head;
	}
	fill(OUT + head, head, count - head);
}

/* ---- connections ---- */

int port_number(int port)
{
	return first_port + job * PORTS_EACH + port;
}

void address_of(int port, int family, struct sockaddr_storage *to, socklen_t *size)
{
	struct naming *naming = NEW(struct naming);

	snprintf(naming->name, sizeof(naming->name), "%s", family == AF_INET6 ? host_six : host);
	naming->family = family;
	naming->port = port_number(port);
	for (int tries = 0; ACT(CLIENT, resolve, P(naming)); tries++) {
		if (tries == 30)
			give_up("the server's name is not known");
		rest_ms(100);
	}
	memset(to, 0, sizeof(*to));
	memcpy(to, naming->address, naming->size);
	*size = naming->size;
}

struct end listen_at(int port, int how)
{
	struct sockaddr_in6 *six = NEW(struct sockaddr_in6);
	struct sockaddr_in *four = NEW(struct sockaddr_in);
	int family = how & L_SIX ? AF_INET6 : AF_INET;
	int type = SOCK_STREAM | (how & L_POLLED ? SOCK_NONBLOCK : 0);
	struct end l = {SERVER, SYS(SERVER, socket, family, type, how & L_MPTCP ? 262 : 0)};
	long result;

	set(l, SOL_SOCKET, SO_REUSEADDR, 1);
	if (how & L_REUSEPORT)
		set(l, SOL_SOCKET, SO_REUSEPORT, 1);
	if (how & L_INHERIT) {
		set(l, SOL_SOCKET, SO_RCVLOWAT, 500);
		set(l, IPPROTO_TCP, TCP_NODELAY, 1);
		set(l, SOL_SOCKET, SO_KEEPALIVE, 1);
		set(l, SOL_SOCKET, SO_RCVBUF, 20000);
	}
	if (how & L_SIX)
		set(l, IPPROTO_IPV6, IPV6_V6ONLY, 1);
	*four = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port_number(port))};
	*six = (struct sockaddr_in6){.sin6_family = AF_INET6,
				     .sin6_port = htons(port_number(port))};
	/* The process that had the port in the case before may still be on its way out. */
	for (int tries = 0; tries < 100; tries++) {
		result = how & L_SIX ? SYS(SERVER, bind, l.fd, P(six), sizeof(*six))
				     : SYS(SERVER, bind, l.fd, P(four), sizeof(*four));
		if (!result || errno != EADDRINUSE)
			break;
		rest_ms(30);
	}
	if (result || SYS(SERVER, listen, l.fd, 1024)) {
		say("(listen: %s) ", told(-1));
		give_up("no listener");
	}
	if (how & L_DEFER)
		set(l, IPPROTO_TCP, TCP_DEFER_ACCEPT, 5);
	if (how & L_FASTOPEN)
		set(l, IPPROTO_TCP, TCP_FASTOPEN, 16);
	return l;
}

struct end dial(int port, int family, int protocol)
{
	struct sockaddr_storage *address = NEW(struct sockaddr_storage);
	int type = SOCK_STREAM | (never_waits ? SOCK_NONBLOCK : 0);
	struct end c = {CLIENT, SYS(CLIENT, socket, family, type, protocol)};
	socklen_t size;

	address_of(port, family, address, &size);
	if (SYS(CLIENT, connect, c.fd, P(address), size)) {
		if (errno == EINPROGRESS && polled(c, POLLOUT, 3000) & POLLOUT &&
		    !(errno = get(c, SOL_SOCKET, SO_ERROR)))
			return c;
		say("connect: %s ", told(-1));
		give_up("no connection");
	}
	return c;
}

struct end take_accepted(struct end listener, int ms)
{
	struct end s = {SERVER, -1};

	if (readable(listener, ms))
		s.fd = SYS(SERVER, accept4, listener.fd, 0, 0, never_waits ? SOCK_NONBLOCK : 0);
	return s;
}

static struct end listener_of_pairs(void)
{
	static struct end listener = {SERVER, -1};

	if (listener.fd < 0)
		listener = listen_at(0, never_waits ? L_POLLED : 0);
	return listener;
}

void open_pair(struct end *client, struct end *server)
{
	struct end listener = listener_of_pairs();

	*client = dial(0, AF_INET, 0);
	*server = take_accepted(listener, 3000);
	if (server->fd < 0)
		give_up("not accepted");
}

void open_six(struct end *client, struct end *server, bool mapped)
{
	struct end listener = listen_at(1, mapped ? 0 : L_SIX);
	struct sockaddr_in6 *six = NEW(struct sockaddr_in6);
	struct sockaddr_storage four;
	socklen_t size;

	if (!mapped) {
		*client = dial(1, AF_INET6, 0);
	} else {
		/* As Java's sockets call IPv4 addresses. */
		address_of(1, AF_INET, &four, &size);
		six->sin6_family = AF_INET6;
		six->sin6_port = ((struct sockaddr_in *)&four)->sin_port;
		six->sin6_addr.s6_addr[10] = six->sin6_addr.s6_addr[11] = 0xff;
		memcpy(six->sin6_addr.s6_addr + 12, &((struct sockaddr_in *)&four)->sin_addr, 4);
		*client = (struct end){CLIENT, SYS(CLIENT, socket, AF_INET6, SOCK_STREAM, 0)};
		if (SYS(CLIENT, connect, client->fd, P(six), sizeof(*six))) {
			say("connect: %s ", told(-1));
			give_up("no connection");
		}
	}
	*server = take_accepted(listener, 3000);
	if (server->fd < 0)
		give_up("not accepted");
}

void warm(struct end client, struct end server)
{
	struct tcp_info before;

	set(client, IPPROTO_TCP, TCP_NODELAY, 1);
	set(server, IPPROTO_TCP, TCP_NODELAY, 1);
	for (int i = 0; i < 3; i++) {
		before = info_of(client);
		if (put(client, "warm", 4) != 4 || take(server, IN, 4, 2000) != 4)
			give_up("a byte was lost");
		if (put(server, "warm", 4) != 4 || take(client, IN, 4, 2000) != 4)
			give_up("a byte was lost");
	}
	strcpy(way, info_of(client).tcpi_bytes_sent > before.tcpi_bytes_sent ? "tcp" : "past");
}

/*
 * HTTP: a connection, and the server's socket that its requests reach; through the proxy that may
 * be another one each time. The kernel needs some exchanges until it forwards them: the proxy's
 * first connection to a port shows how the server reads.
 */
static void open_http(struct end *client, struct end *server)
{
	static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
	struct end listener = listener_of_pairs();
	char *tag = room(32), *request = room(256);
	int size, before = -1, in_a_row = 0;

	sprintf(tag, "/of-%d ", getpid());
	size = sprintf(request, "GET %sHTTP/1.1\r\nHost: %s\r\n\r\n", tag, host);
	strcpy((char *)OUT, answer);
	*client = dial(0, AF_INET, 0);
	server->hand = SERVER;
	for (int i = 0; i < rounds && in_a_row < IN_A_ROW; i++) {
		__u64 by_tcp = info_of(*client).tcpi_bytes_sent;
		bool at_once;

		put(*client, request, size);
		server->fd = ACT(SERVER, await_request, listener.fd, P(tag), 0);
		at_once = server->fd >= 0;
		if (!at_once)
			server->fd = ACT(SERVER, await_request, listener.fd, P(tag), 3000);
		if (server->fd < 0)
			give_up("no request at the server");
		if (take(*server, IN, size, 1000) != size)
			give_up("the request was cut");
		put(*server, OUT, sizeof(answer) - 1);
		if (take(*client, IN, sizeof(answer) - 1, 2000) != sizeof(answer) - 1)
			give_up("the answer was cut");
		by_tcp = info_of(*client).tcpi_bytes_sent - by_tcp;
		in_a_row = at_once && !by_tcp && server->fd == before ? in_a_row + 1 : 0;
		before = server->fd;
		rest_ms(10);
	}
	strcpy(way, in_a_row == IN_A_ROW ? "kernel" : "proxy");
	if (other_way) {
		put(*client, request, size);
		server->fd = ACT(SERVER, await_request, listener.fd, P(tag), 3000);
		if (server->fd < 0 || take(*server, IN, size, 1000) != size)
			give_up("the request was lost");
	}
}

/* ---- cases ---- */

static const struct case_ *const all[] = {reading,  writing, ending,     waiting, interrupted,
					  splicing, streams, connecting, rings};

static void play(const struct case_ *c)
{
	struct end client = {CLIENT, -1}, server = {SERVER, -1};

	label = c->name;
	direction = c->is & BOTH ? (other_way ? "server" : "client") : "-";
	signal(SIGALRM, too_long);
	alarm(CASE_MS / 1000);
	memory = memfd_create("sockets", MFD_CLOEXEC);
	if (memory < 0 || ftruncate(memory, sizeof(struct common)) ||
	    mmap(SHARED_AT, sizeof(struct common), PROT_READ | PROT_WRITE,
		 MAP_SHARED | MAP_FIXED_NOREPLACE, memory, 0) != SHARED_AT)
		give_up("no memory");
	for (int i = 0; i < HANDS; i++)
		engage(i);
	if (speaks_http) {
		open_http(&client, &server);
	} else if (!(c->is & OWN)) {
		open_pair(&client, &server);
		warm(client, server);
	}
	if (c->is & BOTH && other_way)
		c->run(server, client);
	else
		c->run(client, server);
	end_case();
}

struct turn {
	const struct case_ *what;
	bool other_way;
};

static struct turn turns[1024];
static int turn_count;

static bool is_wanted(const char *name, char **words, int count)
{
	for (int i = 0; i < count; i++)
		if (!strcmp(words[i], name))
			return true;
	return !count;
}

static void collect(char **words, int count)
{
	for (int alone = 0; alone < 2; alone++)
		for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
			for (const struct case_ *c = all[i]; c->name; c++) {
				if (!!(c->is & ALONE) != alone || !is_wanted(c->name, words, count))
					continue;
				if (speaks_http &&
				    (!(c->is & HTTP) || (never_waits && c->is & WAITS)))
					continue;
				turns[turn_count++] = (struct turn){c, false};
				if (c->is & BOTH)
					turns[turn_count++] = (struct turn){c, true};
			}
}

/* As many children as there are jobs; one that disturbs the others runs when they have ended. */
static void play_all(int jobs)
{
	pid_t running[JOBS_MAX] = {};
	int left = 0, status;

	for (int next = 0; next < turn_count || left;) {
		int most = next < turn_count && turns[next].what->is & ALONE ? 1 : jobs;
		pid_t gone;

		if (next < turn_count && left < most) {
			for (job = 0; running[job]; job++)
				;
			other_way = turns[next].other_way;
			running[job] = fork();
			if (!running[job]) {
				prctl(PR_SET_PDEATHSIG, SIGKILL);
				play(turns[next].what);
			}
			next++;
			left++;
			continue;
		}
		gone = wait(&status);
		for (int i = 0; i < jobs; i++)
			if (running[i] == gone) {
				running[i] = 0;
				left--;
			}
	}
}

static int usage(void)
{
	fprintf(stderr, "usage: sockets hand PATH | sockets play CLIENT SERVER HOST HOST6 PORT WAY "
			"ROUNDS JOBS "
			"[CASE…]\n");
	return 2;
}

int main(int count, char **words)
{
	int jobs;

	if (count == 3 && !strcmp(words[1], "hand"))
		return hand_main(words[2]);
	if (count < 10 || strcmp(words[1], "play"))
		return usage();
	paths[CLIENT] = words[2];
	paths[SERVER] = words[3];
	host = words[4];
	host_six = words[5];
	first_port = atoi(words[6]);
	speaks_http = !strncmp(words[7], "http", 4);
	never_waits = !strcmp(words[7], "http-polled");
	rounds = atoi(words[8]);
	jobs = atoi(words[9]);
	if (jobs < 1 || jobs > JOBS_MAX)
		return usage();
	collect(words + 10, count - 10);
	play_all(jobs);
	return 0;
}
