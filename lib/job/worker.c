// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What a worker does for a job: takes a unit (a chunk for the exchange mover, a slice for the
 * kernel mover), serves it, takes the next. Pages that can't be exchanged are gathered and go to
 * the kernel mover when nothing of this lane is out.
 */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "lib/exchange/exchange.h"
#include "lib/job/begin.h"
#include "lib/job/dispatch.h"
#include "lib/job/worker.h"
#include "lib/kernel/kernel_mover.h"

static void serve(struct lane *lane, const struct unit *unit)
{
	if (unit->segment->mover == FERRY_MOVER_EXCHANGE) {
		chunk_move(lane, unit);
		return;
	}
	lane_drain(lane);
	fallback_add_unit(lane, unit);
	fallback_move(lane);
}

/* When the job's cap allows more; 0: now. */
static uint64_t throttled_until(struct ferry_job *job)
{
	double bytes = (double)atomic_load(&job->nr_handed_out) * PAGE_BYTES;
	uint64_t due_ns;

	if (!job->max_bytes_per_s || atomic_load(&job->stop))
		return 0;
	due_ns = job->submit_ns + (uint64_t)(bytes / (double)job->max_bytes_per_s * NS_PER_SEC);
	return now_ns() < due_ns ? due_ns : 0;
}

bool lane_work(struct crew_task *task, unsigned int worker)
{
	struct ferry_job *job = CONTAINER_OF(task, struct ferry_job, task);
	struct ferry *ferry = job->ferry;
	struct lane *lane = &ferry->lanes[MIN(worker, ferry->nr_lanes - 1)];
	uint64_t cpu_ns = thread_cpu_ns(), rest_until_ns;
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
		rest_until_ns = throttled_until(job);
		if (rest_until_ns || !dispatch_next_unit(job, lane, &unit))
			break;
		serve(lane, &unit);
	}
	lane_drain(lane);
	lane_release_quarantine(lane);
	lane->tally.worker_cpu_ns = thread_cpu_ns() - cpu_ns;
	job_add_tally(job, &lane->tally);
	atomic_store(&job->chunk_bytes, lane->chunk_bytes);
	lane->job = NULL;
	if (rest_until_ns)
		job_rest(job, rest_until_ns);
	return rest_until_ns != 0;
}
