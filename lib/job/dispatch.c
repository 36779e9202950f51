// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Chunks end at multiples of the chunk size, slices have the size that the policy chooses. Neither
 * ends inside a huge page or a large folio: two lanes would move it at the same time.
 */
#include "lib/job/dispatch.h"
#include "lib/job/windows.h"
#include "lib/nodes/mthp.h"
#include "lib/nodes/pagemap.h"

/*
 * The end of the window that begins at addr. A border between windows splits a mapping, which
 * mremap(2) notices, so a short run gets one window.
 */
static uintptr_t dispatch_window_end(const struct ferry *ferry, uintptr_t addr, uintptr_t end)
{
	uintptr_t stop = end;

	if (end - addr > WINDOW_BYTES)
		stop = ALIGN_DOWN(addr, WINDOW_BYTES) + WINDOW_BYTES;
	if (stop < end && atomic_load_explicit(&ferry->mthp, memory_order_relaxed))
		stop = mthp_stop_between(stop - PAGE_BYTES, stop, end);
	return stop;
}

/* A chunk at addr, before the end of its window. */
static unsigned int dispatch_chunk_pages(const struct lane *lane, uintptr_t addr, uintptr_t end)
{
	uintptr_t stop = ALIGN_DOWN(addr, lane->chunk_bytes) + lane->chunk_bytes;

	if (lane->chunk_bytes < HUGE_BYTES && !(addr & (HUGE_BYTES - 1)) &&
	    end - addr >= HUGE_BYTES && pagemap_is_huge(addr))
		stop = addr + HUGE_BYTES;
	else if (atomic_load_explicit(&lane->ferry->mthp, memory_order_relaxed))
		stop = mthp_stop_between(addr, MIN(stop, end), end);
	return (unsigned int)((MIN(stop, end) - addr) / PAGE_BYTES);
}

uint64_t dispatch_wanted_pages(const struct lane *lane)
{
	const struct ferry_job *job = lane->job;
	uint64_t page_ns = atomic_load_explicit(&lane->ferry->page_ns, memory_order_relaxed);
	bool awaited = job->split.nr_lanes > 1 || job->deadline_ns || job->max_bytes_per_s;

	return policy_slice_pages(page_ns, awaited, SLICE_MAX_PAGES);
}

/* The pages of a slice: no more than the policy says, or than this lane's share. */
static uint64_t dispatch_timed_pages(const struct ferry_job *job, const struct lane *lane,
				     const struct segment *segment)
{
	uint64_t share = DIV_ROUND_UP(segment->nr_pages, (uint64_t)job->split.nr_lanes);

	return MIN(dispatch_wanted_pages(lane), share);
}

/* A slice that begins with page `done` of the segment, before page `end`. */
static unsigned int dispatch_slice_pages(const struct ferry_job *job, const struct lane *lane,
					 const struct segment *segment, uint64_t done, uint64_t end)
{
	uint64_t max = MIN(end - done, (uint64_t)SLICE_MAX_PAGES);
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

/*
 * The segment is for the exchange mover, but the part of it around the cursor may be for the kernel
 * mover. False: all windows are in use.
 */
static bool dispatch_exchange(struct ferry_job *job, struct lane *lane, struct unit *out)
{
	const struct segment *segment = out->segment;
	uintptr_t end = segment->addr + segment->nr_pages * PAGE_BYTES;
	uintptr_t addr = segment->addr + job->cursor_pages * PAGE_BYTES;
	const struct ready_part *ready = &job->ready;

	if ((addr < ready->start || addr >= ready->end) &&
	    !windows_slide(job, addr, dispatch_window_end(job->ferry, addr, end)))
		return false;
	out->window = ready->window;
	if (ready->window) {
		window_hold(ready->window);
		out->nr_pages = dispatch_chunk_pages(lane, addr, ready->end);
	} else {
		out->mover = FERRY_MOVER_KERNEL;
		out->reason = (uint8_t)ready->reason;
		out->nr_pages = dispatch_slice_pages(job, lane, segment, job->cursor_pages,
						     (ready->end - segment->addr) / PAGE_BYTES);
	}
	return true;
}

/* Under the job's lock. */
static enum dispatch dispatch_unit(struct ferry_job *job, struct lane *lane, struct unit *out)
{
	const struct segment *segment = atomic_load(&job->stop) ? NULL : dispatch_segment(job);

	if (!segment)
		return UNIT_NONE;
	*out = (struct unit){
		.segment = segment,
		.first_position = segment->first_position + job->cursor_pages,
		.mover = segment->mover,
		.reason = segment->reason,
	};
	if (segment->mover != FERRY_MOVER_EXCHANGE)
		out->nr_pages = dispatch_slice_pages(job, lane, segment, job->cursor_pages,
						     segment->nr_pages);
	else if (!dispatch_exchange(job, lane, out))
		return UNIT_LATER;
	job->cursor_pages += out->nr_pages;
	job->nr_handed_out += out->nr_pages;
	return UNIT_GIVEN;
}

enum dispatch dispatch_next_unit(struct ferry_job *job, struct lane *lane, struct unit *out)
{
	enum dispatch given;

	futex_lock(&job->lock);
	given = dispatch_unit(job, lane, out);
	futex_unlock(&job->lock);
	return given;
}
