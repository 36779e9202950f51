// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <string.h>

#include "lib/nodes/mthp.h"
#include "lib/exchange/chunk_scan.h"
#include "lib/nodes/page_nodes.h"

/* Where there is one node, only what is there is of interest. */
static int on_one_node(const struct ferry *ferry, uintptr_t addr, unsigned int nr_pages,
		       struct chunk_scan *out)
{
	for (unsigned int i = 0; i < nr_pages; i++)
		out->node_of[i] = ferry->nodes.first_memory;
	return pagemap_kinds(addr, nr_pages, &out->kinds);
}

static int on_nodes(const struct ferry *ferry, uintptr_t addr, unsigned int nr_pages,
		    struct chunk_scan *out)
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
	if (!huge)
		return 0;
	for (unsigned int i = 1; i < nr_pages; i++)
		out->node_of[i] = out->node_of[0];
	/* A huge page of which only a part is meant moves whole: that is the kernel's to do. */
	out->kinds.huge = nr_pages == PAGES_PER_HUGE;
	memset(&out->kinds.movable, out->kinds.huge ? 0xff : 0, sizeof(out->kinds.movable));
	return 0;
}

/* What can't be told is taken for one. */
static void leave_out_mthp(uintptr_t addr, unsigned int nr_pages, struct page_kinds *kinds)
{
	struct mthp_map map;

	if (mthp_scan(addr, nr_pages, &map))
		map_set_range(&map.large, 0, nr_pages);
	for (unsigned int i = 0; i < PAGE_MAP_WORDS; i++)
		kinds->movable.word[i] &= ~map.large.word[i];
}

int chunk_scan(const struct ferry *ferry, uintptr_t addr, unsigned int nr_pages,
	       struct chunk_scan *out)
{
	int err = ferry->nodes.nr_memory == 1 ? on_one_node(ferry, addr, nr_pages, out)
					      : on_nodes(ferry, addr, nr_pages, out);

	if (!err && !out->kinds.huge && atomic_load_explicit(&ferry->mthp, memory_order_relaxed))
		leave_out_mthp(addr, nr_pages, &out->kinds);
	return err;
}
