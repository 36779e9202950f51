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

int where_frames(const struct blocks *blocks, int pagemap_fd, uintptr_t addr, unsigned int nr_pages,
		 int *where)
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
		else if ((where[i] = blocks_node(blocks, frame)) < 0)
			err = -ENXIO;
	}
	return err;
}

int where_pages(const struct blocks *blocks, uintptr_t addr, unsigned int nr_pages, int *where)
{
	if (blocks && !where_frames(blocks, pagemap_own(), addr, nr_pages, where))
		return 0;
	return by_asking(addr, nr_pages, where);
}

void where_on_node(const struct blocks *blocks, uintptr_t addr, unsigned int nr_pages, int node,
		   struct page_map *out)
{
	int where[PAGES_PER_HUGE];

	if (where_pages(blocks, addr, nr_pages, where))
		return;
	for (unsigned int i = 0; i < nr_pages; i++)
		if (where[i] == node)
			map_set(out, i);
}
