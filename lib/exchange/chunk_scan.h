/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A chunk's pages: of what kind each one is, and on which node. */
#ifndef FERRY_CHUNK_SCAN_H
#define FERRY_CHUNK_SCAN_H

#include "lib/core/job.h"
#include "lib/nodes/pagemap.h"

struct chunk_scan {
	struct page_kinds kinds;     /* movable: the exchange mover can move it */
	struct page_map of_threads;  /* threads need it when they exit */
	int node_of[PAGES_PER_HUGE]; /* the page's node, or the kernel's -errno for it */
};

/* Scans at most 2 MiB that cross no 2 MiB boundary. 0 or -errno. */
int __must_check chunk_scan(const struct ferry *ferry, uintptr_t addr, unsigned int nr_pages,
			    struct chunk_scan *out);

#endif
