// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <string.h>

#include "lib/kernel_mover.h"
#include "lib/mthp.h"
#include "lib/survey.h"

/* Where there is one node, only what is there is of interest. */
static int on_one_node(const struct ferry *ferry, uintptr_t addr, unsigned int nr_pages,
		       struct survey *out)
{
	for (unsigned int i = 0; i < nr_pages; i++)
		out->where[i] = ferry->nodes.first_memory;
	return pagemap_kinds(addr, nr_pages, &out->kinds);
}

/* The question where a page is answers whether it is there, too. */
static int by_asking(uintptr_t addr, unsigned int nr_pages, struct survey *out)
{
	void *pages[PAGES_PER_HUGE];

	for (unsigned int i = 0; i < nr_pages; i++)
		pages[i] = (void *)(addr + (uintptr_t)i * PAGE_BYTES);
	if (raw_move_pages(0, nr_pages, pages, NULL, out->where, 0))
		return -EFAULT;
	for (unsigned int i = 0; i < nr_pages; i++) {
		if (out->where[i] >= 0)
			map_set(&out->kinds.movable, i);
		else if (out->where[i] == -ENOENT)
			map_set(&out->kinds.absent, i);
	}
	return 0;
}

/* The same answers, but -ENXIO if a frame is in no block that is known. */
static int by_frames(const struct blocks *blocks, uintptr_t addr, unsigned int nr_pages,
		     struct survey *out)
{
	uint64_t entries[PAGES_PER_HUGE];
	int err = pagemap_entries(addr, nr_pages, entries);

	for (unsigned int i = 0; !err && i < nr_pages; i++) {
		uint64_t frame = pagemap_frame(entries[i]);

		if (!(entries[i] & PAGEMAP_PRESENT)) {
			out->where[i] = -ENOENT;
			map_set(&out->kinds.absent, i);
		} else if (frame == blocks->zero_frame) {
			out->where[i] = -EFAULT;
		} else {
			out->where[i] = blocks_node(blocks, frame);
			map_set(&out->kinds.movable, i);
			err = out->where[i] < 0 ? -ENXIO : 0;
		}
	}
	return err;
}

static int on_nodes(const struct ferry *ferry, uintptr_t addr, unsigned int nr_pages,
		    struct survey *out)
{
	enum page_look look = pagemap_look(addr);
	bool huge = look == PAGE_LOOKS_HUGE;
	unsigned int nr = huge ? 1 : nr_pages;
	int err = -ENXIO;

	memset(&out->kinds, 0, sizeof(out->kinds));
	/* The huge zero page is not known by its frames. */
	if (ferry->blocks.nr_runs && look != PAGE_LOOKS_ZERO)
		err = by_frames(&ferry->blocks, addr, nr, out);
	if (err) {
		memset(&out->kinds, 0, sizeof(out->kinds));
		err = by_asking(addr, nr, out);
	}
	if (err || !huge)
		return err;
	for (unsigned int i = 1; i < nr_pages; i++)
		out->where[i] = out->where[0];
	/* A huge page of which only a part is meant moves whole: that is the kernel's to do. */
	out->kinds.huge = nr_pages == PAGES_PER_HUGE;
	memset(&out->kinds.movable, out->kinds.huge ? 0xff : 0, sizeof(out->kinds.movable));
	return 0;
}

/* What can't be told is taken for one. */
static void leave_out_mthp(uintptr_t addr, unsigned int nr_pages, struct page_kinds *kinds)
{
	struct mthp_map map;

	if (mthp_survey(addr, nr_pages, &map))
		map_set_range(&map.large, 0, nr_pages);
	for (unsigned int i = 0; i < PAGE_MAP_WORDS; i++)
		kinds->movable.word[i] &= ~map.large.word[i];
}

int survey(const struct ferry *ferry, uintptr_t addr, unsigned int nr_pages, struct survey *out)
{
	int err = ferry->nodes.nr_memory == 1 ? on_one_node(ferry, addr, nr_pages, out)
					      : on_nodes(ferry, addr, nr_pages, out);

	if (!err && !out->kinds.huge && atomic_load_explicit(&ferry->mthp, memory_order_relaxed))
		leave_out_mthp(addr, nr_pages, &out->kinds);
	return err;
}
