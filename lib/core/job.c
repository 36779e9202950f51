// SPDX-License-Identifier: LGPL-2.1-or-later
/* What the movers and the parts that run a job need to know about it. */
#include <errno.h>

#include "base/clock.h"
#include "lib/core/job.h"

uintptr_t job_page(const struct ferry_job *job, const struct segment *segment, uint64_t position)
{
	if (segment->contiguous)
		return segment->addr + (position - segment->first_position) * PAGE_BYTES;
	return job->pages[job_index(job, position)];
}

int job_node(const struct ferry_job *job, const struct segment *segment, uint64_t position)
{
	return segment->contiguous ? segment->node : job->nodes[job_index(job, position)];
}

void job_stop(struct ferry_job *job, int error)
{
	int none = 0;

	if (error)
		atomic_compare_exchange_strong(&job->error, &none, error);
	atomic_store(&job->stop, true);
}

void job_check_deadline(struct ferry_job *job)
{
	if (job->deadline_ns && now_ns() >= job->deadline_ns)
		job_stop(job, -ETIMEDOUT);
}

void job_add_tally(struct ferry_job *job, const struct tally *tally)
{
	futex_lock(&job->lock);
	tally_add(&job->tally, tally);
	futex_unlock(&job->lock);
}
