// SPDX-License-Identifier: LGPL-2.1-or-later
/* Passes pages to a pipe by reference, moves and reuses them: the pipe must keep the old bytes. */
#include <fcntl.h>
#include <sys/uio.h>

#include "victim.h"

#define NR_GIVEN 8

int main(void)
{
	static struct arena a, other;
	struct iovec iov = {.iov_len = NR_GIVEN * PAGE};
	unsigned char got[PAGE];
	int fds[2], node = last_node(), bad = 0;

	arena_make(&a, 0);
	arena_make(&other, 0);
	iov.iov_base = a.base;
	/* Fill the pools with frames before vmsplice(2). */
	for (int i = 0; i < 4; i++)
		arena_move(&other, i & 1 ? 0 : node);
	if (pipe(fds) || vmsplice(fds[1], &iov, 1, 0) != NR_GIVEN * PAGE)
		die("vmsplice");
	for (int i = 0; i < 4; i++) {
		arena_move(&a, i & 1 ? 0 : node);
		arena_move(&other, i & 1 ? 0 : node);
	}
	for (int i = 0; i < NR_GIVEN; i++) {
		if (read(fds[0], got, PAGE) != PAGE)
			die("read");
		for (size_t k = 0; k < PAGE; k++)
			bad += got[k] != i;
	}
	printf("wrong bytes in the pipe %d, damaged %d %d\n", bad, arena_damage(&a),
	       arena_damage(&other));
	return 0;
}
