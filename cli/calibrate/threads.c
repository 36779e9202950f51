// SPDX-License-Identifier: LGPL-2.1-or-later
#include <float.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/futex.h"
#include "cli/area/area.h"
#include "cli/calibrate/threads.h"
#include "cli/context/context.h"
#include "pageferry.h"

/* After this long without work a worker sleeps deeply enough. */
#define IDLE_NS (300 * NS_PER_US)

static void sleep_ns(uint64_t ns)
{
	nanosleep(&(struct timespec){.tv_nsec = (long)ns}, NULL);
}

/* ---- waking ---- */

struct wake {
	struct crew_task task;
	_Atomic uint64_t begun_ns;
};

static bool wake_work(struct crew_task *task, unsigned int worker __maybe_unused)
{
	struct wake *wake = (struct wake *)task;

	atomic_store(&wake->begun_ns, now_ns());
	return false;
}

static double wake_once(struct crew *crew)
{
	struct wake wake = {.task = {.work = wake_work, .nr_wanted = 1}};
	uint64_t posted_ns;

	sleep_ns(IDLE_NS);
	posted_ns = now_ns();
	crew_post(crew, &wake.task);
	crew_wait(crew, &wake.task, FUTEX_FOREVER);
	return (double)(atomic_load(&wake.begun_ns) - posted_ns);
}

static int wake_measure(struct calibration *calibration)
{
	struct crew *crew;
	int err = crew_open(calibration->placement, 1, &crew);

	if (err) {
		cli_error("cannot start a worker: %s; raise `ulimit -u`", strerror(-err));
		return CLI_FAILED;
	}
	for (unsigned int round = 0; round < CALIBRATION_ROUNDS; round++) {
		double best_ns = wake_once(crew);

		for (unsigned int i = 1; i < CALIBRATION_TRIES; i++) {
			double ns = wake_once(crew);

			best_ns = MIN(best_ns, ns);
		}
		calibration_note(calibration, &calibration->profile.wake_ns, best_ns);
	}
	crew_close(crew);
	return CLI_OK;
}

/* ---- a small job ---- */

/* The time of one job; DBL_MAX: it did not exchange all pages. */
static double job_run(struct ferry *ferry, const struct area *area, int node)
{
	const struct ferry_range range = {area->base, CALIBRATION_JOB_BYTES, node};
	struct ferry_request request = FERRY_REQUEST_INIT;
	struct ferry_result result = FERRY_RESULT_INIT;
	struct ferry_job *job;
	uint64_t begin_ns, ns;

	request.ranges = &range;
	request.nr_ranges = 1;
	request.mover = FERRY_MOVER_EXCHANGE;
	request.flags = FERRY_MOVE_ALWAYS;
	request.nr_workers = 1;
	sleep_ns(IDLE_NS);
	begin_ns = now_ns();
	if (ferry_submit(ferry, &request, &job))
		return DBL_MAX;
	ferry_job_wait(job, UINT64_MAX);
	ns = now_ns() - begin_ns;
	if (ferry_job_result(job, &result))
		result.nr_moved = 0;
	ferry_job_close(job);
	return result.pages_by_mover[FERRY_MOVER_EXCHANGE] == CALIBRATION_JOB_BYTES / PAGE_BYTES
		       ? (double)ns
		       : DBL_MAX;
}

static double job_best(struct ferry *ferry, const struct area *area, int node)
{
	double best_ns = job_run(ferry, area, node);

	for (unsigned int i = 1; i < CALIBRATION_TRIES; i++) {
		double ns = job_run(ferry, area, node);

		best_ns = MIN(best_ns, ns);
	}
	return best_ns;
}

static int job_measure(struct calibration *calibration)
{
	struct ferry_options options = FERRY_OPTIONS_INIT;
	struct area area;
	struct ferry *ferry;
	int node[2], code;

	/* Without UFFDIO_MOVE there is nothing to measure. */
	if (calibration->no_exchange[0] || !calibration_nodes(calibration, PROFILE_SAME, node))
		return CLI_OK;
	code = context_open(&options, &ferry);
	if (code)
		return code;
	if (area_open(&area, CALIBRATION_JOB_BYTES, PAGE_BYTES, node[0])) {
		cli_error("no memory on node %d", node[0]);
		code = CLI_FAILED;
	}
	for (unsigned int round = 0; round < CALIBRATION_ROUNDS && !code; round++) {
		double ns = job_best(ferry, &area, node[0]);

		if (ns < DBL_MAX)
			samples_add(&calibration->job_ns, ns);
	}
	area_close(&area);
	ferry_close(ferry);
	return code;
}

int threads_measure(struct calibration *calibration)
{
	int code = wake_measure(calibration);

	return code ? code : job_measure(calibration);
}
