/*
 * Load for bench/scenarios/l4.py: short TCP connections and datagrams, as cheap in user space as it gets, so that the
 * path is what is measured.
 *
 *   l4load tcp-serve PORT                     accepts, reads once, answers one byte, closes
 *   l4load tcp-load HOST PORT SECONDS N    N processes: connect, one byte there and back, wait for the end
 *   l4load udp-serve PORT                     sends every datagram back
 *   l4load udp-load HOST PORT SECONDS WINDOW connected|unconnected
 *
 * The loaders print "count seconds cpu-seconds" on one line: connections, or datagrams that came back; the last is the
 * loader's own processor time.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAYLOAD 64

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static double processor_time(int who)
{
	struct rusage used;

	getrusage(who, &used);
	return used.ru_utime.tv_sec + used.ru_stime.tv_sec + (used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

static void report(long count, double begun)
{
	printf("%ld %f %f\n", count, now() - begun, processor_time(RUSAGE_SELF) + processor_time(RUSAGE_CHILDREN));
}

static struct sockaddr_in address_of(const char *host, const char *port)
{
	struct addrinfo *found, wanted = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM};
	struct sockaddr_in address;
	int err = getaddrinfo(host, port, &wanted, &found);

	if (err) {
		fprintf(stderr, "%s: %s\n", host, gai_strerror(err));
		exit(2);
	}
	memcpy(&address, found->ai_addr, sizeof(address));
	freeaddrinfo(found);
	return address;
}

static int bound(int type, const char *port)
{
	struct sockaddr_in any = address_of("0.0.0.0", port);
	int fd = socket(AF_INET, type, 0), on = 1;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) ||
	    bind(fd, (struct sockaddr *)&any, sizeof(any)))
		die("bind");
	return fd;
}

static void tcp_serve(const char *port)
{
	int listener = bound(SOCK_STREAM, port);
	char byte;

	if (listen(listener, 1024))
		die("listen");
	for (;;) {
		int fd = accept(listener, NULL, NULL);

		if (fd < 0)
			continue;
		if (read(fd, &byte, 1) == 1 && write(fd, &byte, 1) != 1)
			fprintf(stderr, "write: %s\n", strerror(errno));
		close(fd);
	}
}

/* The server closes first: its side keeps TIME_WAIT, the caller's ports are free at once. */
static long tcp_connections(const struct sockaddr_in *to, double until)
{
	long count = 0;
	char byte = 'x';

	while (now() < until) {
		int fd = socket(AF_INET, SOCK_STREAM, 0);

		if (fd < 0 || connect(fd, (const struct sockaddr *)to, sizeof(*to)))
			die("connect");
		if (write(fd, &byte, 1) != 1 || read(fd, &byte, 1) != 1 || read(fd, &byte, 1) != 0)
			die("exchange");
		close(fd);
		count++;
	}
	return count;
}

static void tcp_load(const char *host, const char *port, double seconds, int processes)
{
	struct sockaddr_in to = address_of(host, port);
	long *counts = mmap(NULL, processes * sizeof(long), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	double begun = now(), until = begun + seconds;
	long sum = 0;
	int status, bad = 0;

	for (int i = 0; i < processes; i++) {
		pid_t child = fork();

		if (child < 0)
			die("fork");
		if (!child) {
			counts[i] = tcp_connections(&to, until);
			exit(0);
		}
	}
	while (wait(&status) > 0)
		bad |= status;
	for (int i = 0; i < processes; i++)
		sum += counts[i];
	report(sum, begun);
	exit(bad ? 1 : 0);
}

static void udp_serve(const char *port)
{
	int fd = bound(SOCK_DGRAM, port);
	struct sockaddr_in from;
	char data[2048];

	for (;;) {
		socklen_t size = sizeof(from);
		ssize_t length = recvfrom(fd, data, sizeof(data), 0, (struct sockaddr *)&from, &size);

		if (length >= 0 && sendto(fd, data, length, 0, (struct sockaddr *)&from, size) < 0)
			fprintf(stderr, "sendto: %s\n", strerror(errno));
	}
}

/* Keeps a window of datagrams under way; one that is lost (none should be) is replaced after 100 ms. */
static void udp_load(const char *host, const char *port, double seconds, int window, int connected)
{
	struct sockaddr_in to = address_of(host, port), from;
	struct timeval patience = {.tv_usec = 100000};
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	double begun, until;
	char data[PAYLOAD] = "";
	long count = 0;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)))
		die("socket");
	if (connected && connect(fd, (struct sockaddr *)&to, sizeof(to)))
		die("connect");
	begun = now();
	until = begun + seconds;
	for (int outstanding = 0; now() < until;) {
		ssize_t length;

		for (; outstanding < window; outstanding++) {
			length = connected ? send(fd, data, sizeof(data), 0)
					   : sendto(fd, data, sizeof(data), 0, (struct sockaddr *)&to, sizeof(to));
			if (length < 0)
				die("send");
		}
		/* Half of the window is taken at a time, so that both sides work in runs. */
		while (outstanding > window / 2) {
			socklen_t size = sizeof(from);

			length = connected ? recv(fd, data, sizeof(data), 0)
					   : recvfrom(fd, data, sizeof(data), 0, (struct sockaddr *)&from, &size);
			if (length < 0) {
				if (errno != EAGAIN)
					die("receive");
				outstanding = 0;
				break;
			}
			if (!connected && from.sin_addr.s_addr != to.sin_addr.s_addr) {
				fprintf(stderr, "an answer from an address that was not asked\n");
				exit(1);
			}
			outstanding--;
			count++;
		}
	}
	report(count, begun);
}

int main(int argc, char **argv)
{
	signal(SIGPIPE, SIG_IGN);
	if (argc == 3 && !strcmp(argv[1], "tcp-serve"))
		tcp_serve(argv[2]);
	else if (argc == 6 && !strcmp(argv[1], "tcp-load"))
		tcp_load(argv[2], argv[3], atof(argv[4]), atoi(argv[5]));
	else if (argc == 3 && !strcmp(argv[1], "udp-serve"))
		udp_serve(argv[2]);
	else if (argc == 7 && !strcmp(argv[1], "udp-load"))
		udp_load(argv[2], argv[3], atof(argv[4]), atoi(argv[5]), !strcmp(argv[6], "connected"));
	else {
		fprintf(stderr, "usage: see the head of l4load.c\n");
		return 2;
	}
	return 0;
}
