// SPDX-License-Identifier: LGPL-2.1-or-later
#include "lib/job/dispatch.h"
#include "lib/nodes/mthp.h"
#include "lib/nodes/pagemap.h"

/* Ends at a chunk's border; a huge page or a large folio is always taken whole. */
static unsigned int chunk_pages(const struct lane *lane, const struct segment *segment,
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

static bool is_awaited(const struct ferry_job *job)
{
	return job->split.nr_lanes > 1 || job->deadline_ns || job->max_bytes_per_s;
}

/* No slice ends inside a huge page: two lanes would move it at once. */
static unsigned int slice_pages(const struct ferry_job *job, const struct lane *lane,
				const struct segment *segment, uint64_t done)
{
	uint64_t left = segment->nr_pages - done;
	uint64_t share = DIV_ROUND_UP(segment->nr_pages, (uint64_t)job->split.nr_lanes);
	uint64_t page_ns = atomic_load_explicit(&lane->ferry->page_ns, memory_order_relaxed);
	uint64_t most = policy_slice_pages(page_ns, is_awaited(job), SLICE_MAX_PAGES);
	unsigned int nr = (unsigned int)MIN(MIN(left, most), share);
	uint64_t position = segment->first_position + done;

	if (job->serial)
		return (unsigned int)MIN(left, (uint64_t)SLICE_MAX_PAGES);
	while (nr < left && nr < SLICE_MAX_PAGES &&
	       job_page(job, segment, position + nr) >> HUGE_SHIFT ==
		       job_page(job, segment, position + nr - 1) >> HUGE_SHIFT)
		nr++;
	return nr;
}

bool dispatch_next_unit(struct ferry_job *job, struct lane *lane, struct unit *out)
{
	bool any = false;

	futex_lock(&job->lock);
	while (!atomic_load(&job->stop) && job->cursor_segment < job->segments.nr) {
		const struct segment *segment = &job->segments.at[job->cursor_segment];
		uint64_t done = job->cursor_pages;

		if (done == segment->nr_pages) {
			job->cursor_segment++;
			job->cursor_pages = 0;
			continue;
		}
		out->segment = segment;
		out->first_position = segment->first_position + done;
		out->nr_pages = segment->mover == FERRY_MOVER_EXCHANGE
					? chunk_pages(lane, segment, done)
					: slice_pages(job, lane, segment, done);
		job->cursor_pages += out->nr_pages;
		job->nr_handed_out += out->nr_pages;
		any = true;
		break;
	}
	futex_unlock(&job->lock);
	return any;
}
