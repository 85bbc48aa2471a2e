// SPDX-License-Identifier: Apache-2.0
/* The process of one end: which turn comes, and who acts in it. */
#define _GNU_SOURCE
#include "storm.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <netdb.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct me me;

static void ring(volatile uint32_t *bell)
{
	__atomic_fetch_add(bell, 1, __ATOMIC_SEQ_CST);
	syscall(SYS_futex, bell, FUTEX_WAKE, 1, NULL, NULL, 0);
}

static void listen_to(volatile uint32_t *bell, uint32_t seen)
{
	struct timespec most = {1, 0};

	syscall(SYS_futex, bell, FUTEX_WAIT, seen, &most, NULL, 0);
}

static bool is_ended(const struct conn *conn)
{
	const struct end *ends = conn->ends;

	return conn->was_reset || conn->hit || ends[0].shut_write || ends[0].shut_read ||
	       ends[0].closed || ends[1].shut_write || ends[1].shut_read || ends[1].closed;
}

/* What comes next depends on what both ends know, never on time. */
static void choose(struct plan *plan)
{
	struct rng rng = rng_at(plan->turn, 15);
	int slot = below(&rng, me.side->slots), actor = below(&rng, 2), what = below(&rng, 100);
	struct conn *conn = &me.side->conns[slot];
	const struct end *ends = conn->ends;
	bool ended = is_ended(conn),
	     quiet = ends[0].sent == ends[1].got && ends[1].sent == ends[0].got;

	plan->slot = slot;
	if (plan->turn == TURNS || me.side->broken) {
		plan->kind = FINISH;
		return;
	}
	if (!conn->open || (ends[0].closed && ends[1].closed)) {
		plan->kind = BOTH_DIAL;
		plan->actor = actor;
		*conn = (struct conn){.open = 1, .life = conn->life + 1, .seed = draw(&rng)};
		return;
	}
	if (ends[actor].closed)
		actor = !actor;
	if (conn->early)
		plan->kind = SOLO_END;
	else if (ended)
		plan->kind = what < 30 ? SOLO_SEND : what < 65 ? SOLO_RECEIVE : SOLO_END;
	else
		plan->kind = what < 36   ? SOLO_SEND
			     : what < 70 ? SOLO_RECEIVE
			     : what < 84 ? BOTH_PING
			     : what < 92 ? BOTH_FLOOD
			     : what < 94 ? BOTH_SIGNAL
			     : what < 97 ? SOLO_END
					 : SOLO_SEND;
	if (plan->kind >= BOTH_PING && !quiet) {
		plan->kind = SOLO_RECEIVE;
		actor = ends[0].sent != ends[1].got;
	}
	plan->actor = actor;
}

static void close_all(void)
{
	for (int slot = 0; slot < SLOTS; slot++)
		let_go(slot);
}

static bool take_part(const struct plan *plan)
{
	if (plan->kind == FINISH) {
		close_all();
		return false;
	}
	together(plan);
	return true;
}

/* After both acted: nothing is under way, and who waited for edges has taken them. */
static void settle(struct conn *conn)
{
	for (int i = 0; i < ENDS; i++)
		conn->ends[i].edge = conn->ends[i].messages = 0;
}

/* An end that holds the baton chooses; it keeps it until the other one is to act alone. */
static void play(void)
{
	struct side *side = me.side;
	volatile uint32_t *bell = &side->bell[me.end];
	bool given = false; /* the plan was chosen by the other end for this one */

	for (;;) {
		uint32_t seen = *bell;
		struct plan *plan = &side->plan;

		__sync_synchronize();
		if (side->holder != (uint32_t)me.end) {
			if (side->joint) {
				bool more = take_part(plan);

				side->joint = 0;
				__sync_synchronize();
				ring(&side->bell[!me.end]);
				if (!more)
					return;
				continue;
			}
			listen_to(bell, seen);
			given = true;
			continue;
		}
		if (!given)
			choose(plan);
		given = false;
		if (plan->kind < BOTH_DIAL && plan->actor == me.end) {
			solo(plan);
		} else if (plan->kind < BOTH_DIAL) {
			given = true;
			__sync_synchronize();
			side->holder = !me.end;
			ring(&side->bell[!me.end]);
			continue;
		} else {
			bool more;

			side->full = 0;
			__sync_synchronize();
			side->joint = 1;
			ring(&side->bell[!me.end]);
			more = take_part(plan);
			for (seen = *bell; side->joint; seen = *bell)
				listen_to(bell, seen);
			if (!more)
				return;
			settle(&side->conns[plan->slot]);
		}
		plan->turn++;
	}
}

