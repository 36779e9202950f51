// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Which exchange mode is faster depends on the machine, and on the size of the pages: huge pages
 * need less work on page tables. So each context keeps one struct pace for small and one for huge
 * pages. The variants of these are the values of enum policy_mode.
 */
#include "base/clock.h"
#include "lib/core/exchange_mode.h"
#include "lib/core/job.h"
#include "lib/nodes/pagemap.h"

bool exchange_mode_is_huge(const struct ferry_job *job)
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

bool exchange_mode_cpus_contended(const struct ferry *ferry)
{
	return now_ns() < atomic_load_explicit(&ferry->contended_until_ns, memory_order_relaxed);
}

void exchange_mode_init(struct ferry *ferry)
{
	ferry->mode_pace[false].variant = POLICY_APART;
	ferry->mode_pace[true].variant = POLICY_TOGETHER;
}

enum policy_mode exchange_mode_choose(struct ferry_job *job, uint64_t exchange_pages)
{
	struct ferry *ferry = job->ferry;
	struct pace *pace;

	if (job->flags & FERRY_MOVE_TOGETHER)
		return POLICY_TOGETHER;
	if (job->flags & FERRY_MOVE_APART)
		return POLICY_APART;
	/* A copier that is preempted delays the put-in of everything that is in flight. */
	if (!exchange_pages || exchange_mode_cpus_contended(ferry))
		return POLICY_APART;
	if (!policy_worth_sampling(&ferry->machine, exchange_pages))
		return POLICY_TOGETHER;
	job->exchanges_huge = exchange_mode_is_huge(job);
	job->worth_sampling =
		!job->max_bytes_per_s && !job->deadline_ns &&
		(!job->requested_workers || job->requested_workers >= ferry->machine.nr_workers);
	pace = &ferry->mode_pace[job->exchanges_huge];
	futex_lock(&ferry->stats_lock);
	job->mode = job->worth_sampling ? pace_choose(pace) : pace->variant;
	futex_unlock(&ferry->stats_lock);
	return job->mode;
}

void exchange_mode_note(struct ferry_job *job)
{
	struct ferry *ferry = job->ferry;
	uint64_t moved = job->tally.pages_by_mover[FERRY_MOVER_EXCHANGE];

	/* Allocating frames takes longer than moving pages, and happens only once. */
	if (!job->worth_sampling || job->tally.nr_frames_allocated ||
	    moved < job->nr_pages - job->nr_pages / 8)
		return;
	futex_lock(&ferry->stats_lock);
	pace_note(&ferry->mode_pace[job->exchanges_huge], job->mode, moved * PAGE_BYTES,
		  job->end_ns - job->begin_ns);
	futex_unlock(&ferry->stats_lock);
}
