/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which node pages are on: by their frame numbers if the kernel shows them, else by asking it. */
#ifndef FERRY_PAGE_NODES_H
#define FERRY_PAGE_NODES_H

#include "base/base.h"
#include "base/bits.h"
#include "lib/nodes/memory_blocks.h"

/*
 * Fills node_of for up to 512 pages of this process, as move_pages(2) answers: a node, -ENOENT for
 * a hole, -EFAULT or another error for a page that cannot be moved. Frame numbers do not identify
 * the huge zero page: where it may be, pass NULL for blocks, and the kernel is asked. 0 or -errno.
 */
int __must_check page_nodes_get(const struct memory_blocks *blocks, uintptr_t addr,
				unsigned int nr_pages, int *node_of);

/*
 * The same by frame numbers alone, for the process that pagemap_fd belongs to. -errno if a page's
 * node cannot be told that way.
 */
int __must_check page_nodes_by_frame(const struct memory_blocks *blocks, int pagemap_fd,
				     uintptr_t addr, unsigned int nr_pages, int *node_of);

/* Sets the bits in out of the pages that are on the node. */
void page_nodes_match(const struct memory_blocks *blocks, uintptr_t addr, unsigned int nr_pages,
		      int node, struct page_map *out);

#endif
