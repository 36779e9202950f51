// SPDX-License-Identifier: LGPL-2.1-or-later
#include "lib/core/job.h"
#include "lib/kernel/thp_dedup.h"
#include "lib/nodes/pagemap.h"
#include "lib/nodes/page_nodes.h"

/* Rows of pages that are shorter are not worth a system call for each. */
#define MIN_ROW_PAGES 32

static void name(struct lane *lane, unsigned int first, unsigned int nr)
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
		name(lane, i, 1);
}

static bool is_huge(const struct lane *lane, unsigned int first)
{
	return pagemap_seems_huge_of(lane->dedup.pagemap_fd, lane->fallback.pages[first]);
}

/* All pages of a huge page's place, one after the other, for one node? */
static bool names_all_of_it(const struct fallback *left, unsigned int first)
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
		nr = names_all_of_it(left, i) && is_huge(lane, i) ? PAGES_PER_HUGE : 1;
		name(lane, i, nr);
	}
}

bool slice_fill_by_status(struct lane *lane, int status)
{
	lane->slice.nr_pages = 0;
	for (unsigned int i = 0; i < lane->fallback.nr; i++)
		if (lane->fallback.status[i] == status)
			name(lane, i, 1);
	return lane->slice.nr_pages;
}

/* How many pages of the slice, from this one on, follow each other in memory. */
static unsigned int nr_in_row(const struct slice *slice, unsigned int first)
{
	uintptr_t addr = (uintptr_t)slice->pages[first];
	unsigned int nr = 1;

	while (nr < PAGES_PER_HUGE && first + nr < slice->nr_pages &&
	       (uintptr_t)slice->pages[first + nr] == addr + (uintptr_t)nr * PAGE_BYTES)
		nr++;
	return nr;
}

/* False: the kernel is to be asked, for they can't be told, or lie so scattered that it's quicker.
 */
static bool by_frames(struct lane *lane)
{
	struct slice *slice = &lane->slice;

	for (unsigned int i = 0, nr; i < slice->nr_pages; i += nr) {
		nr = nr_in_row(slice, i);
		if (nr < MIN_ROW_PAGES ||
		    page_nodes_by_frame(&lane->ferry->blocks, lane->dedup.pagemap_fd,
					(uintptr_t)slice->pages[i], nr, slice->status + i))
			return false;
	}
	return true;
}

void slice_find_nodes(struct lane *lane)
{
	if (!by_frames(lane))
		slice_query(&lane->slice);
}

static void note(struct lane *lane, int *out)
{
	for (unsigned int i = 0; i < lane->slice.nr_pages; i++)
		for (unsigned int k = 0; k < lane->dedup.nr[i]; k++)
			out[lane->dedup.first[i] + k] = lane->slice.status[i];
}

void slice_note_before(struct lane *lane)
{
	note(lane, lane->fallback.before);
}

void slice_note_status(struct lane *lane)
{
	note(lane, lane->fallback.status);
}

void slice_note_status_deduped(struct lane *lane)
{
	struct slice *slice = &lane->slice;

	for (unsigned int i = 0; i < slice->nr_pages; i++)
		if (lane->dedup.nr[i] > 1 &&
		    (slice->status[i] != slice->nodes[i] || !is_huge(lane, lane->dedup.first[i])))
			slice->status[i] = STATUS_UNSET;
	slice_note_status(lane);
}
