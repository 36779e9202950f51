// SPDX-License-Identifier: LGPL-2.1-or-later
#include "base/clock.h"
#include "lib/core/job.h"
#include "lib/nodes/pagemap.h"
#include "lib/core/exchange_mode.h"

/* Page tables of huge pages are less work: what is best for them need not be for small ones. */
static bool of_huge_pages(const struct ferry_job *job)
{
	for (size_t i = 0; i < job->segments.nr; i++) {
		const struct segment *segment = &job->segments.at[i];
		uintptr_t first = ALIGN_UP(segment->addr, HUGE_BYTES);

		if (segment->mover == FERRY_MOVER_EXCHANGE)
			return first + HUGE_BYTES <=
				       segment->addr + segment->nr_pages * PAGE_BYTES &&
			       pagemap_is_huge(first);
	}
	return false;
}

static bool is_contended(struct ferry *ferry)
{
	return now_ns() < atomic_load_explicit(&ferry->contended_until_ns, memory_order_relaxed);
}

/* To begin with. */
void exchange_modes_init(struct ferry *ferry)
{
	ferry->modes[false].way = POLICY_APART;
	ferry->modes[true].way = POLICY_TOGETHER;
}

enum policy_mode exchange_mode_choose(struct ferry_job *job, uint64_t exchange_pages)
{
	struct ferry *ferry = job->ferry;
	enum policy_mode mode;
	struct pace *pace;

	if (job->flags & FERRY_MOVE_TOGETHER)
		return POLICY_TOGETHER;
	if (job->flags & FERRY_MOVE_APART)
		return POLICY_APART;
	/* A helper that is preempted in mid-copy would keep all that is out waiting. */
	if (!exchange_pages || is_contended(ferry))
		return POLICY_APART;
	if (!policy_worth_sampling(&ferry->machine, exchange_pages))
		return POLICY_TOGETHER;
	job->huge = of_huge_pages(job);
	job->worth_sampling =
		!job->max_bytes_per_s && !job->deadline_ns &&
		(!job->asked_workers || job->asked_workers >= ferry->machine.nr_workers);
	pace = &ferry->modes[job->huge];
	futex_lock(&ferry->stats_lock);
	mode = job->worth_sampling ? pace_choose(pace) : pace->way;
	futex_unlock(&ferry->stats_lock);
	job->mode = mode;
	return mode;
}

void exchange_mode_note(struct ferry_job *job)
{
	struct ferry *ferry = job->ferry;
	uint64_t moved = job->tally.pages_by_mover[FERRY_MOVER_EXCHANGE];

	/* Making frames takes longer than moving pages, and happens once. */
	if (!job->worth_sampling || job->tally.nr_frames_made ||
	    moved < job->nr_pages - job->nr_pages / 8)
		return;
	futex_lock(&ferry->stats_lock);
	pace_note(&ferry->modes[job->huge], job->mode, moved * PAGE_BYTES,
		  job->end_ns - job->begin_ns);
	futex_unlock(&ferry->stats_lock);
}
