// SPDX-License-Identifier: Apache-2.0
/* Every way to receive, where it is known what lies there. */
#define _GNU_SOURCE
#include "storm.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <unistd.h>

/* The bytes lie one after the other at `bytes`. */
static void took(int op, int slot, const uint8_t *bytes, long n)
{
	int error = errno;

	if (n > 0)
		check_bytes(slot, bytes, mine(slot)->got, n);
	if (n > 0)
		note_received(slot, n);
	write_down(op, slot, n, error);
}

static int cut(struct rng *rng, struct iovec *pieces, int most, uint8_t *bytes, size_t count)
{
	int n = 1 + below(rng, most);

	for (int i = 0; i < n; i++) {
		pieces[i] = (struct iovec){bytes, i == n - 1 ? count : below(rng, count + 1)};
		bytes += pieces[i].iov_len;
		count -= pieces[i].iov_len;
	}
	return n;
}

static void by_messages(struct rng *rng, int slot, size_t count)
{
	struct mmsghdr messages[4] = {};
	struct iovec pieces[4];
	uint8_t *bytes = scratch();
	int want = 1 + below(rng, 4), n, error;
	long sum = 0;

	for (int i = 0; i < want; i++) {
		pieces[i] = (struct iovec){bytes + (size_t)i * count, count};
		messages[i].msg_hdr.msg_iov = &pieces[i];
		messages[i].msg_hdr.msg_iovlen = 1;
	}
	begin_call(OP_RECVMMSG);
	n = recvmmsg(me.fds[slot], messages, want, MSG_DONTWAIT, NULL);
	error = errno;
	for (int i = 0; i < n; i++) {
		check_bytes(slot, pieces[i].iov_base, mine(slot)->got, messages[i].msg_len);
		note_received(slot, messages[i].msg_len);
		sum += messages[i].msg_len;
	}
	write_down(OP_RECVMMSG, slot, n < 0 ? n : sum | (long)n << 24, error);
}

static void nothing_comes(struct rng *rng, int slot)
{
	struct timeval brief = {0, 1000 + below(rng, 3000)}, for_ever = {};
	uint8_t byte;
	long n;

	begin_call(OP_RECV_TIMED);
	setsockopt(me.fds[slot], SOL_SOCKET, SO_RCVTIMEO, &brief, sizeof(brief));
	n = recv(me.fds[slot], &byte, 1, 0);
	took(OP_RECV_TIMED, slot, &byte, n);
	setsockopt(me.fds[slot], SOL_SOCKET, SO_RCVTIMEO, &for_ever, sizeof(for_ever));
}

/*
 * As a relay does it. A spliced socket gives nothing to splice(2), although bytes lie there: then
 * the same bytes are received in another way, so that both sides stay together.
 */
static void by_pipe(int slot, size_t count)
{
	uint8_t *bytes = scratch();
	int fd = me.fds[slot], flags = fcntl(fd, F_GETFL), ends[2], odd = 0;
	size_t moved = 0;
	long n = 0;

	if (count > unread(slot))
		count = unread(slot);
	if (pipe2(ends, O_CLOEXEC))
		abort();
	fcntl(fd, F_SETFL, flags | O_NONBLOCK);
	begin_call(OP_SPLICE_FROM);
	do {
		n = splice(fd, NULL, ends[1], NULL, count ? count - moved : 1000,
			   SPLICE_F_NONBLOCK);
		if (n > 0 && read(ends[0], bytes, n) != n)
			abort();
		if (n <= 0 && count) {
			odd++;
			n = recv(fd, bytes, count - moved, MSG_DONTWAIT);
		}
		if (n <= 0)
			break;
		check_bytes(slot, bytes, mine(slot)->got, n);
		note_received(slot, n);
		moved += n;
	} while (moved < count);
	write_down(OP_SPLICE_FROM, slot, moved ?: n, errno)->odd = odd < 255 ? odd : 255;
	fcntl(fd, F_SETFL, flags);
	close(ends[0]);
	close(ends[1]);
}

