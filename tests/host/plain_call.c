// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A small call goes to the kernel, which takes pages in flight for absent. If a job has exchanged
 * pages meanwhile, even if it has ended, the library makes the call again.
 */
#include <pthread.h>
#include <stdatomic.h>

#include "base/sys.h"
#include "tests/testlib/moving.h"
#include "tests/testlib/tap.h"

#define NR_PAGES 3

static struct ferry *ferry;
static char *mem;
static atomic_bool runs_job; /* the next call of the kernel takes as long as a job */
static atomic_uint nr_calls;
static bool job_moved;

static void *job_runs(void *arg)
{
	struct move move = {.ferry = ferry, .len = HUGE_BYTES, .mover = FERRY_MOVER_EXCHANGE};

	move.addr = mem + HUGE_BYTES;
	job_moved = !move_run(&move) && exchanged(&move);
	return arg;
}

static bool hook(long nr, const long args[6], long *ret)
{
	pthread_t thread;

	if (nr != SYS_move_pages || args[1] != NR_PAGES)
		return false;
	atomic_fetch_add(&nr_calls, 1);
	*ret = sys_raw(nr, args[0], args[1], args[2], args[3], args[4], args[5]);
	if (atomic_exchange(&runs_job, false)) {
		pthread_create(&thread, NULL, job_runs, NULL);
		pthread_join(thread, NULL);
	}
	return true;
}

static unsigned int count_calls(bool during_job)
{
	void *pages[NR_PAGES];
	int status[NR_PAGES];

	for (unsigned int i = 0; i < NR_PAGES; i++)
		pages[i] = mem + i * PAGE_BYTES;
	atomic_store(&nr_calls, 0);
	atomic_store(&runs_job, during_job);
	if (ferry_move_pages(ferry, 0, NR_PAGES, pages, NULL, status, 0))
		return 0;
	for (unsigned int i = 0; i < NR_PAGES; i++)
		if (status[i] != some_node())
			return 0;
	return atomic_load(&nr_calls);
}

int main(void)
{
	struct ferry_options options = FERRY_OPTIONS_INIT;
	unsigned int nr;

	options.nr_workers = 2;
	ferry = open_exchanging_context(&options);
	mem = memory_new(2 * HUGE_BYTES, false);
	fill(mem, 2 * HUGE_BYTES, 1);
	__atomic_store_n(&sys_hook, hook, __ATOMIC_RELEASE);
	watchdog(60, "a plain call");
	tap_plan(2);
	tap_ok(count_calls(false) == 1, "one call of the kernel without a job");
	nr = count_calls(true);
	tap_ok(nr == 2 && job_moved, "%u with a job that ended meanwhile", nr);
	ferry_close(ferry);
	return tap_done();
}
