// SPDX-License-Identifier: Apache-2.0
/* Every way to send. */
#define _GNU_SOURCE
#include "storm.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define FILE_SIZE (16 << 20)

/* Pieces of random sizes, some of them empty, not the first one. */
static int cut(struct rng *rng, struct iovec *pieces, int most, uint8_t *bytes, size_t count)
{
	int n = 1 + below(rng, most), i = 0;

	for (; i < n - 1; i++) {
		size_t size = i ? below(rng, count + 1) : 1 + below(rng, count);

		pieces[i] = (struct iovec){bytes, size};
		bytes += size;
		count -= size;
	}
	pieces[i] = (struct iovec){bytes, count};
	return n;
}

static long by_messages(struct rng *rng, int fd, uint8_t *bytes, size_t count, int flags)
{
	struct mmsghdr messages[2] = {};
	struct iovec pieces[2];
	/* No empty ones: to send nothing is an operation of its own. */
	size_t first = 1 + below(rng, count);
	int n = first < count ? 2 : 1;
	long sent = 0;

	pieces[0] = (struct iovec){bytes, first};
	pieces[1] = (struct iovec){bytes + first, count - first};

	for (int i = 0; i < n; i++) {
		messages[i].msg_hdr.msg_iov = &pieces[i];
		messages[i].msg_hdr.msg_iovlen = 1;
	}
	n = sendmmsg(fd, messages, n, flags);
	if (n < 0)
		return n;
	for (int i = 0; i < n; i++)
		sent += messages[i].msg_len;
	return sent;
}

/* The pages themselves are sent: none is written again before it was read for long. */
static long by_file(int fd, const uint8_t *bytes, size_t count)
{
	static int file = -1;
	static off_t *at; /* children go on where this process is */
	off_t from;

	if (file < 0) {
		file = memfd_create("storm", MFD_CLOEXEC);
		at = mmap(NULL, sizeof(*at), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
			  0);
		if (file < 0 || at == MAP_FAILED || ftruncate(file, FILE_SIZE))
			abort();
	}
	if (*at + count > FILE_SIZE)
		*at = 0;
	from = *at;
	*at += count;
	if (pwrite(file, bytes, count, from) != (ssize_t)count)
		abort();
	return sendfile(fd, file, &from, count);
}

static long by_pipe(int fd, const uint8_t *bytes, size_t count, int flags)
{
	int ends[2], error;
	long sent = 0, n = 0;

	if (pipe2(ends, O_CLOEXEC) || write(ends[1], bytes, count) != (ssize_t)count)
		abort();
	while (sent < (long)count) {
		n = splice(ends[0], NULL, fd, NULL, count - sent, flags);
		if (n <= 0)
			break;
		sent += n;
	}
	error = errno;
	close(ends[0]);
	close(ends[1]);
	errno = error;
	return sent ?: n;
}

/* A fault that the suite has to find; how many of the bytes are really sent. */
static size_t break_it(uint8_t *bytes, size_t count)
{
	uint8_t first = bytes[0];

	switch (me.pair->breaks) {
	case BREAK_FLIP:
		bytes[count / 2] ^= 16;
		return count;
	case BREAK_LOSE:
		memmove(bytes, bytes + 1, count - 1);
		return count - 1;
	case BREAK_SWAP:
		bytes[0] = bytes[count - 1];
		bytes[count - 1] = first;
		return count;
	case BREAK_DOUBLE:
		memmove(bytes + 1, bytes, count);
		return count + 1;
	case BREAK_HANG:
		pause();
	}
	return count;
}

static bool breaks_now(const uint8_t *bytes, size_t count)
{
	if (!me.pair->breaks || me.which != TWIN || me.end != CLIENT ||
	    ++me.sends < (uint64_t)me.pair->break_at)
		return false;
	if (count < 2 || bytes[0] == bytes[count - 1] || me.pair->breaks == BREAK_END)
		return false;
	me.sends = INT64_MIN;
	return true;
}

