// SPDX-License-Identifier: LGPL-2.1-or-later
/* How a lane reports pages to its job. */
#include "base/clock.h"
#include "lib/core/job.h"

void lane_note_done(struct lane *lane, unsigned int nr_pages)
{
	struct ferry_job *job = lane->job;

	if (!lane->tally.first_page_ns)
		lane->tally.first_page_ns = now_ns() - job->submit_ns;
	atomic_fetch_add_explicit(&job->nr_done, nr_pages, memory_order_relaxed);
}

void lane_settle(struct lane *lane, uint64_t position, int status)
{
	if (lane->job->status)
		lane->job->status[job_index(lane->job, position)] = status;
}

void lane_settle_run(struct lane *lane, uint64_t position, unsigned int nr_pages, int status)
{
	struct ferry_job *job = lane->job;

	if (!job->status)
		return;
	if (job->order) {
		for (unsigned int i = 0; i < nr_pages; i++)
			job->status[job->order[position + i]] = status;
		return;
	}
	for (unsigned int i = 0; i < nr_pages; i++)
		job->status[position + i] = status;
}
