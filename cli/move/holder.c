// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/move/holder.h"

/* A message of the child: once when the area is made, then one for each byte that it receives. */
struct answer {
	int err; /* of making the area */
	struct area area;
	bool right;
	struct mismatch bad;
};

static bool socket_send(int socket, const void *what, size_t len_bytes)
{
	return send(socket, what, len_bytes, MSG_NOSIGNAL) == (ssize_t)len_bytes;
}

/* The child: runs until the other end of the socket closes. */
static void holder_child(int socket, size_t len_bytes, size_t folio_bytes, int node, uint64_t seed)
{
	struct answer answer = {0};
	char request;

	answer.err = area_open(&answer.area, len_bytes, folio_bytes, node);
	if (!answer.err)
		area_fill(&answer.area, seed);
	while (socket_send(socket, &answer, sizeof(answer)) && recv(socket, &request, 1, 0) == 1)
		answer.right = area_check(&answer.area, seed, &answer.bad);
	_exit(0);
}

static bool holder_receive(const struct holder *holder, struct answer *answer)
{
	return recv(holder->socket, answer, sizeof(*answer), 0) == (ssize_t)sizeof(*answer);
}

int holder_open(struct holder *holder, size_t len_bytes, size_t folio_bytes, int node,
		uint64_t seed, struct area *area)
{
	struct answer answer;
	int ends[2];
	int err;

	memset(holder, 0, sizeof(*holder));
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends))
		return -errno;
	holder->pid = fork();
	if (!holder->pid) {
		close(ends[0]);
		holder_child(ends[1], len_bytes, folio_bytes, node, seed);
	}
	err = holder->pid < 0 ? -errno : 0;
	close(ends[1]);
	holder->socket = ends[0];
	if (!err)
		err = holder_receive(holder, &answer) ? answer.err : -ENOMEM;
	if (err)
		holder_close(holder);
	else
		*area = answer.area;
	return err;
}

void holder_close(struct holder *holder)
{
	if (!holder->pid)
		return;
	close(holder->socket);
	if (holder->pid > 0)
		waitpid(holder->pid, NULL, 0);
	memset(holder, 0, sizeof(*holder));
}

int holder_check(const struct holder *holder, struct mismatch *bad)
{
	struct answer answer;

	if (!socket_send(holder->socket, "", 1) || !holder_receive(holder, &answer))
		return -ESRCH;
	*bad = answer.bad;
	return answer.right;
}
