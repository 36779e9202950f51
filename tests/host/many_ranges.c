// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Many short ranges, in any order: few system calls plan them, and few move them. The work is
 * counted, not timed.
 */
#include <stdatomic.h>
#include <stdlib.h>

#include "base/sys.h"
#include "tests/testlib/moving.h"
#include "tests/testlib/tap.h"

#define NR 20000U

static char *mem;
static atomic_bool counts;
static atomic_uint nr_calls, nr_moves;

static bool hook(long nr, const long args[6] __maybe_unused, long *ret __maybe_unused)
{
	if (atomic_load(&counts)) {
		/* Workers may begin the job before ferry_submit() returns. */
		nr_calls += sys_raw(SYS_gettid, 0, 0, 0, 0, 0, 0) == getpid();
		nr_moves += nr == SYS_move_pages;
	}
	return false;
}

static size_t rising(size_t i)
{
	return i;
}

static size_t falling(size_t i)
{
	return NR - 1 - i;
}

static size_t scattered(size_t i)
{
	return i * 7919 % NR;
}

static void test_order(struct ferry *ferry, size_t (*place)(size_t i), const char *name)
{
	struct ferry_range *ranges = calloc(NR, sizeof(*ranges));
	struct ferry_request request = FERRY_REQUEST_INIT;
	struct ferry_result result = FERRY_RESULT_INIT;
	static int status[NR];
	unsigned int nr_planning;
	struct ferry_job *job;
	bool ok;

	/* Every other page. */
	for (size_t i = 0; i < NR; i++)
		ranges[i] = (struct ferry_range){mem + 2 * place(i) * PAGE_BYTES, PAGE_BYTES,
						 some_node()};
	request.ranges = ranges;
	request.nr_ranges = NR;
	request.status = memset(status, 0x55, sizeof(status));
	nr_calls = 0;
	nr_moves = 0;
	atomic_store(&counts, true);
	ok = !ferry_submit(ferry, &request, &job);
	nr_planning = nr_calls;
	ok = ok && !ferry_job_wait(job, WAIT_NS);
	atomic_store(&counts, false);
	ok = ok && !ferry_job_result(job, &result) && result.nr_in_place == NR;
	ferry_job_close(job);
	for (size_t i = 0; i < NR; i++)
		ok &= status[i] == some_node();
	tap_ok(ok && nr_planning < NR / 100, "%s: %u calls before the job runs", name, nr_planning);
	/* Each of at least 64 pages, and a query before it. */
	tap_ok(nr_moves < NR / 32 + 10, "%s: %u calls of move_pages", name, nr_moves);
	free(ranges);
}

/* Neighbours with one destination are one run, which can be exchanged. */
static void test_neighbours(struct ferry *ferry)
{
	struct ferry_range *ranges = calloc(NR, sizeof(*ranges));
	struct ferry_request request = FERRY_REQUEST_INIT;
	struct ferry_result result = FERRY_RESULT_INIT;
	struct ferry_job *job;
	bool ok;

	for (size_t i = 0; i < NR; i++)
		ranges[i] = (struct ferry_range){mem + i * PAGE_BYTES, PAGE_BYTES, some_node()};
	request.ranges = ranges;
	request.nr_ranges = NR;
	request.flags = FERRY_MOVE_ALWAYS;
	ok = !ferry_submit(ferry, &request, &job) && !ferry_job_wait(job, WAIT_NS) &&
	     !ferry_job_result(job, &result);
	ferry_job_close(job);
	if (no_exchange(ferry))
		tap_skip(no_exchange(ferry), "neighbours are exchanged");
	else
		tap_ok(ok && result.pages_by_mover[FERRY_MOVER_EXCHANGE] == NR,
		       "%llu neighbours are exchanged",
		       (unsigned long long)result.pages_by_mover[FERRY_MOVER_EXCHANGE]);
	free(ranges);
}

int main(void)
{
	struct ferry *ferry = open_context(NULL);

	mem = memory_new(2 * NR * PAGE_BYTES, false);
	fill(mem, 2 * NR * PAGE_BYTES, 5);
	__atomic_store_n(&sys_hook, hook, __ATOMIC_RELEASE);
	watchdog(120, "many ranges");
	tap_plan(8);
	test_order(ferry, rising, "rising");
	test_order(ferry, falling, "falling");
	test_order(ferry, scattered, "scattered");
	test_neighbours(ferry);
	tap_ok(is_intact(mem, 2 * NR * PAGE_BYTES, 5), "the bytes are right");
	ferry_close(ferry);
	return tap_done();
}
