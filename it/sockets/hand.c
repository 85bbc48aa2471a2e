// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "hand.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ACCEPTED 256

static int self; /* which hand this process is */

void fill(uint8_t *to, size_t place, size_t count)
{
	for (size_t i = 0; i < count; i++)
		to[i] = byte_at(place + i);
}

bool is_stream(const uint8_t *bytes, size_t place, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (bytes[i] != byte_at(place + i))
			return false;
	return true;
}

double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e3 + t.tv_nsec / 1e6;
}

void rest_ms(double ms)
{
	struct timespec t = {ms / 1000, (long)(ms * 1e6) % 1000000000};

	while (nanosleep(&t, &t) && errno == EINTR)
		;
}

static bool is_ready(int fd, short events, int ms)
{
	struct pollfd p = {.fd = fd, .events = events};

	return poll(&p, 1, ms) > 0;
}

long system_call(const long *w)
{
	return syscall(w[0], w[1], w[2], w[3], w[4], w[5], w[6]);
}

static ssize_t put(int fd, const uint8_t *bytes, size_t count)
{
	size_t done = 0;

	while (done < count) {
		ssize_t n = send(fd, bytes + done, count - done, MSG_NOSIGNAL);

		if (n < 0 && errno == EAGAIN && is_ready(fd, POLLOUT, 5000))
			continue;
		if (n < 0)
			return -1;
		done += n;
	}
	return done;
}

long put_all(const long *w)
{
	return put(w[0], (void *)w[1], w[2]);
}

long take_all(const long *w)
{
	uint8_t *room = (void *)w[1];
	long done = 0, count = w[2];

	while (done < count && is_ready(w[0], POLLIN, w[3])) {
		ssize_t n = recv(w[0], room + done, count - done, MSG_DONTWAIT);

		if (n < 0 && errno == EAGAIN)
			continue;
		if (n <= 0)
			break;
		done += n;
	}
	return done;
}

long pump(const long *w)
{
	size_t place = w[1], end = w[1] + w[2], room = w[3];
	uint8_t *bytes = malloc(room);

	while (place < end) {
		size_t n = 1 + (place * 31337 + room - 1) % room;

		if (n > end - place)
			n = end - place;
		fill(bytes, place, n);
		if (put(w[0], bytes, n) < 0)
			break;
		place += n;
	}
	free(bytes);
	return place - w[1];
}

long drain(const long *w)
{
	struct drained *to = (void *)w[1];
	size_t room = 70000;
	uint8_t *bytes = malloc(room);

	rest_ms(w[3]);
	for (;;) {
		size_t size = 1 + ((size_t)to->bytes * 7919) % room;
		ssize_t n;

		if (w[2] && !is_ready(w[0], POLLIN, 3000)) {
			to->error = ETIME;
			break;
		}
		n = recv(w[0], bytes, size, w[2] ? MSG_DONTWAIT : 0);
		if (n < 0 && errno == EAGAIN) {
			to->again++;
			continue;
		}
		if (n <= 0) {
			to->end = n == 0;
			to->error = n < 0 ? errno : 0;
			break;
		}
		to->wrong |= !is_stream(bytes, to->bytes, n);
		to->bytes += n;
	}
	free(bytes);
	return to->bytes;
}

long ask_often(const long *w)
{
	uint8_t bytes[4096];
	long answered = 0;

	memset(bytes, 'q', sizeof(bytes));
	for (long i = 0; i < w[1]; i++) {
		if (put(w[0], bytes, w[2]) < 0)
			break;
		for (long got = 0; got < w[2];) {
			ssize_t n = recv(w[0], bytes, w[2] - got, 0);

			if (n <= 0)
				return answered;
			got += n;
		}
		answered++;
	}
	return answered;
}

long answer_all(const long *w)
{
	uint8_t bytes[4096];
	long again = 0;

	for (;;) {
		ssize_t n = recv(w[0], bytes, sizeof(bytes), 0);

		if (n < 0 && errno == EAGAIN) {
			again++;
			continue;
		}
		if (n <= 0 || put(w[0], bytes, n) < 0)
			return again;
	}
}

