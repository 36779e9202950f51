// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A worker of a job gets a unit (a chunk for the exchange mover, a slice for the kernel mover),
 * moves it, and gets the next one. Pages that cannot be exchanged are gathered; they go to the
 * kernel mover while the lane has nothing in flight.
 */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/wait.h"
#include "lib/exchange/exchange.h"
#include "lib/job/begin.h"
#include "lib/job/dispatch.h"
#include "lib/job/windows.h"
#include "lib/job/worker.h"
#include "lib/kernel/kernel_mover.h"

static void lane_move_unit(struct lane *lane, const struct unit *unit)
{
	if (unit->mover == FERRY_MOVER_EXCHANGE) {
		chunk_move(lane, unit);
		window_put(unit->window);
		return;
	}
	if (lane->fallback.nr + unit->nr_pages > SLICE_MAX_PAGES)
		lane_drain(lane);
	fallback_add_unit(lane, unit);
	/* Short units share a system call. */
	if (lane->job->exact || lane->fallback.nr >= dispatch_wanted_pages(lane))
		lane_drain(lane);
}

/* Other lanes use all windows. This lane keeps none open while it waits for one. */
static void lane_await_window(struct lane *lane, unsigned int tries)
{
	struct ferry_job *job = lane->job;

	lane_drain(lane);
	futex_lock(&job->lock);
	windows_rest(job);
	futex_unlock(&job->lock);
	step_aside(tries);
}

/* The time at which the bandwidth cap of the job allows more; 0: now. */
static uint64_t job_throttled_until(struct ferry_job *job)
{
	double bytes = (double)atomic_load(&job->nr_handed_out) * PAGE_BYTES;
	uint64_t due_ns;

	if (!job->max_bytes_per_s || atomic_load(&job->stop))
		return 0;
	due_ns = job->submit_ns + (uint64_t)(bytes / (double)job->max_bytes_per_s * NS_PER_SEC);
	return now_ns() < due_ns ? due_ns : 0;
}

/* Pages of a job that waits are registered for nothing. */
static void job_rest(struct ferry_job *job, uint64_t until_ns)
{
	futex_lock(&job->lock);
	windows_rest(job);
	futex_unlock(&job->lock);
	job_delay(job, until_ns);
}

bool lane_work(struct crew_task *task, unsigned int worker)
{
	struct ferry_job *job = CONTAINER_OF(task, struct ferry_job, task);
	struct ferry *ferry = job->ferry;
	struct lane *lane = &ferry->lanes[MIN(worker, ferry->nr_lanes - 1)];
	uint64_t cpu_ns = thread_cpu_ns(), delay_until_ns;
	enum dispatch given = UNIT_GIVEN;
	unsigned int tries = 0;
	struct unit unit;

	if (!job_begin(job))
		return true;
	memset(&lane->tally, 0, sizeof(lane->tally));
	lane->job = job;
	cpu_pressure_begin(lane);
	lane->chunk_bytes = atomic_load(&job->chunk_bytes);
	lane->gather = MIN(atomic_load(&ferry->gather), job->split.gather);
	for (;;) {
		job_check_deadline(job);
		delay_until_ns = job_throttled_until(job);
		if (!delay_until_ns)
			given = dispatch_next_unit(job, lane, &unit);
		if (delay_until_ns || given == UNIT_NONE)
			break;
		if (given == UNIT_LATER)
			lane_await_window(lane, tries++);
		else
			lane_move_unit(lane, &unit);
	}
	lane_drain(lane);
	lane_release_quarantine(lane);
	lane_release_memory(lane);
	lane->tally.worker_cpu_ns = thread_cpu_ns() - cpu_ns;
	job_add_tally(job, &lane->tally);
	atomic_store(&job->chunk_bytes, lane->chunk_bytes);
	lane->job = NULL;
	if (delay_until_ns)
		job_rest(job, delay_until_ns);
	return delay_until_ns != 0;
}
