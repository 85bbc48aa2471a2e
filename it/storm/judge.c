// SPDX-License-Identifier: Apache-2.0
/* Compares what both sides wrote down, says what may differ, and sees who hangs. */
#define _GNU_SOURCE
#include "storm.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HANG_NS   25000000000ull
#define FAILS_MAX 20
#define LAST      16 /* records that are told of each end */
#define NAME(op)  #op,

static const char *const names[] = {OPS(NAME)};
static const char *const which_names[] = {"twin", "mesh"}, *const end_names[] = {"client",
										 "server"};

/* What docs/splicing.md lists; storm.py names the line of each. */
enum kind {
	SAME,
	AGAIN,
	SPLICE_FROM,
	EARLY_CLOSE,
	NOTHING_ASKED,
	NOTHING_SENT,
	WAIT_ALL,
	TOLD_AGAIN,
	UNLISTED,
	KINDS
};

static const char *const kinds[] = {"same",        "again",         "splice-from",
				    "early-close", "nothing-asked", "nothing-sent",
				    "wait-all",    "told-again",    "unlisted"};

static struct {
	uint64_t records, of[KINDS];
	int fails;
} sums;

static enum kind compare(const struct record *twin, const struct record *mesh)
{
	bool same = twin->result == mesh->result && twin->error == mesh->error;
	int cut = twin->result >> 24, cut_mesh = mesh->result >> 24;

	if (twin->op != mesh->op || twin->slot != mesh->slot || twin->turn != mesh->turn)
		return UNLISTED;
	if (same && twin->odd == mesh->odd)
		return SAME;
	switch (twin->op) {
	case OP_RECV_NOTHING:
		return twin->result < 0 && mesh->result == 0 ? NOTHING_ASKED : UNLISTED;
	case OP_SEND_NOTHING:
		return twin->result < 0 && mesh->result == 0 ? NOTHING_SENT : UNLISTED;
	case OP_SEND ... OP_SPLICE_TO:
		return same && mesh->result < 0 && !twin->odd ? TOLD_AGAIN : UNLISTED;
	case OP_SPLICE_FROM:
		return same && !twin->odd ? SPLICE_FROM : UNLISTED;
	case OP_DRAIN:
		return same && twin->odd == ECONNRESET && mesh->odd == 0 ? EARLY_CLOSE : UNLISTED;
	case OP_PING_ALL:
		return same ? WAIT_ALL : UNLISTED;
	/* Signals wake the reader, and so does room for the other process's write. */
	case OP_FLOOD_BY_TWO:
	case OP_FLOOD_SIGNALLED:
		return same && !twin->odd ? AGAIN : UNLISTED;
	case OP_SIGNAL:
		return (twin->result & 0xffffff) == (mesh->result & 0xffffff) && !twin->odd &&
				       cut_mesh <= cut && cut <= cut_mesh + mesh->odd &&
				       mesh->odd <= 3
			       ? AGAIN
			       : UNLISTED;
	default:
		return UNLISTED;
	}
}

static void tell(const char *side, const struct record *record)
{
	printf("      %s turn %u connection %u %s: ", side, record->turn, record->slot,
	       names[record->op]);
	if (record->result < 0)
		printf("%s", strerrorname_np(record->error) ?: "?");
	else
		printf("%d", record->result);
	printf("%s%.0d\n", record->odd ? ", odd " : "", record->odd);
}

static void fail(const struct pair *pair, uint32_t episode, const char *what)
{
	printf("FAIL %s: pair %u, episode %u; repeat: --seed %lu --pair %u --episode %u --pairs 1 "
	       "--operations 1 --no-self-check\n",
	       what, pair->number, episode, pair->seed, pair->number, episode);
	sums.fails++;
}

/* What an end did before; of one connection, or of all (-1). */
static void tell_last(const struct log *log, const char *name, uint32_t until, int slot)
{
	uint32_t from = until, count = 0;

	while (from > 0 && count < LAST)
		from--, count += slot < 0 || log->records[from].slot == slot;
	for (; from < until; from++)
		if (slot < 0 || log->records[from].slot == slot)
			tell(name, &log->records[from]);
}

/* The first difference of an end says it; what follows may be its consequence. */
static void compare_episode(const struct pair *pair, uint32_t episode)
{
	for (int end = 0; end < ENDS; end++) {
		const struct log *twin = &pair->sides[TWIN].logs[episode & 1][end];
		const struct log *mesh = &pair->sides[MESH].logs[episode & 1][end];
		uint32_t count = twin->count > mesh->count ? twin->count : mesh->count;

		for (uint32_t i = 0; i < count; i++) {
			enum kind kind = i < twin->count && i < mesh->count
						 ? compare(&twin->records[i], &mesh->records[i])
						 : UNLISTED;

			sums.records++;
			sums.of[kind]++;
			if (kind != UNLISTED)
				continue;
			fail(pair, episode, end_names[end]);
			tell_last(twin, "both", i, twin->records[i].slot);
			tell("twin", &twin->records[i]);
			tell("mesh", &mesh->records[i]);
			fflush(stdout);
			break;
		}
	}
}

