/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which node pages are on: by their frames where those are shown, else asked. */
#ifndef FERRY_PAGE_NODES_H
#define FERRY_PAGE_NODES_H

#include "base/base.h"
#include "base/bits.h"
#include "lib/nodes/memory_blocks.h"

/*
 * Of up to 512 pages of this process, as move_pages(2) answers: a node, -ENOENT if nothing is
 * there, -EFAULT or another error for what can't be moved. The huge zero page is not known by its
 * frames: who may meet it gives no blocks. 0 or -errno.
 */
int __must_check page_nodes_get(const struct memory_blocks *blocks, uintptr_t addr,
				unsigned int nr_pages, int *where);

/* The same by frames alone, of the process whose pagemap this is. -errno if they can't be told. */
int __must_check page_nodes_by_frame(const struct memory_blocks *blocks, int pagemap_fd,
				     uintptr_t addr, unsigned int nr_pages, int *where);

/* Sets in out those that are on the node. */
void page_nodes_match(const struct memory_blocks *blocks, uintptr_t addr, unsigned int nr_pages,
		      int node, struct page_map *out);

#endif