void receive_some(struct rng *rng, int slot)
{
	static const int ops[] = {OP_RECV,        OP_RECV,       OP_RECV,       OP_RECV,
				  OP_READ,        OP_READ,       OP_READV,      OP_READV,
				  OP_RECVMSG,     OP_RECVMMSG,   OP_PEEK,       OP_PEEK,
				  OP_PEEK,        OP_RECV_ALL,   OP_RECV_TRUNC, OP_RECV_NOTHING,
				  OP_RECV_ERRORS, OP_RECV_TIMED, OP_SPLICE_FROM};
	int op = ops[below(rng, sizeof(ops) / sizeof(*ops))], fd = me.fds[slot], flags;
	size_t lies = unread(slot),
	       count = 1 + below(rng, one_in(rng, 4) ? 40000 : 1 + 2 * (lies < 4000 ? lies : 4000));
	struct iovec pieces[8];
	struct msghdr message = {.msg_iov = pieces};
	uint8_t *bytes = scratch();
	/* With nothing there and no end in sight, a call that waits would wait for ever. */
	bool may_wait =
		lies || theirs(slot)->shut_write || theirs(slot)->closed || mine(slot)->shut_read;

	flags = !may_wait || one_in(rng, 3) ? MSG_DONTWAIT : 0;
	if (op == OP_RECV_TIMED && (may_wait || mine(slot)->nonblock || !one_in(rng, 20)))
		op = OP_RECV;
	/* Of a spliced socket it would take the error, for there are no bytes before it. */
	if (op == OP_SPLICE_FROM && (me.side->conns[slot].was_reset || me.side->conns[slot].hit))
		op = OP_RECVMSG;
	if ((op == OP_READ || op == OP_READV) && !may_wait && !mine(slot)->nonblock)
		op = OP_RECVMSG;
	switch (op) {
	case OP_RECV:
		begin_call(op);
		took(op, slot, bytes, recv(fd, bytes, count, flags));
		break;
	case OP_READ:
		begin_call(op);
		took(op, slot, bytes, read(fd, bytes, count));
		break;
	case OP_READV:
		begin_call(op);
		took(op, slot, bytes, readv(fd, pieces, cut(rng, pieces, 8, bytes, count)));
		break;
	case OP_RECVMSG:
		begin_call(op);
		message.msg_iovlen = cut(rng, pieces, 8, bytes, count);
		took(op, slot, bytes, recvmsg(fd, &message, flags));
		break;
	case OP_RECVMMSG:
		by_messages(rng, slot, count);
		break;
	case OP_PEEK: {
		long n;
		int error;

		begin_call(op);
		n = recv(fd, bytes, count, MSG_PEEK | flags);
		error = errno;
		if (n > 0)
			check_bytes(slot, bytes, mine(slot)->got, n);
		write_down(op, slot, n, error);
		break;
	}
	case OP_RECV_ALL:
		begin_call(op);
		took(op, slot, bytes,
		     recv(fd, bytes, lies && count > lies ? lies : count,
			  MSG_WAITALL | (lies ? 0 : MSG_DONTWAIT)));
		break;
	case OP_RECV_TRUNC: {
		long n;
		int error;

		begin_call(op);
		n = recv(fd, bytes, count, MSG_TRUNC | flags);
		error = errno;
		if (n > (long)lies)
			broke(E_MORE, "%ld bytes where %zu lay", n, lies);
		else if (n > 0)
			note_received(slot, n);
		write_down(op, slot, n, error);
		break;
	}
	case OP_RECV_NOTHING:
		begin_call(op);
		took(op, slot, bytes, recv(fd, bytes, 0, MSG_DONTWAIT));
		if (me.side->conns[slot].was_reset || me.side->conns[slot].hit)
			take_error(slot);
		break;
	case OP_RECV_ERRORS:
		begin_call(op);
		took(op, slot, bytes, recv(fd, bytes, count, MSG_ERRQUEUE));
		break;
	case OP_RECV_TIMED:
		nothing_comes(rng, slot);
		break;
	case OP_SPLICE_FROM:
		by_pipe(slot, one_in(rng, 2) ? count : lies);
		break;
	}
}