/* As Go's io.Copy: splice as long as there is something, then wait for readability. */
long relay(const long *w)
{
	struct moved *moved = (void *)w[3];
	struct epoll_event wanted = {.events = EPOLLIN | EPOLLRDHUP | (w[2] ? EPOLLET : 0)}, event;
	int pipes[2], poller = epoll_create1(0);

	if (pipe2(pipes, O_NONBLOCK))
		return -1;
	fcntl(w[0], F_SETFL, O_NONBLOCK);
	epoll_ctl(poller, EPOLL_CTL_ADD, w[0], &wanted);
	while (!moved->stop) {
		ssize_t n = splice(w[0], NULL, pipes[1], NULL, 1 << 16, SPLICE_F_NONBLOCK);

		if (n < 0 && errno == EAGAIN) {
			epoll_wait(poller, &event, 1, 100);
			continue;
		}
		if (n <= 0)
			break;
		while (n > 0) {
			ssize_t out = splice(pipes[0], NULL, w[1], NULL, n, 0);

			if (out < 0 && errno == EAGAIN) {
				is_ready(w[1], POLLOUT, 100);
				continue;
			}
			if (out < 0)
				return -1;
			n -= out;
			moved->bytes += out;
		}
	}
	shutdown(w[1], SHUT_WR);
	return moved->bytes;
}

long write_records(const long *w)
{
	long written = 0;
	uint8_t *record = malloc(w[2]);

	memset(record, w[1], w[2]);
	record[0] = '<';
	record[w[2] - 1] = '>';
	while (written < w[3] && send(w[0], record, w[2], MSG_NOSIGNAL) == w[2])
		written++;
	free(record);
	return written;
}

long resolve(const long *w)
{
	struct naming *to = (void *)w[0];
	struct addrinfo hint = {.ai_family = to->family, .ai_socktype = SOCK_STREAM}, *found;
	char port[8];
	int status;

	snprintf(port, sizeof(port), "%d", to->port);
	status = getaddrinfo(to->name, port, &hint, &found);
	if (status) {
		errno = status == EAI_SYSTEM ? errno : EADDRNOTAVAIL;
		return -1;
	}
	to->size = found->ai_addrlen;
	memcpy(to->address, found->ai_addr, found->ai_addrlen);
	freeaddrinfo(found);
	return 0;
}

/*
 * The proxy chooses the connection. One that has ended, or that brings the proxy's second try of a
 * case before, is closed.
 */
long await_request(const long *w)
{
	static int accepted[ACCEPTED], count;
	const char *tag = (void *)w[1];
	int flags = fcntl(w[0], F_GETFL) & O_NONBLOCK ? SOCK_NONBLOCK : 0;
	double end = now_ms() + w[2];

	do {
		for (int i = count - 1; i >= 0; i--) {
			char start[64] = "";

			if (!is_ready(accepted[i], POLLIN, 0))
				continue;
			if (recv(accepted[i], start, sizeof(start) - 1, MSG_PEEK | MSG_DONTWAIT) >
				    0 &&
			    strstr(start, tag))
				return accepted[i];
			close(accepted[i]);
			accepted[i] = accepted[--count];
		}
		while (count < ACCEPTED && is_ready(w[0], POLLIN, 0)) {
			int fd = accept4(w[0], NULL, NULL, flags);

			if (fd >= 0)
				accepted[count++] = fd;
		}
		if (count && w[2])
			is_ready(accepted[count - 1], POLLIN, 1);
		else if (w[2])
			is_ready(w[0], POLLIN, 1);
	} while (now_ms() < end);
	errno = ETIME;
	return -1;
}

static void counted(int number)
{
	shared->signals[self][number]++;
}

long count_signal(const long *w)
{
	struct sigaction action = {.sa_handler = counted, .sa_flags = w[1]};

	shared->signals[self][w[0]] = 0;
	return sigaction(w[0], &action, NULL);
}

static int pass(int over, int fd)
{
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(sizeof(int))];
	} control = {.head = {CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS}};
	struct iovec vector = {"!", 1};
	struct msghdr message = {.msg_iov = &vector,
				 .msg_iovlen = 1,
				 .msg_control = &control,
				 .msg_controllen = sizeof(control)};

	memcpy(CMSG_DATA(&control.head), &fd, sizeof(fd));
	return sendmsg(over, &message, 0) == 1 ? 0 : -1;
}

