// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Jobs that share one worker: they take turns, those in the background give way, and a cancelled
 * one does not wait in the queue. The engine takes its time over each copy, so a long job is under
 * way for as long as a test needs; no test depends on how long that is.
 */
#include "tests/testlib/moving.h"
#include "tests/testlib/tap.h"

#define PIECE    65536UL
#define NR_SHORT 64UL
#define LONG_LEN (128 * PIECE)
#define LEN      (2 * LONG_LEN + NR_SHORT * PIECE)

static struct ferry *ferry;
static char *mem;

static char *long_mem(unsigned int i)
{
	return mem + i * LONG_LEN;
}

static char *short_mem(unsigned long i)
{
	return mem + 2 * LONG_LEN + i * PIECE;
}

static struct ferry_job *submit(char *addr, size_t len, unsigned int flags)
{
	struct move move = {.ferry = ferry,
			    .addr = addr,
			    .len = len,
			    .mover = FERRY_MOVER_EXCHANGE,
			    .chunk_bytes = PIECE,
			    .nr_workers = 1,
			    .flags = flags};
	struct ferry_job *job;
	int err = move_submit(&move, &job);

	if (err) {
		tap_note("submit: %s", strerror(-err));
		abort();
	}
	return job;
}

static struct ferry_progress progress_of(struct ferry_job *job)
{
	struct ferry_progress progress;

	ferry_job_progress(job, &progress);
	return progress;
}

/* The worker is at work on it. */
static void await_start(struct ferry_job *job)
{
	struct timespec pause = {.tv_nsec = 1000000};

	while (!progress_of(job).nr_done)
		nanosleep(&pause, NULL);
}

/* Waits for the job, which must have moved all its pages. */
static bool finish(struct ferry_job *job)
{
	struct ferry_result result = FERRY_RESULT_INIT;
	bool ok = !ferry_job_wait(job, WAIT_NS) && !ferry_job_result(job, &result) &&
		  !result.error && result.nr_moved == result.nr_pages;

	ferry_job_close(job);
	return ok;
}

static void test_turns(unsigned int flags, const char *what)
{
	struct ferry_job *slow = submit(long_mem(0), LONG_LEN, flags);
	bool ok = true, still_runs;

	await_start(slow);
	for (unsigned long i = 0; i < 4; i++)
		ok &= finish(submit(short_mem(i), PIECE, 0));
	still_runs = !progress_of(slow).ended;
	tap_ok(ok && still_runs, "short jobs end before a long one that %s", what);
	tap_ok(finish(slow), "which ends, too");
}

/* Its eight units should take as many times 17 turns. Other jobs are always in the queue. */
static void test_background_is_not_starved(void)
{
	struct ferry_job *others[NR_SHORT], *slow;
	unsigned long nr = 0;
	bool ok = true, ended;

	for (unsigned long i = 0; i < NR_SHORT; i++)
		others[i] = submit(short_mem(i), PIECE, 0);
	slow = submit(long_mem(0), 8 * PIECE, FERRY_MOVE_BACKGROUND);
	while (ok && !progress_of(slow).ended && nr < 8 * 17 * 10) {
		unsigned long i = nr++ % NR_SHORT;

		ok &= finish(others[i]);
		others[i] = submit(short_mem(i), PIECE, 0);
	}
	ended = progress_of(slow).ended;
	for (unsigned long i = 0; i < NR_SHORT; i++)
		ok &= finish(others[i]);
	tap_ok(finish(slow) && ok && ended, "a job in the background ends beside %lu others", nr);
}

/* Else the longer job would end first: it leaves one turn in 16 to the background. */
static void test_background_in_the_way(void)
{
	struct ferry_job *longer = submit(long_mem(0), LONG_LEN, 0);
	struct ferry_job *background = submit(long_mem(1), LONG_LEN / 8, FERRY_MOVE_BACKGROUND);
	struct ferry_job *waiter = submit(long_mem(1) + LONG_LEN / 16, PIECE, 0);
	bool ok = finish(waiter), still_runs = !progress_of(longer).ended;

	tap_ok(ok && still_runs, "a job that another one waits for leaves the background");
	ok = finish(background);
	tap_ok(finish(longer) && ok, "both end");
}

static void test_cancel_in_queue(void)
{
	struct ferry_job *slow = submit(long_mem(0), LONG_LEN, 0), *queued[NR_SHORT];
	struct ferry_result result = FERRY_RESULT_INIT;
	unsigned int nr_ended = 0;
	bool ok = true;

	await_start(slow);
	for (unsigned long i = 0; i < NR_SHORT; i++)
		queued[i] =
			submit(short_mem(i), PIECE, i == NR_SHORT - 1 ? FERRY_MOVE_BACKGROUND : 0);
	ferry_job_cancel(queued[NR_SHORT - 1]);
	ok &= !ferry_job_wait(queued[NR_SHORT - 1], WAIT_NS);
	for (unsigned long i = 0; i < NR_SHORT - 1; i++)
		nr_ended += progress_of(queued[i]).ended;
	ok &= !ferry_job_result(queued[NR_SHORT - 1], &result) && result.error == -ECANCELED;
	ferry_job_close(queued[NR_SHORT - 1]);
	tap_ok(ok && nr_ended < NR_SHORT - 1, "a cancelled job ends before %lu of %lu in the queue",
	       NR_SHORT - 1 - nr_ended, NR_SHORT);
	for (unsigned long i = 0; i < NR_SHORT - 1; i++)
		ok &= finish(queued[i]);
	tap_ok(finish(slow) && ok, "all others end");
}

int main(void)
{
	struct ferry_options options = FERRY_OPTIONS_INIT;

	watchdog(500, "jobs that share a worker");
	options.nr_workers = 1;
	options.engine = "fault:every=1,what=delay,delay_us=3000";
	/* One chunk in flight at a time. */
	options.stall_bound_ns = 1;
	ferry = open_exchanging_context(&options);
	mem = memory_new(LEN, false);
	fill(mem, LEN, 7);
	tap_plan(10);
	test_turns(0, "is as important");
	test_turns(FERRY_MOVE_BACKGROUND, "runs in the background");
	test_background_is_not_starved();
	test_background_in_the_way();
	test_cancel_in_queue();
	tap_ok(is_intact(mem, LEN, 7), "no byte is lost");
	ferry_close(ferry);
	return tap_done();
}
