// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>

#include "base/uapi.h"
#include "lib/nodes/pagemap.h"
#include "lib/nodes/page_nodes.h"

static int by_asking(uintptr_t addr, unsigned int nr_pages, int *where)
{
	void *pages[PAGES_PER_HUGE];

	for (unsigned int i = 0; i < nr_pages; i++)
		pages[i] = (void *)(addr + (uintptr_t)i * PAGE_BYTES);
	return (int)sys_move_pages(0, nr_pages, pages, NULL, where, 0);
}

int page_nodes_by_frame(const struct memory_blocks *blocks, int pagemap_fd, uintptr_t addr,
			unsigned int nr_pages, int *where)
{
	uint64_t entries[PAGES_PER_HUGE];
	int err =
		blocks->nr_runs ? pagemap_entries_of(pagemap_fd, addr, nr_pages, entries) : -ENXIO;

	for (unsigned int i = 0; !err && i < nr_pages; i++) {
		uint64_t frame = pagemap_frame(entries[i]);

		if (!(entries[i] & PAGEMAP_PRESENT))
			where[i] = -ENOENT;
		else if (frame == blocks->zero_frame)
			where[i] = -EFAULT;
		else if ((where[i] = memory_blocks_node(blocks, frame)) < 0)
			err = -ENXIO;
	}
	return err;
}

int page_nodes_get(const struct memory_blocks *blocks, uintptr_t addr, unsigned int nr_pages,
		   int *where)
{
	if (blocks && !page_nodes_by_frame(blocks, pagemap_own(), addr, nr_pages, where))
		return 0;
	return by_asking(addr, nr_pages, where);
}

void page_nodes_match(const struct memory_blocks *blocks, uintptr_t addr, unsigned int nr_pages,
		      int node, struct page_map *out)
{
	int where[PAGES_PER_HUGE];

	if (page_nodes_get(blocks, addr, nr_pages, where))
		return;
	for (unsigned int i = 0; i < nr_pages; i++)
		if (where[i] == node)
			map_set(out, i);
}