/* Takes up to `most` descriptors, and what comes with them; how many. */
static int take_passed(int over, void *room, size_t size, int *fds, int most)
{
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(16 * sizeof(int))];
	} control;
	struct iovec vector = {room, size};
	struct msghdr message = {.msg_iov = &vector,
				 .msg_iovlen = 1,
				 .msg_control = &control,
				 .msg_controllen = sizeof(control)};
	struct cmsghdr *head;
	int count;

	if (recvmsg(over, &message, 0) <= 0)
		return -1;
	head = CMSG_FIRSTHDR(&message);
	if (!head || head->cmsg_type != SCM_RIGHTS)
		return 0;
	count = (head->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	memcpy(fds, CMSG_DATA(head), (count < most ? count : most) * sizeof(int));
	return count;
}

static long child_result(pid_t child)
{
	int status;

	if (child < 0 || waitpid(child, &status, 0) < 0)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 256 + WTERMSIG(status);
}

static int read_as_told(int fd, const long *w)
{
	long words[WORDS] = {fd, w[1], w[2], 1000};

	return take_all(words) == w[2] ? 0 : 1;
}

long pass_on(const long *w)
{
	int pair[2];
	pid_t child;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair))
		return -1;
	child = fork();
	if (!child) {
		char mark;
		int fd;

		close(w[0]);
		_exit(take_passed(pair[1], &mark, 1, &fd, 1) == 1 ? read_as_told(fd, w) : 2);
	}
	if (pass(pair[0], w[0]))
		return -1;
	return child_result(child);
}

long inherit(const long *w)
{
	pid_t child = fork();

	if (!child) {
		rest_ms(50);
		_exit(read_as_told(w[0], w));
	}
	close(w[0]);
	return child_result(child);
}

long become_cat(const long *w)
{
	pid_t child = fork();

	if (!child) {
		dup2(w[0], 0);
		dup2(w[0], 1);
		closefrom(3);
		execlp("cat", "cat", NULL);
		_exit(127);
	}
	close(w[0]);
	return child_result(child);
}

long bear(const long *w)
{
	pid_t child = fork();

	if (!child) {
		rest_ms(w[0]);
		_exit(0);
	}
	return child;
}

struct lane {
	int number, fd;
};

static void *serve_lane(void *argument)
{
	struct lane lane = *(struct lane *)argument;
	struct order order;

	free(argument);
	shared->threads[self][lane.number] = gettid();
	while (recv(lane.fd, &order, sizeof(order), 0) == sizeof(order)) {
		struct reply reply;

		errno = 0;
		reply.result = order.what(order.words);
		reply.error = errno;
		if (send(lane.fd, &reply, sizeof(reply), MSG_NOSIGNAL) < 0)
			break;
	}
	/* The script has gone; other lanes may be in a call that never returns. */
	kill(0, SIGKILL);
	return NULL;
}

static void serve(const struct greeting *greeting, const int *fds, int count)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGCHLD, SIG_DFL);
	setpgid(0, 0);
	self = greeting->hand;
	if (mmap(SHARED_AT, sizeof(struct common), PROT_READ | PROT_WRITE,
		 MAP_SHARED | MAP_FIXED_NOREPLACE, fds[0], 0) != SHARED_AT)
		_exit(1);
	for (int i = 1; i < count; i++) {
		struct lane *lane = malloc(sizeof(*lane));
		pthread_t thread;

		*lane = (struct lane){i - 1, fds[i]};
		if (pthread_create(&thread, NULL, serve_lane, lane))
			_exit(1);
	}
	for (;;)
		pause();
}

/* Waits for scripts at a Unix socket; for each case a process of its own serves. */
int hand_main(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int door = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0), script;

	signal(SIGCHLD, SIG_IGN);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	unlink(path);
	if (bind(door, (struct sockaddr *)&address, sizeof(address)) || listen(door, 64)) {
		perror(path);
		return 1;
	}
	while ((script = accept4(door, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
		struct greeting greeting;
		int fds[16], count = take_passed(script, &greeting, sizeof(greeting), fds, 16);
		struct reply reply;

		if (count == LANES + 1) {
			reply.result = fork();
			if (!reply.result) {
				close(door);
				close(script);
				serve(&greeting, fds, count);
			}
			send(script, &reply, sizeof(reply), MSG_NOSIGNAL);
		}
		for (int i = 0; i < count; i++)
			close(fds[i]);
		close(script);
	}
	return 0;
}
