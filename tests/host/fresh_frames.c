// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A pipe keeps a reference to pages that vmsplice(2) has passed to it. When those pages move, it
 * still reads the frames that they have left. With FERRY_OPEN_FRESH_FRAMES nothing else is written
 * to these; without it the next pages that move are, which shows that the test can fail.
 */
#include <fcntl.h>
#include <sys/uio.h>

#include "tests/testlib/moving.h"
#include "tests/testlib/tap.h"

#define LEN       (1UL << 20)
#define NR_GIVEN  8 /* pages; a pipe holds 16 */
#define NR_ROUNDS 8
#define GIVEN     1
#define OTHER     2

static bool move_all(struct ferry *ferry, char *at)
{
	struct move move = {.ferry = ferry, .addr = at, .len = LEN, .mover = FERRY_MOVER_EXCHANGE};

	return !move_run(&move) && exchanged(&move) == LEN / PAGE_BYTES;
}

/* How many bytes the pipe reads that are not those that were passed to it; -1: nothing moved. */
static long wrong_bytes_in_pipe(struct ferry *ferry, bool *intact)
{
	char *given = memory_new(LEN, false), *other = memory_new(LEN, false);
	struct iovec iov = {given, NR_GIVEN * PAGE_BYTES};
	static unsigned char got[PAGE_BYTES];
	long wrong = 0;
	bool moved;
	int fds[2];

	fill(given, LEN, GIVEN);
	fill(other, LEN, OTHER);
	/* The pools get their frames before. */
	moved = move_all(ferry, other);
	if (pipe(fds) || vmsplice(fds[1], &iov, 1, 0) != (ssize_t)iov.iov_len) {
		printf("Bail out! vmsplice: %s\n", strerror(errno));
		exit(1);
	}
	for (int i = 0; i < NR_ROUNDS; i++)
		moved &= move_all(ferry, given) && move_all(ferry, other);
	for (size_t page = 0; page < NR_GIVEN; page++) {
		if (read(fds[0], got, PAGE_BYTES) != (ssize_t)PAGE_BYTES)
			abort();
		for (size_t i = 0; i < PAGE_BYTES; i++)
			wrong += got[i] != ((unsigned char *)given)[page * PAGE_BYTES + i];
	}
	close(fds[0]);
	close(fds[1]);
	*intact = is_intact(given, LEN, GIVEN) && is_intact(other, LEN, OTHER);
	munmap(given, LEN);
	munmap(other, LEN);
	return moved ? wrong : -1;
}

int main(void)
{
	struct ferry_options options = FERRY_OPTIONS_INIT;
	struct ferry *ferry = open_exchanging_context(NULL);
	long wrong;
	bool intact;

	watchdog(120, "pages in a pipe");
	tap_plan(4);
	wrong = wrong_bytes_in_pipe(ferry, &intact);
	ferry_close(ferry);
	tap_note("%ld bytes in the pipe are others than those that were passed", wrong);
	tap_ok(wrong > 0, "frames that are used again change what a pipe holds");
	tap_ok(intact, "memory keeps its content");

	options.flags = FERRY_OPEN_FRESH_FRAMES;
	ferry = open_context(&options);
	wrong = wrong_bytes_in_pipe(ferry, &intact);
	ferry_close(ferry);
	tap_note("%ld bytes in the pipe are others than those that were passed", wrong);
	tap_ok(wrong == 0, "fresh frames keep it");
	tap_ok(intact, "memory keeps its content");
	return tap_done();
}
