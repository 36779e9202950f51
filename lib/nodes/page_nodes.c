// SPDX-License-Identifier: LGPL-2.1-or-later
/* Finds out which node pages are on: by frame number, or by a query of move_pages(2). */
#include <errno.h>

#include "base/uapi.h"
#include "lib/nodes/pagemap.h"
#include "lib/nodes/page_nodes.h"

static int page_nodes_by_query(uintptr_t addr, unsigned int nr_pages, int *node_of)
{
	void *pages[PAGES_PER_HUGE];

	for (unsigned int i = 0; i < nr_pages; i++)
		pages[i] = (void *)(addr + (uintptr_t)i * PAGE_BYTES);
	return (int)sys_move_pages(0, nr_pages, pages, NULL, node_of, 0);
}

int page_nodes_by_frame(const struct memory_blocks *blocks, int pagemap_fd, uintptr_t addr,
			unsigned int nr_pages, int *node_of)
{
	uint64_t entries[PAGES_PER_HUGE];
	int err =
		blocks->nr_runs ? pagemap_entries_of(pagemap_fd, addr, nr_pages, entries) : -ENXIO;

	for (unsigned int i = 0; !err && i < nr_pages; i++) {
		uint64_t frame = pagemap_frame(entries[i]);

		if (!(entries[i] & PAGEMAP_PRESENT))
			node_of[i] = -ENOENT;
		else if (frame == blocks->zero_frame)
			node_of[i] = -EFAULT;
		else if ((node_of[i] = memory_blocks_node(blocks, frame)) < 0)
			err = -ENXIO;
	}
	return err;
}

int page_nodes_get(const struct memory_blocks *blocks, uintptr_t addr, unsigned int nr_pages,
		   int *node_of)
{
	if (blocks && !page_nodes_by_frame(blocks, pagemap_own(), addr, nr_pages, node_of))
		return 0;
	return page_nodes_by_query(addr, nr_pages, node_of);
}

void page_nodes_match(const struct memory_blocks *blocks, uintptr_t addr, unsigned int nr_pages,
		      int node, struct page_map *out)
{
	int node_of[PAGES_PER_HUGE];

	if (page_nodes_get(blocks, addr, nr_pages, node_of))
		return;
	for (unsigned int i = 0; i < nr_pages; i++)
		if (node_of[i] == node)
			map_set(out, i);
}
