// SPDX-License-Identifier: Apache-2.0
/* A socket goes to another process over a Unix socket, or back to the same one. */
#define _GNU_SOURCE
#include "storm.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

void pass_on(int slot, int to)
{
	char byte = 1, room[CMSG_SPACE(sizeof(int))] = {};
	struct iovec one = {&byte, 1};
	struct msghdr message = {.msg_iov = &one,
				 .msg_iovlen = 1,
				 .msg_control = room,
				 .msg_controllen = sizeof(room)};
	struct cmsghdr *head = CMSG_FIRSTHDR(&message);

	head->cmsg_level = SOL_SOCKET;
	head->cmsg_type = SCM_RIGHTS;
	head->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(head), &me.fds[slot], sizeof(int));
	if (sendmsg(to, &message, 0) != 1)
		abort();
}

/* Gives up its own descriptor first, so that nobody has the socket meanwhile. False: none came. */
bool take_passed(int slot, int from)
{
	char byte, room[CMSG_SPACE(sizeof(int))];
	struct iovec one = {&byte, 1};
	struct msghdr message = {.msg_iov = &one,
				 .msg_iovlen = 1,
				 .msg_control = room,
				 .msg_controllen = sizeof(room)};

	close(me.fds[slot]);
	if (recvmsg(from, &message, MSG_CMSG_CLOEXEC) != 1 || !CMSG_FIRSTHDR(&message))
		return false;
	memcpy(&me.fds[slot], CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(int));
	return true;
}
