/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a chunk holds, and where each page is. */
#ifndef FERRY_CHUNK_SCAN_H
#define FERRY_CHUNK_SCAN_H

#include "lib/core/job.h"
#include "lib/nodes/pagemap.h"

struct chunk_scan {
	struct page_kinds kinds;
	int node_of[PAGES_PER_HUGE]; /* a node, or what the kernel says of the page */
};

/* Of up to 2 MiB that lie between two borders of 2 MiB. 0 or -errno. */
int __must_check chunk_scan(const struct ferry *ferry, uintptr_t addr, unsigned int nr_pages,
			    struct chunk_scan *out);

#endif
