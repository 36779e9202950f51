// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Four busy threads per CPU write to memory while it moves. Jobs end, and no update is lost. The
 * test prints how long pages were in flight and which mover moved them, but does not judge it: the
 * times depend on the machine.
 */
#include <pthread.h>
#include <stdatomic.h>

#include "tests/testlib/moving.h"
#include "tests/testlib/tap.h"

#define LEN      (16UL << 20)
#define NR_PAGES (LEN / PAGE_BYTES)
#define MAX_BUSY 128

static char *mem;
static atomic_bool stop;
static atomic_ulong nr_lost, nr_written;

/* Each writer has a word of its own in every page. */
static void *writer_run(void *arg)
{
	size_t word = 512 - 1 - (size_t)arg;
	uint64_t round = 0;

	while (!atomic_load(&stop)) {
		for (size_t page = 0; page < NR_PAGES; page++) {
			volatile uint64_t *at =
				(volatile uint64_t *)(mem + page * PAGE_BYTES) + word;

			if (*at != round)
				atomic_fetch_add(&nr_lost, 1);
			*at = round + 1;
		}
		round++;
	}
	atomic_fetch_add(&nr_written, round);
	return NULL;
}

static void test_mover(struct ferry *ferry, enum ferry_mover mover, unsigned int nr_busy)
{
	struct move move = {.ferry = ferry, .len = LEN, .mover = mover};
	pthread_t threads[MAX_BUSY];
	uint64_t longest_ns = 0, wall_ns = 0;
	bool ok = true;

	move.addr = mem = memory_new(LEN, false);
	memset(mem, 0, LEN);
	atomic_store(&stop, false);
	atomic_store(&nr_lost, 0);
	for (size_t i = 0; i < nr_busy; i++)
		pthread_create(&threads[i], NULL, writer_run, (void *)i);
	for (int i = 0; ok && i < 10; i++) {
		ok = !move_run(&move) && adds_up(&move.result);
		longest_ns = MAX(longest_ns, move.result.max_stall_ns);
		wall_ns += move.result.wall_ns;
	}
	atomic_store(&stop, true);
	for (size_t i = 0; i < nr_busy; i++)
		pthread_join(threads[i], NULL);
	print_result(&move.result);
	tap_note("%s: %llu us per job, pages in flight for at most %llu us",
		 ferry_mover_name(mover), (unsigned long long)wall_ns / 10000,
		 (unsigned long long)longest_ns / 1000);
	tap_ok(ok && !nr_lost && nr_written, "%u busy threads, mover %s", nr_busy,
	       ferry_mover_name(mover));
	munmap(mem, LEN);
}

int main(void)
{
	unsigned int nr_busy = MIN(4 * (unsigned int)sysconf(_SC_NPROCESSORS_ONLN), MAX_BUSY);
	struct ferry *ferry;

	ferry = open_context(NULL);
	tap_plan(3);
	watchdog(240, "oversubscribed");
	test_mover(ferry, FERRY_MOVER_AUTO, nr_busy);
	test_mover(ferry, FERRY_MOVER_EXCHANGE, nr_busy);
	test_mover(ferry, FERRY_MOVER_KERNEL, nr_busy);
	ferry_close(ferry);
	return tap_done();
}