/* What is only seen while it lasts; true: nothing more can come of this pair. */
static bool is_over(struct pair *pair, uint32_t episode, uint64_t *calls, uint64_t *since)
{
	static const char *const broken[] = {"", "a wrong byte", "something does not come",
					     "too many bytes", "the end does not come"};

	for (int which = 0; which < SIDES; which++) {
		struct side *side = &pair->sides[which];
		uint64_t now = now_ns(), sum = side->calls[0] + side->calls[1];
		bool waits = side->done[0] >= pair->granted && side->done[1] >= pair->granted;

		if (waits || sum != calls[which] || !since[which]) {
			calls[which] = sum;
			since[which] = now;
		}
		if (!side->broken && now - since[which] < HANG_NS)
			continue;
		for (; side->done[0] > episode && side->done[1] > episode; episode++)
			;
		fail(pair, episode,
		     side->broken ? broken[side->broken] : "a call does not come back");
		printf("      on the %s: %s\n", which_names[which], side->broken_how);
		for (int end = 0; end < ENDS; end++) {
			const struct log *log = &side->logs[episode & 1][end];

			printf("      the %s's %s is in %s; before:\n", which_names[which],
			       end_names[end], names[side->now[end]]);
			tell_last(log, end_names[end], log->count, -1);
		}
		fflush(stdout);
		return true;
	}
	return false;
}

static uint64_t operations(const struct pair *pairs, int count)
{
	uint64_t sum = 0;

	for (int i = 0; i < count; i++)
		sum += pairs[i].sides[MESH].calls[0] + pairs[i].sides[MESH].calls[1];
	return sum;
}

static void tell_sums(const struct pair *pairs, int count)
{
	uint64_t ops[OP_COUNT] = {}, connections = 0, past = 0, bytes = 0, tcp = 0;

	for (int i = 0; i < count; i++) {
		const struct side *side = &pairs[i].sides[MESH];

		for (int end = 0; end < ENDS; end++) {
			for (int op = 0; op < OP_COUNT; op++)
				ops[op] += side->kinds[end][op];
			connections += side->connections[end];
			past += side->past[end];
			bytes += side->bytes[end];
			tcp += side->tcp_bytes[end];
		}
	}
	for (int op = 0; op < OP_COUNT; op++)
		printf("op %s %lu\n", names[op], ops[op]);
	for (int kind = AGAIN; kind < UNLISTED; kind++)
		printf("kind %s %lu\n", kinds[kind], sums.of[kind]);
	printf("sum operations %lu\nsum compared %lu\nsum ends %lu\nsum ends-past-tcp %lu\nsum "
	       "bytes %lu\nsum bytes-past-tcp %lu\n"
	       "sum fails %d\n",
	       operations(pairs, count), sums.records, connections, past, bytes, bytes - tcp,
	       sums.fails);
}

static struct pair *prepare(const char *file, int count)
{
	int fd = open(file, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0 || posix_fallocate(fd, 0, count * sizeof(struct pair))) {
		fprintf(stderr, "%s: %s\n", file, strerror(errno));
		exit(1);
	}
	close(fd);
	return map_pairs(file, count);
}

/* Watches one pair; true: another of its episodes has been compared. */
static bool watch(struct pair *pair, uint32_t episode, uint64_t *calls, uint64_t *since)
{
	uint32_t done = UINT32_MAX;

	if (is_over(pair, episode, calls, since)) {
		pair->over = 1;
		return false;
	}
	for (int n = 0; n < SIDES * ENDS; n++) {
		uint32_t its = pair->sides[n / ENDS].done[n % ENDS];

		done = its < done ? its : done;
	}
	if (done <= episode)
		return false;
	__sync_synchronize();
	compare_episode(pair, episode);
	return true;
}

/* FILE PAIRS OPERATIONS SEED FIRST-PAIR FIRST-EPISODE BREAK AT */
int judge_main(char **words)
{
	int count = atoi(words[1]), over = 0;
	uint64_t wanted = strtoull(words[2], NULL, 10), told = now_ns(), began = told;
	uint64_t calls[PAIRS][SIDES] = {}, since[PAIRS][SIDES] = {};
	uint32_t judged[PAIRS];
	struct pair *pairs;

	if (count < 1 || count > PAIRS)
		return 2;
	pairs = prepare(words[0], count);
	for (int i = 0; i < count; i++) {
		struct pair *pair = &pairs[i];

		pair->seed = strtoull(words[3], NULL, 10);
		pair->number = atoi(words[4]) + i;
		judged[i] = pair->first_episode = atoi(words[5]);
		pair->breaks = atoi(words[6]);
		pair->break_at = atoi(words[7]);
		for (int which = 0; which < SIDES; which++)
			pair->sides[which].done[0] = pair->sides[which].done[1] = judged[i];
		pair->granted = judged[i] + 2;
	}
	printf("ready\n");
	fflush(stdout);
	/* What was granted is played to its end and compared, so that every operation is. */
	while (over < count && sums.fails < FAILS_MAX) {
		bool enough = operations(pairs, count) >= wanted;

		usleep(2000);
		for (int i = 0; i < count; i++) {
			struct pair *pair = &pairs[i];

			if (pair->over)
				continue;
			if (watch(pair, judged[i], calls[i], since[i])) {
				judged[i]++;
				if (!enough)
					pair->granted = judged[i] + 2;
				else if (judged[i] == pair->granted)
					pair->over = 1;
			}
			over += pair->over;
		}
		if (now_ns() - told > 15000000000ull) {
			told = now_ns();
			printf("%lu operations in %lu s, %d failed\n", operations(pairs, count),
			       (told - began) / 1000000000, sums.fails);
			fflush(stdout);
		}
	}
	for (int i = 0; i < count; i++)
		pairs[i].over = 1;
	tell_sums(pairs, count);
	return sums.fails > 0;
}