/* The server is out of the last episode. */
static void prepare(struct side *side)
{
	static const uint32_t slots[] = {1, 1, 2, 2, 3, 4, 6, SLOTS};
	struct rng rng = rng_at(0xffff, 14);

	side->slots = slots[below(&rng, sizeof(slots) / sizeof(*slots))];
	memset(side->conns, 0, sizeof(side->conns));
	side->plan = (struct plan){};
	side->joint = 0;
	side->holder = CLIENT;
}

static void episode(void)
{
	struct side *side = me.side;

	side->logs[me.episode & 1][me.end].count = 0;
	me.sends = 0;
	if (me.end == CLIENT) {
		while (side->done[SERVER] != me.episode)
			usleep(50);
		prepare(side);
		__sync_synchronize();
		side->begun = me.episode + 1;
	} else {
		while (side->begun != me.episode + 1)
			usleep(50);
	}
	__sync_synchronize();
	play();
	__sync_synchronize();
	side->done[me.end] = me.episode + 1;
}

static void listen_at(void)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(me.port)};
	int on = 1;

	if (me.which == TWIN)
		at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	me.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(me.listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(me.listener, (struct sockaddr *)&at, sizeof(at)) || listen(me.listener, 64)) {
		fprintf(stderr, "port %d: %s\n", me.port, strerror(errno));
		exit(1);
	}
}

static void resolve(const char *name, char *to)
{
	struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *found;
	int error = EAI_AGAIN;

	/* Its server may have been registered only just now. */
	for (int i = 0; i < 100 && (error = getaddrinfo(name, NULL, &hints, &found)); i++)
		usleep(100000);
	if (error) {
		fprintf(stderr, "%s: %s\n", name, gai_strerror(error));
		exit(1);
	}
	memcpy(to, &((struct sockaddr_in *)found->ai_addr)->sin_addr, 4);
}

static void run(struct pair *pair, int which, int end, const char *host, int port)
{
	char address[4];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	me = (struct me){.pair = pair,
			 .side = &pair->sides[which],
			 .which = which,
			 .end = end,
			 .port = port};
	for (int i = 0; i < SLOTS; i++)
		me.fds[i] = me.edges[i] = -1;
	catch_signals();
	if (end == SERVER)
		listen_at();
	else
		resolve(host, address);
	me.host = address;
	me.side->pids[end] = getpid();
	while (end == CLIENT && !me.side->pids[SERVER])
		usleep(1000);
	for (me.episode = pair->first_episode; !pair->over; me.episode++) {
		while (pair->granted <= me.episode && !pair->over)
			usleep(500);
		if (pair->over)
			break;
		episode();
	}
}

struct pair *map_pairs(const char *file, int pairs)
{
	int fd = open(file, O_RDWR | O_CLOEXEC);
	struct pair *at = MAP_FAILED;

	if (fd >= 0)
		at = mmap(NULL, pairs * sizeof(struct pair), PROT_READ | PROT_WRITE, MAP_SHARED, fd,
			  0);
	if (at == MAP_FAILED) {
		fprintf(stderr, "%s: %s\n", file, strerror(errno));
		exit(1);
	}
	return at;
}

/* FILE PAIRS twin|mesh client|server HOST PORT: a process for each pair, whose port is PORT and so
 * many more. */
int end_main(char **words)
{
	int pairs = atoi(words[1]), which = strcmp(words[2], "mesh") == 0,
	    end = strcmp(words[3], "server") == 0;
	struct pair *at = map_pairs(words[0], pairs);

	for (int i = 0; i < pairs; i++) {
		if (fork())
			continue;
		run(&at[i], which, end, words[4], atoi(words[5]) + i);
		_exit(0);
	}
	while (wait(NULL) > 0)
		;
	return 0;
}
