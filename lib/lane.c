// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What a worker does for a job: takes a unit (a chunk for the exchange mover, a slice for the
 * kernel mover), serves it, takes the next. Pages that can't be exchanged are gathered and go to
 * the kernel mover when nothing of this lane is out.
 */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "lib/lane.h"

static void serve(struct lane *lane, const struct unit *unit)
{
	if (unit->segment->mover == FERRY_MOVER_EXCHANGE) {
		serve_chunk(lane, unit);
		return;
	}
	drain(lane);
	gather_slice(lane, unit);
	serve_slice(lane);
}

/* Sleeps until the cap allows more, in short steps so that a cancel is heard. */
static void throttle(struct lane *lane)
{
	struct ferry_job *job = lane->job;

	while (job->max_bytes_per_s && !atomic_load(&job->stop)) {
		double bytes = (double)atomic_load(&job->nr_done) * PAGE_BYTES;
		uint64_t due_ns = job->submit_ns +
				  (uint64_t)(bytes / (double)job->max_bytes_per_s * NS_PER_SEC);
		uint64_t now = now_ns();

		if (now >= due_ns)
			return;
		drain(lane);
		job_check_deadline(job);
		futex_wait(&job->ended, 0, MIN(due_ns - now, 5 * NS_PER_MS));
	}
}

bool lane_work(struct crew_task *task, unsigned int worker)
{
	struct ferry_job *job = CONTAINER_OF(task, struct ferry_job, task);
	struct ferry *ferry = job->ferry;
	struct lane *lane = &ferry->lanes[MIN(worker, ferry->nr_lanes - 1)];
	uint64_t cpu_ns = thread_cpu_ns();
	struct unit unit;

	memset(&lane->tally, 0, sizeof(lane->tally));
	lane->job = job;
	job_begin(job);
	breathe_in(lane);
	lane->chunk_bytes = job->hands.chunk_bytes;
	lane->gather = MIN(atomic_load(&ferry->gather), job->hands.gather);
	for (;;) {
		throttle(lane);
		job_check_deadline(job);
		if (!job_next_unit(job, lane, &unit))
			break;
		serve(lane, &unit);
	}
	drain(lane);
	release_strays(lane);
	lane->tally.worker_cpu_ns = thread_cpu_ns() - cpu_ns;
	job_add_tally(job, &lane->tally);
	lane->job = NULL;
	return false;
}
