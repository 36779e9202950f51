// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Chunks end at multiples of the chunk size, slices have the size that the policy chooses. Neither
 * ends inside a huge page or a large folio: two lanes would move it at the same time.
 */
#include "lib/job/dispatch.h"
#include "lib/nodes/mthp.h"
#include "lib/nodes/pagemap.h"

static unsigned int dispatch_chunk_pages(const struct lane *lane, const struct segment *segment,
					 uint64_t done)
{
	uintptr_t addr = segment->addr + done * PAGE_BYTES;
	uintptr_t end = segment->addr + segment->nr_pages * PAGE_BYTES;
	uintptr_t stop = ALIGN_DOWN(addr, lane->chunk_bytes) + lane->chunk_bytes;

	if (lane->chunk_bytes < HUGE_BYTES && !(addr & (HUGE_BYTES - 1)) &&
	    end - addr >= HUGE_BYTES && pagemap_is_huge(addr))
		stop = addr + HUGE_BYTES;
	else if (atomic_load_explicit(&lane->ferry->mthp, memory_order_relaxed))
		stop = mthp_stop_between(addr, MIN(stop, end), end);
	return (unsigned int)((MIN(stop, end) - addr) / PAGE_BYTES);
}

/* The pages of a slice by its time: no more than the policy says, or than this lane's share. */
static uint64_t dispatch_timed_pages(const struct ferry_job *job, const struct lane *lane,
				     const struct segment *segment)
{
	uint64_t share = DIV_ROUND_UP(segment->nr_pages, (uint64_t)job->split.nr_lanes);
	uint64_t page_ns = atomic_load_explicit(&lane->ferry->page_ns, memory_order_relaxed);
	bool awaited = job->split.nr_lanes > 1 || job->deadline_ns || job->max_bytes_per_s;
	uint64_t nr = policy_slice_pages(page_ns, awaited, SLICE_MAX_PAGES);

	return MIN(nr, share);
}

static unsigned int dispatch_slice_pages(const struct ferry_job *job, const struct lane *lane,
					 const struct segment *segment, uint64_t done)
{
	uint64_t max = MIN(segment->nr_pages - done, (uint64_t)SLICE_MAX_PAGES);
	uint64_t position = segment->first_position + done;
	uint64_t nr;

	if (job->serial)
		return (unsigned int)max;
	nr = dispatch_timed_pages(job, lane, segment);
	nr = MIN(nr, max);
	while (nr < max && job_page(job, segment, position + nr) >> HUGE_SHIFT ==
				   job_page(job, segment, position + nr - 1) >> HUGE_SHIFT)
		nr++;
	return (unsigned int)nr;
}

/* The segment to hand out pages from; NULL: all have been handed out. Under the job's lock. */
static const struct segment *dispatch_segment(struct ferry_job *job)
{
	for (; job->cursor_segment < job->segments.nr; job->cursor_segment++) {
		const struct segment *segment = &job->segments.at[job->cursor_segment];

		if (job->cursor_pages < segment->nr_pages)
			return segment;
		job->cursor_pages = 0;
	}
	return NULL;
}

bool dispatch_next_unit(struct ferry_job *job, struct lane *lane, struct unit *out)
{
	const struct segment *segment;

	futex_lock(&job->lock);
	segment = atomic_load(&job->stop) ? NULL : dispatch_segment(job);
	if (segment) {
		uint64_t done = job->cursor_pages;

		out->segment = segment;
		out->first_position = segment->first_position + done;
		out->nr_pages = segment->mover == FERRY_MOVER_EXCHANGE
					? dispatch_chunk_pages(lane, segment, done)
					: dispatch_slice_pages(job, lane, segment, done);
		job->cursor_pages += out->nr_pages;
		job->nr_handed_out += out->nr_pages;
	}
	futex_unlock(&job->lock);
	return segment != NULL;
}
