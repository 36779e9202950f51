// SPDX-License-Identifier: LGPL-2.1-or-later
/* How a lane reports pages to its job, and gives memory back. */
#include <sys/mman.h>

#include "base/clock.h"
#include "base/sys.h"
#include "lib/core/job.h"

/*
 * A lane that has gathered more pages gives that memory back after each job. Increasing this keeps
 * more memory per worker, 50 bytes a page; decreasing it makes more jobs clear that memory anew.
 */
#define KEEP_GATHERED_PAGES 2048

void lane_release_memory(struct lane *lane)
{
	uintptr_t start = ALIGN_UP((uintptr_t)&lane->fallback, PAGE_BYTES);
	uintptr_t end = ALIGN_DOWN((uintptr_t)(lane + 1), PAGE_BYTES);

	if (lane->most_gathered > KEEP_GATHERED_PAGES)
		sys(SYS_madvise, start, end - start, MADV_DONTNEED);
	lane->most_gathered = 0;
}

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