static size_t random_size(struct rng *rng, size_t room)
{
	static const size_t edges[] = {1, 2, 1448, 1460, 4095, 4096, 4097, 8192, 16384};
	size_t size;

	switch (below(rng, 8)) {
	case 0:
		size = edges[below(rng, sizeof(edges) / sizeof(*edges))];
		break;
	case 1:
		size = 1 + below(rng, 16384);
		break;
	case 2 ... 3:
		size = 1 + below(rng, 2048);
		break;
	default:
		size = 1 + below(rng, 200);
	}
	return size < room ? size : room;
}

/* The answer to bytes that come to nobody; what they were is not part of the stream. */
static void await_answer(int slot, long sent)
{
	struct pollfd one = {me.fds[slot], 0, 0};

	if (!is_deaf(theirs(slot)))
		return;
	if (!theirs(slot)->closed && sent > 0)
		mine(slot)->sent -= sent;
	if (!me.side->conns[slot].hit && poll(&one, 1, 2000) == 0)
		broke(E_NO_END, "nobody will read, but nothing is said");
	me.side->conns[slot].hit = 1;
}

static void send_nothing(int slot)
{
	long n;

	begin_call(OP_SEND_NOTHING);
	n = send(me.fds[slot], "", 0, MSG_NOSIGNAL);
	write_down(OP_SEND_NOTHING, slot, n, errno);
	take_error(slot);
}

void send_by(struct rng *rng, int slot, size_t count)
{
	static const int ops[] = {OP_SEND,    OP_SEND,     OP_SEND,     OP_SEND,
				  OP_WRITE,   OP_WRITE,    OP_WRITEV,   OP_WRITEV,
				  OP_SENDMSG, OP_SENDMMSG, OP_SENDFILE, OP_SPLICE_TO};
	static const int flags_of[] = {
		0, 0, 0, 0, MSG_DONTWAIT, MSG_DONTWAIT, MSG_MORE, MSG_MORE | MSG_DONTWAIT};
	int op = ops[below(rng, sizeof(ops) / sizeof(*ops))],
	    flags = flags_of[below(rng, 8)] | MSG_NOSIGNAL;
	size_t real = count;
	struct iovec pieces[8];
	struct msghdr message = {.msg_iov = pieces};
	struct record *record;
	uint8_t *bytes = scratch();
	int fd = me.fds[slot];
	bool breaks;
	long n = -1;

	pattern_fill(bytes, bytes_seed(&me.side->conns[slot], me.end), mine(slot)->sent, count);
	breaks = breaks_now(bytes, count);
	begin_call(op);
	if (breaks)
		real = break_it(bytes, count);
	/* The other end may not know of bytes before they are sent, and has to when they come. */
	mine(slot)->sent += count;
	if (flags & MSG_MORE)
		hold_back();
	switch (op) {
	case OP_SEND:
		n = send(fd, bytes, real, flags);
		break;
	case OP_WRITE:
		n = write(fd, bytes, real);
		break;
	case OP_WRITEV:
		n = writev(fd, pieces, cut(rng, pieces, 8, bytes, real));
		break;
	case OP_SENDMSG:
		message.msg_iovlen = cut(rng, pieces, 8, bytes, real);
		n = sendmsg(fd, &message, flags);
		break;
	case OP_SENDMMSG:
		n = by_messages(rng, fd, bytes, real, flags);
		break;
	case OP_SENDFILE:
		n = by_file(fd, bytes, real);
		break;
	case OP_SPLICE_TO:
		n = by_pipe(fd, bytes, real, flags & MSG_MORE ? SPLICE_F_MORE : 0);
		break;
	}
	if (breaks && me.pair->breaks == BREAK_ERROR)
		n = -1, errno = EPIPE;
	else if (breaks && n > 0)
		n = count;
	mine(slot)->sent -= count - (n > 0 ? n : 0);
	mine(slot)->messages++;
	if (n > 0)
		theirs(slot)->edge = 1;
	record = write_down(op, slot, n, errno);
	if (n < 0 && errno != EAGAIN)
		record->odd = take_error(slot);
	if (is_deaf(theirs(slot)))
		flush(slot);
	await_answer(slot, n);
}

void send_some(struct rng *rng, int slot, size_t room)
{
	if (one_in(rng, 50))
		send_nothing(slot);
	else
		send_by(rng, slot, random_size(rng, room));
}
