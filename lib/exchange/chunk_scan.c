// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Each chunk is scanned when its turn comes: which pages are absent, which ones the kernel mover
 * must move, and on which node each page is.
 */
#include <errno.h>
#include <string.h>

#include "lib/exchange/chunk_scan.h"
#include "lib/nodes/mthp.h"
#include "lib/nodes/page_nodes.h"

/* With one node only the kinds matter. */
static int chunk_scan_one_node(const struct ferry *ferry, uintptr_t addr, unsigned int nr_pages,
			       struct chunk_scan *out)
{
	for (unsigned int i = 0; i < nr_pages; i++)
		out->node_of[i] = ferry->nodes.first_memory;
	return pagemap_kinds(addr, nr_pages, &out->kinds);
}

/* The small pages of a huge page are on its node. */
static void chunk_scan_expand_huge(unsigned int nr_pages, struct chunk_scan *out)
{
	for (unsigned int i = 1; i < nr_pages; i++)
		out->node_of[i] = out->node_of[0];
	/*
	 * A huge page moves whole, even if the chunk has only a part of it. Such a part is for the
	 * kernel mover.
	 */
	out->kinds.huge = nr_pages == PAGES_PER_HUGE;
	memset(&out->kinds.movable, out->kinds.huge ? 0xff : 0, sizeof(out->kinds.movable));
}

static int chunk_scan_several_nodes(const struct ferry *ferry, uintptr_t addr,
				    unsigned int nr_pages, struct chunk_scan *out)
{
	enum page_look look = pagemap_look(addr);
	bool huge = look == PAGE_LOOKS_HUGE;
	unsigned int nr = huge ? 1 : nr_pages;
	int err = page_nodes_get(look == PAGE_LOOKS_ZERO ? NULL : &ferry->blocks, addr, nr,
				 out->node_of);

	memset(&out->kinds, 0, sizeof(out->kinds));
	if (err)
		return err;
	for (unsigned int i = 0; i < nr; i++) {
		if (out->node_of[i] >= 0)
			map_set(&out->kinds.movable, i);
		else if (out->node_of[i] == -ENOENT)
			map_set(&out->kinds.absent, i);
	}
	if (huge)
		chunk_scan_expand_huge(nr_pages, out);
	return 0;
}

/*
 * Leaves mTHP folios to the kernel mover, because UFFDIO_MOVE would split them. If they can't be
 * told from small pages, every page counts as part of one.
 */
static void kinds_exclude_mthp(uintptr_t addr, unsigned int nr_pages, struct page_kinds *kinds)
{
	struct mthp_map map;

	if (mthp_scan(addr, nr_pages, &map))
		map_set_range(&map.large, 0, nr_pages);
	for (unsigned int i = 0; i < PAGE_MAP_WORDS; i++)
		kinds->movable.word[i] &= ~map.large.word[i];
}

/* A huge page moves whole. */
static void scan_mark_threads(const struct ferry *ferry, uintptr_t addr, unsigned int nr_pages,
			      struct chunk_scan *out)
{
	memset(&out->of_threads, 0, sizeof(out->of_threads));
	if (threads_need(ferry->threads, addr, nr_pages, &out->of_threads) && out->kinds.huge)
		map_set_range(&out->of_threads, 0, nr_pages);
}

int chunk_scan(const struct ferry *ferry, uintptr_t addr, unsigned int nr_pages,
	       struct chunk_scan *out)
{
	int err = ferry->nodes.nr_memory == 1
			  ? chunk_scan_one_node(ferry, addr, nr_pages, out)
			  : chunk_scan_several_nodes(ferry, addr, nr_pages, out);

	if (!err && !out->kinds.huge && atomic_load_explicit(&ferry->mthp, memory_order_relaxed))
		kinds_exclude_mthp(addr, nr_pages, &out->kinds);
	scan_mark_threads(ferry, addr, nr_pages, out);
	return err;
}
