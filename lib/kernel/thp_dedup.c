// SPDX-License-Identifier: LGPL-2.1-or-later
/* Entries of the slice, and the pages of the fallback that they stand for. */
#include "lib/core/job.h"
#include "lib/kernel/thp_dedup.h"
#include "lib/nodes/pagemap.h"
#include "lib/nodes/page_nodes.h"

/*
 * slice_find_nodes() uses page frames only if all pages lie in runs of at least this many. It reads
 * them with one system call per run, while a query is one call for the whole slice. Increasing this
 * queries more often; decreasing it makes more system calls for pages that are scattered.
 */
#define MIN_FRAME_RUN_PAGES 32

/* Adds an entry for nr pages of the fallback. */
static void slice_add(struct lane *lane, unsigned int first, unsigned int nr)
{
	struct slice *slice = &lane->slice;
	unsigned int at = slice->nr_pages++;

	slice->pages[at] = (void *)lane->fallback.pages[first];
	slice->nodes[at] = lane->fallback.nodes[first];
	lane->dedup.first[at] = first;
	lane->dedup.nr[at] = (uint16_t)nr;
}

void slice_fill(struct lane *lane)
{
	lane->slice.nr_pages = 0;
	for (unsigned int i = 0; i < lane->fallback.nr; i++)
		slice_add(lane, i, 1);
}

static bool fallback_seems_huge(const struct lane *lane, unsigned int first)
{
	return pagemap_seems_huge_of(lane->dedup.pagemap_fd, lane->fallback.pages[first]);
}

/* True if this page and the next 511 are the 2 MiB of a huge page, with one destination. */
static bool fallback_has_whole_huge(const struct fallback *left, unsigned int first)
{
	uintptr_t addr = left->pages[first];

	if (addr & (HUGE_BYTES - 1) || left->nr - first < PAGES_PER_HUGE)
		return false;
	for (unsigned int i = 1; i < PAGES_PER_HUGE; i++)
		if (left->pages[first + i] != addr + (uintptr_t)i * PAGE_BYTES ||
		    left->nodes[first + i] != left->nodes[first])
			return false;
	return true;
}

void slice_fill_deduped(struct lane *lane)
{
	const struct fallback *left = &lane->fallback;

	lane->slice.nr_pages = 0;
	for (unsigned int i = 0, nr; i < left->nr; i += nr) {
		nr = fallback_has_whole_huge(left, i) && fallback_seems_huge(lane, i)
			     ? PAGES_PER_HUGE
			     : 1;
		slice_add(lane, i, nr);
	}
}

bool slice_fill_by_status(struct lane *lane, int status)
{
	lane->slice.nr_pages = 0;
	for (unsigned int i = 0; i < lane->fallback.nr; i++)
		if (lane->fallback.status[i] == status)
			slice_add(lane, i, 1);
	return lane->slice.nr_pages;
}

/* The number of entries, from this one on, that are consecutive pages; 512 at most. */
static unsigned int slice_run_pages(const struct slice *slice, unsigned int first)
{
	uintptr_t addr = (uintptr_t)slice->pages[first];
	unsigned int nr = 1;

	while (nr < PAGES_PER_HUGE && first + nr < slice->nr_pages &&
	       (uintptr_t)slice->pages[first + nr] == addr + (uintptr_t)nr * PAGE_BYTES)
		nr++;
	return nr;
}

/* False: page frames do not tell the nodes, or the pages are too scattered. */
static bool slice_find_nodes_by_frame(struct lane *lane)
{
	struct slice *slice = &lane->slice;

	for (unsigned int i = 0, nr; i < slice->nr_pages; i += nr) {
		nr = slice_run_pages(slice, i);
		if (nr < MIN_FRAME_RUN_PAGES ||
		    page_nodes_by_frame(&lane->ferry->blocks, lane->dedup.pagemap_fd,
					(uintptr_t)slice->pages[i], nr, slice->status + i))
			return false;
	}
	return true;
}

void slice_find_nodes(struct lane *lane)
{
	if (!slice_find_nodes_by_frame(lane))
		slice_query(&lane->slice);
}

static void slice_note(struct lane *lane, int *out)
{
	for (unsigned int i = 0; i < lane->slice.nr_pages; i++)
		for (unsigned int k = 0; k < lane->dedup.nr[i]; k++)
			out[lane->dedup.first[i] + k] = lane->slice.status[i];
}

void slice_note_before(struct lane *lane)
{
	slice_note(lane, lane->fallback.before);
}

void slice_note_status(struct lane *lane)
{
	slice_note(lane, lane->fallback.status);
}

void slice_note_status_deduped(struct lane *lane)
{
	struct slice *slice = &lane->slice;

	for (unsigned int i = 0; i < slice->nr_pages; i++)
		if (lane->dedup.nr[i] > 1 && (slice->status[i] != slice->nodes[i] ||
					      !fallback_seems_huge(lane, lane->dedup.first[i])))
			slice->status[i] = STATUS_UNSET;
	slice_note_status(lane);
}
