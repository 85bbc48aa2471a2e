// SPDX-License-Identifier: Apache-2.0
/* io_uring by its system calls: no library is needed that a host may lack. */
#define _GNU_SOURCE
#include "hand.h"

#include <errno.h>
#include <linux/io_uring.h>
#include <linux/time_types.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define BUFFERS 16 /* a power of two */
#define BUFFER  4096

struct ring {
	int fd;
	uint8_t *rings;
	struct io_uring_sqe *entries;
	struct io_uring_params about;
};

static unsigned *field(const struct ring *ring, unsigned offset)
{
	return (unsigned *)(ring->rings + offset);
}

static int open_ring(struct ring *ring)
{
	struct io_uring_params *p = &ring->about;
	size_t size, other;

	memset(ring, 0, sizeof(*ring));
	ring->fd = syscall(SYS_io_uring_setup, 8, p);
	if (ring->fd < 0)
		return -1;
	size = p->sq_off.array + p->sq_entries * sizeof(unsigned);
	other = p->cq_off.cqes + p->cq_entries * sizeof(struct io_uring_cqe);
	ring->rings = mmap(NULL, size > other ? size : other, PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_POPULATE, ring->fd, IORING_OFF_SQ_RING);
	ring->entries =
		mmap(NULL, p->sq_entries * sizeof(struct io_uring_sqe), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_POPULATE, ring->fd, IORING_OFF_SQES);
	return 0;
}

static long submit(struct ring *ring, const struct io_uring_sqe *what)
{
	unsigned *tail = field(ring, ring->about.sq_off.tail);
	unsigned at = *tail & (ring->about.sq_entries - 1);

	ring->entries[at] = *what;
	field(ring, ring->about.sq_off.array)[at] = at;
	__atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
	return syscall(SYS_io_uring_enter, ring->fd, 1, 0, 0, NULL, 0);
}

/* The next completion; false: none within so many ms. */
static bool complete(struct ring *ring, int ms, struct io_uring_cqe *told)
{
	unsigned *head = field(ring, ring->about.cq_off.head);
	unsigned *tail = field(ring, ring->about.cq_off.tail);
	double end = now_ms() + ms;

	while (*head == __atomic_load_n(tail, __ATOMIC_ACQUIRE)) {
		struct __kernel_timespec wait = {.tv_nsec = 10000000};
		struct io_uring_getevents_arg more = {.ts = (__u64)&wait};

		if (now_ms() > end)
			return false;
		syscall(SYS_io_uring_enter, ring->fd, 0, 1,
			IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG, &more, sizeof(more));
	}
	*told = ((struct io_uring_cqe *)(ring->rings +
					 ring->about.cq_off
						 .cqes))[*head & (ring->about.cq_entries - 1)];
	__atomic_store_n(head, *head + 1, __ATOMIC_RELEASE);
	return true;
}

static long once(int operation, const long *w)
{
	struct io_uring_sqe entry = {.opcode = operation, .fd = w[0], .addr = w[1], .len = w[2]};
	struct io_uring_cqe told = {.res = -ETIME};
	struct ring ring;

	if (open_ring(&ring))
		return -1;
	submit(&ring, &entry);
	complete(&ring, 3000, &told);
	close(ring.fd);
	errno = told.res < 0 ? -told.res : 0;
	return told.res < 0 ? -1 : told.res;
}

long ring_receive(const long *w)
{
	return once(IORING_OP_RECV, w);
}

long ring_send(const long *w)
{
	return once(IORING_OP_SEND, w);
}

long ring_send_zc(const long *w)
{
	struct told *to = (void *)w[1];
	struct io_uring_sqe entry = {
		.opcode = IORING_OP_SEND_ZC, .fd = w[0], .addr = (__u64)shared->out, .len = 20000};
	struct io_uring_cqe told = {};
	struct ring ring;

	to->result = -ETIME;
	if (open_ring(&ring))
		return -1;
	submit(&ring, &entry);
	while (complete(&ring, 1000, &told)) {
		if (told.flags & IORING_CQE_F_NOTIF)
			to->notified = 1;
		else
			to->result = told.res;
		if (!(told.flags & IORING_CQE_F_MORE))
			break;
	}
	close(ring.fd);
	return 0;
}

long ring_receive_many(const long *w)
{
	struct io_uring_buf_ring *buffers;
	struct io_uring_buf_reg about = {.ring_entries = BUFFERS};
	struct io_uring_sqe entry = {.opcode = IORING_OP_RECV,
				     .fd = w[0],
				     .ioprio = IORING_RECV_MULTISHOT,
				     .flags = IOSQE_BUFFER_SELECT};
	struct io_uring_cqe told;
	struct ring ring;
	uint8_t *room = malloc(BUFFERS * BUFFER);
	long got = 0;

	if (open_ring(&ring) || posix_memalign((void **)&buffers, 4096, 4096))
		return -1;
	memset(buffers, 0, 4096);
	about.ring_addr = (__u64)buffers;
	if (syscall(SYS_io_uring_register, ring.fd, IORING_REGISTER_PBUF_RING, &about, 1))
		return -1;
	for (int i = 0; i < BUFFERS; i++) {
		buffers->bufs[i].addr = (__u64)(room + i * BUFFER);
		buffers->bufs[i].len = BUFFER;
		buffers->bufs[i].bid = i;
	}
	__atomic_store_n(&buffers->tail, BUFFERS, __ATOMIC_RELEASE);
	submit(&ring, &entry);
	while (got < w[1] && complete(&ring, w[2], &told) && told.res > 0)
		got += told.res;
	close(ring.fd);
	free(buffers);
	free(room);
	return got;
}
